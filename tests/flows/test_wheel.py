"""The installed wheel works without the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import time
import urllib.error
import urllib.request
import zipfile
from importlib.metadata import distribution
from pathlib import Path

import pytest
from demo_journey import require_whole_journey
from house import ENVIRON

from newsletter import __version__

ROOT = Path(__file__).resolve().parents[2]


def run(*command: str | Path, cwd: Path, path: Path | None = None) -> str:
    """Return the command's output; if it fails, fail with all of its output."""
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=clean(path), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from this checkout without a network."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, cwd=ROOT)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with only the installed wheel."""
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
    tops = {name.split("/")[0] for name in names}
    assert tops == {"newsletter", f"newsletter-{__version__}.dist-info", "wsgi.py"}
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
    demo = [sys.executable, "-P", "-m", "newsletter", "demo", "--check"]
    environ = clean(installed) | {"TMPDIR": str(tmp_path), "NEWSLETTER_RELAY": "smtp://relay.example.org"}
    done = subprocess.run(demo, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    require_whole_journey(done.stdout, tmp_path)


def test_wsgi_comes_from_the_wheel_and_reads_the_env_file_where_the_server_starts(
    installed, tmp_path, free_port
):
    wsgi = f"{tmp_path}/data"
    lines = [f"{name}='{value}'" for name, value in {**ENVIRON, "NEWSLETTER_DATA_DIR": wsgi}.items()]
    (tmp_path / ".env").write_text("\n".join(lines))
    run(sys.executable, "-P", "-m", "newsletter", "db", "upgrade", cwd=tmp_path, path=installed)
    serve = [sys.executable, "-P", "-m", "gunicorn", "--bind", f"127.0.0.1:{free_port}", "wsgi:application"]

    with subprocess.Popen(serve, cwd=tmp_path, env=clean(installed)) as server:
        try:
            pages = [fetch(f"http://127.0.0.1:{free_port}/{page}") for page in ("readyz", "")]
        finally:
            server.terminate()

    assert pages[0] == "ok\n"
    assert ENVIRON["NEWSLETTER_POSTAL_ADDRESS"] in pages[1] or "<form" in pages[1]


def test_without_the_package_a_redis_url_names_the_extra_and_with_the_extra_it_works(
    wheel, tmp_path, redis_url
):
    """Here the network is not asked: the packages of this environment count as installed, except redis."""
    python = make_environment(tmp_path)
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index"]
    settings = {**ENVIRON, "NEWSLETTER_DATA_DIR": f"{tmp_path}/data", "NEWSLETTER_BROKER_URL": redis_url}
    environ = clean() | settings
    command = [python, "-m", "newsletter", "--env-file", ""]

    run(*pip, wheel, cwd=tmp_path)
    subprocess.run([*command, "db", "upgrade"], cwd=tmp_path, env=environ, check=True, capture_output=True)
    bare = subprocess.run(
        [*command, "worker", "--lane", "single"],
        cwd=tmp_path, env=environ, capture_output=True, text=True, check=False,
    )  # fmt: skip
    run(*pip, "--find-links", wheelhouse(tmp_path), f"{wheel}[redis]", cwd=tmp_path)
    with subprocess.Popen(
        [*command, "worker", "--lane", "single"],
        cwd=tmp_path, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    ) as worker:  # fmt: skip
        try:
            assert worker.stderr is not None
            ready = next((line for line in worker.stderr if "worker_ready" in line), "")
        finally:
            worker.terminate()

    assert bare.returncode == 1
    assert "NEWSLETTER_BROKER_URL needs the package redis" in bare.stderr
    assert "pip install 'newsletter[redis]'" in bare.stderr
    assert "lane=single" in ready


def make_environment(folder: Path) -> Path:
    """Make a virtual environment that sees what is installed here, except redis and ourselves."""
    run(sys.executable, "-m", "venv", "--without-pip", folder / "venv", cwd=folder)
    seen = folder / "seen"
    seen.mkdir()
    for each in Path(sysconfig.get_path("purelib")).iterdir():
        if not each.name.lower().startswith(
            ("redis", "newsletter", "_newsletter", "__editable__", "async_timeout")
        ):
            (seen / each.name).symlink_to(each)
    (packages,) = (folder / "venv" / "lib").glob("python*/site-packages")
    (packages / "seen.pth").write_text(f"{seen}\n")
    return folder / "venv" / "bin" / "python"


def wheelhouse(folder: Path) -> Path:
    """Return a folder with a wheel of the redis client, packed from the files that are installed here."""
    found = distribution("redis")
    house = folder / "wheels"
    house.mkdir()
    with zipfile.ZipFile(house / f"redis-{found.version}-py3-none-any.whl", "w") as archive:
        for each in found.files or ():
            if not each.as_posix().startswith("..") and "__pycache__" not in each.parts:
                archive.write(each.locate(), each.as_posix())
    return house


def clean(path: Path | None = None) -> dict[str, str]:
    """Return this environment without settings, with `path` first on the module path."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("NEWSLETTER_", "COV_"))}
    return env | {"PYTHONPATH": str(path) if path else ""}


def fetch(url: str) -> str:
    """Return a page of a server that may still be starting."""
    deadline = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return answer.read().decode()
        except urllib.error.HTTPError as fault:
            return fault.read().decode()
        except OSError:
            assert time.monotonic() < deadline, url
            time.sleep(0.1)
