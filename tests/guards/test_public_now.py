"""Guard: no address that a visitor can open shows a release that is not public now."""

from __future__ import annotations

import html
import io
import re
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import quote

from PIL import Image
from sqlalchemy import select
from werkzeug.routing import Rule

from newsletter.clock import utcnow
from newsletter.images.encoder import ImageEncoder
from newsletter.images.store import store_image
from newsletter.models import Delivery, Newsletter, Release, ReleaseState, Rendition
from newsletter.models.rendition_key import read_key, release_ids

# The admin needs a sign-in. The mailbox of the demo shows emails as they were sent.
FOLLOW = "public.follow_link"
NOT_FOR_VISITORS = ("/admin", "/dev")


@dataclass(frozen=True)
class Marks:
    """The parts of a release by which it is found in a page."""

    public_id: str
    texts: tuple[str, ...]
    topics: tuple[str, ...]
    image: str

    @classmethod
    def of(cls, release: Release) -> Marks:
        opening = release.body_text.strip().splitlines()[0][:60]
        texts = (release.title, release.summary[:60], opening, release.canonical_url or release.title)
        topics = tuple(link.topic.slug for link in release.topic_links)
        return cls(release.public_id, texts, topics, release.image_hash or "")

    def found_in(self, page: str) -> list[str]:
        text = " ".join(html.unescape(html.unescape(page)).split())
        return [each for each in self.texts if each and " ".join(each.split()) in text]


def sent_releases(session) -> list[Release]:
    """Return the releases of the issue that was prepared for a subscriber."""
    key = session.scalars(select(Rendition.key).join(Delivery, Delivery.rendition_id == Rendition.id)).first()
    ids = release_ids(read_key(key))
    assert len(ids) >= 4, "the issue has too few releases for this test"
    return [session.get_one(Release, each) for each in ids]


def give_images(session, releases: list[Release]) -> None:
    """Give each of these releases an image of its own."""
    with ImageEncoder() as encoder:
        for at, each in enumerate(releases):
            picture = io.BytesIO()
            Image.new("RGB", (40, 40), (at, 80, 120)).save(picture, "PNG")
            each.image_hash = store_image(session, encoder.encode(picture.getvalue()), utcnow())
            each.image_alt = "A square"


def hide_three(furnished) -> tuple[dict[str, Marks], Marks]:
    """Put one sent release under embargo, hold one and exclude one; return their marks and a public one's."""
    now = utcnow()
    with furnished.runtime.session() as session:
        embargoed, held, excluded, public, *_ = sent_releases(session)
        give_images(session, [embargoed, held, excluded, public])
        embargoed.embargo_until = now + timedelta(days=2)
        held.state, excluded.state = ReleaseState.HELD, ReleaseState.EXCLUDED
        hidden = {"embargoed": embargoed, "held": held, "excluded": excluded}
        marks = {name: Marks.of(each) for name, each in hidden.items()}, Marks.of(public)
        session.commit()
        return marks


def newsletters(furnished) -> list[str]:
    with furnished.runtime.session() as session:
        return list(session.scalars(select(Newsletter.slug)))


def paths(furnished, rule: Rule, hidden: dict[str, Marks]) -> list[str]:
    """Return every path of a route that may lead to a release."""
    path = furnished.path(rule)
    there = [path, f"{path}?lang=de"]
    if rule.endpoint == "archive.image":
        return [f"/images/{each.image}{size}.png" for each in hidden.values() for size in ("", "-email")]
    if "newsletter" in rule.arguments:
        there += [path.replace("/n/other", f"/n/{slug}") for slug in newsletters(furnished)]
    if "kind" in rule.arguments:
        there += [f"{path.rpartition('.')[0]}.{kind}" for kind in ("atom", "rss", "json")]
    for each in hidden.values():
        there.append(f"{path}?q={quote(each.texts[0])}")
        there += [f"{path}?topic={slug}" for slug in each.topics]
        if "public_id" in rule.arguments:
            there.append(path.replace(furnished.values[rule.endpoint]["public_id"], each.public_id))
    return there


def test_no_public_address_shows_a_release_that_is_not_public_now(own_furnished):
    hidden, public = hide_three(own_furnished)
    own_furnished.values["archive.release"] = {"public_id": public.public_id}
    visitor = own_furnished.visitor()
    shown_on = set()

    for rule in own_furnished.rules("GET"):
        if rule.rule.startswith(NOT_FOR_VISITORS):
            continue
        for path in paths(own_furnished, rule, hidden):
            answer = own_furnished.get(visitor, path)
            assert answer.mimetype != "image/png" or rule.endpoint != "archive.image", f"{path} is public"
            page = answer.data.decode(errors="replace")
            # A page repeats what was searched for.
            page = re.sub(r'name="q" value="[^"]*"|[?&](?:amp;)?q=[^"&]*', "", page)
            # A counted link holds the id of its release in another form, and leads to its page.
            named = path + answer.headers.get("Location", "") if rule.endpoint == FOLLOW else path
            for name, marks in hidden.items():
                assert marks.found_in(page) == [], f"{path} shows the {name} release"
                assert marks.image not in page or marks.image in path, f"{path} shows its image"
                assert marks.public_id not in page or marks.public_id in named, f"{path} names it"
            if public.texts[0] in html.unescape(page):
                shown_on.add(rule.endpoint)

    # The walk can find a release and its image at all.
    for size in ("", "-email"):
        image = own_furnished.get(visitor, f"/images/{public.image}{size}.png")
        assert (image.status_code, image.mimetype) == (200, "image/png")
    lists = {"archive.feed", "archive.index", "archive.numbered_issue", "public.subscribe"}
    assert shown_on >= {*lists, "archive.issue", "archive.release"}
