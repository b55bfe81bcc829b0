"""The registry of single emails: for each kind, its template's values and when it is no longer wanted.

The name of a kind is stored in `Delivery.template` and names the folder of its templates. Digests are not
in it: their renditions are made in advance (messages/digests/edition.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from types import MappingProxyType
from typing import Any, NamedTuple

from newsletter.languages import UNKNOWN_LANGUAGE, text_direction
from newsletter.messages.claimed import Claimed
from newsletter.messages.personal_links import PersonalLinks
from newsletter.models import SubscriptionState
from newsletter.settings import Settings


class Making(NamedTuple):
    """What the values of a single email are made from.

    `stored` is the delivery's context. `newsletter` is the slug in URLs, "" for the first newsletter.
    """

    claimed: Claimed
    stored: Mapping[str, Any]
    links: PersonalLinks
    settings: Settings
    newsletter: str
    now: datetime


@dataclass(frozen=True)
class Kind:
    """One kind of single email.

    `values` returns the template's values beside those of every email and the stored ones. A claimed email
    to a subscriber is skipped unless they have a subscription in the state `wanted_with` (None: never
    skipped for this). With `respects_pause`, it is skipped if they pause. `has_list_fields`: its headers
    let email programs offer to unsubscribe.
    """

    values: Callable[[Making], dict[str, Any]]
    wanted_with: SubscriptionState | None = None
    has_list_fields: bool = False
    respects_pause: bool = False


def _preferences(making: Making) -> dict[str, Any]:
    return {"preferences_url": making.links.preferences(making.claimed, making.now)}


def _requested_link(making: Making) -> dict[str, Any]:
    if making.claimed.subscriber_public_id is None or making.claimed.email_key is None:
        return _preferences(making)
    return {"preferences_url": making.links.requested_preferences(making.claimed, making.now)}


def _confirm(making: Making) -> dict[str, Any]:
    claimed, links, upto = making.claimed, making.links, making.stored["upto"]
    return {
        "confirm_url": links.confirm(claimed, upto, making.now),
        "disown_url": links.disown(claimed, upto, making.now),
        "confirm_days": making.settings.confirm_days,
        "reminds": making.settings.reminder_hours > 0,
        # Emails that an earlier version enqueued do not say it.
        "subscribed": making.stored.get("subscribed", False),
    }


def _welcome(making: Making) -> dict[str, Any]:
    pages = making.links.pages
    return _preferences(making) | {
        "unsubscribe_url": making.links.unsubscribe(making.claimed, making.now),
        "archive_url": pages.archive(newsletter=making.newsletter),
        "releases": [
            {**each, "url": pages.release(each["id"]), "date": date.fromisoformat(each["date"])}
            for each in making.stored["releases"]
        ],
    }


def _own_link(making: Making) -> dict[str, Any]:
    link = making.links.own_link(making.claimed, making.stored["right"], making.now)
    return _preferences(making) | {"link_url": link}


def _left(making: Making) -> dict[str, Any]:
    undo = making.links.undo(making.claimed, making.stored["left_at"], making.now)
    # Emails that were enqueued before there were several newsletters do not say whether several were left.
    several = making.stored.get("several", False)
    return _preferences(making) | {"undo_url": undo, "several": several}


def _correction(making: Making) -> dict[str, Any]:
    stored, links = making.stored, making.links
    return _preferences(making) | {
        "unsubscribe_url": links.unsubscribe(making.claimed, making.now),
        "release_url": links.pages.release(stored["public_id"]),
        "date": date.fromisoformat(stored["date"]),
        "changes": stored["changes"].get(str(stored["had"]), []),
        "release_language": "" if stored["language"] == UNKNOWN_LANGUAGE else stored["language"],
        "release_direction": text_direction(stored["language"], stored["title"]),
    }


def _probe(making: Making) -> dict[str, Any]:
    links = making.links
    return _preferences(making) | {
        "unsubscribe_url": links.unsubscribe(making.claimed, making.now),
        "stay_url": links.stay(making.claimed, making.stored["probe"], making.now),
    }


def _address(making: Making) -> dict[str, Any]:
    stored = making.stored
    if stored["change"] is None:
        return _preferences(making)
    # This address is not the subscriber's, not yet or no longer. So the link allows only this change.
    change = making.links.change_address(making.claimed, stored["reader"], stored["change"], making.now)
    return _preferences(making) | {"change_url": change, "change_days": making.settings.confirm_days}


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "confirm": Kind(_confirm, SubscriptionState.PENDING),
        "reminder": Kind(_confirm, SubscriptionState.PENDING),
        "welcome": Kind(_welcome, SubscriptionState.ACTIVE, has_list_fields=True),
        "link": Kind(_requested_link),
        "own_link": Kind(_own_link),
        "left": Kind(_left),
        "change_address": Kind(_address),
        "address_changed": Kind(_address),
        "erased": Kind(_preferences),
        "notice": Kind(_preferences),
        "correction": Kind(_correction, SubscriptionState.ACTIVE, has_list_fields=True, respects_pause=True),
        "probe": Kind(_probe, SubscriptionState.ACTIVE, has_list_fields=True, respects_pause=True),
    }
)


def wanted_with(state: SubscriptionState) -> tuple[str, ...]:
    """Return the kinds that are wanted only with a subscription in this state."""
    return tuple(name for name, kind in KINDS.items() if kind.wanted_with is state)


def kinds_that_respect_pauses() -> tuple[str, ...]:
    """Return the kinds that are not sent to a subscriber who pauses."""
    return tuple(name for name, kind in KINDS.items() if kind.respects_pause)
