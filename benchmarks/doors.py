"""Measure page times while a web server is under attack: by sign-in attempts, and by half-sent requests.

`PYTHONPATH=tests python -m benchmarks.doors` prints one JSON line for each attack. To compare versions, run
it in a checkout of each.
"""

from __future__ import annotations

import json
import sys
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from http.cookiejar import CookieJar
from urllib.parse import urlencode

from slow_clients import HALF_BODY, HALF_HEAD, half_sent

from benchmarks.web import serve_ours

# Nobody waits longer than this for a page, so the measurement does not either.
PATIENCE_SECONDS = 60.0


def page_seconds(port: int, path: str = "/") -> float:
    """Return how many seconds a page took, or PATIENCE_SECONDS if it did not arrive."""
    started = time.perf_counter()
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=PATIENCE_SECONDS) as answer:
            answer.read()
    except OSError:
        return PATIENCE_SECONDS
    return time.perf_counter() - started


def try_to_sign_in(port: int, visitor: str, email: str, statuses: Counter[int]) -> None:
    """Load the sign-in page, then send it with a wrong password."""
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
    browser.addheaders = [("X-Forwarded-For", visitor)]
    url = f"http://127.0.0.1:{port}/admin/sign-in"
    with browser.open(url, timeout=PATIENCE_SECONDS) as answer:
        token = answer.read().decode().split('name="csrf_token"')[1].split('value="')[1].split('"')[0]
    ready.wait()
    body = urlencode({"csrf_token": token, "email": email, "password": "a wrong password"}).encode()
    try:
        with browser.open(url, body, timeout=PATIENCE_SECONDS) as answer:
            statuses[answer.status] += 1
    except urllib.error.HTTPError as refused:
        statuses[refused.code] += 1
    except OSError:
        statuses[0] += 1


ready = threading.Event()


def burst(port: int, visitors: list[str], account: str) -> dict[str, object]:
    """Try to sign in from all these visitors at once; return page times and the statuses of the attempts."""
    statuses: Counter[int] = Counter()
    ready.clear()
    threads = [
        threading.Thread(target=try_to_sign_in, args=(port, visitor, account.format(number), statuses))
        for number, visitor in enumerate(visitors)
    ]
    for each in threads:
        each.start()
    time.sleep(5.0)  # until each thread has its page
    ready.set()
    started = time.perf_counter()
    time.sleep(0.1)
    pages = []
    while any(each.is_alive() for each in threads):
        pages.append(page_seconds(port))
        time.sleep(0.1)
    return {
        "slowest_page_seconds": round(max(pages, default=0.0), 2),
        "burst_seconds": round(time.perf_counter() - started, 2),
        "statuses": dict(sorted(statuses.items())),
    }


def main() -> None:
    """Measure every attack once."""
    with serve_ours() as server:
        page_seconds(server.port)

        def say(siege: str, found: dict[str, object]) -> None:
            sys.stdout.write(json.dumps({"siege": siege, **found}) + "\n")
            sys.stdout.flush()

        say("none", {"slowest_page_seconds": round(max(page_seconds(server.port) for _ in range(5)), 2)})
        home = ["192.0.2.7"] * 30
        say("30 tries from one address", burst(server.port, home, "user{}@example.org"))
        wide = [f"2001:db8:7:{number:x}::1" for number in range(60)]
        say("60 tries from one /48", burst(server.port, wide, "other{}@example.org"))
        for name, part in (("bodies", HALF_BODY), ("heads", HALF_HEAD)):
            with half_sent(server.port, 500, (part,)):
                pages = {path: round(page_seconds(server.port, path), 2) for path in ("/", "/livez")}
            say(f"500 half-sent {name}", {"page_seconds": pages})


if __name__ == "__main__":
    main()
