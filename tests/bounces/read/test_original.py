"""Where the returned message begins in a text."""

from __future__ import annotations

import pytest

from newsletter.bounces.read.original import cut_original

OURS = {"news@letters.example"}


@pytest.mark.parametrize(
    "text",
    [
        "It failed:\nada@harbour.example\n\n--- original message ---\nHello\n",
        "It was not delivered.\nThe original message:\n\nReceived: from mx.example\nHello\n",
        "It failed:\nada@harbour.example\n\nReceived: from mx.example\nHello\n",
    ],
)
def test_the_text_ends_where_the_returned_message_begins(text):
    before, after = cut_original(text, OURS)

    assert "Hello" in after
    assert "Hello" not in before


@pytest.mark.parametrize(
    "text",
    [
        "It was not delivered. A transcript of the message follows.\nAddressed to: ada@harbour.example\n",
        "It was not delivered.\nFrom: news@letters.example\nOriginal: attached\nTo: ada@harbour.example\n",
    ],
)
def test_the_failed_address_may_stand_after_a_line_about_the_original_message(text):
    assert cut_original(text, OURS) == (text, "")
