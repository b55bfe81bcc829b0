"""Which requests for a counted link come from programs."""

from __future__ import annotations

import pytest

from newsletter.digest.clicks.robots import is_robot

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
PHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.0 Mobile/15E148 Safari/604.1"
)


@pytest.mark.parametrize("user_agent", [FIREFOX, PHONE])
def test_a_browser_counts(user_agent: str):
    assert not is_robot("GET", user_agent)


@pytest.mark.parametrize(
    "user_agent",
    [
        "",
        "curl/8.0",
        "python-requests/2.32",
        "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
        "Mozilla/5.0 (compatible; bingbot/2.0)",
        "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 HeadlessChrome/138.0 Safari/537.36",
        "Mozilla/5.0 BarracudaCentral",
        "Mozilla/5.0 (compatible; proofpoint)",
        "Mozilla/5.0 Google-Safety scanner",
        "GoogleImageProxy",
    ],
)
def test_a_program_does_not(user_agent: str):
    assert is_robot("GET", user_agent)


def test_a_head_request_and_a_page_that_is_loaded_in_advance_do_not():
    assert is_robot("HEAD", FIREFOX)
    assert is_robot("GET", FIREFOX, "prefetch;prerender")
