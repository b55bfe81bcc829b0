"""An editor orders an issue in the browser, and its subscribers get it so: over HTTP and SMTP."""

from __future__ import annotations

import re
from contextlib import closing
from pathlib import Path

from house import make_house, make_settings
from scheduled import Scheduled
from servers.smtp import SMTPSink

from newsletter.accounts.create import create_account
from newsletter.accounts.passwords import hash_password
from newsletter.app import create_app
from newsletter.service.relay_transport import Transports
from newsletter.service.sending.send_round import send_round

SITE = "https://news.example.org"
PAGE = "/admin/newsletters/news/order/2026-03-10"
PASSWORD = "three quiet harbours"


def titles(page: str) -> list[str]:
    """Return the headings of a page and the titles of its releases, from the top."""
    found = re.findall(r"<h([23])[^>]*>(.*?)</h\1>", page, re.DOTALL)
    return [re.sub(r"<[^>]+>", "", text).strip() for _, text in found]


def test_an_order_by_hand_from_the_page_to_the_mailbox_and_the_archive(tmp_path: Path, smtp_sink: SMTPSink):
    house = make_house(make_settings(tmp_path, relay=smtp_sink.url))
    energy, ferries = house.topic("energy"), house.topic("ferry")
    house.add_subscriber(energy, ferries, name="both")
    house.add_subscriber(ferries, name="ferry")
    Scheduled(house).start("2026-03-09 12:00")
    for title in ("An energy mast", "A ferry timetable", "A ferry strike", "An energy cable"):
        house.release(title)
    with house.runtime.session() as session:
        account = create_account(session, "ed@example.org", hash_password(PASSWORD), "test", house.clock())
        account.must_change = False
        session.commit()
    client = create_app(house.runtime.settings, now=house.clock, wake=lambda _: None).test_client()

    def get(path: str) -> str:
        return client.get(path.removeprefix(SITE), base_url=SITE).text

    def post(path: str, page: str, fields: dict[str, object]) -> int:
        token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', get(page))
        assert token
        given = {"csrf_token": token[1], **fields}
        return client.post(path, data=given, base_url=SITE, headers={"Referer": f"{SITE}/"}).status_code

    signed_in = post("/admin/sign-in", "/admin/sign-in", {"email": "ed@example.org", "password": PASSWORD})
    ids = dict(re.findall(r'for="section-([\w-]+)">Section of ([^<]+)<', get(PAGE)))
    by_title = {title: public_id for public_id, title in ids.items()}
    mast, strike = by_title["An energy mast"], by_title["A ferry strike"]
    fields: dict[str, object] = {
        "version": 0, "sections": 2, "title-1": "Top stories", "release": list(ids),
        f"section-{strike}": 1, f"place-{strike}": 1, f"section-{mast}": 1, f"place-{mast}": 2,
    }  # fmt: skip
    saved = post(PAGE, PAGE, fields)
    house.clock.pass_(hours=20)
    with closing(Transports(house.runtime.settings)) as transports:
        send_round(house.runtime, transports.to, lambda: False)

    assert (signed_in, saved) == (303, 303)
    mails = {mail.rcpt_tos[0].partition("@")[0]: mail for mail in smtp_sink.wait_for(2)}
    both = [
        "Top stories",
        "A ferry strike",
        "An energy mast",
        "Energy",
        "An energy cable",
        "Ferry",
        "A ferry timetable",
    ]
    assert titles(mails["both"].part("html")) == both
    theirs = [*both[:2], *both[5:]]
    assert titles(mails["ferry"].part("html")) == theirs
    assert mails["both"].message["Subject"] == "A ferry strike, and 3 more"
    link = re.search(rf"{SITE}/issues/\S+", mails["ferry"].part("plain"))
    assert link
    assert titles(get(link[0])) == theirs
    archive = titles(get("/issues/1"))
    assert archive[:4] == ["Top stories", "A ferry strike", "An energy mast", "More releases"]
    assert set(archive[4:]) == {"An energy cable", "A ferry timetable"}
    house.runtime.engine.dispose()
