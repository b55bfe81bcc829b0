"""Find the lines of a contact block."""

from __future__ import annotations

from newsletter.ingest.press.clean import clean_lines
from newsletter.ingest.press.lines.contacts import contact_lines


def test_a_contact_block_ends_with_its_last_number() -> None:
    lines = clean_lines(
        "Media Contact:\nJane Dunmore\nPhone: +999 555 0122\n\nDentists to visit every school\nText"
    )

    assert contact_lines(lines) == {0, 1, 2}
