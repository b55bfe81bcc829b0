"""Guard: every setting that names a file, a URL, a key or a program is checked before the service starts."""

from __future__ import annotations

import base64
import re
from dataclasses import Field, fields
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from house import ENVIRON

from newsletter.errors import SettingsError
from newsletter.service.checks.settings_check import TRIALS, tried_settings
from newsletter.settings import Settings, variable

# A public key, but not one for ECDSA.
RSA_KEY = base64.b64encode(
    rsa.generate_private_key(65537, 2048)
    .public_key()
    .public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
).decode()
# Wrong values, by setting. {folder} is an existing folder, {garbage} an unusable file, and {key} a key file
# with one RSA key. A new setting that names something outside the program needs a line here. If parsing
# cannot find a wrong value, it also needs a trial in newsletter/service/checks/settings_check.py.
WRONG: dict[str, tuple[str, ...]] = {
    "public_url": ("news.example.org", "ftp://news.example.org", "https://news.example.org/letters"),
    "secret_keys": ("short", " , "),
    "relay": ("relay.example.org", "http://relay.example.org", "smtp://"),
    "relays": ("smtp://relay.example.org", "example.org=relay"),
    "backup_relays": ("smtp://relay.example.org", "*=relay"),
    "relay_token_command": ("{folder}/missing --now", "{garbage}", "no-such-program-anywhere", "'open"),
    "owner_command": ("{folder}/missing --now", "{garbage}", "no-such-program-anywhere", "'open"),
    "owner_url": ("hooks.example.org", "ftp://hooks.example.org", "https://"),
    "relay_ca_file": ("{folder}/missing", "{folder}", "{garbage}"),
    "mailboxes": ("mail.example.org", "smtp://a:b@mail.example.org", "imaps://mail.example.org"),
    "mailbox_token_command": ("{folder}/missing --now", "{garbage}", "no-such-program-anywhere", "'open"),
    "mailbox_ca_file": ("{folder}/missing", "{folder}", "{garbage}"),
    "intake_listen": ("http://127.0.0.1:25", "lmtp://127.0.0.1"),
    "embed_origins": ("ftp://www.example.org", "https://[x", "https://www.example.org/page"),
    "thanks_urls": ("ftp://www.example.org", "/thanks"),
    "data_dir": ("{garbage}", "{garbage}/data"),
    "database_url": (
        "mysql://db/newsletter",
        "postgresql+psycopg://db:port/newsletter",
        "sqlite:///",
        "sqlite:///{folder}",
        "sqlite:///{garbage}/a.sqlite3",
        "sqlite:///{folder}/q?mark/a.sqlite3",
    ),
    "broker_url": ("queue", "http://queue", "redis://", "memory://x", "redis://:pass/word@queue:6379/0"),
    "bind": ("8000", "127.0.0.1:http"),
    "dkim_key_file": ("{folder}/missing", "{folder}", "{garbage}"),
    "dkim_keys": ("example.com={folder}/missing", "example.com=one:{folder}", "example.com=one:{garbage}"),
    "dkim_selector": ("one,two", "no selector"),
    "webhook_ses_topics": ("returned-mail", "arn:aws:sqs:eu-west-1:123456789012:queue", " , "),
    "webhook_sendgrid_keys": ("not base64!", "AAAA", "-----BEGIN PUBLIC KEY-----", RSA_KEY),
    "webhook_mailgun_keys": ("short", "with spaces in the middle of it"),
    "webhook_postmark_secrets": ("short",),
    "webhook_postmark_networks": ("postmarkapp.com", "203.0.113.5/24"),
    "webhook_brevo_secrets": ("short",),
    "webhook_brevo_networks": ("brevo.com",),
    "webhook_generic_keys": ("short", "whsec_" + "!" * 40, "whsec_" + "YWJj" * 5 + "YWJjZGVmZw"),
    "disposable_domains_file": ("{folder}/missing", "{folder}", "{garbage}"),
}
# Other settings without which a setting is not read.
BESIDE = {
    "intake_listen": {"unsubscribe_address": "leave@news.example.org"},
    "dkim_key_file": {"dkim_selector": "one"},
    "dkim_selector": {"dkim_key_file": "{key}"},
}


def names_something_outside(field: Field[object]) -> bool:
    words = "file|path|url|key|relay|dir|folder|origin|listen|bind|command|program|certificate"
    texts = f"{field.metadata['example']} {field.metadata['help']}"
    return bool(
        re.search(rf"(?:^|_)(?:{words})s?(?:_|$)", field.name)
        or re.search(r"\b(?:Path|Relay|Listener)\b", str(field.type))
        or "://" in texts
    )


def test_every_setting_that_names_something_outside_has_a_trial():
    needed = {each.name for each in fields(Settings) if names_something_outside(each)}
    # Domains, addresses and program names are not looked up when the service starts.
    needed -= {"return_path_domain", "return_path"}

    assert needed - set(WRONG) == set()
    assert set(TRIALS) <= {each.name for each in fields(Settings)}
    assert set(TRIALS) - set(WRONG) == {"refuse_disposable"}


@pytest.mark.parametrize(("name", "value"), [(name, each) for name in WRONG for each in WRONG[name]])
def test_a_wrong_value_does_not_start_and_the_message_names_the_setting(name, value, tmp_path, key_file):
    garbage = tmp_path / "garbage"
    garbage.write_bytes(b"\xff\xfe no key, no list, no certificate @ all\n")

    def filled(text: str) -> str:
        return text.format(folder=tmp_path, garbage=garbage, key=key_file)

    given = {variable(each): filled(text) for each, text in {**BESIDE.get(name, {}), name: value}.items()}
    environ = {**ENVIRON, "NEWSLETTER_DATA_DIR": str(tmp_path / "data"), **given}

    with pytest.raises(SettingsError) as caught:
        tried_settings(environ)

    (fault,) = caught.value.faults
    blamed = "dkim_key_file" if name == "dkim_selector" else name
    assert fault.startswith(f"{variable(blamed)} ")
    assert "pass/word" not in fault
    assert not (tmp_path / "data").exists()


@pytest.fixture(scope="module")
def key_file(tmp_path_factory) -> Path:
    from newsletter.mail.dkim import generate_key

    path = tmp_path_factory.mktemp("keys") / "dkim.pem"
    path.write_text(generate_key()[0])
    return path


def test_what_is_there_is_taken(tmp_path, key_file):
    domains = tmp_path / "domains.txt"
    domains.write_text("# throw-away\nexample.com\nbücher.example # another\n\n", "utf-8")
    environ = {
        **ENVIRON,
        "NEWSLETTER_DATA_DIR": str(tmp_path / "data"),
        "NEWSLETTER_DKIM_KEY_FILE": str(key_file),
        "NEWSLETTER_DKIM_SELECTOR": "one",
        "NEWSLETTER_DISPOSABLE_DOMAINS_FILE": str(domains),
        "NEWSLETTER_REFUSE_DISPOSABLE": "yes",
        "NEWSLETTER_BROKER_URL": "redis://queue:6379/0",
        "NEWSLETTER_DATABASE_URL": "postgresql+psycopg://me:pass%2Fword@db/newsletter",
    }

    assert tried_settings(environ).dkim_selector == "one"
