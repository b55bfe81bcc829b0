"""`newsletter dkim new`: it writes a key file and prints the DNS record that publishes the key."""

from __future__ import annotations

import stat
from email import message_from_bytes
from pathlib import Path

import dkim as verifier
from click.testing import CliRunner
from house import NOON, make_house, make_settings

from newsletter.cli import main


def test_two_keys_sign_beside_each_other_and_the_printed_record_verifies(tmp_path: Path):
    file = tmp_path / "keys.pem"
    records = []
    for selector, kind in (("s1", "rsa"), ("s2", "ed25519")):
        options = ["--domain", "example.org", "--selector", selector, "--kind", kind]
        result = CliRunner().invoke(main, ["dkim", "new", str(file), *options])
        assert result.exit_code == 0, result.output
        records.append(result.stdout.strip())
    house = make_house(make_settings(tmp_path, dkim_key_file=str(file), dkim_selector="s1,s2"))
    house.add_subscriber(house.topic("energy"))
    house.release("A new energy cable")

    house.send()

    content = house.transport.sent[0].content
    name, _, text = records[0].partition(" IN TXT ")
    published = "".join(text.split('"')[1::2]).encode()
    assert name == "s1._domainkey.example.org."
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    signatures = message_from_bytes(content).get_all("DKIM-Signature")
    assert [each.split("a=")[1].split(";")[0] for each in signatures] == ["rsa-sha256", "ed25519-sha256"]
    assert verifier.verify(content, dnsfunc=lambda asked, timeout=5: published)
    assert NOON.strftime("%H:%M").encode() in content


def test_a_file_that_cannot_be_written_is_one_message(tmp_path: Path):
    options = ["--domain", "example.org", "--selector", "s1"]

    result = CliRunner().invoke(main, ["dkim", "new", str(tmp_path / "no" / "keys.pem"), *options])

    assert result.exit_code == 1
    assert "cannot be written" in result.output
