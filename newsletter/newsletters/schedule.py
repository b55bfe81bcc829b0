"""Show and change the schedule of a newsletter, and turn it on and off."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import partial
from typing import Any
from zoneinfo import available_timezones

from sqlalchemy import delete, insert
from sqlalchemy.orm import Session

from newsletter import audit
from newsletter.calendar.changes import change_calendar
from newsletter.calendar.instants import zone_of
from newsletter.calendar.plan import Late, LateRule
from newsletter.calendar.rules import DATED, WEEKDAYS, Rules, check_rules, read_weekdays
from newsletter.calendar.store import (
    find_calendar,
    late_of,
    rules_of,
    set_rules,
    start,
    usual_calendar,
    write_late,
)
from newsletter.calendar.words import (
    approval_in_words,
    gathering_in_words,
    holidays_in_words,
    rule_in_words,
)
from newsletter.errors import FieldsInvalid, InputError, StateConflict
from newsletter.identity import Identity
from newsletter.mail.addresses import parse_address
from newsletter.models import Frequency, Gathering, NewsletterCalendar, WaitsAgain

# Each field of a schedule, with its label and a hint. Values are given as texts.
FIELDS: Mapping[str, tuple[str, str]] = {
    "time_zone": ("Time zone", "An IANA name, such as Europe/Vilnius."),
    "hour": ("Hour", "From 0 to 23. Subscribers can choose an hour of their own."),
    "daily": ("Daily on", "Weekdays, such as monday,tuesday,wednesday."),
    "weekly": ("Weekly on", "Weekdays, such as tuesday,friday."),
    "weekly_every": ("Weeks", "1 for every week, 2 for every second week."),
    "weekly_from": ("Counted from", "A date such as 2026-03-02, in a week with an issue."),
    "monthly_day": ("Monthly on day", "From 1 to 31. In a shorter month it is the last day."),
    "holidays": ("Holidays", "A country such as DE, or a part of one such as DE-BY. If empty: none."),
    "late_daily": ("Late daily issues", "Hours and what happens then: send, skip or ask. Such as: 6 skip"),
    "late_weekly": ("Late weekly issues", "Such as: 24 send"),
    "late_monthly": ("Late monthly issues", "Such as: 48 send"),
    "gather_minutes": (
        "Gathering delay in minutes",
        "An issue as it happens opens this long after the first release.",
    ),
    "gather_releases": ("Releases to gather", "It opens earlier at this many releases. If empty: no limit."),
    "approval_hours": (
        "Ask for an approval",
        "Hours before the first emails of a date, from 1 to 168. If empty: no approval is needed.",
    ),
    "approver": ("Who is asked", "An email address. If empty: the owner."),
    "second_person": (
        "Issues that a person sends",
        "yes: they wait until another person than the sender approves them. no: they do not wait.",
    ),
}
LONGEST_GATHERING = 2 * 24 * 60
MOST_APPROVAL_HOURS = 7 * 24
# The fields that are stored as they are.
_COLUMNS = (
    "time_zone",
    "hour",
    "gather_minutes",
    "gather_releases",
    "approval_hours",
    "approver",
    "second_person",
)


def read_schedule(session: Session, identity: Identity) -> NewsletterCalendar:
    """Return the schedule of a newsletter. Without a stored one, it has the default rules and is off."""
    found = find_calendar(session, identity.newsletter_id)
    return found or usual_calendar(identity.newsletter_id, identity.time_zone)


def as_text(row: NewsletterCalendar) -> dict[str, str]:
    """Return the value of each field as a text."""
    late = late_of(row)
    return {
        "time_zone": row.time_zone,
        "hour": str(row.hour),
        "daily": ",".join(WEEKDAYS[each] for each in row.daily),
        "weekly": ",".join(WEEKDAYS[each] for each in row.weekly),
        "weekly_every": str(row.weekly_every),
        "weekly_from": str(row.weekly_from),
        "monthly_day": str(row.monthly_day),
        "holidays": row.holidays,
        **{f"late_{each}": f"{late[each].hours} {late[each].then}" for each in DATED},
        "gather_minutes": str(row.gather_minutes),
        "gather_releases": "" if row.gather_releases is None else str(row.gather_releases),
        "approval_hours": "" if row.approval_hours is None else str(row.approval_hours),
        "approver": row.approver,
        "second_person": "yes" if row.second_person else "no",
    }


def read_moment(session: Session, identity: Identity, text: str) -> datetime:
    """Return the moment of a local time such as 2026-12-01T08:00, in the time zone of the schedule.

    A time with an offset has its own zone. Raises InputError.
    """
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise InputError("Write the time as 2026-12-01T08:00.") from None
    zone = zone_of(read_schedule(session, identity).time_zone)
    try:
        return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
    except OverflowError:
        raise InputError("Write the time as 2026-12-01T08:00.") from None


def in_words(row: NewsletterCalendar) -> dict[str, str]:
    """Return the rule of each frequency in words, by the name of the frequency."""
    rules = rules_of(row)
    said = {each.words: rule_in_words(rules, each, row.hour) for each in DATED}
    said[Frequency.IMMEDIATE.words] = gathering_in_words(row.gather_minutes, row.gather_releases)
    if rules.holidays:
        said["holidays"] = holidays_in_words(rules)
    if row.approval_hours is not None:
        said["approval"] = approval_in_words(row.approval_hours, row.approver)
    if row.second_person:
        said["manual issues"] = "Issues that a person sends wait until another person approves them"
    return said


def set_schedule(
    session: Session, identity: Identity, given: Mapping[str, str], *, actor: str, now: datetime
) -> list[str]:
    """Change fields of a schedule; return the names of those that changed. Commits nothing.

    Raises FieldsInvalid, with a sentence for each field that cannot be used.
    """
    row = _locked(session, identity)
    before = as_text(row)
    values = _parse({**before, **given}, row)
    change_calendar(session, row, lambda calendar: _write(calendar, values), now)
    after = as_text(row)
    changed = [name for name in FIELDS if before[name] != after[name]]
    if changed:
        # The approver is an address, and the log has none.
        told = {name: after[name] if name != "approver" else bool(after[name]) for name in changed}
        audit.record(session, actor, "schedule.set", identity.slug, now, **told)
    return changed


def start_schedule(session: Session, identity: Identity, *, actor: str, now: datetime) -> None:
    """Turn the schedule of a newsletter on. Commits nothing. Raises StateConflict if it is on."""
    row = _locked(session, identity)
    if row.is_on:
        raise StateConflict("The schedule is on already.")
    start(session, row, now)
    # What waits already for subscribers as it happens begins to gather now.
    session.execute(insert(WaitsAgain), [{"newsletter_id": identity.newsletter_id}])
    audit.record(session, actor, "schedule.start", identity.slug, now)


def stop_schedule(session: Session, identity: Identity, *, actor: str, now: datetime) -> None:
    """Turn the schedule of a newsletter off. Commits nothing. Raises StateConflict if it is off.

    Issues that were opened are still sent.
    """
    row = _locked(session, identity)
    if not row.is_on:
        raise StateConflict("The schedule is off already.")
    row.is_on = False
    session.execute(delete(Gathering).where(Gathering.newsletter_id == identity.newsletter_id))
    audit.record(session, actor, "schedule.stop", identity.slug, now)


def _locked(session: Session, identity: Identity) -> NewsletterCalendar:
    row = find_calendar(session, identity.newsletter_id, lock=True)
    if row is None:
        row = usual_calendar(identity.newsletter_id, identity.time_zone)
        session.add(row)
        session.flush()
    return row


def _write(row: NewsletterCalendar, values: Mapping[str, Any]) -> None:
    set_rules(row, values["rules"])
    row.late = write_late(values["late"])
    for name in _COLUMNS:
        setattr(row, name, values[name])


def _parse(texts: Mapping[str, str], row: NewsletterCalendar) -> dict[str, Any]:
    """Return the values that the texts describe. Raises FieldsInvalid."""
    faults: dict[str, str] = {}
    rules = rules_of(row)

    def read(name: str, reader: Callable[[str], Any]) -> Any:
        try:
            return reader(texts[name].strip())
        except InputError as fault:
            faults[name] = str(fault)
        except ValueError:
            faults[name] = f"This cannot be used. {FIELDS[name][1]}"
        return None

    values: dict[str, Any] = {
        "time_zone": read("time_zone", _time_zone),
        "hour": read("hour", lambda text: _number(text, 0, 23)),
        "gather_minutes": read("gather_minutes", lambda text: _number(text, 0, LONGEST_GATHERING)),
        "gather_releases": read("gather_releases", lambda text: _number(text, 2, 1000) if text else None),
        "approval_hours": read("approval_hours", _approval_hours),
        "approver": read("approver", lambda text: parse_address(text).text if text else ""),
        "second_person": read("second_person", _yes_or_no),
        "late": {each: read(f"late_{each}", _late) for each in DATED},
    }
    for name in _RULE_READERS:
        changes = read(name, partial(_rule, name))
        if changes is not None:
            rules = replace(rules, **changes)
    if faults:
        raise FieldsInvalid(faults)
    return {**values, "rules": rules}


_RULE_READERS: Mapping[str, Callable[[str], Any]] = {
    "daily": lambda text: read_weekdays([each for each in text.split(",") if each.strip()]),
    "weekly": lambda text: read_weekdays([each for each in text.split(",") if each.strip()]),
    "weekly_every": int,
    "weekly_from": date.fromisoformat,
    "monthly_day": int,
    "holidays": lambda text: "" if text.lower() == "none" else text.upper(),
}


def _rule(name: str, text: str) -> dict[str, Any]:
    """Return one field of the rules. Raises InputError if it cannot be used."""
    changes = {name: _RULE_READERS[name](text)}
    check_rules(replace(Rules(), **changes))
    return changes


def _time_zone(text: str) -> str:
    if text not in available_timezones():
        raise InputError("There is no such time zone. Use an IANA name, such as Europe/Vilnius.")
    return text


def _number(text: str, least: int, most: int) -> int:
    number = int(text)
    if not least <= number <= most:
        raise InputError(f"Choose a number from {least} to {most}.")
    return number


def _approval_hours(text: str) -> int | None:
    return None if text.lower() in {"", "none"} else _number(text, 1, MOST_APPROVAL_HOURS)


def _yes_or_no(text: str) -> bool:
    if text.lower() not in {"yes", "no"}:
        raise InputError("Choose yes or no.")
    return text.lower() == "yes"


def _late(text: str) -> LateRule:
    hours, then = text.split()
    return LateRule(_number(hours, 1, 24 * 14), Late(then.lower()))
