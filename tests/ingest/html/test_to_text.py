"""Tests of turning HTML into paragraphs of text."""

from __future__ import annotations

from newsletter.ingest.html.to_text import one_line, to_line, to_paragraphs


def test_each_block_is_a_paragraph_and_each_list_item_and_row_a_line():
    html = """<h2>Ferries</h2><p>From <b>May</b>,
      they sail&nbsp;daily.<br>Twice on Sundays.</p>
      <ul><li>North <i>quay</i></li><li></li><li>South quay</li></ul>
      <table><tr><th>Port</th><th>Hour</th></tr><tr><td>Kiel</td><td>9</td></tr></table><pre>a  b
  c</pre>"""

    assert to_paragraphs(html) == (
        "Ferries",
        "From May, they sail daily.\nTwice on Sundays.",
        "- North quay\n- South quay",
        "Port | Hour\nKiel | 9",
        "a  b\n  c",
    )


def test_scripts_and_control_characters_are_no_text():
    assert to_paragraphs("<script>x</script><style>y</style>a\x00b<p></p>") == ("ab",)
    assert to_line("Fish &amp; <b>chips</b><script>x</script>") == "Fish & chips"
    assert one_line("a\nb\x00c \t d") == "a b c d"
