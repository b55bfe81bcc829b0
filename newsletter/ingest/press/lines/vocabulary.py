"""Word lists: menus, share buttons, organisations and news agencies, from the phrase files."""

from __future__ import annotations

from newsletter.ingest.phrases import read_phrases

_SITE = read_phrases("site_words")
_NAMES = read_phrases("organisations")

SHARE = frozenset(_SITE["share"])
SHARE_FILLERS = frozenset(_SITE["share fillers"])
MENU = frozenset(_SITE["menu"])
ORGANISATIONS = frozenset(_NAMES["organisations"])
# Words that are typical of an organisation's name if it is short, but also occur in many headlines.
VAGUE = frozenset(_NAMES["vague"])
AGENCIES = frozenset(_NAMES["agencies"])
# Articles, prepositions and the like, which have no capital inside a name.
SMALL_WORDS = frozenset(_NAMES["small words"])
