"""The DKIM keys of a From domain, from the files that the settings name."""

from __future__ import annotations

import re
from pathlib import Path

from newsletter.errors import InputError
from newsletter.mail.dkim import DKIMKey, load_key
from newsletter.settings import Settings, variable

_PEM = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.+?-----END [A-Z ]*PRIVATE KEY-----", re.DOTALL)


def load_keys(settings: Settings, domain: str, first_domain: str) -> tuple[DKIMKey, ...]:
    """Return the keys that sign emails from `domain`, each with its selector; none if there are none.

    `first_domain` is the From domain of the first newsletter: NEWSLETTER_DKIM_KEY_FILE is for that one.
    Raises InputError as `read_keys` does.
    """
    named = [key for key in settings.dkim_keys if key.domain == domain.lower()]
    if named:
        return tuple(
            found
            for key in named
            if key.file is not None
            for found in read_keys(key.file, key.selector, domain)
        )
    file, selectors = settings.dkim_key_file, settings.dkim_selector
    if file is None or selectors is None or domain.lower() != first_domain.lower():
        return ()
    return read_keys(file, selectors, domain)


def lacks_key(settings: Settings, domain: str, first_domain: str) -> bool:
    """Return whether emails from `domain` are not signed, although the settings have keys for others."""
    if any(key.domain == domain.lower() for key in settings.dkim_keys):
        return False
    if settings.dkim_key_file is None:
        return bool(settings.dkim_keys)
    return domain.lower() != first_domain.lower()


def missing_key(newsletter: str, domain: str) -> str:
    """Return a sentence for people about a domain without a key."""
    return (
        f"Emails of “{newsletter}” have no DKIM signature: make a key for {domain} with `newsletter dkim "
        f"new`, publish its record, and add the key to {variable('dkim_keys')}."
    )


def read_keys(file: Path, selectors: str, domain: str) -> tuple[DKIMKey, ...]:
    """Return the private keys in `file`, each with one of the `selectors` (separated by commas).

    Raises InputError when the file cannot be read, a key is unusable, or the numbers of selectors and keys
    differ.
    """
    try:
        pems = _PEM.findall(file.read_text("ascii", "replace"))
    except OSError as fault:
        raise InputError(f"{file} cannot be read: {fault.strerror}") from fault
    names = [each.strip() for each in selectors.split(",")]
    if not pems:
        raise InputError(f"{file} holds no private key in PEM form; `newsletter dkim new` makes one")
    if len(pems) != len(names):
        raise InputError(f"{file} holds {len(pems)} private keys for {len(names)} DKIM selectors")
    return tuple(load_key(pem, selector=name, domain=domain) for pem, name in zip(pems, names, strict=True))
