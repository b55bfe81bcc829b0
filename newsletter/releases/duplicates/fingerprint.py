"""The fingerprint of a text: a few numbers that are probably equal if two texts are nearly equal. Pure.

The words of a text make shingles: each three words that follow each other. Each shingle has a hash, and the
hashes are split among a few bins. The lowest hash of a bin is a MinHash (A. Broder, "On the resemblance and
containment of documents", 1997). Three of them make a band. Texts that share most shingles share a band.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from itertools import islice

from newsletter.releases.search.words import cut

# Words in a shingle, MinHashes in a band, and bands.
SHINGLE, ROWS, BANDS = 3, 3, 8
# A text is judged by this many words from its beginning.
MOST_WORDS = 5_000
_BINS = ROWS * BANDS
_EMPTY = 2**64


def fingerprint(title: str, body: str) -> list[int]:
    """Return the bands of a release: one of its title, and eight of its text. Each is a signed 64-bit number.

    A text without a word has only the band of its title.
    """
    bands = [_number("title", *islice(cut(title), MOST_WORDS))]
    lowest = _lowest(list(islice(cut(body), MOST_WORDS)))
    if lowest:
        rows = (lowest[at : at + ROWS] for at in range(0, _BINS, ROWS))
        bands.extend(_number(str(at), *map(str, row)) for at, row in enumerate(rows))
    return bands


def shingles(words: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Yield each three words that follow each other. A shorter text is one shingle."""
    for at in range(max(len(words) - SHINGLE + 1, min(len(words), 1))):
        yield tuple(words[at : at + SHINGLE])


def _lowest(words: Sequence[str]) -> list[int]:
    """Return the lowest hash of each bin; [] for no words. An empty bin has that of the next one."""
    found = [_EMPTY] * _BINS
    for each in set(shingles(words)):
        value = _number(*each)
        at = value % _BINS
        found[at] = min(found[at], value % _EMPTY)
    if all(each == _EMPTY for each in found):
        return []
    for at in range(_BINS - 1, -_BINS - 1, -1):
        # The bins are a ring: going around twice fills the last empty bins from the first ones.
        if found[at] == _EMPTY:
            found[at] = found[(at + 1) % _BINS]
    return found


def _number(*parts: str) -> int:
    data = "\0".join(parts).encode("utf-8", "replace")
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "big", signed=True)
