"""What this browser typed into a form, kept for an hour in a signed cookie that the answer to the form sets.

The page after the form shows the address, and the form can be opened again to correct it. The confirmation
page may send itself in the browser that asked (web/public/confirm.py). No page sets the cookie before a form
is sent. Without the cookie, every page works.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from flask import Response, request
from werkzeug.wrappers import Response as AnyResponse

from newsletter.errors import TokenError
from newsletter.mail.addresses import Address
from newsletter.models import Frequency
from newsletter.models.rendition_key import BY_LETTER
from newsletter.subscribers.signup.confirm import Confirmation
from newsletter.tokens import LONGEST_TOKEN, Purpose
from newsletter.web.http.extensions import runtime

SECONDS = 3600


@dataclass(frozen=True)
class OwnRequest:
    """What was typed. `topics` has the frequency of each chosen topic, by its id.

    `from_here`: the form was sent by a page of this service. Another site can make a browser send a form, so
    only then did somebody in this browser ask for it.
    """

    email: str
    email_key: str
    newsletter_id: int = 0
    topics: Mapping[int, Frequency] = field(default_factory=dict)
    language: str = ""
    time_zone: str = ""
    from_here: bool = False

    def covers(self, found: Confirmation) -> bool:
        """Return whether this browser asked for everything that a confirmation would start."""
        return (
            self.from_here
            and bool(self.topics)
            and (self.email_key, self.newsletter_id) == (found.email_key, found.newsletter_id)
            and all(self.topics.get(topic.topic_id) is topic.frequency for topic in found.topics)
        )


def own_origin() -> str:
    """Return the origin of this service, as browsers write it."""
    here = urlsplit(runtime().settings.public_url)
    return f"{here.scheme}://{here.netloc}".lower()


def is_from_here() -> bool:
    """Return whether a page of this service sent the request. No page can change the Origin header."""
    return request.headers.get("Origin", "") == own_origin()


def typed_address(address: Address) -> OwnRequest:
    """Return the request of a form that has only an address."""
    return OwnRequest(address.text, address.canonical)


def keep(answer: AnyResponse, asked: OwnRequest) -> AnyResponse:
    """Set the cookie, so that the next pages know what was asked for."""
    parts = runtime()
    topics = ",".join(f"{topic_id}{frequency[0]}" for topic_id, frequency in asked.topics.items())
    payload = [asked.email, asked.email_key, asked.newsletter_id, topics, asked.language, asked.time_zone]
    token = parts.tokens.make(Purpose.SIGNUP, [*payload, asked.from_here], parts.now())
    if len(token) > LONGEST_TOKEN:  # very many topics: show only the address
        payload[3:] = ["", "", ""]
        token = parts.tokens.make(Purpose.SIGNUP, [*payload, False], parts.now())
    # Lax, because the link in the email may be opened from the page of a mailbox provider.
    secure = parts.settings.secure
    answer.set_cookie(_name(), token, SECONDS, path="/", secure=secure, httponly=True, samesite="Lax")
    return answer


def read() -> OwnRequest | None:
    """Return the form that this browser sent within the last hour; None if there is no genuine cookie."""
    parts = runtime()
    try:
        payload = parts.tokens.read(Purpose.SIGNUP, request.cookies.get(_name(), ""), parts.now())
    except TokenError:
        return None
    match payload:
        case [str(email), str(key), int(number), str(topics), str(language), str(zone), bool(from_here)]:
            chosen = {int(each[:-1]): BY_LETTER[each[-1]] for each in topics.split(",") if each}
            return OwnRequest(email, key, number, chosen, language, zone, from_here)
        case _:
            return None


def forget(answer: AnyResponse) -> AnyResponse:
    """Delete the cookie if this browser has it: what was asked for is done."""
    if _name() in request.cookies:
        secure = runtime().settings.secure
        answer.delete_cookie(_name(), path="/", secure=secure, httponly=True, samesite="Lax")
    return answer


def do_not_store(answer: Response) -> Response:
    """Keep a page that shows the address out of caches."""
    answer.headers["Cache-Control"] = "no-store"
    answer.headers["X-Robots-Tag"] = "noindex"
    return answer


def _name() -> str:
    # Browsers accept a cookie with this prefix only over https, for this host alone.
    return "__Host-signup" if runtime().settings.secure else "signup"
