"""Answers of the archive that browsers and proxies may keep, and a small store of made pages in this process.

The key of a stored page has the version of what visitors see (models/public_version.py). So a page is never
older than the last committed change. An embargo can end between two changes, so no page is stored for long.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import wraps
from typing import Any, TypeVar

from flask import Response, current_app, g, make_response, request
from werkzeug.http import http_date
from werkzeug.wrappers import Response as AnyResponse

from newsletter.models import db, public_version
from newsletter.web.http.extensions import runtime
from newsletter.web.http.this_newsletter import all_newsletters

# How long a browser or a proxy shows a page without asking again.
MAX_AGE_SECONDS = 60
# How long this process keeps a page while nothing changes.
KEPT_FOR = timedelta(seconds=60)
# The pages of one process, and the longest address that is kept.
MOST_BYTES, LONGEST_ADDRESS = 8 * 1024 * 1024, 200
# Two changes in one second have the same Last-Modified. So the header is left out for so long.
SETTLED = timedelta(seconds=3)

# The values of one process: those of the present version, and of the one before while it is replaced.
MOST_VALUES = 20

View = Callable[..., AnyResponse | str]
Value = TypeVar("Value")


@dataclass(frozen=True)
class Made:
    """A page as it was made."""

    body: bytes
    mimetype: str
    language: str | None
    etag: str
    made_at: datetime


@dataclass
class PageStore:
    """The pages that were made last, up to `MOST_BYTES`."""

    _pages: OrderedDict[object, Made] = field(default_factory=OrderedDict)
    _bytes: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def find(self, key: object, now: datetime) -> Made | None:
        """Return a page that was made lately."""
        with self._lock:
            found = self._pages.get(key)
            if found is None or not found.made_at <= now < found.made_at + KEPT_FOR:
                return None
            self._pages.move_to_end(key)
            return found

    def keep(self, key: object, made: Made) -> None:
        """Keep a page; the ones that were used least recently make room."""
        with self._lock:
            old = self._pages.pop(key, None)
            self._bytes += len(made.body) - (len(old.body) if old else 0)
            self._pages[key] = made
            while self._bytes > MOST_BYTES and self._pages:
                _, gone = self._pages.popitem(last=False)
                self._bytes -= len(gone.body)


@dataclass
class ValueStore:
    """Values that many pages have in common, such as the list of topics."""

    _values: OrderedDict[object, tuple[datetime, object]] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def find(self, key: object, make: Callable[[], Any], now: datetime) -> Any:
        """Return the value as it was made lately, or make it."""
        with self._lock:
            made_at, value = self._values.get(key, (None, None))
        if made_at is not None and made_at <= now < made_at + KEPT_FOR:
            return value
        value = make()
        with self._lock:
            self._values[key] = now, value
            self._values.move_to_end(key)
            while len(self._values) > MOST_VALUES:
                self._values.popitem(last=False)
        return value


def kept(name: str, make: Callable[[], Value]) -> Value:
    """Return a value that depends only on what is public, as this process made it for the present version.

    Outside of a cacheable view it is made each time.
    """
    version = g.get("public_version")
    if version is None:
        return make()
    store: ValueStore = current_app.extensions.setdefault("archive_values", ValueStore())
    found: Value = store.find((name, version), make, runtime().now())
    return found


def cacheable(view: View) -> View:
    """Let caches keep the answers of a view, and answer 304 if the client has the present one.

    The view's answer may depend only on the address and on what is public.
    """

    @wraps(view)
    def answer(*args: Any, **values: Any) -> Response:
        version = public_version(db.session())
        g.public_version = version.value
        now = runtime().now()
        store: PageStore = current_app.extensions.setdefault("archive_pages", PageStore())
        # `all_newsletters` may be a second old, so its versions are in the key too.
        versions = tuple((each.newsletter_id, each.version) for each in all_newsletters())
        key = (request.full_path, version.value, versions)
        made = store.find(key, now)
        if made is None:
            given = make_response(view(*args, **values))
            if given.status_code != 200:
                return given
            made = _made(given, now)
            # Searches are too many to keep, and so are invented addresses.
            if len(request.full_path) <= LONGEST_ADDRESS and "q" not in request.args:
                store.keep(key, made)
        return _answer(made, version.changed_at)

    return answer


def _made(answer: Response, now: datetime) -> Made:
    body = answer.get_data()
    etag = hashlib.sha256(body).hexdigest()[:32]
    # The context of templates sets the language (http/language.py). A feed is made without a template.
    return Made(body, answer.content_type, g.get("language"), etag, now)


def _answer(made: Made, changed_at: datetime) -> Response:
    answer = Response(made.body, content_type=made.mimetype)
    if made.language:
        answer.headers["Content-Language"] = made.language
    answer.set_etag(made.etag)
    if made.made_at - changed_at > SETTLED:
        answer.headers["Last-Modified"] = http_date(changed_at)
    answer.headers["Cache-Control"] = f"public, max-age={MAX_AGE_SECONDS}"
    return make_response(answer.make_conditional(request))
