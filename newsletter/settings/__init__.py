"""Settings, frozen and read once, from the environment and a `.env` file.

Every setting is one field below; its variable is NEWSLETTER_ and the field's name in capitals.
docs/settings.md is written from the same fields.
"""

from __future__ import annotations

import difflib
import enum
import ipaddress
import os
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from newsletter.env_file import read_env_file
from newsletter.errors import SettingsError
from newsletter.languages import LANGUAGES
from newsletter.settings.names import ehlo_name as _ehlo_name
from newsletter.settings.names import name_for_ehlo
from newsletter.settings.names import public_url as _public_url
from newsletter.settings.parsing import NAME as _NAME
from newsletter.settings.parsing import address as _address
from newsletter.settings.parsing import count as _count
from newsletter.settings.parsing import domain_in_ascii
from newsletter.settings.parsing import is_loopback as _is_loopback
from newsletter.settings.parsing import list_of as _parts
from newsletter.settings.parsing import rate as _rate
from newsletter.settings.relays import Relay as Relay
from newsletter.settings.relays import RelaySecurity as RelaySecurity
from newsletter.settings.relays import relay as _relay
from newsletter.settings.relays import relays as _relays

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

PREFIX = "NEWSLETTER_"
MINIMUM_KEY_LENGTH = 32
CONNECT_SECONDS = 10
# A local part has 64 octets (RFC 5321), of which a signed address to leave by (mail/verp.py) takes 41.
LONGEST_LEAVE_MAILBOX = 23

T = TypeVar("T")


class IPStorage(enum.StrEnum):
    """How the ledger of consent keeps an IP address."""

    WHOLE = "whole"
    SHORT = "short"
    NONE = "none"


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


BROKER_SCHEMES = ("amqp", "amqps", "redis", "rediss", "redis+socket", "sentinel")


def _broker_url(value: str) -> str:
    scheme, separator, rest = value.strip().partition("://")
    if not separator or scheme not in BROKER_SCHEMES or not rest or any(map(str.isspace, rest)):
        raise ValueError("is not a URL such as redis://queue:6379/0 or amqp://user:password@queue//")
    try:
        _ = urlsplit(value.strip()).port
    except ValueError:
        raise ValueError(
            "has a port that is not a number; percent-encode :, /, ?, # and @ in a password"
        ) from None
    return value.strip()


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
    """Return a domain as addresses are kept with it."""
    found = name if name == "*" else domain_in_ascii(name)
    if found is None:
        raise ValueError(f"names {name}, which is no domain that mail goes to")
    return found


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


def _bind(value: str) -> tuple[str, int]:
    host, colon, port = value.strip().rpartition(":")
    if not colon or not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError("is not host:port, such as 127.0.0.1:8000")
    return host.strip("[]"), int(port)


def _networks(value: str) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    return tuple(ipaddress.ip_network(part.strip()) for part in value.split(",") if part.strip())


def _command(value: str) -> str:
    try:
        words = shlex.split(value)
    except ValueError:
        raise ValueError("has a quotation mark without its other one") from None
    if not words:
        raise ValueError("is not a command")
    return value.strip()


def _path(value: str) -> Path:
    value = value.strip()
    try:
        os.fsencode(value)
    except UnicodeEncodeError:
        # The locale has no such letters. The file's name has: as UTF-8, which the settings' file is in.
        value = os.fsdecode(value.encode("utf-8", "surrogateescape"))
    return Path(value).expanduser().absolute()


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
        "&per_hour=10000&per_day=50000 for the account, &max_connections=10 for this host. So may "
        "&return_path=letter@example.org (as `NEWSLETTER_RETURN_PATH`, for this relay) and "
        "&token_header=X-Name, the header that names a returned email's delivery (X-Newsletter-Token by "
        "default). Characters such as # / ? [ @ : % and the comma in the user name or password are "
        "percent-encoded.",
        _relay,
        example="smtp://user:password@relay.example.org:587",
    )
    relays: tuple[tuple[str, Relay], ...] = setting(
        "Relays for certain From addresses or domains, separated by commas; the relay above takes the rest.",
        _optional_or(_relays, ()),
        (),
        "example.com=smtps://user:password@relay.example.com, news@example.org=smtp://other.example.org",
    )
    relay_token_command: str | None = setting(
        "A command that prints an access token (OAuth 2) for the relay's user, for relays that take no "
        "passwords: the token alone, or JSON with access_token and expires_in. Run without a shell. Used "
        "when the relay's URL has a user name and no password (docs/sending.md).",
        _optional(_command),
        None,
        "/usr/local/bin/relay-token --account letter@example.org",
    )
    ehlo_name: str | None = setting(
        "The name that we give to the relay in EHLO: a domain, or an IP address in brackets. The public "
        "URL's host when empty.",
        _optional(_ehlo_name),
        None,
        "mail.example.org",
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
    return_path: str | None = setting(
        "The envelope sender (MAIL FROM) of every email, for relays that let an account send as itself only: "
        "the account's address. When empty, each delivery has a signed address of its own at "
        "`NEWSLETTER_RETURN_PATH_DOMAIN`.",
        _optional(_address),
        None,
        "letter@example.org",
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
        "The queue: redis:// (install newsletter[redis] for it) or amqp:// (RabbitMQ); files in the data "
        "folder when empty.",
        _optional(_broker_url),
        None,
        "redis://queue:6379/0",
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
            url = make_url(self.database_url)
            if url.get_backend_name() == "postgresql" and "connect_timeout" not in url.query:
                # Without one, a host that drops packets holds a request for minutes.
                url = url.update_query_dict({"connect_timeout": str(CONNECT_SECONDS)})
            return url
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
    def local_name(self) -> str:
        """Our name for other mail servers, in EHLO and in the greeting of our own."""
        return self.ehlo_name or name_for_ehlo(self.host)

    @property
    def sender_domain(self) -> str:
        """The domain of the From address."""
        return self.from_address.rpartition("@")[2]


def choose_relay(settings: Settings, from_address: str) -> Relay:
    """Return the relay for mail from `from_address`: by the address, by its domain, or the usual one."""
    relays = dict(settings.relays)
    address = from_address.lower()
    return relays.get(address) or relays.get(address.rpartition("@")[2]) or settings.relay


def plain_return_path(settings: Settings, relay: Relay) -> str | None:
    """Return the envelope sender of every email over `relay`; None when each delivery has its own."""
    return relay.return_path or settings.return_path


def variable(name: str) -> str:
    """Return the environment variable of the field `name`."""
    return PREFIX + name.upper()


def load_settings(
    environ: Mapping[str, str],
    env_file: Path | None = None,
    *,
    trial: Callable[[Mapping[str, Any]], Sequence[str]] = lambda _values: (),
    known_faults: Sequence[str] = (),
) -> Settings:
    """Read settings from `env_file` and `environ`, which wins.

    `trial` gets the values that could be read, by field, and returns what is wrong with what they name.
    Raises SettingsError with every fault at once: missing, unreadable and unknown settings, what
    `trial` found, and `known_faults`.
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
            # Python's own words begin with a capital letter, ours with a verb.
            told = str(fault)
            faults.append(f"{name} {'cannot be read: ' if told[:1].isupper() else ''}{told}")
    faults += _contradictions(values)
    defaults = {item.name: item.default for item in fields(Settings) if item.default is not MISSING}
    faults += trial({**defaults, **values})
    if faults:
        raise SettingsError(faults)
    return Settings(**values)


def is_text(value: str) -> bool:
    """Return whether a value could be decoded: the bytes that could not are surrogates (PEP 383)."""
    return not any("\ud800" <= char <= "\udfff" for char in value)


def _may_be_bytes(item: Field[Any]) -> bool:
    return "Path" in str(item.type)  # a file's name may be any bytes


def _unknown(name: str, known: Mapping[str, object]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"{name} is not a setting" + (f"; did you mean {near[0]}?" if near else "")


def _relay_faults(values: Mapping[str, Any]) -> list[str]:
    """Return what contradicts itself in how relays are used."""
    faults = []
    domain, path = variable("return_path_domain"), variable("return_path")
    named = [(variable("relay"), values.get("relay"))]
    named += [(f"{variable('relays')} for {sender}", relay) for sender, relay in values.get("relays", ())]
    known = [(name, relay) for name, relay in named if relay is not None]
    if values.get("return_path_domain") is not None:
        if values.get("return_path") is not None:
            faults.append(f"{path} and {domain} exclude each other: one plain address, or signed ones")
        elif known and all(relay.return_path for _, relay in known):
            faults.append(f"{domain} has no effect: each relay has a return_path of its own")
    if values.get("relay_token_command") is None:
        remedy = f"for a sign-in with tokens set {variable('relay_token_command')}"
        faults += [
            f"{name} has a user name but no password; {remedy}"
            for name, relay in known
            if relay.username and relay.password is None
        ]
    return faults


def _contradictions(values: Mapping[str, Any]) -> list[str]:
    faults = _relay_faults(values)
    if (values.get("dkim_selector") is None) != (values.get("dkim_key_file") is None):
        faults.append(f"{variable('dkim_selector')} and {variable('dkim_key_file')} go together")
    if values.get("intake_listen") and values.get("unsubscribe_address") is None:
        faults.append(f"{variable('intake_listen')} needs {variable('unsubscribe_address')}, which is empty")
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
