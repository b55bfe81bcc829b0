"""`newsletter digest send-from-here`, and the drain that waits for it."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from house import ENVIRON, make_settings

from newsletter.cli import main
from newsletter.errors import ServiceError
from newsletter.outbox.copies import write_file
from newsletter.service.database.schema import upgrade
from newsletter.service.sending.drain import refuse_copy


def test_a_drain_refuses_a_restored_copy_until_a_person_confirms(tmp_path: Path):
    settings = make_settings(tmp_path / "data")
    upgrade(settings.database)
    refuse_copy(settings)
    write_file(settings.data_dir, 99)

    with pytest.raises(ServiceError, match="older than the data folder"):
        refuse_copy(settings)
    confirmed = run(settings.data_dir)
    again = run(settings.data_dir)

    assert "Digests go from here." in confirmed.output
    assert again.exit_code == 1
    refuse_copy(settings)


def run(data_dir: Path) -> Result:
    environ = {**ENVIRON, "NEWSLETTER_DATA_DIR": str(data_dir)}
    return CliRunner().invoke(main, ["digest", "send-from-here"], env=environ)
