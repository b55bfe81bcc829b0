"""`newsletter consent`: what the check of the whole ledger says."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from click.testing import CliRunner

from newsletter.cli import main


def test_a_check_without_a_signed_head_does_not_say_that_all_is_well(env_file: Path) -> None:
    told = CliRunner().invoke(main, ["--env-file", str(env_file), "consent", "verify", "--all"])

    assert told.exit_code == 1
    assert "There is no signed head" in told.stderr
    assert "The check is not complete." in told.stdout


def test_a_wrong_head_is_refused_with_what_is_wrong(env_file: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "head.jsonl"
    wrong.write_text('{"kind": "newsletter consent head"}\n')

    told = CliRunner().invoke(
        main, ["--env-file", str(env_file), "consent", "verify", "--all", "--head", str(wrong)]
    )

    assert told.exit_code == 1
    assert "its first line has no “version”" in told.stderr


def test_a_head_that_comes_through_a_pipe_is_read(env_file: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    threading.Thread(target=pipe.write_bytes, args=(b"Dear Ann,",), daemon=True).start()

    told = CliRunner().invoke(
        main, ["--env-file", str(env_file), "consent", "verify", "--all", "--head", str(pipe)]
    )

    assert "its line 1 is not JSON" in told.stderr


def test_a_folder_is_no_settings_file(tmp_path: Path) -> None:
    told = CliRunner().invoke(main, ["--env-file", str(tmp_path), "consent", "key"])

    assert told.exit_code == 1
    assert f"--env-file names {tmp_path}, which is no file" in told.stderr
