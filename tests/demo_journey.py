"""What the self-check of the demo must say and leave behind."""

from __future__ import annotations

import json
from email import message_from_bytes, policy
from pathlib import Path

STEPS = {"start", "sign_up", "confirmation_mail", "confirm", "digest_mail", "unsubscribe"}


def require_whole_journey(output: str, folder: Path) -> None:
    """Check the output of `newsletter demo --check`, and its folder for temporary files."""
    (line,) = output.splitlines()
    told = json.loads(line)
    assert told["ok"], told
    assert 0 < told["html_bytes"] < 102_400
    assert told["seconds"].keys() >= STEPS
    digest = message_from_bytes(Path(told["eml"]).read_bytes(), policy=policy.default)
    assert digest["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert digest.get_body(("plain",)) is not None
    assert digest.get_body(("html",)) is not None
    # Only the digest is left in the mailbox.
    assert [path.suffix for path in folder.glob("newsletter-*")].count(".eml") == 1
    assert not list(folder.glob("newsletter-check-*/data"))
