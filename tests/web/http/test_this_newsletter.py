"""Test which newsletter a request is about."""

from __future__ import annotations

from flask import url_for
from web.conftest import Visitor, visit

from newsletter.models import FIRST_NEWSLETTER
from newsletter.tokens import Purpose
from newsletter.web.http.link_subscriber import link_subscriber
from newsletter.web.http.this_newsletter import (
    is_only_one,
    make_it_about_the_first,
    named_newsletter,
    offered_languages,
    this_newsletter,
)


def named(visitor: Visitor, path: str) -> int | None:
    with visitor.app.test_request_context(path, base_url="https://news.example.org"):
        visitor.app.preprocess_request()
        found = named_newsletter()
        return None if found is None else found.newsletter_id


def test_with_one_newsletter_every_request_is_about_it(visitor):
    assert {named(visitor, path) for path in ("/", "/releases", "/privacy")} == {FIRST_NEWSLETTER}


def test_the_url_or_the_link_names_the_newsletter(house):
    second = house.newsletter("harbour", "de", "en")
    third = house.newsletter("hills")
    quays, hills = house.topic("quays", newsletter=second), house.topic("paths", newsletter=third)
    visitor = visit(house, house.runtime.settings)
    house.add_subscriber(quays, name="ann")
    house.add_subscriber(quays, hills, name="ben")
    ann, ben = visitor.person("ann@example.org"), visitor.person("ben@example.org")
    proof = house.runtime.tokens.fingerprint("ben@example.org")

    def link(path: str, purpose: Purpose, *payload: object) -> int | None:
        return named(visitor, f"/{path}/{visitor.token(purpose, *payload)}")

    assert named(visitor, "/n/harbour/releases") == second
    assert named(visitor, "/privacy?newsletter=hills") == third
    assert named(visitor, "/privacy?newsletter=nothing") is None
    assert named(visitor, "/") is None
    assert link("unsubscribe", Purpose.UNSUBSCRIBE, ben.public_id, 1, third) == third
    assert link("unsubscribe", Purpose.UNSUBSCRIBE, ben.public_id, 1) is None
    assert link("confirm", Purpose.CONFIRM, ben.public_id, proof, 1) == FIRST_NEWSLETTER
    assert link("confirm", Purpose.CONFIRM, ben.public_id, proof, 1, second) == second
    # A person who has one newsletter sees its name on the pages about themselves.
    assert link("unsubscribe", Purpose.UNSUBSCRIBE, ann.public_id, 1) == second


def test_a_page_about_no_newsletter_offers_the_languages_of_all(house):
    house.newsletter("harbour", "de", "en")
    app = visit(house, house.runtime.settings).app

    with app.test_request_context("/privacy"):
        app.preprocess_request()
        assert not is_only_one()
        assert set(offered_languages()) >= {"de", "en"}
        assert this_newsletter().newsletter_id == FIRST_NEWSLETTER
        assert link_subscriber() is None
        make_it_about_the_first()
        assert url_for("public.subscribe") == "/n/news"
