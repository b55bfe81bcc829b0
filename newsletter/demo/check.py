"""`newsletter demo --check`: sign up, read, change and unsubscribe once, over HTTP and SMTP."""

from __future__ import annotations

import json
import os
import shutil
import signal
import smtplib
import subprocess
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from html.parser import HTMLParser
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any

from newsletter.demo.catcher import HOST
from newsletter.demo.data import TOPICS
from newsletter.demo.run import SETTINGS_FILE, free_port
from newsletter.errors import ServiceError
from newsletter.service.processes.end_with_parent import tied_to_parent
from newsletter.settings import PREFIX, load_settings
from newsletter.web.mailbox.stored_emails import StoredEmail, list_stored_emails, mailbox_folder

# Returns the command that runs this program with the words that follow `newsletter`.
Command = Callable[..., Sequence[str]]

SUBSCRIBER = "ada.reader@demo.example"
START_SECONDS = 60
MAIL_SECONDS = 30
# The form rejects a sign-up that is sent faster than a person can read the page.
READING_SECONDS = 1.1
LOOK_SECONDS = 0.05


class StepFailed(ServiceError):
    """A step of the check had an unexpected result."""


@dataclass
class Journey:
    """The result of the check: the seconds of each step, and the error if a step failed."""

    seconds: dict[str, float] = field(default_factory=dict)
    html_bytes: int | None = None
    eml: str | None = None
    error: str | None = None

    @property
    def ok(self) -> bool:
        """Whether every step succeeded."""
        return self.error is None

    def as_json(self) -> dict[str, Any]:
        """Return the JSON line that is printed."""
        line: dict[str, Any] = {"ok": self.ok, "seconds": self.seconds}
        line |= {"html_bytes": self.html_bytes, "eml": self.eml}
        return line if self.ok else line | {"error": self.error}

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Measure the time of a step. An error in it gets the step's name."""
        began = time.monotonic()
        try:
            yield
        except (OSError, ValueError, ServiceError, subprocess.SubprocessError) as fault:
            raise StepFailed(f"{name}: {fault}") from fault
        finally:
            self.seconds[name] = round(time.monotonic() - began, 3)


def check_journey(command: Command, options: Sequence[str] = ()) -> Journey:
    """Start the demo in a temporary folder on free ports, run every step as a subscriber, end the demo.

    `options` go to the demo: another database or queue.

    The digest is kept as a file in the system's temporary folder. The demo's data is deleted.
    """
    journey = Journey()
    folder = Path(tempfile.mkdtemp(prefix="newsletter-check-"))
    data, port = folder / "data", free_port()
    try:
        log = folder / "log"
        with _demo_runs(command("demo", "--data", str(data), "--port", str(port), *options), log) as process:
            began = time.monotonic()
            _live(journey, command, process, data, f"http://{HOST}:{port}")
            journey.seconds["whole"] = round(time.monotonic() - began, 3)
    except StepFailed as fault:
        journey.error = f"{fault}\n{_end_of(log)}".strip()
    finally:
        shutil.rmtree(data, ignore_errors=True)
        if journey.ok:
            log.unlink(missing_ok=True)
    return journey


def _live(
    journey: Journey, command: Command, process: subprocess.Popen[bytes], data: Path, home: str
) -> None:
    browser = Browser()
    mails = Mails(mailbox_folder(data))
    with journey.step("start"):
        _await(lambda: _is_up(process, home), START_SECONDS, "the web server does not answer")
    with journey.step("sign_up"):
        form = browser.open(f"{home}/").form("subscribe")
        time.sleep(READING_SECONDS)
        topics = [topic.slug for topic in TOPICS]
        browser.submit(form, {"email": SUBSCRIBER, "topics": topics, "frequency": "daily"})
    with journey.step("confirmation_mail"):
        confirmation = mails.wait_for(1)
        link = _link(confirmation, f"{home}/confirm/")
    with journey.step("look_at_link"):
        # A link scanner opens the link twice. That must change nothing, and the button must still be there.
        browser.open(link)
        form = browser.open(link).form()
    with journey.step("confirm"):
        browser.submit(form, {})
    with journey.step("send_digest"):
        _send_digest(command, data)
    with journey.step("digest_mail"):
        digest = mails.wait_for(2)
        journey.html_bytes = len((digest.html or "").encode())
        journey.eml = _keep(digest)
        _require(journey.html_bytes > 0 and bool(digest.text), "the digest lacks its HTML or its text")
    with journey.step("send_again"):
        _require(
            _has_nothing_new(command, data), "a second digest would repeat releases that were already sent"
        )
    with journey.step("leave_by_mail"):
        _leave_by_mail(digest, data)
    with journey.step("undo"):
        _undo(browser, digest)
    with journey.step("unsubscribe"):
        _unsubscribe(digest)


def _send_digest(command: Command, data: Path) -> None:
    done = _cli(command, data, "digest", "send", "--yes", "--json")
    sent = json.loads(done.stdout) if done.returncode == 0 else {}
    _require(sent.get("readers") == 1, f"`digest send` says: {(done.stdout + done.stderr).strip()}")


def _has_nothing_new(command: Command, data: Path) -> bool:
    return _cli(command, data, "digest", "send", "--yes").returncode == 1


def _cli(command: Command, data: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run one of our commands with the demo's settings, as a person does in another terminal."""
    program, *rest = command(*words)
    # If --env-file is given several times, the last one counts.
    at = rest.index("--env-file")
    rest[at + 1] = str(data / SETTINGS_FILE)
    return subprocess.run(  # noqa: S603 (our own program)
        [program, *rest], env=_environ(), capture_output=True, text=True, timeout=60, check=False
    )


def _unsubscribe(digest: StoredEmail) -> None:
    """POST what a mailbox provider posts (RFC 8058): without cookies, and without opening a page before."""
    _require(
        digest.message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click",
        "the digest lacks List-Unsubscribe-Post",
    )
    target = _leave_target(digest, "http")
    answer = Browser().post(target, {"List-Unsubscribe": "One-Click"})
    _require(answer.url == target, "the one-click unsubscribe was redirected")


def _leave_target(digest: StoredEmail, beginning: str) -> str:
    """Return the URL in List-Unsubscribe that starts with `beginning` (RFC 2369)."""
    header = "".join(str(digest.message["List-Unsubscribe"]).split())
    for part in header.split(","):
        if part.startswith(f"<{beginning}"):
            return part.strip("<>")
    raise StepFailed(f"the digest has no {beginning} in List-Unsubscribe")


def _leave_by_mail(digest: StoredEmail, data: Path) -> None:
    """Send the email that an email program sends for the mailto: URL of List-Unsubscribe (RFC 2369)."""
    target = urllib.parse.urlsplit(_leave_target(digest, "mailto:"))
    message = EmailMessage()
    message["From"] = SUBSCRIBER
    message["To"] = urllib.parse.unquote(target.path)
    message["Subject"] = urllib.parse.parse_qs(target.query)["subject"][0]
    intake = load_settings({}, data / SETTINGS_FILE).intake_listen[0]
    try:
        with smtplib.SMTP(intake.host, intake.port, timeout=30) as talk:
            talk.send_message(message)
    except smtplib.SMTPException as fault:
        raise StepFailed(f"the server did not accept the email: {fault}") from fault


def _undo(browser: Browser, digest: StoredEmail) -> None:
    """Press the undo button. The page has one only after an unsubscribe, and undoing allows another."""
    browser.submit(browser.open(_leave_target(digest, "http")).form_to("/undo/"), {})


@dataclass(frozen=True)
class Form:
    """A form of a page: its id, its target, and the fields that an unchanged form sends."""

    id: str
    action: str
    fields: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Page:
    """A response: its final URL after redirects, and its text."""

    url: str
    text: str

    def form(self, form_id: str | None = None) -> Form:
        """Return the form with that id, or the only form that posts. Raises StepFailed if there is none."""
        reader = _FormReader(self.url)
        reader.feed(self.text)
        found = [form for form in reader.forms if form_id in {None, form.id}]
        if len(found) != 1:
            raise StepFailed(f"{_without_token(self.url)} has {len(found)} forms, and one was expected")
        return found[0]

    def form_to(self, part: str) -> Form:
        """Return the form that posts to a URL with `part` in it. Raises StepFailed if there is none."""
        reader = _FormReader(self.url)
        reader.feed(self.text)
        for form in reader.forms:
            if part in form.action:
                return form
        raise StepFailed(f"{_without_token(self.url)} has no form to {part}")


class _FormReader(HTMLParser):
    """Collects the forms that post, with the fields that an unchanged form sends."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._url = url
        self._open = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "form" and (given.get("method") or "").lower() == "post":
            action = urllib.parse.urljoin(self._url, given.get("action") or "")
            self.forms.append(Form(given.get("id") or "", action, ()))
            self._open = True
        elif self._open and given.get("name") and _is_sent(tag, given):
            form = self.forms[-1]
            value = (given["name"] or "", given.get("value") or "")
            self.forms[-1] = Form(form.id, form.action, (*form.fields, value))

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._open = False


def _is_sent(tag: str, given: Mapping[str, str | None]) -> bool:
    if tag == "button":
        return "value" in given
    if given.get("type") in {"checkbox", "radio"}:
        return "checked" in given
    return tag == "input"


class Browser:
    """Opens pages and sends forms. It has cookies, and nothing else of a browser."""

    def __init__(self) -> None:
        # A proxy in the environment is not used for requests to this machine.
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(CookieJar())
        )

    def open(self, url: str) -> Page:
        """GET a page. Raises StepFailed for a status of 400 or more."""
        return self._ask(urllib.request.Request(url))  # noqa: S310 (our own service)

    def submit(self, form: Form, values: Mapping[str, str | list[str]]) -> Page:
        """Send a form with these values. Raises StepFailed for a status of 400 or more."""
        kept = [(name, value) for name, value in form.fields if name not in values]
        return self._send(form.action, kept + _pairs(values), form.action)

    def post(self, url: str, values: Mapping[str, str | list[str]]) -> Page:
        """POST without opening a page first. Raises StepFailed for a status of 400 or more."""
        return self._send(url, _pairs(values), None)

    def _send(self, url: str, pairs: list[tuple[str, str]], referrer: str | None) -> Page:
        asked = urllib.request.Request(url, urllib.parse.urlencode(pairs).encode())  # noqa: S310
        if referrer is not None:
            asked.add_header("Referer", referrer)
        return self._ask(asked)

    def _ask(self, asked: urllib.request.Request) -> Page:
        try:
            with self._opener.open(asked, timeout=30) as answer:
                return Page(answer.url, answer.read().decode("utf-8"))
        except urllib.error.HTTPError as fault:
            raise StepFailed(
                f"{asked.get_method()} {_without_token(asked.full_url)} returned status {fault.code}"
            ) from fault


def _pairs(values: Mapping[str, str | list[str]]) -> list[tuple[str, str]]:
    return [
        (name, value)
        for name, given in values.items()
        for value in (given if isinstance(given, list) else [given])
    ]


def _without_token(url: str) -> str:
    return "/".join(part if len(part) < 40 else "..." for part in url.split("/"))


class Mails:
    """The mailbox of the demo."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def wait_for(self, count: int) -> StoredEmail:
        """Return the newest email once there are `count`. Raises StepFailed if there are fewer or more."""
        _await(
            lambda: len(list_stored_emails(self._folder)) >= count,
            MAIL_SECONDS,
            f"email number {count} did not arrive",
        )
        found = list_stored_emails(self._folder)
        _require(len(found) == count, f"{len(found)} emails arrived, and {count} were expected")
        return found[0]


def _link(mail: StoredEmail, beginning: str) -> str:
    for piece in mail.pieces:
        if piece.url and piece.url.startswith(beginning):
            return piece.url
    raise StepFailed(f"no link to {beginning} in the email")


def _keep(mail: StoredEmail) -> str:
    """Write the email to a file that is kept; return its path."""
    handle, path = tempfile.mkstemp(prefix="newsletter-digest-", suffix=".eml")
    with os.fdopen(handle, "wb") as file:
        file.write(mail.raw)
    return path


@contextmanager
def _demo_runs(command: Sequence[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 (our own program)
            list(command),
            env=_environ(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            preexec_fn=tied_to_parent(signal.SIGTERM),  # noqa: PLW1509 (there is one thread)
        )
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def _environ() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}


def _is_up(process: subprocess.Popen[bytes], home: str) -> bool:
    _require(process.poll() is None, "the demo ended at once")
    try:
        return bool(Browser().open(f"{home}/readyz").text)
    except (OSError, StepFailed):
        return False


def _await(look: Callable[[], bool], seconds: float, fault: str) -> None:
    deadline = time.monotonic() + seconds
    while not look():
        _require(time.monotonic() < deadline, f"{fault} (waited {seconds:g} s)")
        time.sleep(LOOK_SECONDS)


def _require(holds: bool, fault: str) -> None:
    if not holds:
        raise StepFailed(fault)


def _end_of(log: Path) -> str:
    return log.read_text("utf-8", "replace")[-2000:] if log.is_file() else ""
