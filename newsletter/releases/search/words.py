"""Cut text into the words that are indexed and searched, the same for both databases. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from functools import lru_cache

from newsletter.releases.fold import fold
from newsletter.releases.rules.match_words import INSIDE, letter

# At most this much of a release is indexed.
INDEXED_BYTES = 200 * 1024
# Longer words are cut. A word of this length is one of a kind already.
LONGEST_WORD = 64
# A query has at most this many words, and this many characters are read of it.
MOST_WORDS = 24
LONGEST_QUERY = 300
# A title has fewer words. What is longer is not a title.
MOST_TITLE_WORDS = 500

# An indexed word of a title begins with the first, and a mark (of a topic, for example) with the second. No
# word of a text contains these characters.
IN_TITLE, MARK = "=", "@"


def cut(text: str) -> Iterator[str]:
    """Yield the words of `text`, folded and without punctuation.

    Scripts without spaces between words, and Korean, are cut into characters and pairs of neighbours. 東京都
    gives 東, 東京, 京, 京都 and 都.
    """
    for run in runs().finditer(fold(text)):
        word = run[0]
        if run.lastgroup == "inside":
            for at, character in enumerate(word):
                yield character
                if at + 1 < len(word):
                    yield word[at : at + 2]
        elif any(map(str.isalnum, word)):
            yield word[:LONGEST_WORD]


def query_words(text: str) -> tuple[str, ...]:
    """Return the words that a release must have to match a query; () if the query has no word.

    Where characters stand beside each other, only their pairs are searched.
    """
    found: dict[str, None] = {}
    for run in runs().finditer(fold(text[:LONGEST_QUERY])):
        word = run[0]
        if run.lastgroup == "inside" and len(word) > 1:
            found.update(dict.fromkeys(word[at : at + 2] for at in range(len(word) - 1)))
        elif any(map(str.isalnum, word)):
            found[word[:LONGEST_WORD]] = None
    return tuple(found)[:MOST_WORDS]


def index_words(title: str, publisher: str, body: str) -> set[str]:
    """Return the words to index of a release. Those of the title stand in it a second time, marked."""
    text = f"{title}\n{publisher}\n{body}".encode("utf-8", "ignore")[:INDEXED_BYTES]
    found = set(cut(text.decode("utf-8", "ignore")))
    title_words = [word for _, word in zip(range(MOST_TITLE_WORDS), cut(title), strict=False)]
    return found | {IN_TITLE + word for word in title_words}


def topic_mark(topic_id: int) -> str:
    """Return the word that stands for a topic in the index."""
    return f"{MARK}t{topic_id}"


def newsletter_mark(newsletter_id: int) -> str:
    """Return the word that stands for a newsletter in the index."""
    return f"{MARK}n{newsletter_id}"


def publisher_mark(publisher: str) -> str:
    """Return the word that stands for a publisher in the index; case and white space make no difference."""
    same = " ".join(fold(publisher).split())
    return f"{MARK}p{hashlib.sha256(same.encode('utf-8', 'ignore')).hexdigest()[:16]}"


@lru_cache
def runs() -> re.Pattern[str]:
    """Return the pattern of a word, or of characters of a script without spaces."""
    return re.compile(f"(?P<word>{letter()}+)|(?P<inside>[{INSIDE}]+)")
