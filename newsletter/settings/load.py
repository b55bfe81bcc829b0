"""Load the settings from the environment and a file, and report all faults together."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, Field, fields
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from newsletter.env_file import read_env_file
from newsletter.errors import SettingsError
from newsletter.settings.fields import PREFIX, Settings, variable


def load_settings(
    environ: Mapping[str, str],
    env_file: Path | None = None,
    *,
    trial: Callable[[Mapping[str, Any]], Sequence[str]] = lambda _values: (),
    known_faults: Sequence[str] = (),
) -> Settings:
    """Read settings from `env_file` and `environ`. If both have a setting, `environ` wins.

    `trial` gets the parsed values by field, and returns the faults of what they name. Raises SettingsError
    with every fault: missing, unreadable and unknown settings, those that `trial` found, and `known_faults`.
    """
    given: dict[str, str] = {}
    faults = list(known_faults)
    if env_file is not None and env_file.is_file():
        file = read_env_file(env_file, environ, PREFIX)
        given |= file.values
        faults += file.faults
    given |= environ
    known = {variable(item.name): item for item in fields(Settings)}
    faults += [
        _unknown(name, known) for name in sorted(given) if name.startswith(PREFIX) and name not in known
    ]
    values: dict[str, Any] = {}
    for name, item in known.items():
        if name not in given or (not given[name].strip() and item.default is not MISSING):
            if item.default is MISSING:
                faults.append(
                    f"{name} is missing, such as {item.metadata['example']}. {item.metadata['help']}"
                )
            continue
        try:
            if not is_text(given[name]) and not _may_be_bytes(item):
                raise ValueError("is not valid text in the encoding of this locale")
            values[item.name] = item.metadata["parse"](given[name])
            if values[item.name] == "":
                raise ValueError("is empty")
        except ValueError as fault:
            # Python's messages begin with a capital, ours with a verb in lower case.
            told = str(fault)
            faults.append(f"{name} {'cannot be read: ' if told[:1].isupper() else ''}{told}")
    faults += _contradictions(values)
    defaults = {item.name: item.default for item in fields(Settings) if item.default is not MISSING}
    faults += trial({**defaults, **values})
    if faults:
        raise SettingsError(faults)
    return Settings(**values)


def is_text(value: str) -> bool:
    """Return whether a value was decoded completely. Undecodable bytes become surrogates (PEP 383)."""
    return not any("\ud800" <= char <= "\udfff" for char in value)


def _may_be_bytes(item: Field[Any]) -> bool:
    return "Path" in str(item.type)  # a file's name may be any bytes


def _unknown(name: str, known: Mapping[str, object]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"{name} is not a setting" + (f"; did you mean {near[0]}?" if near else "")


def _relay_faults(values: Mapping[str, Any]) -> list[str]:
    """Return the contradictions in the settings of relays and return paths."""
    faults = []
    domain, path = variable("return_path_domain"), variable("return_path")
    named = [(variable("relay"), values.get("relay"))]
    named += [(f"{variable('relays')} for {sender}", relay) for sender, relay in values.get("relays", ())]
    backups = values.get("backup_relays", ())
    named += [(f"{variable('backup_relays')} for {sender}", relay) for sender, relay in backups]
    known = [(name, relay) for name, relay in named if relay is not None]
    if values.get("return_path_domain") is not None:
        if values.get("return_path") is not None:
            faults.append(f"{path} and {domain} cannot both be set: one plain address, or signed ones")
        elif known and all(relay.return_path for _, relay in known):
            faults.append(f"{domain} has no effect: each relay has its own return_path")
    if values.get("relay_token_command") is None:
        remedy = f"for a sign-in with tokens set {variable('relay_token_command')}"
        faults += [
            f"{name} has a user name but no password; {remedy}"
            for name, relay in known
            if relay.username and relay.password is None
        ]
    return faults


def _webhook_faults(values: Mapping[str, Any]) -> list[str]:
    """Return what a webhook needs and does not have."""
    faults = []
    for provider in ("postmark", "brevo"):
        networks, secrets = f"webhook_{provider}_networks", f"webhook_{provider}_secrets"
        if values.get(networks) and not values.get(secrets):
            faults.append(f"{variable(networks)} has no effect without {variable(secrets)}")
    others = (*values.get("relays", ()), *values.get("backup_relays", ()))
    relays = [values.get("relay"), *(relay for _, relay in others)]
    names = [relay.token_header.lower() for relay in relays if relay is not None]
    for provider, header in (("postmark", "X-PM-Metadata-Token"), ("brevo", "X-Mailin-custom")):
        secrets, start = f"webhook_{provider}_secrets", header.removesuffix("Token").lower()
        if values.get(secrets) and names and not any(each.startswith(start) for each in names):
            faults.append(
                f"{variable(secrets)} needs token_header={header} in the URL of a relay: "
                f"{provider.title()} gives no other header back"
            )
    return faults


def _contradictions(values: Mapping[str, Any]) -> list[str]:
    faults = _relay_faults(values) + _webhook_faults(values)
    if values.get("mailbox_token_command") is None:
        faults += [
            f"{variable('mailboxes')} has no password for {each.name}; for a sign-in with tokens set "
            f"{variable('mailbox_token_command')}"
            for each in values.get("mailboxes", ())
            if each.password is None
        ]
    if (values.get("dkim_selector") is None) != (values.get("dkim_key_file") is None):
        faults.append(
            f"{variable('dkim_selector')} and {variable('dkim_key_file')} must both be set, or neither"
        )
    if (
        values.get("reminder_hours", 0)
        >= max(values.get("pending_days", 14), values.get("confirm_days", 7)) * 24
    ):
        faults.append(f"{variable('reminder_hours')} is after the end of {variable('pending_days')}")
    if values.get("time_zone") is not None:
        try:
            ZoneInfo(values["time_zone"])
        except (ZoneInfoNotFoundError, ValueError):
            faults.append(f"{variable('time_zone')} is not an IANA time zone such as Europe/Vilnius")
    return faults
