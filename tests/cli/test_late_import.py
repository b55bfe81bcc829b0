"""A name is imported when it is needed."""

from __future__ import annotations

import subprocess
import sys

import pytest

from newsletter.cli.late_import import late_import


def test_the_named_object_is_returned():
    assert late_import("newsletter.tokens:Purpose").__name__ == "Purpose"
    with pytest.raises(AttributeError):
        late_import("newsletter.tokens:Nothing")


def test_the_command_line_starts_without_the_database_and_the_web():
    program = "import sys, newsletter.cli; print({'sqlalchemy', 'flask', 'celery'} & sys.modules.keys())"

    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert told.stdout.strip() == "set()"
