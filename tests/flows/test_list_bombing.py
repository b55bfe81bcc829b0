"""List bombing: a flood of other people's addresses sends few emails, and real people can still sign up.

The owner gets one notice. And when many real people sign up at once, each gets one email.
"""

from __future__ import annotations

import html
import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from house import House, make_house, make_settings

from newsletter.app import create_app
from newsletter.outbox.owner.email import email_notices
from newsletter.runtime import Runtime
from newsletter.subscribers.signup.confirmation_limits import ConfirmationLimits
from newsletter.subscribers.signup.hold import held_signups
from newsletter.subscribers.signup.resolve import resolve_signups

# Twice as many as there may be emails in a day.
VICTIMS, NETWORKS = 700, 70
CLIENTS, PEOPLE = 64, 200
# A sixth of the default: each email that is let through costs this test as much as two forms.
PER_HOUR = 10
OWNER = "owner@example.com"


class Site:
    """An installation behind a proxy, with forms sent from any IP address."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.app = create_app(house.runtime.settings, now=house.clock)
        self.open()

    def open(self) -> None:
        """Open the page. Its tokens are used for many forms, as programs do."""
        page = self.app.test_client().get("/", base_url="http://127.0.0.1:8000")
        self.hidden = {}
        for tag in re.findall(r"<input[^>]*>", page.text):
            found = dict(re.findall(r'([\w-]+)="([^"]*)"', tag))
            if found.get("type") == "hidden":
                self.hidden[found["name"]] = html.unescape(found.get("value", ""))
        self.house.clock.pass_(seconds=10)

    def send(self, email: str, address: str, **more: str) -> int:
        client = self.app.test_client(use_cookies=False)
        fields = {**self.hidden, "topics": "energy", "frequency": "weekly", "email": email, **more}
        headers = {"X-Forwarded-For": address}
        return client.post("/", data=fields, headers=headers, base_url="http://127.0.0.1:8000").status_code

    def work(self, runtime: Runtime | None = None) -> int:
        """Run the jobs until no request is left to resolve, and send the emails."""
        runtime, done = runtime or self.house.runtime, 0
        while True:
            with runtime.session() as session:
                more = resolve_signups(
                    session,
                    runtime.tokens,
                    self.house.clock(),
                    limits=ConfirmationLimits.of(runtime.settings),
                )
                email_notices(session, runtime.settings.owner_address, self.house.clock())
                session.commit()
            done += more
            if not more:
                break
        self.house.drain("single")
        return done

    def mailed(self) -> Counter[str]:
        return Counter(each.envelope.recipient for each in self.house.transport.sent)


@pytest.fixture
def site(tmp_path):
    made = make_house(
        make_settings(
            tmp_path,
            public_url="http://127.0.0.1:8000",
            trusted_proxies="127.0.0.1/32",
            owner_address=OWNER,
            brake_per_hour=str(PER_HOUR),
        )
    )
    made.topic("energy")
    yield Site(made)
    made.runtime.engine.dispose()


def test_a_flood_of_foreign_addresses_causes_few_emails_and_people_still_sign_up(site):
    settings = site.house.runtime.settings

    with ThreadPoolExecutor(8) as pool:
        statuses = Counter(
            pool.map(
                lambda number: site.send(
                    f"victim{number}@example{number % 997}.net",
                    f"198.{18 + number % NETWORKS // 256}.{number % NETWORKS % 256}.{number // NETWORKS + 1}",
                ),
                range(VICTIMS),
            )
        )
    site.work()
    at_once = site.mailed()
    people = {
        "ann@example.org": site.send("ann@example.org", "203.0.113.5", seen="yes"),
        "ben@example.org": site.send("ben@example.org", "2001:db8:7::5", seen="yes"),
    }
    site.work()
    after = site.mailed()
    for _ in range(24):
        site.house.clock.pass_(hours=1)
        site.work()
    in_the_end = site.mailed()

    assert statuses == {303: VICTIMS}
    assert set(people.values()) == {303}
    assert sum(at_once.values()) - at_once[OWNER] <= settings.brake_burst
    assert [after[email] for email in people] == [1, 1]
    allowed = settings.brake_burst + 24 * PER_HOUR
    assert sum(in_the_end.values()) - in_the_end[OWNER] <= allowed
    assert max(in_the_end.values()) == 1
    assert in_the_end[OWNER] == 1
    site.house.clock.pass_(hours=2)
    site.work()
    with site.house.runtime.session() as session:
        assert held_signups(session, ConfirmationLimits.of(settings), site.house.clock()).held == 0


def test_many_people_at_once_are_all_taken_and_get_one_email_each(tmp_path):
    house = make_house(
        make_settings(
            tmp_path,
            public_url="http://127.0.0.1:8000",
            trusted_proxies="127.0.0.1/32",
            brake_burst="100000",
            brake_domain_per_hour="100000",
        )
    )
    house.topic("energy")
    site = Site(house)

    def sign_up(number):
        return site.send(f"person{number}@example.org", f"11.0.{number // 40}.{number % 40 + 1}")

    with ThreadPoolExecutor(CLIENTS) as pool:
        statuses = Counter(pool.map(sign_up, range(PEOPLE)))
    site.work()

    assert statuses == {303: PEOPLE}
    assert site.mailed() == {f"person{number}@example.org": 1 for number in range(PEOPLE)}
    house.runtime.engine.dispose()
