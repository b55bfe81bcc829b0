"""Check at start every file, URL and key that the settings name on this host.

The relay is not contacted here: an unreachable relay must not stop the start (`newsletter relay check`). The
database and the broker may start a little later than we do, so other code waits for them.
"""

from __future__ import annotations

import importlib
import os
import shlex
import shutil
import ssl
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from newsletter.errors import InputError
from newsletter.messages.dkim_keys import read_keys
from newsletter.settings import Settings, load_settings, variable
from newsletter.subscribers.signup.refused_addresses import read_domains

# The package that each kind of broker needs, and our extra that installs it.
BROKER_PACKAGES = MappingProxyType(
    {"redis": ("redis", "redis"), "rediss": ("redis", "redis"), "sentinel": ("redis", "redis")}
)
# The options that SQLite's driver and SQLAlchemy accept after the question mark of a database URL.
SQLITE_OPTIONS = frozenset({"cached_statements", "check_same_thread", "isolation_level", "timeout"})

Trial = Callable[[Mapping[str, Any]], str | None]


def tried_settings(environ: Mapping[str, str], known_faults: Sequence[str] = ()) -> Settings:
    """Return the settings in `environ` after checking what they name.

    Raises SettingsError with every fault: of the settings, of what they name, and `known_faults`.
    """
    return load_settings(environ, trial=faults_of, known_faults=known_faults)


def faults_of(values: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each setting of `values` (by field) that cannot be used on this host."""
    faults = []
    for name, trial in TRIALS.items():
        fault = trial(values) if values.get(name) is not None else None
        if fault:
            faults.append(f"{variable(name)} {fault}")
    return faults


def _unreadable(path: Path) -> str | None:
    """Return why a file cannot be read, None if it can."""
    try:
        if not path.exists():
            return f"names {path}, which does not exist"
        if not path.is_file():
            return f"names {path}, which is not a file"
        with path.open("rb") as file:
            file.read(1)
    except OSError as fault:
        return f"names {path}, which cannot be read: {fault.strerror}"
    return None


def _dkim_key(values: Mapping[str, Any]) -> str | None:
    path, selectors = values["dkim_key_file"], values.get("dkim_selector")
    fault = _unreadable(path)
    if fault or selectors is None:  # a missing selector is already a fault of the settings
        return fault
    try:
        read_keys(path, selectors, "example.org")  # the From domain may be in the database only
    except InputError as found:
        return f"cannot be used: {found}"
    return None


def _domain_keys(values: Mapping[str, Any]) -> str | None:
    for key in values["dkim_keys"]:
        if key.file is None:
            continue
        fault = _unreadable(key.file)
        if fault:
            return f"for {key.domain} {fault}"
        try:
            read_keys(key.file, key.selector, key.domain)
        except InputError as found:
            return f"cannot be used: {found}"
    return None


def _certificates(path: Path) -> str | None:
    fault = _unreadable(path)
    if fault:
        return fault
    try:
        ssl.create_default_context(cafile=str(path))
    except (OSError, ValueError):  # ssl.SSLError is an OSError
        return f"names {path}, which contains no certificates in PEM form"
    return None


def _command(command: str) -> str | None:
    program = shlex.split(command)[0]
    if shutil.which(program) is None:
        return f"names the program {program}, which does not exist or may not be run"
    return None


def _sendgrid_keys(values: Mapping[str, Any]) -> str | None:
    if not values["webhook_sendgrid_keys"]:
        return None
    # Every command checks the settings, and few installations have such a key.
    from newsletter.bounces.providers.sendgrid import load_key  # noqa: PLC0415

    for key in values["webhook_sendgrid_keys"]:
        try:
            load_key(key)
        except ValueError as fault:
            return f"cannot be used: it {fault}"
    return None


def _domains(values: Mapping[str, Any]) -> str | None:
    path = values["disposable_domains_file"]
    fault = _unreadable(path)
    if fault:
        return fault
    try:
        read_domains(path)
    except InputError as found:
        return f"cannot be used: {found}"
    return None


def _listed_domains(values: Mapping[str, Any]) -> str | None:
    if not values["refuse_disposable"]:
        return None
    return _missing_package("disposable_email_domains", "disposable-email-domains")


def _folder(values: Mapping[str, Any]) -> str | None:
    path = values["data_dir"]
    try:
        there = next(each for each in (path, *path.parents) if each.exists())
        if not there.is_dir():
            return f"names {path}, but {there} is not a folder"
        if not os.access(there, os.W_OK | os.X_OK):
            return f"names {path}, but this user may not write in {there}"
    except OSError as fault:
        return f"names {path}, which cannot be used: {fault.strerror}"
    return None


def _database(values: Mapping[str, Any]) -> str | None:
    try:
        url = make_url(values["database_url"])
        url.get_dialect().import_dbapi()
    except (ArgumentError, ValueError):
        return "is not a valid URL; percent-encode special characters in its password"
    except ImportError as fault:
        return f"needs a package that cannot be imported: {fault}"
    if url.get_backend_name() != "sqlite":
        return None
    options = values["database_url"].partition("?")[2].split("&")
    unknown = [each for each in options if each and each.partition("=")[0] not in SQLITE_OPTIONS]
    if unknown:
        return f"has {unknown[0]} after its question mark; write ? in a file's name as %3F"
    path = Path(url.database or "")
    if not url.database or path.is_dir():
        return "names no file; write it as sqlite:////folder/file"
    return _folder({"data_dir": path.absolute().parent})


def _broker(values: Mapping[str, Any]) -> str | None:
    scheme = values["broker_url"].partition(":")[0].partition("+")[0]
    needed = BROKER_PACKAGES.get(scheme)
    return _missing_package(*needed) if needed else None


def _missing_package(module: str, extra: str) -> str | None:
    try:
        importlib.import_module(module)
    except ImportError:
        remedy = f"newsletter[{extra}]" if extra == module else extra
        return f"needs the package {module}, which is not installed: pip install '{remedy}'"
    return None


# By the setting's field. Settings that are not here are checked completely when they are parsed.
TRIALS: Mapping[str, Trial] = MappingProxyType(
    {
        "relay_ca_file": lambda values: _certificates(values["relay_ca_file"]),
        "mailbox_ca_file": lambda values: _certificates(values["mailbox_ca_file"]),
        "relay_token_command": lambda values: _command(values["relay_token_command"]),
        "mailbox_token_command": lambda values: _command(values["mailbox_token_command"]),
        "owner_command": lambda values: _command(values["owner_command"]),
        "dkim_key_file": _dkim_key,
        "dkim_keys": _domain_keys,
        "refuse_disposable": _listed_domains,
        "disposable_domains_file": _domains,
        "webhook_sendgrid_keys": _sendgrid_keys,
        "data_dir": _folder,
        "database_url": _database,
        "broker_url": _broker,
    }
)
