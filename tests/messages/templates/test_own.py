"""Issues with templates of the owner: they keep their look, and a template that fails stops none."""

from __future__ import annotations

from collections.abc import Sequence
from email import message_from_bytes, policy

import pytest
from house import House, correct_release

from newsletter.errors import TemplateInvalid
from newsletter.mail.assemble import digest_marks
from newsletter.messages.build import SiteFacts
from newsletter.messages.templates.own import Wanted, fill_own
from newsletter.messages.templates.parts import OwnTemplates, usual_sources
from newsletter.messages.templates.process import TemplateProcess
from newsletter.messages.templates.stored import newest_templates
from newsletter.models import FIRST_NEWSLETTER, Frequency, Issue, NewsletterTemplate, Notice
from newsletter.newsletters.templates.samples import SAMPLES, render_sample
from newsletter.newsletters.templates.versions import save_templates
from newsletter.runtime import email_templates

WEEKLY = Frequency.WEEKLY
USUAL = usual_sources(email_templates().folder)


def save(house: House, **sources: str) -> None:
    with house.runtime.session() as session:
        renderer = house.runtime.renderer.of_newsletter(session, FIRST_NEWSLETTER)
        version = newest_templates(session, FIRST_NEWSLETTER).version
        assert save_templates(
            session, renderer, sources, version=version, actor="ed@example.org", now=house.clock()
        )
        session.commit()


def store_unchecked(house: House, version: int, **sources: str) -> None:
    """Store templates that worked when they were saved, and that fail at a release of today."""
    with house.runtime.session() as session:
        session.add(
            NewsletterTemplate(
                newsletter_id=FIRST_NEWSLETTER, version=version, sources=sources, created_at=house.clock()
            )
        )
        session.commit()


def bodies(house: House, subtype: str = "html") -> list[str]:
    sent = [message_from_bytes(each.content, policy=policy.SMTP) for each in house.transport.sent]
    return [part.get_content() for each in sent if (part := each.get_body((subtype,))) is not None]


def greeting(words: str) -> dict[str, str]:
    return {
        "frame_html": USUAL["frame_html"].replace(
            "{{ note }}", f"<p class='hello'>{words}</p>\n{{{{ note }}}}"
        ),
        "release_html": USUAL["release_html"].replace("<h3>", "<h3>" + words + " "),
        "frame_text": USUAL["frame_text"].replace("{{ note }}", f"{words}\n{{{{ note }}}}"),
        "styles": USUAL["styles"] + ".hello { color: #808080 }",
    }


def notices(house: House) -> Sequence[Notice]:
    return [each for each in house.all(Notice) if each.kind == "template_failed"]


def test_subscribers_get_the_templates_of_the_owner_with_working_links(either_house: House):
    house = either_house
    sea = house.topic("sea")
    house.add_subscriber(sea, name="ann")
    house.release("A sea wave")
    save(house, **greeting("Ahoy"))

    house.send(WEEKLY)

    (page,), (text,) = bodies(house), bodies(house, "plain")
    assert '<p class="hello" style="margin:0 0 12px;color:#808080">Ahoy</p>' in page
    assert ">Ahoy <a" in page
    assert "Ahoy" in text.splitlines()
    for link in ("/issues/", "/preferences/", "/unsubscribe/"):
        assert link in page
        assert link in text


def test_an_open_issue_keeps_the_templates_that_it_began_with(either_house: House):
    house = either_house
    sea = house.topic("sea")
    house.add_subscriber(sea, name="ann")
    wave = house.release("A sea wave")
    save(house, **greeting("Ahoy"))
    house.open(WEEKLY)

    save(house, **greeting("Farewell"))
    correct_release(house, wave, "A small sea wave")
    house.drain()

    (page,) = bodies(house)
    assert page.count("Ahoy") == 2
    assert "A small sea wave" in page
    assert "Farewell" not in page
    (issue,) = house.all(Issue)
    assert issue.template_version == 1

    house.clock.pass_(hours=1)
    house.release("A calm sea")
    house.send(WEEKLY)
    assert bodies(house)[1].count("Farewell") == 2


def test_an_issue_that_began_with_the_usual_templates_keeps_those(house: House):
    sea = house.topic("sea")
    house.add_subscriber(sea, name="ann")
    wave = house.release("A sea wave")
    house.open(WEEKLY)

    save(house, **greeting("Ahoy"))
    correct_release(house, wave, "A small sea wave")
    house.drain()

    (page,) = bodies(house)
    assert "A small sea wave" in page
    assert "Ahoy" not in page


@pytest.mark.parametrize(
    "release_html",
    [
        '{{ {"Another title": 1}[release.title] }}',
        "{% for a in release.title %}" * 12 + "{% set x = 1 %}" + "{% endfor %}" * 12,
        "<p>No link</p>",
    ],
    ids=["fault", "bomb", "no link"],
)
def test_a_template_that_fails_later_gives_way_to_the_usual_one_and_the_owner_is_told(
    house: House, release_html: str
):
    sea = house.topic("sea")
    house.add_subscriber(sea, name="ann")
    house.release("A sea wave")
    store_unchecked(house, 1, **{**greeting("Ahoy"), "release_html": release_html})

    house.send(WEEKLY)

    (page,) = bodies(house)
    assert "A sea wave" in page
    assert "Ahoy" not in page
    (notice,) = notices(house)
    assert notice.subject == "news"
    (issue,) = house.all(Issue)
    assert issue.template_version == 0

    save(house, **greeting("Ahoy"))
    assert [each.settled_at is not None for each in notices(house)] == [True]


def test_a_process_that_ended_in_between_changes_nothing(house: House):
    process = TemplateProcess()
    with house.runtime.session() as session:
        renderer = house.runtime.renderer.of_newsletter(session, FIRST_NEWSLETTER)
    usual = render_sample(renderer, SAMPLES["ten"], "en")
    context = {"site": _site(house), "issue": renderer.issue_facts("No. 1", house.clock())}
    wanted = {"contents": Wanted("digest/contents_heading", context)}
    own = OwnTemplates(1, {"styles": USUAL["styles"]})

    first = fill_own(process, renderer.templates, own, "en", wanted, {})
    process.isolated.close()

    assert fill_own(process, renderer.templates, own, "en", wanted, {}) == first
    assert "In this issue" in usual.html
    process.isolated.close()


class _Forger:
    """Answers as a template process would that somebody has taken over."""

    def __init__(self, old: str, new: str) -> None:
        self._process = TemplateProcess()
        self._change = (old, new)

    def ask(self, request):
        answer = self._process.ask(request)
        for frame in answer["frames"].values():
            frame["html"] = frame["html"].replace(*self._change)
        return answer


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("\ue000unsubscribe_url\ue002", "https://evil.example/"),
        ("\ue000preferences_url\ue002", "\ue000unsubscribe_url\ue002"),
        ("\ue001reason\ue002", ""),
    ],
)
def test_links_are_checked_again_outside_of_the_process(house: House, old: str, new: str):
    with house.runtime.session() as session:
        renderer = house.runtime.renderer.of_newsletter(session, FIRST_NEWSLETTER)
    issue = renderer.issue_facts("No. 1", house.clock())
    context = {"site": _site(house), "issue": issue, **digest_marks(), "is_cut": False}
    own = OwnTemplates(1, {"styles": USUAL["styles"]})

    with pytest.raises(TemplateInvalid, match="exactly once and unchanged"):
        fill_own(_Forger(old, new), renderer.templates, own, "en", {}, {"frame": context})


def _site(house: House):
    identity = house.runtime.identities.of(house.runtime.session(), FIRST_NEWSLETTER)
    return SiteFacts.of(identity, "en", "https://news.example.org")
