"""Settings, frozen and read once, from the environment and a `.env` file.

Every setting is one field below; its variable is NEWSLETTER_ and the field's name in capitals.
docs/settings.md is written from the same fields.
"""

from __future__ import annotations

import difflib
import enum
import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

from dotenv import dotenv_values

from newsletter.errors import SettingsError

PREFIX = "NEWSLETTER_"
MINIMUM_KEY_LENGTH = 32

T = TypeVar("T")


class IPStorage(enum.StrEnum):
    """How the ledger of consent keeps an IP address."""

    WHOLE = "whole"
    SHORT = "short"
    NONE = "none"


class RelaySecurity(enum.StrEnum):
    """How the conversation with the relay is protected."""

    STARTTLS = "starttls"
    TLS = "tls"
    NONE = "none"


@dataclass(frozen=True)
class Relay:
    """Where mail is handed over, from an URL such as smtp://user:password@host:587."""

    host: str
    port: int
    security: RelaySecurity
    username: str | None = None
    password: str | None = field(default=None, repr=False)


def _text(value: str) -> str:
    return value.strip()


def _address(value: str) -> str:
    value = value.strip()
    local, at, domain = value.rpartition("@")
    if not (local and at and domain) or any(c.isspace() or c in "<>,;" for c in value):
        raise ValueError("is not an address such as news@example.org")
    return value


def _public_url(value: str) -> str:
    parts = urlsplit(value.strip())
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("is not a URL such as https://news.example.org")
    return value.strip().rstrip("/")


def _keys(value: str) -> tuple[str, ...]:
    keys = tuple(key.strip() for key in value.split(",") if key.strip())
    if not keys:
        raise ValueError("holds no key")
    if any(len(key) < MINIMUM_KEY_LENGTH for key in keys):
        raise ValueError(
            f"has a key of fewer than {MINIMUM_KEY_LENGTH} characters; "
            "make one with: python3 -c 'import secrets; print(secrets.token_urlsafe(32))'"
        )
    return keys


def _relay(value: str) -> Relay:
    parts = urlsplit(value.strip())
    if parts.scheme not in {"smtp", "smtps"} or not parts.hostname:
        raise ValueError("is not a URL such as smtp://user:password@relay.example.org:587")
    loopback = parts.hostname == "localhost" or _is_loopback(parts.hostname)
    if parts.scheme == "smtps":
        security = RelaySecurity.TLS
    elif parts.query == "tls=none" or (loopback and not parts.query):
        security = RelaySecurity.NONE
    elif parts.query in {"", "tls=starttls"}:
        security = RelaySecurity.STARTTLS
    else:
        raise ValueError("knows only ?tls=starttls and ?tls=none after the host")
    username = unquote(parts.username) if parts.username else None
    password = unquote(parts.password) if parts.password else None
    if username and password is None:
        raise ValueError("has a user name but no password")
    default_port = 465 if security is RelaySecurity.TLS else 587
    return Relay(parts.hostname, parts.port or default_port, security, username, password)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _bind(value: str) -> tuple[str, int]:
    host, colon, port = value.strip().rpartition(":")
    if not colon or not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError("is not host:port, such as 127.0.0.1:8000")
    return host.strip("[]"), int(port)


def _networks(value: str) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    return tuple(ipaddress.ip_network(part.strip()) for part in value.split(",") if part.strip())


def _path(value: str) -> Path:
    return Path(value.strip()).expanduser().absolute()


def _count(low: int, high: int) -> Callable[[str], int]:
    def parse(value: str) -> int:
        if not value.strip().isdigit() or not low <= int(value) <= high:
            raise ValueError(f"is not a whole number from {low} to {high}")
        return int(value)

    return parse


def _yes(value: str) -> bool:
    word = value.strip().lower()
    if word not in {"1", "0", "true", "false", "yes", "no", "on", "off"}:
        raise ValueError("is neither yes nor no")
    return word in {"1", "true", "yes", "on"}


def _one_of(kind: type[enum.StrEnum]) -> Callable[[str], Any]:
    def parse(value: str) -> enum.StrEnum:
        try:
            return kind(value.strip().lower())
        except ValueError:
            raise ValueError(f"is not one of {', '.join(kind)}") from None

    return parse


def _optional(parse: Callable[[str], T]) -> Callable[[str], T | None]:
    return lambda value: parse(value) if value.strip() else None


def setting(help: str, parse: Callable[[str], Any], default: Any = MISSING, example: str = "") -> Any:  # noqa: A002
    """Declare one setting: its line in the documentation, its parser, its default or none."""
    return field(default=default, metadata={"help": help, "parse": parse, "example": example})


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything that differs between installations. Made by `load_settings`."""

    public_url: str = setting(
        "Where readers reach the service; every link is built from it, never from the request's Host.",
        _public_url,
        example="https://news.example.org",
    )
    secret_keys: tuple[str, ...] = setting(
        "Keys that sign links and cookies, separated by commas, the newest last. Add, never remove: "
        "unsubscribe links never expire, and the first key also hashes suppressed addresses.",
        _keys,
        example="(32 characters or more)",
    )
    from_address: str = setting(
        "The address that issues and confirmations come from.", _address, example="news@example.org"
    )
    postal_address: str = setting(
        "The publisher's postal address, printed at the foot of every mail (the law asks for it in "
        "many countries).",
        _text,
        example="Harbour Road 1, 1000 Town",
    )
    relay: Relay = setting(
        "The relay that takes our mail: smtp:// (STARTTLS, required off loopback), smtps:// (TLS from "
        "the first byte); ?tls=none turns protection off.",
        _relay,
        example="smtp://user:password@relay.example.org:587",
    )
    site_name: str = setting("The newsletter's name, on pages and mails.", _text, "The Release Letter")
    tagline: str = setting(
        "One sentence below the name.", _text, "New releases on the subjects you choose, in one calm letter."
    )
    from_name: str = setting("The name beside the From address; the site's name when empty.", _text, "")
    reply_to: str | None = setting("Where answers to an issue go.", _optional(_address), None)
    unsubscribe_address: str | None = setting(
        "An address for List-Unsubscribe by mail; left out of the header when empty.",
        _optional(_address),
        None,
    )
    return_path_domain: str | None = setting(
        "The domain of the envelope sender, whose returned mail reaches us; the From domain when empty.",
        _optional(_text),
        None,
    )
    list_id: str | None = setting(
        "The List-Id (RFC 2919); made from the public URL's host when empty.", _optional(_text), None
    )
    time_zone: str = setting("The newsletter's own time zone (IANA name).", _text, "UTC", "Europe/Vilnius")
    data_dir: Path = setting(
        "Where the embedded database, the queue and the journals live.",
        _path,
        Path("data").absolute(),
        "/var/lib/newsletter",
    )
    database_url: str | None = setting(
        "The database; SQLite in the data folder when empty.",
        _optional(_text),
        None,
        "postgresql+psycopg://newsletter@db/newsletter",
    )
    broker_url: str | None = setting(
        "The queue; files in the data folder when empty.", _optional(_text), None, "redis://queue:6379/0"
    )
    bind: tuple[str, int] = setting(
        "Where the web server listens.", _bind, ("127.0.0.1", 8000), "127.0.0.1:8000"
    )
    web_workers: int = setting("Web server processes.", _count(1, 64), 2)
    send_workers: int = setting("Sending processes; 0 means one a core.", _count(0, 256), 0)
    trusted_proxies: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = setting(
        "Networks whose X-Forwarded-For and X-Forwarded-Proto are believed.", _networks, (), "127.0.0.1/32"
    )
    ip_storage: IPStorage = setting(
        "How consent keeps IP addresses: whole, short (/24, /48) or none.",
        _one_of(IPStorage),
        IPStorage.SHORT,
    )
    confirm_days: int = setting("How many days a confirmation link lives.", _count(1, 60), 7)
    welcome_releases: int = setting(
        "How many of a topic's newest releases a new reader still gets with the first issue.",
        _count(0, 50),
        0,
    )
    resend_uncertain: bool = setting(
        "Send a digest again when its outcome is unknown (RFC 1047) instead of asking a person.", _yes, False
    )
    dkim_selector: str | None = setting("The DKIM selector; no signature when empty.", _optional(_text), None)
    dkim_key_file: Path | None = setting(
        "The DKIM private key, PEM. RSA-2048 or Ed25519; a second key may follow in the same file.",
        _optional(_path),
        None,
    )
    demo: bool = setting(
        "Demo settings: a mailbox page that shows every mail. Never on a real host.", _yes, False
    )

    @property
    def database(self) -> str:
        """The database's URL, the embedded one by default."""
        return self.database_url or f"sqlite:///{self.data_dir / 'newsletter.sqlite3'}"

    @property
    def secure(self) -> bool:
        """Whether readers come by https, so that cookies are for https alone."""
        return self.public_url.startswith("https://")

    @property
    def host(self) -> str:
        """The public URL's host name."""
        return urlsplit(self.public_url).hostname or ""

    @property
    def sender_domain(self) -> str:
        """The domain of the From address."""
        return self.from_address.rpartition("@")[2]


def variable(name: str) -> str:
    """Return the environment variable of the field `name`."""
    return PREFIX + name.upper()


def load_settings(environ: Mapping[str, str], env_file: Path | None = None) -> Settings:
    """Read settings from `env_file` and `environ`, which wins.

    Raises SettingsError with every fault at once: missing, unreadable and unknown settings.
    """
    given: dict[str, str] = {}
    if env_file is not None and env_file.is_file():
        given |= {name: value or "" for name, value in dotenv_values(env_file).items()}
    given |= environ
    known = {variable(item.name): item for item in fields(Settings)}
    faults = [
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
            values[item.name] = item.metadata["parse"](given[name])
            if values[item.name] == "":
                raise ValueError("is empty")
        except ValueError as fault:
            faults.append(f"{name} {fault}")
    faults += _contradictions(values)
    if faults:
        raise SettingsError(faults)
    return Settings(**values)


def _unknown(name: str, known: Mapping[str, object]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"{name} is not a setting" + (f"; did you mean {near[0]}?" if near else "")


def _contradictions(values: Mapping[str, Any]) -> list[str]:
    faults = []
    if (values.get("dkim_selector") is None) != (values.get("dkim_key_file") is None):
        faults.append(f"{variable('dkim_selector')} and {variable('dkim_key_file')} go together")
    key_file = values.get("dkim_key_file")
    if key_file is not None and not key_file.is_file():
        faults.append(f"{variable('dkim_key_file')} names {key_file}, which is not there")
    if values.get("time_zone") is not None:
        from zoneinfo import ZoneInfo, ZoneInfoNotFoundError  # noqa: PLC0415

        try:
            ZoneInfo(values["time_zone"])
        except (ZoneInfoNotFoundError, ValueError):
            faults.append(f"{variable('time_zone')} is not an IANA time zone such as Europe/Vilnius")
    return faults
