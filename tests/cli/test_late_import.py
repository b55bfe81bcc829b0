"""A name is imported when it is needed."""

from __future__ import annotations

import contextlib
import gc
import subprocess
import sys

import pytest

from newsletter.cli.late_import import late_import


def test_the_named_object_is_returned():
    assert late_import("newsletter.tokens:Purpose").__name__ == "Purpose"
    with pytest.raises(AttributeError):
        late_import("newsletter.tokens:Nothing")


@pytest.mark.parametrize("target", ["newsletter.tokens:Purpose", "newsletter.tokens:Nothing"])
def test_garbage_is_collected_again_after_an_import(target):
    assert gc.isenabled()

    with contextlib.suppress(AttributeError):
        late_import(target)

    assert gc.isenabled()


def test_an_import_does_not_begin_to_collect_garbage(request):
    gc.disable()
    request.addfinalizer(gc.enable)

    late_import("newsletter.tokens:Purpose")

    assert not gc.isenabled()


def test_no_garbage_is_collected_during_an_import():
    program = (
        "import gc; from newsletter.cli.late_import import late_import; before = gc.get_stats(); "
        "late_import('newsletter.cli.processes.worker:worker'); after = gc.get_stats(); "
        "print([now['collections'] - then['collections'] for now, then in zip(after, before)][1:])"
    )

    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert told.stdout.strip() == "[0, 0]"


def test_a_drain_starts_without_packages_that_it_seldom_needs():
    program = (
        "import sys, newsletter.cli.processes.worker; "
        "print({'PIL', 'markdown_it', 'celery'} & sys.modules.keys())"
    )

    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert told.stdout.strip() == "set()"


def test_the_command_line_starts_without_the_database_and_the_web():
    program = "import sys, newsletter.cli; print({'sqlalchemy', 'flask', 'celery'} & sys.modules.keys())"

    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert told.stdout.strip() == "set()"
