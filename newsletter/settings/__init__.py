"""Settings, frozen and read once, from the environment and a `.env` file.

Every setting is one field below; its variable is NEWSLETTER_ and the field's name in capitals.
docs/settings.md is written from the same fields.
"""

from __future__ import annotations

import difflib
import enum
import hashlib
import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import parse_qsl, unquote, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dotenv import dotenv_values
from email_validator import EmailNotValidError, validate_email

from newsletter.errors import SettingsError
from newsletter.languages import LANGUAGES

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

PREFIX = "NEWSLETTER_"
MINIMUM_KEY_LENGTH = 32
# A local part has 64 octets (RFC 5321), of which a signed address to leave by (mail/verp.py) takes 41.
LONGEST_LEAVE_MAILBOX = 23

T = TypeVar("T")

# A host name as DNS and mail headers have it, localhost included.
_NAME = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)(?:\.(?!-)[A-Za-z0-9-]{1,63}(?<!-))*")


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
    """Where mail is handed over, from an URL such as smtp://user:password@host:587.

    Its limits are those of the whole account; None is no limit. `max_connections` counts one host's.
    """

    host: str
    port: int
    security: RelaySecurity
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    max_connections: int | None = None
    per_second: float | None = None
    per_hour: int | None = None
    per_day: int | None = None

    @property
    def key(self) -> str:
        """What its counters are kept by: two accounts at one relay have limits of their own."""
        account = hashlib.sha256((self.username or "").encode()).hexdigest()[:8] if self.username else ""
        return f"{self.host.lower()}:{self.port}" + (f"#{account}" if account else "")


@dataclass(frozen=True)
class Listener:
    """Where mail to our own addresses is taken: `protocol` is smtp or lmtp (RFC 2033)."""

    protocol: str
    host: str
    port: int


@dataclass(frozen=True)
class Span:
    """Hours of some weekdays (Monday is 0), in minutes after midnight; `closes` may be the next day's."""

    weekdays: frozenset[int]
    opens: int
    closes: int


@dataclass(frozen=True)
class SendingWindow:
    """When issues may go out. Without a zone of its own it is in the newsletter's."""

    spans: tuple[Span, ...]
    zone: ZoneInfo | None = None


def _text(value: str) -> str:
    return value.strip()


def _address(value: str) -> str:
    value = value.strip()
    local, at, domain = value.rpartition("@")
    if not (local and at) or any(c.isspace() or c in '<>,;"' for c in value) or not _NAME.fullmatch(domain):
        raise ValueError("is not an address such as news@example.org (a domain beyond ASCII as xn--...)")
    if not local.isascii():
        raise ValueError("has letters before the @ that many relays do not take; use ASCII ones")
    return value


def _web_origin(value: str) -> str:
    """Return scheme, host and port as a browser writes them into Origin (RFC 6454, section 6.2)."""
    parts = urlsplit(value)
    host = (parts.hostname or "").encode("idna").decode()
    loopback = parts.scheme == "http" and _is_loopback(host)
    if (
        not (_NAME.fullmatch(host) or loopback)
        or not (parts.scheme == "https" or loopback)
        or "@" in parts.netloc
    ):
        raise ValueError(f"has {value}, which is not an origin such as https://www.example.org")
    port = f":{parts.port}" if parts.port and parts.port != {"https": 443, "http": 80}[parts.scheme] else ""
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}{port}"


def _origins(value: str) -> tuple[str, ...]:
    found = []
    for part in _parts(value):
        if urlsplit(part).path.strip("/") or "?" in part or "#" in part:
            raise ValueError(f"has {part}, which is a page; an origin is only https:// and a host name")
        found.append(_web_origin(part))
    return tuple(dict.fromkeys(found))


def _pages(value: str) -> tuple[str, ...]:
    for part in _parts(value):
        _web_origin(part)
        if not part.isascii() or any(char.isspace() or char in "\\<>\"';" for char in part):
            raise ValueError(
                f"has {part}, which is not a URL as browsers write it (beyond ASCII as xn--, %..)"
            )
    return tuple(_parts(value))


def _leave_mailbox(value: str) -> str:
    address = _address(value)
    if len(address.rpartition("@")[0]) > LONGEST_LEAVE_MAILBOX:
        raise ValueError(f"has more than {LONGEST_LEAVE_MAILBOX} letters before the @; a token is to follow")
    return address


def _listeners(value: str) -> tuple[Listener, ...]:
    found = []
    for part in _parts(value):
        protocol, colon, place = part.partition("://")
        if not colon or protocol.lower() not in {"smtp", "lmtp"}:
            raise ValueError("is not smtp://host:port or lmtp://host:port, such as lmtp://127.0.0.1:8024")
        found.append(Listener(protocol.lower(), *_bind(place)))
    return tuple(found)


def _domain(value: str) -> str:
    if not _NAME.fullmatch(value.strip()):
        raise ValueError("is not a domain such as example.org (beyond ASCII as xn--...)")
    return value.strip().lower()


def _list_id(value: str) -> str:
    if not _NAME.fullmatch(value.strip()) or "." not in value:
        raise ValueError("is not two names or more joined by dots, such as letter.news.example.org")
    return value.strip()


def _database_url(value: str) -> str:
    if not value.strip().startswith(("sqlite:///", "postgresql+psycopg://")):
        raise ValueError("is not a URL such as postgresql+psycopg://newsletter@db/newsletter")
    return value.strip()


def _public_url(value: str) -> str:
    parts = urlsplit(value.strip())
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("is not a URL such as https://news.example.org")
    if parts.path.strip("/"):
        raise ValueError("has a path; the service needs a host name of its own, such as news.example.org")
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
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    tls = options.pop("tls", "")
    if tls not in {"", "none", "starttls"}:
        raise ValueError("knows only tls=starttls and tls=none")
    if parts.scheme == "smtps":
        security = RelaySecurity.TLS
    elif tls == "none" or (not tls and _is_loopback(parts.hostname)):
        security = RelaySecurity.NONE
    else:
        security = RelaySecurity.STARTTLS
    username = unquote(parts.username) if parts.username else None
    password = unquote(parts.password) if parts.password else None
    if username and password is None:
        raise ValueError("has a user name but no password")
    default_port = 465 if security is RelaySecurity.TLS else 587
    limits = _relay_limits(options)
    return Relay(parts.hostname, parts.port or default_port, security, username, password, **limits)


def _relay_limits(options: Mapping[str, str]) -> dict[str, Any]:
    kinds: dict[str, Callable[[str], float]] = {
        "max_connections": _count(1, 1000),
        "per_second": _rate,
        "per_hour": _count(1, 10**9),
        "per_day": _count(1, 10**9),
    }
    limits: dict[str, Any] = {}
    for name, value in options.items():
        if name not in kinds:
            raise ValueError(f"knows only tls, {', '.join(kinds)} after the question mark, not {name}")
        try:
            limits[name] = kinds[name](value)
        except ValueError as fault:
            raise ValueError(f"has a limit that cannot be read: {name} {fault}") from None
    return limits


def _relays(value: str) -> tuple[tuple[str, Relay], ...]:
    chosen: dict[str, Relay] = {}
    for part in _parts(value):
        sender, equals, url = part.partition("=")
        sender = sender.strip().lower()
        if not equals or not sender or "/" in sender:
            raise ValueError("is not a list such as example.org=smtp://relay.example.org")
        if sender in chosen:
            raise ValueError(f"names {sender} twice")
        chosen[sender] = _relay(url)
    return tuple(chosen.items())


_SECONDS = {"s": 1, "m": 60, "h": 3600}


def _domain_limits(value: str) -> tuple[tuple[str, float], ...]:
    limits: dict[str, float] = {}
    for part in _parts(value):
        found = re.fullmatch(r"([^\s=/@]+)\s*=\s*([0-9.]+)\s*/\s*([smh])", part)
        if found is None:
            raise ValueError("is not a list such as gmail.com=20/s, *=300/m")
        limits[_mail_domain(found[1])] = _rate(found[2]) / _SECONDS[found[3]]
    return tuple(limits.items())


def _mail_domain(name: str) -> str:
    """Return a domain as addresses are kept with it: by IDNA 2008, which is not what Python's codec does."""
    if name == "*":
        return name
    try:
        found = validate_email(f"anybody@{name}", check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        raise ValueError(f"names {name}, which is no domain that mail goes to") from None
    return found.ascii_domain.lower()


_WEEKDAYS = ("mo", "tu", "we", "th", "fr", "sa", "su")
_SPAN = re.compile(r"(?:([a-z]{2})(?:-([a-z]{2}))?\s+)?(\d\d?):(\d\d)-(\d\d?):(\d\d)")


def _sending_window(value: str) -> SendingWindow:
    spans, _, last = value.strip().rpartition(" ")
    zone = None
    if not re.fullmatch(r"[0-9:-]+", last):
        try:
            zone = ZoneInfo(last)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError(f"names {last}, which is not an IANA time zone such as Europe/Vilnius") from None
        value = spans
    return SendingWindow(tuple(_span(part) for part in _parts(value.lower())), zone)


def _span(text: str) -> Span:
    found = _SPAN.fullmatch(text)
    if found is None or not {found[1] or "mo", found[2] or "mo"} <= set(_WEEKDAYS):
        raise ValueError("is not a window such as Mo-Fr 08:00-18:00 Europe/Vilnius")
    opens, closes = (int(found[at]) * 60 + int(found[at + 1]) for at in (3, 5))
    if opens >= 24 * 60 or closes > 24 * 60 or int(found[4]) > 59 or int(found[6]) > 59:
        raise ValueError(f"has a time that no clock shows: {text}")
    if closes <= opens:
        closes += 24 * 60  # over midnight; the days are those on which it opens
    if found[1] is None:
        return Span(frozenset(range(7)), opens, closes)
    first = _WEEKDAYS.index(found[1])
    length = (_WEEKDAYS.index(found[2] or found[1]) - first) % 7
    return Span(frozenset((first + day) % 7 for day in range(length + 1)), opens, closes)


def _parts(value: str) -> list[str]:
    parts = [part.strip() for part in value.split(",") if part.strip()]
    if not parts:
        raise ValueError("is empty")
    return parts


def _rate(value: str) -> float:
    rate = float(value) if re.fullmatch(r"\d{1,7}(\.\d{1,6})?", value.strip()) else 0.0
    if rate <= 0:
        raise ValueError("is not a number above 0")
    return rate


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
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


def _languages(value: str) -> tuple[str, ...]:
    chosen = tuple(dict.fromkeys(_parts(value)))
    unknown = [each for each in chosen if each not in LANGUAGES]
    if unknown:
        raise ValueError(f"names {', '.join(unknown)}; there are {', '.join(LANGUAGES)}")
    return chosen


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


def _optional_or(parse: Callable[[str], T], empty: T) -> Callable[[str], T]:
    return lambda value: parse(value) if value.strip() else empty


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
        example="32 random characters or more",
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
        "the first byte); ?tls=none turns protection off. Its limits may follow: ?per_second=20"
        "&per_hour=10000&per_day=50000 for the account, &max_connections=10 for this host.",
        _relay,
        example="smtp://user:password@relay.example.org:587",
    )
    relays: tuple[tuple[str, Relay], ...] = setting(
        "Relays for certain From addresses or domains, separated by commas; the relay above takes the rest.",
        _optional_or(_relays, ()),
        (),
        "example.com=smtps://user:password@relay.example.com, news@example.org=smtp://other.example.org",
    )
    relay_ca_file: Path | None = setting(
        "Certificates to trust at relays instead of the system's, PEM.", _optional(_path), None
    )
    domain_limits: tuple[tuple[str, float], ...] = setting(
        "How fast recipients of a domain may be written to, per s, m or h; * is every domain not named.",
        _optional_or(_domain_limits, ()),
        (),
        "gmail.com=20/s, *=300/m",
    )
    sending_window: SendingWindow | None = setting(
        "When issues go out; outside they wait and go on by themselves. Confirmations go at any hour. In the "
        "newsletter's time zone unless another follows.",
        _optional(_sending_window),
        None,
        "Mo-Fr 08:00-18:00, Sa 10:00-14:00 Europe/Vilnius",
    )
    site_name: str = setting("The newsletter's name, on pages and mails.", _text, "The Release Letter")
    tagline: str = setting(
        "One sentence below the name.", _text, "New releases on the subjects you choose, in one calm letter."
    )
    from_name: str = setting("The name beside the From address; the site's name when empty.", _text, "")
    reply_to: str | None = setting("Where answers to an issue go.", _optional(_address), None)
    unsubscribe_address: str | None = setting(
        "An address whose mail reaches us, also with +anything before the @ (docs/running.md says how). Each "
        "digest then has one for its reader in List-Unsubscribe; left out of the header when empty.",
        _optional(_leave_mailbox),
        None,
        "leave@news.example.org",
    )
    intake_listen: tuple[Listener, ...] = setting(
        "Where the service takes such mail itself, by SMTP or LMTP; several separated by commas, none by "
        "default. Only mail to our own addresses is taken.",
        _optional_or(_listeners, ()),
        (),
        "lmtp://127.0.0.1:8024",
    )
    return_path_domain: str | None = setting(
        "The domain of the envelope sender, whose returned mail reaches us; the From domain when empty.",
        _optional(_domain),
        None,
    )
    list_id: str | None = setting(
        "The List-Id (RFC 2919); made from the public URL's host when empty.", _optional(_list_id), None
    )
    time_zone: str = setting("The newsletter's own time zone (IANA name).", _text, "UTC", "Europe/Vilnius")
    languages: tuple[str, ...] = setting(
        "The languages that pages and mails are offered in, separated by commas; whoever speaks none of "
        "them gets the first.",
        _languages,
        LANGUAGES,
        "lt, en",
    )
    embed_origins: tuple[str, ...] = setting(
        "Other sites whose pages may hold the sign-up form (docs/readers.md): origins separated by commas.",
        _optional_or(_origins, ()),
        (),
        "https://www.example.org, https://shop.example.org",
    )
    thanks_urls: tuple[str, ...] = setting(
        "Pages a sign-up form may lead on to instead of ours that says to look in the inbox; whole URLs, "
        "separated by commas. Others are never followed.",
        _optional_or(_pages, ()),
        (),
        "https://www.example.org/thank-you",
    )
    data_dir: Path = setting(
        "Where the embedded database, the queue and the journals live.",
        _path,
        Path("data").absolute(),
        "/var/lib/newsletter",
    )
    database_url: str | None = setting(
        "The database; SQLite in the data folder when empty.",
        _optional(_database_url),
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
        "Networks of proxies whose X-Forwarded-For is believed.", _networks, (), "127.0.0.1/32"
    )
    ip_storage: IPStorage = setting(
        "How consent keeps IP addresses: whole, short (/24, /48) or none.",
        _one_of(IPStorage),
        IPStorage.SHORT,
    )
    confirm_days: int = setting("How many days a confirmation link lives.", _count(1, 60), 7)
    pending_days: int = setting(
        "How many days somebody who has not confirmed stays pending, and no fewer than a confirmation "
        "link lives; then the request ends and the address goes.",
        _count(1, 365),
        14,
    )
    reminder_hours: int = setting(
        "Hours after which somebody who has not confirmed is reminded, once; 0 for never.", _count(0, 1440), 0
    )
    welcome_mail: bool = setting(
        "Send whoever confirms for the first time a welcome with the newest releases on their topics.",
        _yes,
        False,
    )
    keep_mail_days: int = setting(
        "Days after which a sent mail loses its contents and the relay's answer, and an answered form goes; "
        "that it was sent is kept. 0 keeps them.",
        _count(0, 36500),
        30,
    )
    keep_issue_days: int = setting(
        "Days after which an issue can no longer be viewed in the browser as it was sent; which releases it "
        "brought to whom is kept. 0 keeps it.",
        _count(0, 36500),
        365,
    )
    keep_ip_days: int = setting(
        "Days that the ledger of consent keeps IP addresses (as `ip_storage` has them). 0 keeps them.",
        _count(0, 36500),
        365,
    )
    keep_left_days: int = setting(
        "Days after which the address of somebody who has left everything is emptied; a keyed hash stays, so "
        "that no import revives them. 0 keeps it.",
        _count(0, 36500),
        365,
    )
    welcome_releases: int = setting(
        "How many of a topic's newest releases a new reader still gets with the first issue.",
        _count(0, 50),
        0,
    )
    snooze_catch_up: int = setting(
        "How many of a topic's newest releases a reader still gets after a pause; older ones are left out.",
        _count(0, 200),
        10,
    )
    leaving_notice: bool = setting(
        "Tell a reader by one mail, with a way back, when somebody left for them by a link in a mail: it may "
        "have been whoever they forwarded it to.",
        _yes,
        True,
    )
    resend_uncertain: bool = setting(
        "Send a digest again when its outcome is unknown (RFC 1047) instead of asking a person.", _yes, False
    )
    dkim_selector: str | None = setting(
        "The DKIM selector, or one for each key in the file, separated by commas; no signature when empty.",
        _optional(_text),
        None,
    )
    dkim_key_file: Path | None = setting(
        "The DKIM private key, PEM: RSA-2048, and an Ed25519 one after it if wanted (`newsletter dkim new`).",
        _optional(_path),
        None,
    )
    brake_burst: int = setting(
        "How many mails may go at once to people who never confirmed. Beyond that, sign-ups wait for their "
        "turn, and the owner is told once.",
        _count(5, 10**6),
        100,
    )
    brake_per_hour: int = setting("How many more such mails may go each hour.", _count(1, 10**6), 60)
    brake_domain_per_hour: int = setting(
        "How many such mails may go each hour to one domain; twenty times as many to the big providers.",
        _count(1, 10**6),
        30,
    )
    brake_hold_hours: int = setting(
        "How long a sign-up may wait for its turn before it is dropped.", _count(1, 24 * 7), 24
    )
    owner_address: str | None = setting(
        "Who is told when sign-ups come in a burst; every admin account when empty.",
        _optional(_address),
        None,
    )
    altcha: bool = setting(
        "Have visitors' browsers do a little work (ALTCHA) before they sign up. Without JavaScript a sign-up "
        "is still taken, and waits sooner when many come.",
        _yes,
        False,
    )
    refuse_disposable: bool = setting(
        "Refuse addresses at known providers of throw-away mailboxes.", _yes, False
    )
    disposable_domains_file: Path | None = setting(
        "Domains to refuse, one a line, with or without the setting above; read at start.",
        _optional(_path),
        None,
    )
    refuse_role: bool = setting(
        "Refuse addresses of functions (RFC 2142), such as postmaster@, abuse@ or sales@.", _yes, False
    )
    demo: bool = setting(
        "Demo settings: a mailbox page that shows every mail. Never on a real host.", _yes, False
    )

    @property
    def database(self) -> URL:
        """The database's URL, the embedded one by default."""
        # Imported here: most commands that only read settings never open the database.
        from sqlalchemy.engine import URL, make_url  # noqa: PLC0415

        if self.database_url:
            return make_url(self.database_url)
        # By its parts: in a text, `?` and `%` in the folder's name would mean something else.
        return URL.create("sqlite", database=str(self.data_dir / "newsletter.sqlite3"))

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


def choose_relay(settings: Settings, from_address: str) -> Relay:
    """Return the relay for mail from `from_address`: by the address, by its domain, or the usual one."""
    relays = dict(settings.relays)
    address = from_address.lower()
    return relays.get(address) or relays.get(address.rpartition("@")[2]) or settings.relay


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
    if values.get("intake_listen") and values.get("unsubscribe_address") is None:
        faults.append(f"{variable('intake_listen')} needs {variable('unsubscribe_address')}, which is empty")
    if (
        values.get("reminder_hours", 0)
        >= max(values.get("pending_days", 14), values.get("confirm_days", 7)) * 24
    ):
        faults.append(f"{variable('reminder_hours')} is after the end of {variable('pending_days')}")
    key_file = values.get("dkim_key_file")
    if key_file is not None and not key_file.is_file():
        faults.append(f"{variable('dkim_key_file')} names {key_file}, which is not there")
    ca_file = values.get("relay_ca_file")
    if ca_file is not None and not ca_file.is_file():
        faults.append(f"{variable('relay_ca_file')} names {ca_file}, which is not there")
    if values.get("time_zone") is not None:
        try:
            ZoneInfo(values["time_zone"])
        except (ZoneInfoNotFoundError, ValueError):
            faults.append(f"{variable('time_zone')} is not an IANA time zone such as Europe/Vilnius")
    return faults
