"""Judge the contents of a sign-up: its topics, its frequencies and its address. Pure.

Every way to sign up calls `judge_signup`. It returns faults as values, and the caller writes the sentences.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from newsletter.address_rules.pattern import Pattern
from newsletter.errors import AddressInvalid
from newsletter.mail.addresses import Address, parse_address
from newsletter.models import Frequency
from newsletter.subscribers.signup.refused_addresses import is_disposable, is_role
from newsletter.subscribers.signup.typos import suggest_domain

MOST_TOPICS = 50


class SignupFault(enum.StrEnum):
    """Why a sign-up is refused. LIKELY_TYPO: the address may be right, so the person is asked once."""

    NO_TOPIC = "no_topic"
    TOO_MANY_TOPICS = "too_many_topics"
    UNKNOWN_TOPIC = "unknown_topic"
    UNKNOWN_FREQUENCY = "unknown_frequency"
    INVALID_ADDRESS = "invalid_address"
    DISPOSABLE_ADDRESS = "disposable_address"
    ROLE_ADDRESS = "role_address"
    LIKELY_TYPO = "likely_typo"


@dataclass(frozen=True, kw_only=True)
class SignupFields:
    """What was asked for, as it was written.

    `frequency` is for all topics, and `topic_frequencies` has one for a topic, or "". `asked_about` is the
    address that LIKELY_TYPO was answered for before, and `use` the suggestion that the person accepted.
    """

    email: str
    topics: Sequence[str]
    frequency: str | None
    topic_frequencies: Mapping[str, str] = field(default_factory=dict)
    asked_about: str | None = None
    use: str | None = None


@dataclass(frozen=True)
class SignupRules:
    """What may be asked for: the slugs on offer, and the domains and mailboxes that are refused.

    Addresses that match a pattern of `allowed` are taken although their domain is disposable. It is called
    only for such a domain, because it reads the database.
    """

    offered: Collection[str]
    disposable: Collection[str] = ()
    allowed: Callable[[], Iterable[Pattern]] = tuple
    refuse_role: bool = False


@dataclass(frozen=True)
class JudgedAddress:
    """The address, or why it is refused. `reason` says in English what is wrong with an invalid one.

    `suggestion` is the address that was probably meant. Without a fault, the person has accepted it.
    """

    address: Address | None
    fault: SignupFault | None = None
    reason: str = ""
    suggestion: str | None = None


@dataclass(frozen=True)
class JudgedSignup:
    """The faults of a sign-up, None where there is none."""

    topics: SignupFault | None
    frequency: SignupFault | None
    email: JudgedAddress


def judge_signup(fields: SignupFields, rules: SignupRules) -> JudgedSignup:
    """Return what is wrong with a sign-up. The result depends on no subscriber that we have."""
    written = {fields.frequency or "", *fields.topic_frequencies.values()} - {""}
    known = fields.frequency and written <= set(Frequency)
    return JudgedSignup(
        topics=_judge_topics(fields.topics, rules.offered),
        frequency=None if known else SignupFault.UNKNOWN_FREQUENCY,
        email=_judge_address(fields, rules),
    )


def _judge_topics(topics: Sequence[str], offered: Collection[str]) -> SignupFault | None:
    if not topics:
        return SignupFault.NO_TOPIC
    if len(topics) > MOST_TOPICS:
        return SignupFault.TOO_MANY_TOPICS
    return None if set(topics) <= set(offered) else SignupFault.UNKNOWN_TOPIC


def _judge_address(fields: SignupFields, rules: SignupRules) -> JudgedAddress:
    try:
        address = parse_address(fields.email)
        meant = suggest_domain(address.domain)
        fault = _refusal(address, rules)
        if fault is not None or not meant:
            return JudgedAddress(address, fault)
        suggestion = f"{address.local_part}@{meant}"
        if fields.asked_about != address.text:
            return JudgedAddress(address, SignupFault.LIKELY_TYPO, suggestion=suggestion)
        if fields.use == suggestion:
            return JudgedAddress(parse_address(suggestion), suggestion=suggestion)
        return JudgedAddress(address)
    except AddressInvalid as error:
        return JudgedAddress(None, SignupFault.INVALID_ADDRESS, reason=str(error))


def _refusal(address: Address, rules: SignupRules) -> SignupFault | None:
    disposable = rules.disposable and is_disposable(address.domain, rules.disposable)
    if disposable and not any(each.matches(address.canonical) for each in rules.allowed()):
        return SignupFault.DISPOSABLE_ADDRESS
    return SignupFault.ROLE_ADDRESS if rules.refuse_role and is_role(address.local_part) else None
