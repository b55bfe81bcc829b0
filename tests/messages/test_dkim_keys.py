"""Which DKIM keys sign the emails of a From domain, and which domain lacks one."""

from __future__ import annotations

from pathlib import Path

import pytest
from house import make_settings

from newsletter.errors import InputError, SettingsError
from newsletter.mail.dkim import generate_key
from newsletter.messages.dkim_keys import lacks_key, load_keys, read_keys
from newsletter.service.checks.settings_check import faults_of


def key_file(folder: Path, name: str, *kinds: str) -> Path:
    file = folder / f"{name}.pem"
    file.write_text("".join(generate_key(kind)[0] for kind in kinds or ["rsa"]))
    return file


def test_the_key_file_signs_for_the_first_newsletters_domain_and_named_keys_for_theirs(tmp_path: Path):
    settings = make_settings(
        tmp_path,
        dkim_key_file=str(key_file(tmp_path, "a", "rsa", "ed25519")),
        dkim_selector="one, two",
        dkim_keys=(
            f"harbour.example=three:{key_file(tmp_path, 'b')}, "
            f"harbour.example=four:{key_file(tmp_path, 'c', 'ed25519')}, quay.example=none"
        ),
    )

    def names(domain: str) -> list[str]:
        return [key.dns_name for key in load_keys(settings, domain, "example.org")]

    assert names("example.org") == ["one._domainkey.example.org", "two._domainkey.example.org"]
    assert names("Harbour.example") == ["three._domainkey.Harbour.example", "four._domainkey.Harbour.example"]
    assert names("quay.example") == names("other.example") == []
    lacking = [each for each in ("example.org", "harbour.example", "quay.example", "other.example")
               if lacks_key(settings, each, "example.org")]  # fmt: skip
    assert lacking == ["other.example"]


def test_without_any_key_no_domain_lacks_one(tmp_path: Path):
    """Then nothing is signed here on purpose: the relay may do it."""
    assert not lacks_key(make_settings(tmp_path), "example.org", "example.org")


def test_with_named_keys_only_the_first_domain_may_lack_one(tmp_path: Path):
    settings = make_settings(tmp_path, dkim_keys=f"harbour.example=a:{key_file(tmp_path, 'a')}")

    assert lacks_key(settings, "example.org", "example.org")


@pytest.mark.parametrize(
    "keys", ["example.com", "example.com=/a.pem", "example.com=a:", "a@b=a:/b", "x.org=a:/b, x.org=a:/c",
             "x.org=none, x.org=a:/b"],
)  # fmt: skip
def test_keys_that_cannot_be_read_are_a_fault(tmp_path: Path, keys: str):
    with pytest.raises(SettingsError, match="NEWSLETTER_DKIM_KEYS"):
        make_settings(tmp_path, dkim_keys=keys)


def test_files_are_checked_at_start_and_the_fault_names_the_domain(tmp_path: Path):
    def fault(file: Path) -> str:
        settings = make_settings(tmp_path, dkim_keys=f"harbour.example=a:{file}")
        return " ".join(faults_of({"dkim_keys": settings.dkim_keys}))

    assert "harbour.example" in fault(tmp_path / "missing.pem")
    assert "2 private keys for 1 DKIM selectors" in fault(key_file(tmp_path, "two", "rsa", "ed25519"))
    assert fault(key_file(tmp_path, "good")) == ""


def test_a_file_that_is_gone_later_is_an_error(tmp_path: Path):
    with pytest.raises(InputError, match="cannot be read"):
        read_keys(tmp_path / "missing.pem", "a", "example.org")
