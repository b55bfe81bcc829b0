"""Read the dateline of a press release."""

from __future__ import annotations

import pytest

from newsletter.ingest.press.dates.dateline import read_dateline


@pytest.mark.parametrize(
    ("text", "agency"),
    [
        ("TOKYO, Oct. 23 - The minister said", ""),
        ("TEHRAN (Tasnim) – The president", "Tasnim"),
        ("MOSCOW, October 23. /TASS/. A convoy", "TASS"),
        ("SEOUL, Oct. 22 (Yonhap) -- South Korea", "Yonhap"),
        ("LONDON--(BUSINESS WIRE)--Corvane", "BUSINESS WIRE"),
        ("Taipei, Oct. 23 (CNA) Growers", "CNA"),
        ("WASHINGTON, Oct. 23, 2025 /PRNewswire/ -- Halden", "PRNewswire"),
        ("Tehran, Oct 23, IRNA - The", "IRNA"),
        ("Brüssel, 23. Oktober 2025 – Der Rat", ""),
        ("HALMSTRAND (Nov. 19, 2025) - The port", ""),
        ("(ANSA) - LUND, 28 LUG - Il porto", "ANSA"),
        ("BRINGRAD. MORINFORM – The port", "MORINFORM"),
        ("БРИН. 23 лютого. УНН. У порту", "УНН"),
        ("LUND, PA - (BrineMediaWire) - May 2, 2031 - Halden", "BrineMediaWire"),
        ("Lund, Northland - May 2, 2031 / Halden Lantern Works / Halden", "Halden Lantern Works"),
        ("May 2, 2031 (BRINEHAVEN) – The board of Halden", ""),
        ("May 2, 2031 (BRINE NEWS) – The board of Halden", "BRINE NEWS"),
        ("BRINE, Nordal and REEF, South Nordal, Nov 12, 2024, Nov. 12, 2024 (WIREFILE) — Halden", "WIREFILE"),
    ],
)
def test_a_dateline_is_read_with_its_agency(text: str, agency: str) -> None:
    found = read_dateline(text)

    assert found is not None
    assert found.agency == agency
    assert text[found.end :][:1].isupper()


@pytest.mark.parametrize(
    "text",
    [
        "On 23 October, the minister met with her counterpart - the first time in years.",
        "The line (built in 1998) - a single track - was closed.",
        "5 June 2031: Harbour office opens on Sundays for the islands",
        "From 1 July next year a nurse needs one card: the permit.",
        "",
    ],
)
def test_a_sentence_is_no_dateline(text: str) -> None:
    assert read_dateline(text) is None
