"""The public pages on a real web server on loopback, with sample releases. Tests run the jobs themselves."""

from __future__ import annotations

import dataclasses
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email import message_from_bytes, policy
from pathlib import Path

from flask import request, template_rendered
from house import House, make_right_token
from servers.processes import free_port
from sqlalchemy import select
from werkzeug.serving import WSGIRequestHandler, make_server

from newsletter.app import create_app
from newsletter.clock import utcnow
from newsletter.demo.run import prepare_demo
from newsletter.models import Delivery, Frequency, Probe, Subscriber, Topic
from newsletter.runtime import Runtime
from newsletter.subscribers.choices.preferences import make_preferences_token
from newsletter.subscribers.leaving.undo import make_undo_token
from newsletter.subscribers.leaving.unsubscribe import Unsubscribed, unsubscribe
from newsletter.subscribers.privacy.emailed_links import Right
from newsletter.subscribers.signup.resolve import resolve_signups
from newsletter.tokens import Purpose


@dataclass
class Ahead:
    """A running clock that can be moved forward."""

    ahead: timedelta = timedelta(0)

    def __call__(self) -> datetime:
        return utcnow() + self.ahead

    def pass_(self, **span: float) -> None:
        self.ahead += timedelta(**span)


@dataclass
class PublicSite:
    """A running site: its URL, its runtime, and which endpoints and templates have returned pages."""

    url: str
    house: House
    endpoints: set[str] = field(default_factory=set)
    templates: set[str] = field(default_factory=set)
    rules: dict[str, set[str]] = field(default_factory=dict)

    def pass_(self, **span: float) -> None:
        self.house.clock.pass_(**span)

    def work(self) -> None:
        """Do what the jobs would: resolve the sign-ups, and send the single emails."""
        runtime = self.house.runtime
        with runtime.session() as session:
            resolve_signups(session, runtime.tokens, runtime.now())
            session.commit()
        self.house.drain("single")

    def link(self, recipient: str, kind: str) -> str:
        """Return the newest link to a page of this kind (such as "confirm") in an email to `recipient`."""
        self.work()
        for sent in reversed(self.house.transport.sent):
            if sent.envelope.recipient == recipient:
                text = message_from_bytes(sent.content, policy=policy.default).get_body(("plain",))
                found = re.search(rf"{re.escape(self.url)}/{kind}/\S+", text.get_content() if text else "")
                if found:
                    return found.group(0)
        raise AssertionError(f"no mail with a link to /{kind} was sent to {recipient}")

    def subscriber(self, name: str, language: str = "en") -> str:
        """Add a confirmed subscriber of every topic; return their address."""
        runtime = self.house.runtime
        with runtime.session() as session:
            made = self.house.subscriber(name)
            made.language = language
            session.add(made)
            session.flush()
            for topic_id in session.scalars(select(Topic.id).order_by(Topic.id)):
                session.add(self.house.subscription(made.id, topic_id, Frequency.DAILY))
            session.commit()
            return made.email or ""

    def person(self, email: str) -> Subscriber:
        with self.house.runtime.session() as session:
            return session.scalars(select(Subscriber).where(Subscriber.email == email)).one()

    def preferences(self, email: str) -> str:
        """Return the URL of a subscriber's preferences page."""
        person, runtime = self.person(email), self.house.runtime
        token = make_preferences_token(
            runtime.tokens, person.public_id, person.email_key or "", self.house.clock()
        )
        return f"{self.url}/preferences/{token}"

    def right(self, email: str, path: str) -> str:
        """Return the URL of a page that works for an hour: export, erase or new-address."""
        person, runtime = self.person(email), self.house.runtime
        right = Right.ADDRESS if path == "new-address" else Right(path)
        token = make_right_token(
            runtime.tokens, right, person.public_id, person.email_key or "", self.house.clock()
        )
        return f"{self.url}/{path}/{token}"

    def stay(self, email: str) -> str:
        """Begin a probe of an address, and return the URL that the probe email would contain."""
        person, runtime = self.person(email), self.house.runtime
        with runtime.session() as session:
            probe = Probe(subscriber_id=person.id, delivery_id=0, begun_at=runtime.now())
            session.add(probe)
            session.commit()
            proof = runtime.tokens.fingerprint(person.email_key or "")
            return f"{self.url}/stay/{self._token(Purpose.STAY, person.public_id, proof, probe.id)}"

    def send_issue(self) -> None:
        """Send the new releases to all daily subscribers."""
        self.house.send(Frequency.DAILY)

    def view(self, email: str) -> str:
        """Return the URL of a subscriber's newest issue in the browser."""
        person = self.person(email)
        with self.house.runtime.session() as session:
            newest = select(Delivery.id).where(
                Delivery.subscriber_id == person.id, Delivery.issue_id.is_not(None)
            )
            delivery_id = session.scalars(newest.order_by(Delivery.id.desc())).first()
        return f"{self.url}/issues/{self._token(Purpose.VIEW, person.public_id, delivery_id)}"

    def undo(self, email: str) -> str:
        """Return the undo URL that an email about an unsubscribe at this moment would contain."""
        person, runtime = self.person(email), self.house.runtime
        with runtime.session() as session:
            left = unsubscribe(session, runtime.tokens, person.public_id, None, runtime.now(), "button")
            session.commit()
        assert isinstance(left, Unsubscribed) and left.ended_at is not None
        token = make_undo_token(
            runtime.tokens, person.public_id, left.ended_at, runtime.now(), person.email_key
        )
        return f"{self.url}/undo/{token}"

    def _token(self, purpose: Purpose, *payload: object) -> str:
        return self.house.runtime.tokens.make(purpose, payload, self.house.clock())


class _Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002
        pass


@contextmanager
def run_public_site(folder: Path, **more: str) -> Iterator[PublicSite]:
    """Serve the pages of a demo from `folder`; `more` are settings as environment variables."""
    port = free_port()
    prepared = prepare_demo(folder, port, 2525, more)
    clock = Ahead()
    runtime = Runtime(dataclasses.replace(prepared.settings, data_dir=folder), now=clock)
    app = create_app(runtime.settings, now=clock)
    site = PublicSite(f"http://127.0.0.1:{port}", House(runtime, clock))  # type: ignore[arg-type]
    site.rules = {rule.endpoint: set(rule.methods or ()) for rule in app.url_map.iter_rules()}

    @app.after_request
    def note(answer):
        if answer.mimetype == "text/html" and answer.status_code != 303 and request.endpoint:
            site.endpoints.add(request.endpoint)
        return answer

    def rendered(_app, template, **_context):
        site.templates.add(template.name)

    server = make_server("127.0.0.1", port, app, threaded=True, request_handler=_Quiet)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    with template_rendered.connected_to(rendered, app):
        thread.start()
        try:
            yield site
        finally:
            server.shutdown()
            thread.join(10)
            server.server_close()
            runtime.engine.dispose()
