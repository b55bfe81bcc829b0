"""Every setting is one field here. Its variable is NEWSLETTER_ and the field's name in capitals.

docs/settings.md is written from the same fields.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import MISSING, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from newsletter.languages import LANGUAGES, translatable
from newsletter.settings.parse.common import parse_address, percent, whole_number
from newsletter.settings.parse.general import (
    one_of,
    optional,
    optional_or,
    parse_command,
    parse_keys,
    parse_languages,
    parse_path,
    parse_text,
    parse_yes,
)
from newsletter.settings.parse.host_names import name_for_ehlo, parse_ehlo_name, parse_public_url
from newsletter.settings.parse.mailbox_urls import parse_mailboxes
from newsletter.settings.parse.places import (
    parse_bind,
    parse_broker_url,
    parse_database_url,
    parse_fetch_allow,
    parse_listeners,
    parse_networks,
    parse_origins,
    parse_pages,
    parse_web_address,
)
from newsletter.settings.parse.relay_urls import parse_relay, parse_relays
from newsletter.settings.parse.sending import (
    parse_domain,
    parse_domain_keys,
    parse_domain_limits,
    parse_leave_mailbox,
    parse_list_id,
    parse_sending_window,
    parse_warm_up,
)
from newsletter.settings.parse.webhooks import (
    parse_given_keys,
    parse_public_keys,
    parse_signing_keys,
    parse_topics,
)
from newsletter.settings.values import DomainKey, IPStorage, Listener, Mailbox, Relay, SendingWindow, WarmUp

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

PREFIX = "NEWSLETTER_"
CONNECT_SECONDS = 10
# For settings that became content of the newsletter (docs/running.md).
_FILLS = " Used once, for the newsletter of a new database. After that, change it with `newsletter edit`."


def setting(help: str, parse: Callable[[str], Any], default: Any = MISSING, example: str = "") -> Any:  # noqa: A002
    """Declare one setting: its line in the documentation, its parser, and its default if it has one."""
    return field(default=default, metadata={"help": help, "parse": parse, "example": example})


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything that differs between installations. `load_settings` makes it."""

    public_url: str = setting(
        "The URL of the service. Every link is built from it, never from a request's Host header.",
        parse_public_url,
        example="https://news.example.org",
    )
    secret_keys: tuple[str, ...] = setting(
        "Keys that sign links and cookies, separated by commas, the newest last. Add keys, and never remove "
        "one: unsubscribe links never expire, and the first key also hashes suppressed addresses.",
        parse_keys,
        example="32 random characters or more",
    )
    from_address: str = setting(
        "The From address of issues and confirmations. A new database needs it, or a sender set with "
        "`newsletter edit`." + _FILLS,
        parse_address,
        "",
        "news@example.org",
    )
    postal_address: str = setting(
        "The publisher's postal address, printed at the foot of every email. Many countries require it by "
        "law. A new database needs it too." + _FILLS,
        parse_text,
        "",
        "Harbour Road 1, 1000 Town",
    )
    relay: Relay = setting(
        "The SMTP relay that accepts our emails. smtp:// uses STARTTLS, which is required except on "
        "loopback. With smtps://, the connection uses TLS from the first byte. Options: ?tls=none turns "
        "encryption off. `per_second=20&per_hour=10000&per_day=50000` limits the account, and "
        "`max_connections=10` this host. With `return_path=news@example.org`, this relay has its own "
        "`NEWSLETTER_RETURN_PATH`. The header `token_header=X-Name` matches a returned email to its "
        "delivery (X-Newsletter-Token by default). In the user name and the password, percent-encode "
        "characters such as # / ? [ @ : % and the comma.",
        parse_relay,
        example="smtp://user:password@relay.example.org:587",
    )
    relays: tuple[tuple[str, Relay], ...] = setting(
        "Relays for certain From addresses or domains, separated by commas. Others use the relay above.",
        optional_or(parse_relays, ()),
        (),
        "example.com=smtps://user:password@relay.example.com, news@example.org=smtp://other.example.org",
    )
    backup_relays: tuple[tuple[str, Relay], ...] = setting(
        "Relays that take over while the usual relay of a From address or domain is down. Commas separate "
        "them, and * is every address that is not named (docs/sending.md).",
        optional_or(parse_relays, ()),
        (),
        "example.com=smtps://user:password@relay.example.net, *=smtp://backup.example.org",
    )
    backup_after_minutes: int = setting(
        "The minutes for which a relay must have been down before its backup relay takes over. 0: at once.",
        whole_number(0, 1440),
        5,
    )
    relay_token_command: str | None = setting(
        "A command that prints an OAuth 2 access token for the relay's user, for relays that accept no "
        "passwords. It prints the token alone, or JSON with access_token and expires_in. It runs without a "
        "shell, and only if the relay's URL has a user name and no password (docs/sending.md).",
        optional(parse_command),
        None,
        "/usr/local/bin/relay-token --account news@example.org",
    )
    ehlo_name: str | None = setting(
        "Our name in EHLO: a domain, or an IP address in brackets. If empty: the public URL's host.",
        optional(parse_ehlo_name),
        None,
        "mail.example.org",
    )
    relay_ca_file: Path | None = setting(
        "A PEM file of certificates to trust at relays, instead of the system's.", optional(parse_path), None
    )
    domain_limits: tuple[tuple[str, float], ...] = setting(
        "Emails a second, minute or hour (s, m, h) to a recipient domain. * is every domain not named.",
        optional_or(parse_domain_limits, ()),
        (),
        "gmail.com=20/s, *=300/m",
    )
    warm_up: tuple[tuple[str, WarmUp], ...] = setting(
        "How many digests a new From domain sends in 24 hours: first day, its limit, the daily factor, and "
        "the number of days (docs/sending.md).",
        optional_or(parse_warm_up, ()),
        (),
        "example.org=2026-12-01:200*1.5:14",
    )
    sending_window: SendingWindow | None = setting(
        "When issues may be sent. Outside these hours they wait, and then continue by themselves. "
        "Confirmations are sent at any hour. Times are in the newsletter's time zone, unless another zone "
        "follows.",
        optional(parse_sending_window),
        None,
        "Mo-Fr 08:00-18:00, Sa 10:00-14:00 Europe/Vilnius",
    )
    first_issues_percent: float = setting(
        "This part of a relay's limits by hour and day is kept for urgent issues and issues as it happens. "
        "Other issues leave it unused. Single emails have another 5 % for themselves.",
        percent(90),
        10.0,
    )
    site_name: str = setting(
        "The newsletter's name, on pages and emails." + _FILLS, parse_text, "The Release Letter"
    )
    tagline: str = setting(
        "One sentence below the name." + _FILLS,
        parse_text,
        translatable("New releases on the subjects you choose, in one calm email."),
    )
    from_name: str = setting(
        "The name beside the From address. If empty: the newsletter's name." + _FILLS, parse_text, ""
    )
    reply_to: str | None = setting(
        "The address for replies to an issue." + _FILLS, optional(parse_address), None
    )
    unsubscribe_address: str | None = setting(
        "An address whose mail reaches this service, also with +anything before the @ (docs/running.md says "
        "how). Each digest then has an address for its own subscriber in List-Unsubscribe. When empty, that "
        "header has no address.",
        optional(parse_leave_mailbox),
        None,
        "leave@news.example.org",
    )
    intake_listen: tuple[Listener, ...] = setting(
        "Where the service itself accepts such mail, by SMTP or LMTP: several separated by commas, none by "
        "default. Only mail to our own addresses is accepted.",
        optional_or(parse_listeners, ()),
        (),
        "lmtp://127.0.0.1:8024",
    )
    webhook_ses_topics: tuple[str, ...] = setting(
        "The Amazon SNS topics to which Amazon SES reports (docs/returned-mail.md says how), separated by "
        "commas. Messages of other topics are refused.",
        optional_or(parse_topics, ()),
        (),
        "arn:aws:sns:eu-west-1:123456789012:returned-mail",
    )
    webhook_sendgrid_keys: tuple[str, ...] = setting(
        "SendGrid's verification keys of the signed event webhook, separated by commas.",
        optional_or(parse_public_keys, ()),
        (),
        "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE...",
    )
    webhook_mailgun_keys: tuple[str, ...] = setting(
        "Mailgun's HTTP webhook signing keys, separated by commas.",
        optional_or(parse_given_keys, ()),
        (),
    )
    webhook_postmark_secrets: tuple[str, ...] = setting(
        "Secrets that Postmark sends as the password of the webhook's URL, separated by commas. Postmark "
        "signs nothing.",
        optional_or(parse_keys, ()),
        (),
        "32 random characters or more",
    )
    webhook_postmark_networks: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = setting(
        "Networks that Postmark's calls come from, separated by commas. Calls from others are refused. If "
        "empty: all networks.",
        parse_networks,
        (),
        "203.0.113.4/32",
    )
    webhook_brevo_secrets: tuple[str, ...] = setting(
        "Secrets that Brevo sends as the password of the webhook's URL, or as a token, separated by commas. "
        "Brevo signs nothing.",
        optional_or(parse_keys, ()),
        (),
        "32 random characters or more",
    )
    webhook_brevo_networks: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = setting(
        "Networks that Brevo's calls come from, separated by commas. Calls from others are refused. If "
        "empty: all networks.",
        parse_networks,
        (),
        "203.0.113.0/24",
    )
    webhook_generic_keys: tuple[bytes, ...] = setting(
        "Keys that sign the calls of your own programs, separated by commas: text, or whsec_ and base64 "
        "(docs/returned-mail.md).",
        optional_or(parse_signing_keys, ()),
        (),
        "32 random characters or more",
    )
    mailboxes: tuple[Mailbox, ...] = setting(
        "Mailboxes that such mail comes to, separated by commas, read by IMAP or POP3. With imaps:// and "
        "pop3s://, the connection uses TLS from the first byte. With imap:// and pop3://, it uses STARTTLS, "
        "which is required except on loopback. ?tls=none turns encryption off. A message that was a report "
        "or a request is kept and marked as seen. `done=delete` deletes it, and `move_to=Folder` moves it. "
        "Other messages stay as they are. A server that cannot say when mail comes is asked every "
        "`poll_seconds=120`. Percent-encode as in `NEWSLETTER_RELAY`.",
        optional_or(parse_mailboxes, ()),
        (),
        "imaps://returned:password@mail.example.org/INBOX?done=delete",
    )
    mailbox_token_command: str | None = setting(
        "A command that prints an OAuth 2 access token for a mailbox whose URL has no password, as in "
        "`NEWSLETTER_RELAY_TOKEN_COMMAND`. The environment names MAILBOX_HOST and MAILBOX_USER.",
        optional(parse_command),
        None,
        "/usr/local/bin/mailbox-token",
    )
    mailbox_ca_file: Path | None = setting(
        "A PEM file of certificates to trust at mailboxes, instead of the system's.",
        optional(parse_path),
        None,
    )
    return_path: str | None = setting(
        "The envelope sender (MAIL FROM) of every email, for relays that let an account send only under its "
        "own address: that address. When empty, each delivery has its own signed address at "
        "`NEWSLETTER_RETURN_PATH_DOMAIN`.",
        optional(parse_address),
        None,
        "news@example.org",
    )
    return_path_domain: str | None = setting(
        "The envelope sender's domain. Mail returned to it must reach us. If empty: the From domain.",
        optional(parse_domain),
        None,
    )
    list_id: str | None = setting(
        "The first newsletter's List-Id (RFC 2919). When empty, it is made from the public URL's host.",
        optional(parse_list_id),
        None,
    )
    time_zone: str = setting(
        "The newsletter's time zone (IANA name)." + _FILLS, parse_text, "UTC", "Europe/Vilnius"
    )
    languages: tuple[str, ...] = setting(
        "The languages of pages and emails, separated by commas. The first is the default." + _FILLS,
        parse_languages,
        LANGUAGES,
        "lt, en",
    )
    embed_origins: tuple[str, ...] = setting(
        "Sites whose pages may contain the sign-up form (docs/subscribers.md), separated by commas.",
        optional_or(parse_origins, ()),
        (),
        "https://www.example.org, https://shop.example.org",
    )
    thanks_urls: tuple[str, ...] = setting(
        "Pages that a sign-up form may redirect to, instead of our page that says to check the inbox: "
        "complete URLs, separated by commas. Other URLs are never followed.",
        optional_or(parse_pages, ()),
        (),
        "https://www.example.org/thank-you",
    )
    data_dir: Path = setting(
        "The folder of the embedded database, the queue and the journals.",
        parse_path,
        Path("data").absolute(),
        "/var/lib/newsletter",
    )
    database_url: str | None = setting(
        "The URL of the database. If empty: SQLite in the data folder.",
        optional(parse_database_url),
        None,
        "postgresql+psycopg://newsletter@db/newsletter",
    )
    broker_url: str | None = setting(
        "The URL of the queue: redis:// (install newsletter[redis] for it) or amqp:// (RabbitMQ). If "
        "empty: files in the data folder.",
        optional(parse_broker_url),
        None,
        "redis://queue:6379/0",
    )
    bind: tuple[str, int] = setting(
        "The address and port where the web server listens.",
        parse_bind,
        ("127.0.0.1", 8000),
        "127.0.0.1:8000",
    )
    web_workers: int = setting("The number of web server processes.", whole_number(1, 64), 2)
    send_workers: int = setting(
        "The number of processes that send digests; 0 means one a core.", whole_number(0, 256), 0
    )
    trusted_proxies: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = setting(
        "Networks of proxies whose X-Forwarded-For header is trusted.", parse_networks, (), "127.0.0.1/32"
    )
    ip_storage: IPStorage = setting(
        "How the consent ledger keeps IP addresses: whole, short (/24, /48) or none.",
        one_of(IPStorage),
        IPStorage.SHORT,
    )
    confirm_days: int = setting("How many days a confirmation link is valid.", whole_number(1, 60), 7)
    pending_days: int = setting(
        "How many days an unconfirmed subscriber stays pending, but at least as long as the confirmation "
        "link is valid. Then the request ends, and the address is removed.",
        whole_number(1, 365),
        14,
    )
    reminder_hours: int = setting(
        "After how many hours somebody who has not confirmed is reminded, once; 0 means never.",
        whole_number(0, 1440),
        0,
    )
    welcome_mail: bool = setting(
        "Send new subscribers a welcome with the newest releases on their topics, once they confirm.",
        parse_yes,
        False,
    )
    keep_mail_days: int = setting(
        "Days after which a sent email loses its content and the relay's reply, and an answered form is "
        "deleted. The fact that the email was sent is kept. 0 keeps everything.",
        whole_number(0, 36500),
        30,
    )
    keep_issue_days: int = setting(
        "Days after which an issue can no longer be viewed in the browser as it was sent. Which releases it "
        "brought to whom is kept. 0 keeps the view.",
        whole_number(0, 36500),
        365,
    )
    keep_ip_days: int = setting(
        "Days that the consent ledger keeps IP addresses (in the form of `NEWSLETTER_IP_STORAGE`). 0 keeps "
        "them.",
        whole_number(0, 36500),
        365,
    )
    keep_left_days: int = setting(
        "Days after which the address of somebody who unsubscribed from everything is removed. A keyed hash "
        "stays, so that no import subscribes them again. 0 keeps the address.",
        whole_number(0, 36500),
        365,
    )
    welcome_releases: int = setting(
        "How many of a topic's newest releases a new subscriber also gets with the first issue.",
        whole_number(0, 50),
        0,
    )
    snooze_catch_up: int = setting(
        "How many of a topic's newest releases a subscriber gets after a pause. Older ones are left out.",
        whole_number(0, 200),
        10,
    )
    leaving_notice: bool = setting(
        "When a link in an email was used to unsubscribe, tell the subscriber by email, with a link to undo "
        "it. If it was forwarded, somebody else may have used the link.",
        parse_yes,
        True,
    )
    resend_uncertain: bool = setting(
        "Send a digest again if its outcome is unknown (RFC 1047), instead of asking a person.",
        parse_yes,
        False,
    )
    dkim_selector: str | None = setting(
        "The DKIM selector, or one for each key in the file, separated by commas. If empty: no signature.",
        optional(parse_text),
        None,
    )
    dkim_key_file: Path | None = setting(
        "The DKIM private key, PEM: RSA-2048, and optionally an Ed25519 key after it (`newsletter dkim "
        "new`). It signs the emails of the first newsletter's From domain.",
        optional(parse_path),
        None,
    )
    dkim_keys: tuple[DomainKey, ...] = setting(
        "The DKIM keys of other From domains, separated by commas: domain=selector:file, where each file has "
        "one key. A domain may occur several times with different selectors. With domain=none, emails of "
        "that domain are not signed here, for example because its relay does so.",
        optional_or(parse_domain_keys, ()),
        (),
        "example.com=news:/etc/newsletter/example.com.pem, example.net=none",
    )
    brake_burst: int = setting(
        "How many emails may be sent at once to people who never confirmed. Beyond that, sign-ups wait, and "
        "the owner is told once.",
        whole_number(5, 10**6),
        100,
    )
    brake_per_hour: int = setting(
        "How many more such emails may be sent each hour.", whole_number(1, 10**6), 60
    )
    brake_domain_per_hour: int = setting(
        "How many such emails may go to one domain each hour; twenty times as many to large providers.",
        whole_number(1, 10**6),
        30,
    )
    brake_hold_hours: int = setting(
        "How many hours a waiting sign-up is kept before it is dropped.", whole_number(1, 24 * 7), 24
    )
    soft_bounce_emails: int = setting(
        "How many emails to one address must fail for a time before a probe email is sent "
        "(docs/returned-mail.md).",
        whole_number(2, 100),
        4,
    )
    soft_bounce_days: int = setting(
        "Over how many days, at least, these emails must have failed.", whole_number(1, 365), 21
    )
    soft_bounce_half_life_days: int = setting(
        "After how many days such a failure counts half.", whole_number(1, 365), 45
    )
    probe_days: int = setting(
        "How many days a probe email must not have come back before it has arrived.", whole_number(1, 30), 7
    )
    complaint_alarm_percent: float = setting(
        "Tell the owner when more than this part of an issue's accepted emails were marked as spam, from "
        "five complaints on. 0 means never.",
        percent(100),
        0.1,
    )
    bounce_alarm_percent: float = setting(
        "Tell the owner when more than this part of an issue's emails found no mailbox, from 20 of them on. "
        "0 means never.",
        percent(100),
        2.0,
    )
    complaint_pause_percent: float = setting(
        "If complaints pass this part, pause what is still unsent of the issue. The newsletter's next issue "
        "then waits for an approval. 0 means never.",
        percent(100),
        0.3,
    )
    owner_address: str | None = setting(
        "The address that gets the notices to the owner. If empty: every admin account.",
        optional(parse_address),
        None,
    )
    owner_command: str | None = setting(
        "A command that is run once for each notice to the owner, with the notice as a line of JSON on its "
        "standard input. It has five seconds.",
        optional(parse_command),
        None,
        "/usr/local/bin/page-me",
    )
    owner_url: str | None = setting(
        "A URL to which each notice to the owner is posted once, as JSON.",
        optional(parse_web_address),
        None,
        "https://hooks.example.org/newsletter",
    )
    fetch_allow: tuple[str, ...] = setting(
        "Networks, addresses and host names of an intranet that sources may be fetched from, separated by "
        "commas. Otherwise only public addresses are fetched (docs/sources.md).",
        optional_or(parse_fetch_allow, ()),
        (),
        "10.1.0.0/16, press.intranet.example.org",
    )
    source_failing_days: int = setting(
        "After how many days of failure a source is paused and the owner is told.", whole_number(1, 365), 7
    )
    altcha: bool = setting(
        "Have visitors' browsers do a little work (ALTCHA) before they sign up. A sign-up without "
        "JavaScript is still accepted, but has to wait sooner when many come.",
        parse_yes,
        False,
    )
    refuse_disposable: bool = setting(
        "Refuse addresses at known providers of disposable mailboxes.", parse_yes, False
    )
    disposable_domains_file: Path | None = setting(
        "A file of domains to refuse, one a line, in addition to the setting above. Read at start.",
        optional(parse_path),
        None,
    )
    refuse_role: bool = setting(
        "Refuse addresses of functions (RFC 2142), such as postmaster@, abuse@ or sales@.", parse_yes, False
    )
    demo: bool = setting(
        "Settings of the demo: a mailbox page that shows every email. Never use it on a real host.",
        parse_yes,
        False,
    )

    @property
    def database(self) -> URL:
        """The database's URL. The default is a SQLite file in the data folder."""
        # Imported here, because most commands that read settings never open the database.
        from sqlalchemy.engine import URL, make_url  # noqa: PLC0415

        if self.database_url:
            url = make_url(self.database_url)
            if url.get_backend_name() == "postgresql" and "connect_timeout" not in url.query:
                # Without a timeout, a host that drops packets blocks a request for minutes.
                url = url.update_query_dict({"connect_timeout": str(CONNECT_SECONDS)})
            return url
        # Made from its parts, because `?` and `%` in the folder's name have a meaning in the text of a URL.
        return URL.create("sqlite", database=str(self.data_dir / "newsletter.sqlite3"))

    @property
    def secure(self) -> bool:
        """Whether the public URL is https, so that cookies are sent over https only."""
        return self.public_url.startswith("https://")

    @property
    def host(self) -> str:
        """The public URL's host name."""
        return urlsplit(self.public_url).hostname or ""

    @property
    def local_name(self) -> str:
        """Our name for other mail servers: in EHLO, and in the greeting of our own server."""
        return self.ehlo_name or name_for_ehlo(self.host)

    @property
    def sender_domain(self) -> str:
        """The domain of the From address."""
        return self.from_address.rpartition("@")[2]


def choose_relay(settings: Settings, from_address: str) -> Relay:
    """Return the relay for emails from `from_address`: by address, then by domain, then the default relay."""
    relays = dict(settings.relays)
    address = from_address.lower()
    return relays.get(address) or relays.get(address.rpartition("@")[2]) or settings.relay


def choose_backup(settings: Settings, from_address: str) -> Relay | None:
    """Return the relay that takes over while the usual relay of `from_address` is down; None without one."""
    relays = dict(settings.backup_relays)
    address = from_address.lower()
    found = relays.get(address) or relays.get(address.rpartition("@")[2]) or relays.get("*")
    return found if found is not None and found.key != choose_relay(settings, from_address).key else None


def plain_return_path(settings: Settings, relay: Relay) -> str | None:
    """Return the envelope sender of every email over `relay`; None if each delivery has its own."""
    return relay.return_path or settings.return_path


def variable(name: str) -> str:
    """Return the environment variable of the field `name`."""
    return PREFIX + name.upper()
