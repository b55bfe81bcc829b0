"""Score how much a line looks like an organisation's name, and not a headline, a person or a place. Pure."""

from __future__ import annotations

import re

from newsletter.ingest.phrases import read_phrases
from newsletter.ingest.press.lines.shape import ends_sentence, size

_PHRASES = read_phrases("organisations")
_ORGANISATIONS = frozenset(_PHRASES["organisations"])
# Words that are typical of an organisation's name if it is short, but also occur in many headlines.
_VAGUE = frozenset(_PHRASES["vague"])
_AGENCIES = frozenset(_PHRASES["agencies"])
# Articles, prepositions and the like, which have no capital inside a name.
_SMALL_WORDS = frozenset(_PHRASES["small words"])

# Endings that are typical of an organisation's name.
_ENDINGS = re.compile(
    r"(?:省|庁|厅|廳|部|局|院|府|办公室|辦公室|委员会|委員会|委員會|会社|機構|机构|协会|協会|協會|大学"
    r"|大學|研究所|通信社?|新聞社?"
    r"|新华社|新華社|通讯社|通訊社|日报|日報|时报|時報|电视台|网|政府|内閣|官邸|市役所|役場|区役所|県庁|集团"
    r"|公司|有限公司|株式会社|財団|銀行"
    r"|大使館|大使馆|부|청|처|원|위원회|공사|공단|협회|재단|연구소|은행|병원|대학교|총장실|시청|도청|군청|구청|경찰서|통신|뉴스|신문|정부|대사관|연구원|주식회사|그룹"
    r"|ministerium|ministerija|ministerstvo|kommission|verwaltung|minister[iy]|behörde|werke"
    r"|styrelsen|verket|myndigheten|departementet|direktoratet|tilsynet|etaten|laitos|virasto|ministeriö|zentrale|amt)\Z",
    re.IGNORECASE,
)
_ASIAN = re.compile(r"株式会社|有限公司|新华网|新華網|外務省|外交部|国防部|國防部|국방부|외교부|연합뉴스")
_LEGAL = re.compile(
    r"\b(?:Inc|Ltd|LLC|PLC|plc|GmbH|AG|S\.A|SA|N\.V|Corp|Co|AB|Oyj?|ASA|S\.p\.A|UAB|A/S|e\. ?V"
    r"|KGaA|SAS|S\.r\.l|SRL|Nyrt|Zrt|Kft|s\.r\.o|d\.o\.o|Tbk)\.?"
    r"(?: ?\([Pp]ubl\.?\))?\Z"
)
_ELIDED = re.compile(r"\A(?:l|d|dell|dall|all|nell)['’](?=\w)", re.IGNORECASE)
_ACRONYM = re.compile(r"[A-Z]{2,6}")
# People with an office or employer: "Dana Wharton, Secretary of State", "Times Staff Writers".
_ROLE = re.compile(
    r"(?-i:\A(?:[A-Z][\w.’'-]+ ){1,4}(?:MP|MEP|MdB|MLA|MSP)\b(?! [a-z]))"
    r"|\A(?:[A-Z][\w.'’-]+ ){1,3}[A-Z][\w'’-]+, (?:\w+ ){0,3}"
    r"(?:Secretary|Minister|President|Spokes\w+|Director|Chair\w*|Ambassador|Commissioner|Governor|CEO|Chief|Head)\b"
    r"|\b(?:staff writers?|writers?|correspondents?|reporters?)\Z",
    re.IGNORECASE,
)
# Departments such as "Press Office", which do not say to which organisation they belong.
_DESK = re.compile(
    r"(?:(?:press|media|news|public|communications?|information|investor)(?: \w+){0,2} "
    r"(?:desk|office|relations|affairs|cent(?:er|re)|team|service|department|room|unit|section|secretary)"
    r"|(?:head|main|central|regional) (?:office|quarters)|headquarters"
    r"|office of the (?:spokes\w+|press secretary)|(?:the )?spokes\w+|пресс-служба|прес-служба|press service)"
    r"(?:,.*)?\Z",
    re.IGNORECASE,
)
# First words of headlines and of statements. The name of a ministry may follow them.
_HEADLINE_START = re.compile(
    r"(?:(?:joint |press |official |media |the )?(?:statement|remarks|readout|communiqu[ée]"
    r"|declaration|declarations"
    r"|speech|address|briefing|transcript|interview|response|message|letter|answers?"
    r"|comment|announcement|conference"
    r"|meeting|visit|call|opening|launch|report)s?\b"
    r"|(?:how|why|what|when|where|who|on|new|no|as|after|before|with|more|about)\b)",
    re.IGNORECASE,
)
_HEADLINE_END = re.compile(
    r"\b(?:assessment|update|report|briefing|review|bulletin|summary|statement|conference|forecast|outlook|results"
    r"|remarks|interview|communiqué|speech|call|visit|meeting|talks|agreement|summit|ceremony|exercise)s?\Z",
    re.IGNORECASE,
)
_VERBS = re.compile(
    r"\b(?:says?|said|does|did|tells?|told|announces?|announced|opens?|opened|launch(?:es|ed)?"
    r"|signs?|signed|meets?|met|calls?"
    r"|urges?|warns?|wins?|won|gets?|will|to|is|are|was|were|has|have|holds?|held|visits?"
    r"|visited|receives?|received"
    r"|appoints?|names|named|reports|reported|publishes|published|condemns?|welcomes?"
    r"|approves?|approved|adopts?"
    r"|adopted|begins?|starts?|started|ends|ended|expands?|joins?|joined|completes?"
    r"|completed|unveils?|delivers?|seeks?"
    r"|backs|agrees?|agreed|hosts?|hosted|arrives?|discuss(?:es|ed)?|raises|cuts|plans"
    r"|invests?|acquires?|rejects?"
    r"|vows?|denies|denied|confirms?|confirmed|leads|orders|ordered|returns?|reopens?"
    r"|strengthens?|sends|takes|makes"
    r"|(?!united|limited|allied|associated|advanced|integrated|combined|federated|certified)\w{3,}(?:at|iz|is|nd|rt|in|en|er|ll|ck|iv)ed"
    r"|gives|shows?|finds?|found|helps?|keeps|sets|puts|brings|rises|falls|grows?|doubles|reaches|reached)\b",
    re.IGNORECASE,
)


def organisation_score(text: str) -> int:
    """Return how much `text` looks like a publisher's name: 3 or more is a name, below 0 is not."""
    text = text.strip(" -–—|,:")
    if not text or len(text) > 140 or "://" in text or not any(char.isalpha() for char in text):
        return -9
    words = [word.strip("().,'’\"“”;:-–*+•") for word in text.split()]
    words = [_ELIDED.sub("", word) for word in words if word]
    # "University" alone is an entry of a menu.
    known = len(words) > 1 and any(word.casefold() in _ORGANISATIONS for word in words)
    ending = bool(_ENDINGS.search(text) or _ASIAN.search(text))
    # "County" or "power" is typical of a name with few words, but not of a long line.
    vague = size(text) <= 6 and any(word.casefold() in _VAGUE for word in words)
    score = 3 if known or ending or vague else 0
    score -= 5 if _ROLE.search(text) else 0
    score -= 4 if _DESK.match(text) else 0
    score += 4 if is_agency(text) else 0
    score += 2 if _ACRONYM.fullmatch(text) else 0
    score += 3 if _LEGAL.search(text) else 0
    score += 1 if size(text) <= 6 else 0
    if score < 2:
        return score  # no sign of a name, so the signs of a headline do not matter
    score -= _headline_signs(text, words)
    return score


def _headline_signs(text: str, words: list[str]) -> int:
    signs = 0
    cased = [word for word in words if word[:1].isalpha() and word[:1].lower() != word[:1].upper()]
    small = [word for word in cased if word[:1].islower() and word.casefold() not in _SMALL_WORDS]
    small = [word for word in small if "." not in word]  # "e.V"
    if small and words[0] in cased and any(word.isascii() for word in small):
        # In English, all words of a name have capitals. Other languages write "užsienio reikalų ministerija".
        signs += 2 if all(word.isascii() for word in words) else 1
    signs += 3 if _HEADLINE_START.match(text) else 0
    signs += 3 if _HEADLINE_END.search(text) else 0
    signs += 3 if _VERBS.search(text) else 0
    signs += 3 if ends_sentence(text) and not _LEGAL.search(text) and not is_initials(text) else 0
    signs += 2 if any(mark in text for mark in ("“", "”", '"', "?", "!", ": ", "、", "「", "：", "…")) else 0
    signs += 1 if any(char.isdigit() for char in text) else 0
    # In a script without capitals, only the length tells a long headline from a name.
    signs += 3 if size(text) > (14 if cased else 9) else 0
    return signs


def looks_like_name(text: str) -> bool:
    """Return whether the words of a short line have capitals as in names, articles and prepositions aside."""
    words = [
        word
        for word in re.split(r"[\s\-–/]+", text)
        if word[:1].isalpha() and word.casefold() not in _SMALL_WORDS
    ]
    cased = [word for word in words if word.lower() != word.upper()]
    return (
        size(text) <= 7
        and bool(cased)
        and all(word[0].isupper() for word in cased)
        and not _VERBS.search(text)
    )


def is_like_sentence(text: str) -> bool:
    """Return whether `text` has words of a sentence: an English verb, or two small words."""
    words = [word for word in text.split() if word[:1].isalpha()]
    cased = [word for word in words if word.lower() != word.upper()]
    small = sum(word[0].islower() and word.casefold() not in _SMALL_WORDS for word in cased)
    return small >= 2 or bool(_VERBS.search(text)) or (not cased and size(text) >= 5)


def is_office(text: str) -> bool:
    """Return whether `text` is a person with an office: "Dana Wharton, Secretary of State"."""
    return size(text) <= 12 and not ends_sentence(text) and bool(_ROLE.search(text))


def is_initials(text: str) -> bool:
    """Return whether `text` ends with initials such as "U.S.", whose full stop is no end of a sentence."""
    return bool(re.search(r"(?:^|[\s(])(?:[A-Z]\.){2,}\Z", text))


def is_agency(text: str) -> bool:
    """Return whether `text` is, begins or ends with the short name of a news agency or known organisation."""
    words = [word.strip("().,:;[]") for word in text.split()]
    if not words or len(words) > 5:
        return False
    # "Who", "Mti" and other short ones are names only in capitals.
    known = (word for word in (words[0], words[-1]) if len(word) > 3 or word.isupper() or not word.isascii())
    return any(word.casefold() in _AGENCIES for word in known) or words[0].casefold().startswith("rfe/rl")


_WIRE = re.compile(
    r"(?:news|press|business|globe|access|north|pr|market|send|media)\s?-?(?:news)?wire"
    r"|newswire|\bwire\b|informationsdienst wissenschaft|marketwired"
    r"|prnewsfoto|(?<![a-z])pr times(?![a-z])|\bots\b|\bcnw\b|presseportal|ein presswire|newsfile"
    r"|\bdgap\b|\beqs\b|newsworthy\.ai|뉴스와이어|news aktuell",
    re.IGNORECASE,
)


def is_wire(text: str) -> bool:
    """Return whether `text` names a wire service that only distributes the releases of others."""
    return bool(_WIRE.search(text))
