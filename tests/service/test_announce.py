"""New notices run the owner's command and are posted to the owner's URL, once each."""

from __future__ import annotations

import json
import shlex
import sys
from dataclasses import replace
from pathlib import Path

from house import House, make_house
from servers.web import answer, serving

from newsletter.notices import NoticeKind, tell_owner
from newsletter.service.announce import announce_notices

KEEP = "import sys, pathlib; pathlib.Path(sys.argv[1]).open('a').write(sys.stdin.read())"


def tell(house: House, subject: str) -> None:
    with house.runtime.session() as session:
        tell_owner(session, NoticeKind.PROCESS_GONE, subject, house.clock(), name="the clock")
        session.commit()


def with_settings(house: House, **more: object) -> House:
    return make_house(replace(house.runtime.settings, **more))  # type: ignore[arg-type]


def test_the_command_gets_each_notice_once(house: House, tmp_path: Path):
    said = tmp_path / "said"
    owned = with_settings(house, owner_command=shlex.join([sys.executable, "-c", KEEP, str(said)]))
    tell(owned, "beat")

    counts = [announce_notices(owned.runtime) for _ in range(2)]
    tell(owned, "beat")  # it is open already
    announce_notices(owned.runtime)

    assert counts == [1, 0]
    (line,) = [json.loads(each) for each in said.read_text().splitlines()]
    assert line["kind"] == "process_gone"
    assert line["title"] == "A process of the service is gone"
    owned.runtime.engine.dispose()


def test_a_command_that_cannot_be_run_stops_nothing(house: House):
    owned = with_settings(house, owner_command="/nowhere/at/all", owner_url="http://127.0.0.1:9/")
    tell(owned, "beat")

    assert announce_notices(owned.runtime) == 1
    owned.runtime.engine.dispose()


def test_the_url_gets_the_notice_as_json(house: House):
    with serving() as site:
        site.answers["/notices"] = answer(status=204)
        owned = with_settings(house, owner_url=site.url("/notices"))
        tell(owned, "beat")
        announce_notices(owned.runtime)
        announce_notices(owned.runtime)

    assert [(each.path, each.headers["content-type"]) for each in site.asked] == [
        ("/notices", "application/json")
    ]
    owned.runtime.engine.dispose()


def test_without_a_setting_nothing_is_done(house: House):
    tell(house, "beat")

    assert announce_notices(house.runtime) == 0
