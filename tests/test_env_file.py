"""Reading a settings file: each value that is cut off or replaced gets a note."""

from __future__ import annotations

import pytest

from newsletter.env_file import read_env_file

ENVIRON = {"BASE": "/srv/ann"}


def read(tmp_path, text):
    path = tmp_path / "settings.env"
    path.write_text(text, "utf-8")
    return read_env_file(path, ENVIRON, "NEWSLETTER_")


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("NEWSLETTER_A='500 Main Street #210, Springfield'", "500 Main Street #210, Springfield"),
        ('NEWSLETTER_A="500 Main Street #210, Springfield"', "500 Main Street #210, Springfield"),
        ("NEWSLETTER_A=pass#word", "pass#word"),
        ("NEWSLETTER_A=#word", "#word"),
        ("NEWSLETTER_A='pa${ss}word'", "pa${ss}word"),
        ("NEWSLETTER_A='${BASE}'", "${BASE}"),
        ("NEWSLETTER_A=pa$ss", "pa$ss"),
        (r"NEWSLETTER_A='it\'s'", "it's"),
        ("export NEWSLETTER_A=plain", "plain"),
        ("NEWSLETTER_A=", ""),
        ("NEWSLETTER_A", ""),
    ],
)
def test_a_value_that_is_taken_unchanged_gets_no_note(tmp_path, line, value):
    found = read(tmp_path, f"# a comment of its own\n{line}\n")

    assert found.values == {"NEWSLETTER_A": value}
    assert (found.notes, found.faults) == ((), ())


@pytest.mark.parametrize(
    ("line", "value", "words"),
    [
        ("NEWSLETTER_A=500 Main Street #210, Springfield", "500 Main Street", "ends before “ #”"),
        ("NEWSLETTER_A= # nothing", "", "ends before “ #”"),
        ("NEWSLETTER_A=pa${ss}word", "paword", "holds ${ss}, which was cut out"),
        ('NEWSLETTER_A="pa${ss}word"', "paword", "holds ${ss}, which was cut out"),
        ("NEWSLETTER_A=${BASE}/data", "/srv/ann/data", "was replaced by the variable BASE"),
        ("NEWSLETTER_A=${OTHER:-x}", "x", "was replaced by its default"),
    ],
)
def test_a_cut_or_replaced_value_gets_a_note_with_its_line_and_the_remedy(tmp_path, line, value, words):
    found = read(tmp_path, f"\nTHIS_IS=ours # not looked at\n\n{line}\n")

    assert found.values["NEWSLETTER_A"] == value
    (note,) = found.notes
    assert "line 4: NEWSLETTER_A " in note
    assert words in note
    assert "NEWSLETTER_A='...'" in note
    assert "Springfield" not in note


def test_an_earlier_line_may_be_used_in_a_later_one(tmp_path):
    found = read(tmp_path, "PASSWORD='a#b c'\nNEWSLETTER_A=smtp://me:${PASSWORD}@relay\n")

    assert found.values["NEWSLETTER_A"] == "smtp://me:a#b c@relay"


@pytest.mark.parametrize("line", ["NEWSLETTER_A='never closed", "NEWSLETTER_A='a' b"])
def test_a_line_that_cannot_be_read_is_a_fault(tmp_path, line):
    found = read(tmp_path, f"\n\n{line}\nNEWSLETTER_B=b\n")

    assert "line 3, cannot be read" in found.faults[0]
    assert found.values["NEWSLETTER_B"] == "b"
