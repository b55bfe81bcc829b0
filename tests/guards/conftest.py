"""An application with demo content, so that every route has at least one URL that works."""

from __future__ import annotations

import dataclasses
import io
import re
import sqlite3
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from house import make_upgraded
from PIL import Image
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from newsletter import bounce_steps
from newsletter.accounts.create import change_password, find_account
from newsletter.accounts.passwords import hash_password
from newsletter.app import create_app
from newsletter.bounce_steps import Step
from newsletter.clock import utcnow
from newsletter.demo.data import ADMIN
from newsletter.demo.run import prepare_demo
from newsletter.digest.issues import Preparer, open_issue
from newsletter.images.encoder import ImageEncoder
from newsletter.images.store import store_image
from newsletter.ingest.guard import Allowed
from newsletter.ingest.sources.manage import add_source
from newsletter.mail.addresses import parse_address
from newsletter.models import (
    FIRST_NEWSLETTER,
    AddressChange,
    Delivery,
    DeliveryState,
    Frequency,
    Newsletter,
    NewsletterCalendar,
    Probe,
    Release,
    ReleaseTopic,
    ReportOutcome,
    ReturnedMail,
    SlotApproval,
    StepKind,
    StoredImage,
    Subscriber,
    Subscription,
    Suppression,
    Topic,
)
from newsletter.newsletters.add import add_newsletter
from newsletter.newsletters.logo import encode_logo
from newsletter.newsletters.store import store_logo
from newsletter.releases.topics.edit import add_group
from newsletter.runtime import Runtime
from newsletter.subscribers.consent.wording import current_wording
from newsletter.subscribers.leaving.undo import make_undo_token
from newsletter.subscribers.leaving.unsubscribe import unsubscribe
from newsletter.subscribers.signup.confirm import confirm
from newsletter.subscribers.signup.request import Signup, request_signups
from newsletter.subscribers.signup.resolve import resolve_signups
from newsletter.suppression import add_by_hand
from newsletter.tokens import Purpose

PUBLIC_URL = "https://news.example.org"
PASSWORD = "three quiet harbours"
# Its issue waits for an approval.
A_TUESDAY = date(2026, 3, 10)
MAIL = b"From: a@example.org\r\nSubject: Hello\r\nContent-Type: text/html\r\n\r\n<p>Hello</p>\r\n"


# A browser sends this header with a form. Over https, the CSRF protection requires it.
HEADERS = {"Referer": f"{PUBLIC_URL}/"}


@dataclass(frozen=True)
class Furnished:
    """The application, and for each endpoint the URL arguments that lead to existing content."""

    app: Flask
    runtime: Runtime
    values: dict[str, dict[str, str]]

    def rules(self, method: str) -> list[Rule]:
        """Return every route that takes `method`."""
        return [rule for rule in self.app.url_map.iter_rules() if method in (rule.methods or ())]

    def path(self, rule: Rule) -> str:
        """Return a path for `rule`. A new page with an argument needs a value in `_furnish`."""
        missing = rule.arguments - self.values.get(rule.endpoint, {}).keys() - (rule.defaults or {}).keys()
        assert not missing, f"tests/guards/conftest.py lacks a value for {rule.endpoint}: {missing}"
        chosen = {name: self.values[rule.endpoint][name] for name in rule.arguments}
        adapter = self.app.url_map.bind("news.example.org")
        return adapter.build(rule.endpoint, chosen)

    def get(self, client: FlaskClient, path: str) -> TestResponse:
        """Return the response to a GET that comes through a proxy that terminates TLS."""
        # Buffered, because a streamed response that is not read completely keeps its request's `g` alive.
        return client.get(path, base_url=PUBLIC_URL, buffered=True)

    def post(self, client: FlaskClient, path: str, data: dict[str, str] | None = None) -> TestResponse:
        """Return the response to a form that was sent from one of our pages."""
        return client.post(path, base_url=PUBLIC_URL, headers=HEADERS, data=data or {}, buffered=True)

    def csrf_token(self, client: FlaskClient) -> str:
        """Return the CSRF token in the forms for this browser."""
        text = self.get(client, "/admin/sign-in").text
        found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', text)
        assert found, "the page /admin/sign-in has no form"
        return found.group(1)

    def content(self) -> list[str]:
        """Return the whole database as SQL statements, to compare it."""
        with sqlite3.connect(self.runtime.engine.url.database or "") as connection:
            return list(connection.iterdump())

    def visitor(self) -> FlaskClient:
        """Return a browser without cookies."""
        return self.app.test_client()

    def editor(self) -> FlaskClient:
        """Return a browser that is signed in as the admin."""
        client = self.visitor()
        form = {"csrf_token": self.csrf_token(client), "email": ADMIN, "password": PASSWORD}
        answer = self.post(client, "/admin/sign-in", form)
        assert answer.status_code == 303, answer.text
        return client


@pytest.fixture(scope="session")
def stored_password() -> str:
    return hash_password(PASSWORD)


@pytest.fixture(scope="module")
def furnished(tmp_path_factory: pytest.TempPathFactory, stored_password: str) -> Iterator[Furnished]:
    """The demo's content under a public https URL, with subscribers, an issue and an email in the mailbox."""
    yield from _build(tmp_path_factory.mktemp("furnished"), stored_password)


@pytest.fixture
def own_furnished(tmp_path: Path, stored_password: str) -> Iterator[Furnished]:
    """The same as `furnished`, for a test that changes something."""
    yield from _build(tmp_path, stored_password)


def _build(folder: Path, stored_password: str) -> Iterator[Furnished]:
    make_upgraded(f"sqlite:///{folder / 'newsletter.sqlite3'}")
    prepared = prepare_demo(folder, 8000, 2525)
    runtime = Runtime(dataclasses.replace(prepared.settings, public_url=PUBLIC_URL))
    box = folder / "mailbox" / "new"
    box.mkdir(parents=True, exist_ok=True)
    (box / "1.letter").write_bytes(MAIL)
    with runtime.session() as session:
        values = _furnish(session, runtime, stored_password)
        session.commit()
    yield Furnished(create_app(runtime.settings), runtime, values)
    runtime.engine.dispose()


def _furnish(session: Session, runtime: Runtime, stored_password: str) -> dict[str, dict[str, str]]:
    now, tokens = utcnow() - timedelta(minutes=5), runtime.tokens
    account = find_account(session, ADMIN)
    assert account is not None
    change_password(session, account.public_id, stored_password, now)
    slugs = session.scalars(select(Topic.slug)).all()
    # Only with several newsletters do the pages of each have URLs of their own.
    fields = {"name": "Other News", "from_address": "other@example.org"}
    add_newsletter(session, runtime.settings, slug="other", fields=fields, actor=ADMIN, now=now)
    first = runtime.identities.of(session, FIRST_NEWSLETTER)
    add_group(session, first, "supply", "Supply", actor=ADMIN, now=now)

    def join(address: str) -> tuple[Subscriber, str]:
        chosen = dict.fromkeys(slugs, Frequency.DAILY)
        signup = Signup(address=parse_address(address), choices=chosen, wording=current_wording())
        request_signups(session, [signup], now)
        resolve_signups(session, tokens, now)
        subscriber = session.scalars(select(Subscriber).where(Subscriber.email == address)).one()
        upto = session.scalar(
            select(func.max(Subscription.id)).where(Subscription.subscriber_id == subscriber.id)
        )
        payload = [subscriber.public_id, tokens.fingerprint(subscriber.email_key or ""), upto]
        return subscriber, tokens.make(Purpose.CONFIRM, payload, now)

    _, waiting = join("waiting@example.org")
    subscriber, confirmation = join("reader@example.org")
    leaver, farewell = join("leaver@example.org")
    for token in (confirmation, farewell):
        confirm(session, tokens, token, now, welcome_releases=5)
    issue = open_issue(session, [Frequency.DAILY], actor=ADMIN, now=now)
    preparer = Preparer(runtime.renderer, issue.id)
    while preparer.step(session, now):
        pass
    unsubscribe(session, tokens, leaver.public_id, None, now, "link")
    mailed = select(Delivery.id).where(Delivery.subscriber_id == subscriber.id, Delivery.issue_id == issue.id)
    delivery = session.scalars(mailed).one()
    release, another = session.scalars(select(Release.public_id).limit(2)).all()
    # The archive shows the first newsletter, whose issue has reached somebody.
    session.get_one(Delivery, delivery).state = DeliveryState.ACCEPTED
    slug = session.scalars(select(Newsletter.slug).where(Newsletter.id == FIRST_NEWSLETTER)).one()
    in_topic = select(Release.published_on).join(Release.topic_links).join(ReleaseTopic.topic)
    day = session.scalars(in_topic.where(Topic.slug == slugs[0])).first() or now.date()
    year, month = f"{day.year:04}", str(day.month)
    source = add_source(
        session, "https://press.example.org/feed.xml", allowed=Allowed(), actor=ADMIN, now=now
    )
    # The demo has a schedule that is on.
    session.get_one(NewsletterCalendar, FIRST_NEWSLETTER).approval_hours = 24
    waiting_date = SlotApproval(
        newsletter_id=FIRST_NEWSLETTER, slot=A_TUESDAY, first_at=now, asked_at=now, reminders=0
    )
    session.add(waiting_date)
    picture = io.BytesIO()
    Image.new("RGB", (20, 20)).save(picture, "PNG")
    logo = store_logo(session, encode_logo(picture.getvalue()), now)
    with ImageEncoder() as encoder:
        image_hash = store_image(session, encoder.encode(picture.getvalue()), now)
    shown = session.scalars(select(Release).where(Release.public_id == release)).one()
    shown.image_hash, shown.image_alt = image_hash, "A square"
    image_name = session.get_one(StoredImage, image_hash).file_name
    not_me = tokens.make(Purpose.DISOWN, tokens.read(Purpose.CONFIRM, waiting, now), now)
    own = [subscriber.public_id, tokens.fingerprint(subscriber.email_key or "")]
    preferences = tokens.make(Purpose.PREFERENCES, own, now)
    wish = AddressChange(
        subscriber_id=subscriber.id, email="new@example.org", email_key="new@example.org", created_at=now
    )
    session.add(wish)
    session.flush()
    moving = tokens.make(
        Purpose.CHANGE_ADDRESS, [subscriber.public_id, wish.id, tokens.fingerprint("new@example.org")], now
    )
    returned = ReturnedMail(
        digest="d", received_at=now, outcome=ReportOutcome.UNSIGNED, raw=zlib.compress(MAIL)
    )
    session.add(returned)
    session.flush()
    step = bounce_steps.add(session, Step(StepKind.SOFT, subscriber.id, "mailbox full"), now)
    add_by_hand(session, tokens, "suppressed@example.org", ADMIN, now)
    suppressed = str(session.scalar(select(func.max(Suppression.id))))
    probe = Probe(subscriber_id=subscriber.id, delivery_id=delivery, begun_at=now)
    session.add(probe)
    session.flush()
    farewell_undo = make_undo_token(tokens, leaver.public_id, now, now)
    leaving = tokens.make(Purpose.UNSUBSCRIBE, [subscriber.public_id, delivery], now)
    return {
        "static": {"filename": "css/site.css"},
        "public.subscribe": {"newsletter": "other"},
        "public.subscribe_embedded": {"newsletter": "other"},
        "archive.index": {"newsletter": slug},
        "archive.feed": {"newsletter": slug, "kind": "atom"},
        "archive.topic_feed": {"newsletter": slug, "topic": slugs[0], "kind": "rss"},
        "archive.topic": {"newsletter": slug, "topic": slugs[0]},
        "archive.topic_year": {"newsletter": slug, "topic": slugs[0], "year": year},
        "archive.topic_month": {"newsletter": slug, "topic": slugs[0], "year": year, "month": month},
        "archive.year": {"newsletter": slug, "year": year},
        "archive.month": {"newsletter": slug, "year": year, "month": month},
        "archive.numbered_issue": {"newsletter": slug, "number": str(issue.number)},
        "archive.sitemap_part": {"part": "1"},
        "admin.source": {"public_id": source.public_id},
        "admin.change_source": {"public_id": source.public_id},
        "admin.send_release_after_all": {"public_id": release},
        "public.colours": {"colours": "1b5e8c-ffffff-8daec6-161513"},
        "admin.preview_newsletter": {"what": "signup"},
        "public.logo": {"file_name": logo.file_name},
        "archive.image": {"file_name": image_name},
        "admin.image": {"file_name": image_name},
        "public.confirm": {"token": waiting},
        "public.confirmed": {"token": preferences},
        "public.welcome_back": {"token": preferences},
        "public.not_me": {"token": not_me},
        "public.stay": {"token": tokens.make(Purpose.STAY, [*own, probe.id], now)},
        "public.preferences": {"token": preferences},
        "public.my_mails": {"token": preferences},
        "public.ask_for_own_link": {"token": preferences, "right": "export"},
        "public.export": {"token": tokens.make(Purpose.EXPORT, own, now)},
        "public.erase": {"token": tokens.make(Purpose.ERASE, own, now)},
        "public.new_address": {"token": tokens.make(Purpose.NEW_ADDRESS, own, now)},
        "public.unsubscribe": {"token": leaving},
        "webhooks.take": {"provider": "generic"},
        "public.undo_unsubscribe": {"token": farewell_undo},
        "public.give_leaving_reason": {"token": farewell_undo},
        "public.pause_unsubscribe": {"token": leaving},
        "public.pause_preferences": {"token": preferences},
        "public.resume_preferences": {"token": preferences},
        "public.move_address": {"token": moving},
        "public.follow_link": {"token": tokens.make(Purpose.COUNTED, ["an-issue", release, "release"], now)},
        "archive.release": {"public_id": release},
        "archive.issue": {"token": tokens.make(Purpose.VIEW, [subscriber.public_id, delivery], now)},
        "admin.release": {"public_id": release},
        "admin.change_release": {"public_id": release},
        "admin.withdraw_release": {"public_id": release},
        "admin.correct_release_": {"public_id": release},
        "admin.edit_release": {"public_id": release},
        "admin.edit_release_form": {"public_id": release},
        "admin.embargo_release": {"public_id": release},
        "admin.delete_release": {"public_id": release},
        "admin.release_revisions": {"public_id": release},
        "admin.ask_notice": {"public_id": release},
        "admin.topic_rules": {"slug": slugs[0]},
        "admin.change_topic_rules": {"slug": slugs[0]},
        "admin.ask_urgent": {"public_id": release},
        "admin.send_urgent": {"public_id": release},
        "admin.send_notice": {"public_id": release},
        "admin.find_same": {"public_id": release},
        "admin.compare_releases": {"public_id": release, "other_id": another},
        "admin.decide_duplicate": {"public_id": release, "other_id": another},
        "admin.subscriber": {"public_id": subscriber.public_id},
        "admin.explain_subscriber": {"public_id": subscriber.public_id},
        "admin.subscriber_consent": {"public_id": subscriber.public_id},
        "admin.subscriber_consent_json": {"public_id": subscriber.public_id},
        "admin.change_subscriber": {"public_id": subscriber.public_id},
        "admin.undo_step": {"public_id": subscriber.public_id, "number": str(step)},
        "admin.issue": {"public_id": issue.public_id},
        "admin.cancel_issue": {"public_id": issue.public_id},
        "admin.issue_progress": {"public_id": issue.public_id},
        "admin.deliveries_csv": {"public_id": issue.public_id},
        "admin.change_issue": {"public_id": issue.public_id},
        "admin.approve": {"slug": "news", "slot": str(A_TUESDAY)},
        "admin.approve_body": {"slug": "news", "slot": str(A_TUESDAY)},
        "admin.approve_issue": {"slug": "news", "slot": str(A_TUESDAY)},
        "admin.order": {"slug": "news", "target": "by-hand"},
        "admin.order_body": {"slug": "news", "target": "by-hand"},
        "admin.change_order": {"slug": "news", "target": "by-hand"},
        "admin.preview_order": {"slug": "news", "target": "by-hand"},
        "admin.schedule": {"slug": "news"},
        "admin.confirm_schedule": {"slug": "news"},
        "admin.change_schedule": {"slug": "news"},
        "admin.topic": {"slug": "energy-and-climate"},
        "admin.edit_topic": {"slug": "energy-and-climate"},
        "admin.group": {"slug": "supply"},
        "admin.edit_group": {"slug": "supply"},
        "admin.answer_refused": {"notice_id": "1"},
        "admin.report": {"number": str(returned.id)},
        "admin.report_message": {"number": str(returned.id)},
        "admin.ask_lift": {"number": suppressed},
        "admin.lift_suppression": {"number": suppressed},
        "admin.undo_suppression_import": {"import_id": "1"},
        "dev.leave": {"mail_id": "1.letter"},
        "dev.message": {"mail_id": "1.letter"},
        "dev.message_html": {"mail_id": "1.letter"},
        "dev.message_source": {"mail_id": "1.letter"},
    }
