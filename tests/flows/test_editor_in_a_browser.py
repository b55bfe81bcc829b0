"""An editor's work with releases in a real browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from email import message_from_bytes, policy
from pathlib import Path

import pytest
from pictures import SVG, photo
from public_site import PublicSite, run_public_site

from newsletter.accounts.create import create_account
from newsletter.accounts.passwords import hash_password
from newsletter.clock import utcnow
from newsletter.models import Frequency
from newsletter.service.sending.correction_notices import enqueue_notices
from newsletter.smtp.replies import Reply

EDITOR = "editor@example.org"
PASSWORD = "three quiet harbours"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[PublicSite]:
    with run_public_site(tmp_path) as running:
        with running.house.runtime.session() as session:
            create_account(session, EDITOR, hash_password(PASSWORD), "test", utcnow()).must_change = False
            session.commit()
        yield running


@pytest.fixture
def editor(page, site):
    """A tab in which the editor is signed in."""
    page.goto(f"{site.url}/admin/")
    page.locator('input[name="email"]').fill(EDITOR)
    page.locator('input[name="password"]').fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", level=1).wait_for()
    return page


def test_the_preview_follows_the_title_the_text_the_image_and_its_description(
    editor, site, screenshot, tmp_path
):
    (tmp_path / "quay.jpg").write_bytes(photo())
    (tmp_path / "quay.svg").write_bytes(SVG)
    editor.goto(f"{site.url}/admin/releases/new")
    preview = editor.locator("#preview")

    editor.get_by_label("Title", exact=True).fill("Harbour opens a third quay")
    editor.get_by_label("Text", exact=True).fill("It opens on *4 May*.")
    preview.locator("em", has_text="4 May").wait_for()
    preview.get_by_role("heading", name="Harbour opens a third quay").wait_for()
    editor.get_by_label("Image file").set_input_files(tmp_path / "quay.svg")
    editor.get_by_text("Save it as an image in a graphics program.").wait_for()
    editor.get_by_label("Image file").set_input_files(tmp_path / "quay.jpg")
    preview.get_by_text("Nobody sees this image").wait_for()
    editor.get_by_label("Description of the image").fill("The new quay at dawn")
    image = preview.get_by_role("img", name="The new quay at dawn")
    image.wait_for()
    screenshot("write-a-release")
    drawn = image.evaluate("each => each.decode().then(() => each.naturalWidth)")
    editor.get_by_role("button", name="Store").last.click()

    assert drawn == 900
    editor.get_by_role("img", name="The new quay at dawn").wait_for()
    assert re.search("/admin/releases/[A-Za-z0-9_-]{12}$", editor.url)


def press(editor, name: str) -> None:
    editor.get_by_role("button", name=name, exact=True).last.click()
    editor.wait_for_load_state()


def hold(editor) -> None:
    editor.get_by_role("button", name=re.compile("^Hold")).click()
    press(editor, "Hold it")


def make_ready(editor) -> None:
    editor.get_by_role("button", name=re.compile("^Make ready")).click()
    editor.wait_for_load_state()


def delete(editor) -> None:
    press(editor, "Delete this release")
    press(editor, "Delete it")


def bring_back(editor) -> None:
    press(editor, "Bring it back")


@pytest.mark.parametrize(("take", "give"), [(hold, make_ready), (delete, bring_back)], ids=["hold", "delete"])
def test_a_sent_release_is_withdrawn_and_comes_back_for_those_who_saw_that_it_was_gone(
    editor, site, take, give
):
    site.subscriber("ada")
    site.send_issue()
    link = site.link("ada@example.org", "releases")
    desk = f"{site.url}/admin/releases/{link.rpartition('/')[2]}"

    editor.goto(desk)
    take(editor)
    gone = editor.goto(link).status
    editor.goto(desk)
    give(editor)

    # The same browser: it must not keep the page that says that the release is gone.
    assert (gone, editor.goto(link).status) == (410, 200)


def test_two_releases_are_merged_by_hand_and_parted_again(editor, site, screenshot):
    editor.goto(f"{site.url}/admin/releases")
    first, second = editor.locator(".table .title a").all()[:2]
    titles, other = [first.inner_text(), second.inner_text()], second.get_attribute("href")
    public = f"{site.url}{(other or '').removeprefix('/admin')}"

    first.click()
    editor.get_by_role("link", name="Merge with another release").click()
    editor.get_by_role("link", name=re.compile(f"^Compare.*{re.escape(titles[1])}")).click()
    screenshot("compare-two-releases")
    editor.get_by_role("button", name="Merge, and keep the later one").click()
    editor.get_by_text("The releases are merged.").wait_for()
    editor.goto(public)
    merged = editor.get_by_role("heading", level=1).inner_text()
    editor.goto(f"{site.url}{other}")
    editor.get_by_role("link", name="Compare both, or undo this").click()
    press(editor, "Undo the merge: they are different")
    editor.goto(public)

    assert merged == titles[0]
    assert editor.get_by_role("heading", level=1).inner_text() == titles[1]


def subjects(site, name: str) -> list[str]:
    """Return the subjects of all emails to a subscriber, and the text of the last one."""
    sent = [each for each in site.house.transport.sent if each.envelope.recipient == f"{name}@example.org"]
    mails = [message_from_bytes(each.content, policy=policy.default) for each in sent]
    return [*(str(each["Subject"]) for each in mails), mails[-1].get_body(("plain",)).get_content()]


def test_a_correction_reaches_both_those_who_have_the_release_and_those_who_wait_for_it(
    editor, site, screenshot
):
    house = site.house
    site.subscriber("ada")
    site.subscriber("eva")
    house.transport.answer("eva@example.org", Reply(451, ("4.3.0 later",)))
    issue = house.open(Frequency.DAILY)
    house.drain()
    assert house.states(issue) == ["accepted", "deferred"]

    editor.goto(f"{site.url}/admin/releases")
    editor.locator(".table .title a").first.click()
    editor.get_by_role("link", name="Edit", exact=True).click()
    editor.get_by_label("Title", exact=True).fill("Sea cable is switched on in May")
    press(editor, "Save")
    editor.get_by_role("link", name="Tell those who have an earlier text").click()
    counted = editor.locator("main dl").first.inner_text().split()
    screenshot("correction-notice")
    press(editor, "Send the notice")
    editor.get_by_text("The notice is being sent").wait_for()
    while enqueue_notices(house.runtime):
        house.drain("single")
    house.clock.pass_(hours=2)
    house.drain()

    # One person has the old text, nobody is being sent it, one waits, and nobody is left out.
    assert [each for each in counted if each.isdecimal()] == ["1", "0", "1", "0"]
    assert [each.startswith("Correction:") for each in subjects(site, "ada")[:-1]] == [False, True]
    *only, text = subjects(site, "eva")
    assert len(only) == 1
    assert "Sea cable is switched on in May" in text


def test_an_urgent_release_is_asked_twice_and_the_log_names_who_sent_it(editor, site):
    site.subscriber("ada")
    editor.goto(f"{site.url}/admin/releases")
    editor.locator(".table .title a").first.click()

    editor.get_by_role("link", name="Send urgently").click()
    press(editor, "Continue")
    editor.get_by_label("How many people get it at once?").fill("2")
    press(editor, "Send it urgently")
    refused = editor.get_by_role("alert").inner_text()
    editor.get_by_label("How many people get it at once?").fill("1")
    press(editor, "Send it urgently")
    editor.get_by_role("link", name="Who changed it, and when").click()
    logged = editor.locator(".table tbody tr").first.inner_text()

    assert refused == "Type 1, the number of people who get it."
    assert "release.urgent" in logged
    assert EDITOR in logged
    assert "people: 1" in logged
