"""What is installed from the wheel works without the checkout."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from newsletter import __version__

ROOT = Path(__file__).resolve().parents[2]


def run(*command: str | Path, cwd: Path, path: Path | None = None) -> str:
    """Return what the command printed; fail with all of its output when it fails."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("NEWSLETTER_", "COV_"))}
    env["PYTHONPATH"] = str(path) if path else ""
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


# One wheel, built by one of pytest's processes.
pytestmark = pytest.mark.xdist_group("wheel")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from this checkout without a network."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, cwd=ROOT)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds nothing but the installed wheel."""
    target = tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    run(*pip, "--no-deps", "--no-index", "--target", target, wheel, cwd=target)
    return target


def test_the_wheel_holds_templates_migrations_samples_and_no_tests(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())

    def packed(folder: str) -> set[str]:
        found = [path for path in (ROOT / folder).rglob("*") if path.is_file()]
        return {path.relative_to(ROOT).as_posix() for path in found if "__pycache__" not in path.parts}

    wanted = {f"newsletter/_data/{name}" for name in packed("templates") | packed("migrations")}
    wanted |= packed("newsletter")
    assert wanted - names == set()
    assert {name.split("/")[0] for name in names} == {"newsletter", f"newsletter-{__version__}.dist-info"}
    assert f"newsletter-{__version__}.dist-info/licenses/LICENSE" in names


def test_the_installed_command_knows_its_version(installed, tmp_path):
    shown = run(sys.executable, "-P", "-m", "newsletter", "--version", cwd=tmp_path, path=installed)

    assert __version__ in shown


def test_templates_and_migrations_come_from_the_wheel(installed, tmp_path):
    script = (
        "from newsletter.runtime import data_folder\n"
        "print(data_folder('templates'), data_folder('migrations'), sep='\\n')"
    )

    shown = run(sys.executable, "-P", "-c", script, cwd=tmp_path, path=installed)

    data = installed / "newsletter" / "_data"
    assert shown.splitlines() == [str(data / "templates"), str(data / "migrations")]


def test_the_installed_demo_lives_its_journey(installed, tmp_path):
    shown = run(sys.executable, "-P", "-m", "newsletter", "demo", "--check", cwd=tmp_path, path=installed)

    result = json.loads(shown.splitlines()[-1])
    letter = Path(result["eml"])
    letter_bytes = letter.read_bytes()
    letter.unlink()
    assert result["ok"], result
    assert b"List-Unsubscribe-Post: List-Unsubscribe=One-Click" in letter_bytes
