"""Find the publisher if the head does not name it: in signature, dateline, footer or contacts. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from newsletter.ingest.phrases import read_phrases
from newsletter.ingest.press.dates.dateline import Dateline
from newsletter.ingest.press.lines.furniture import Kind, kind_of
from newsletter.ingest.press.lines.labels import read_label
from newsletter.ingest.press.lines.line import NAME
from newsletter.ingest.press.lines.organisations import is_agency, is_wire, organisation_score
from newsletter.ingest.press.lines.shape import ends_sentence, is_bullet, size

_SOURCE = re.compile(
    r"(?:source|original-content von|bron|quelle|šaltinis|источник|джерело|来源|來源|出典)"
    r"(?:\s?[:：]\s?|\s+)(?P<who>.{2,80})\Z",
    re.IGNORECASE,
)
_BEHIND_SOURCE = re.compile(r" Editor:|, übermittelt|Inhalt melden")
_RIGHTS = "|".join(read_phrases("labels")["rights"])
_COPYRIGHT = re.compile(
    r"(?:(?:copyright|©|\(c\))\s*)+(?P<year>\d{4})?(?:\s?[-–]\s?\d{4})?[\s,.]*(?:by\s+)?"
    r"(?P<holder>(?:[^.|;；]|\.(?=\w|\s?V\.)|\.(?=,? ?(?:ltd|inc)\b)){2,80}?)"
    r"(?:\s\d{4}(?:\s?[-–]\s?\d{4})?)?"
    rf"(?:(?:,|\.(?!\w|\s?V\.))(?!,? ?(?:ltd|inc)\b)|[|;；]|\s?(?:{_RIGHTS})|\Z)",
    re.IGNORECASE,
)
_SURE = re.compile(rf"\d{{4}}|{_RIGHTS}", re.IGNORECASE)
_LEAD_NAME = re.compile(
    r"(?:The )?(?P<who>(?:[A-Z0-9][\w&.'’-]*,? (?:of (?:the )?)?){0,5}[A-Z0-9][\w&.'’-]*),? "
    r"(?:\([A-Z][\w ]{1,30}: ?[\w.\-]{1,12}\)|(?:today|on \w+day)[ ,]"
    r"|announced |announces |has |(?:the|an?) \w+)",
)


_ABOUT = re.compile(
    rf"(?:{'|'.join(read_phrases('labels')['about'])})(?P<before>\S.{{1,50}})"
    rf"|(?P<behind>.{{2,50}}?)\s?(?:{'|'.join(read_phrases('labels')['about behind'])})",
    re.IGNORECASE,
)
_CREDIT = re.compile(r"[-–—\s]*[(（]([^()（）:\d]{2,40})[)）]\.?")
_CREDIT_BEHIND = re.compile(r"[.!?…。\"”»)]\s*[(（]([^()（）:\d]{2,20})[)）]\.?\Z")
_OPENING_NAME = re.compile(r"([^:：.,،()\n]{2,40}?)\s?(?::\s?-|\s[-–—])\s+(?=\S)")
# "@port.example", "(at)mail.port.example", "www.port.example"
_DOMAIN = re.compile(
    r"(?:@|\(at\)|www\.)(?:[\w-]{1,40}\.){0,2}?([\w-]{2,40})\.[a-z]{2,12}(?![\w.-])", re.IGNORECASE
)
_TICKER = re.compile(r"\s?\([A-Z][\w ]{1,30}: ?[\w.\-]{1,12}\)?\Z")
_FEW = 5
_HEADING = 61
_SIGNED = 8
_LAST = 40  # paragraphs; what a publisher says of itself is at the end
_LONGEST_CONTACT = 120
_OPENING = 160
_ARTICLE = re.compile(
    r"(?:the|der|die|das|le|la|les|el|los|las|il|lo|i|gli|o|a|os|as|de|het|den|det)\s+|l['’]", re.IGNORECASE
)
_TODAY = re.compile(r"(?:Today|Yesterday|This (?:week|month)),? (?=\S)")
# "Contact DetailsHalden Robotics", if the page loses line breaks.
_GLUED_LABEL = re.compile(r"(?:(?:Media|Press|Company) )?(?:Contacts?|Name)(?: Details)?(?=[A-Z])")
# "RIVERSIDE – ", "(Leipzig) - ", "New York, NY -- "
_PLACE_FIRST = re.compile(r"\(?[^\W\d_a-z][\w.,'’ ]{1,40}\)?\s[–—-]{1,2}\s+(?=[^\W\d_a-z])")
_SMALL = frozenset(read_phrases("organisations")["small words"])
_COMPOUNDS = tuple(read_phrases("organisations")["compounds"])
_COMPOUND = re.compile(rf"[^\W\d]{{4,}}(?:{'|'.join(_COMPOUNDS)})", re.IGNORECASE)
_ASIAN_SUBJECT = re.compile(
    r"(?P<who>(?:(?:株式会社|有限会社|合同会社|(?:一般|公益)(?:社団|財団)法人|独立行政法人|国立大学法人)[^、。はが「（(\s]{2,20}"
    r"|[^、。はが「（(\s]{2,20}(?:株式会社|有限会社|合同会社|大学|協会|機構|研究所|銀行|組合|財団|商工会議所|省|庁|県|市|区|町|村)))"
    r"(?:[（(][^）)]{1,60}[）)])?は"
)

_KOREAN_NAME = (
    r"[가-힣A-Za-z0-9·]{1,18}"
    r"(?:시|군|구|도|청|부|처|원|공사|공단|센터|재단|대학교?|은행|협회|연구소|위원회|본부|조합|그룹|㈜)"
)
# "북항시, 새 부두 연다", and "해안도 북항시(시장 김바다)는"
_KOREAN_SUBJECT = re.compile(
    rf"(?:[가-힣]{{2,8}} )?(?P<who>{_KOREAN_NAME})(?:, |\([^()]{{2,30}}\)(?:은|는|이|가)\s)"
)
# "The following statement was issued by the Ministry of Harbours:"
_ARABIC_SUBJECT = re.compile(r"صدر عن (?P<who>.{3,60}?) (?:ال)?بيان")


@dataclass(frozen=True)
class Evidence:
    """The texts in which a publisher may be named. `lead` is the first paragraph after its dateline.

    `signed` are the names beside the last date of the text, and `page` are lines far from the text.
    """

    paragraphs: Sequence[str]
    footer: Sequence[str]
    contacts: Sequence[str]
    dateline: Dateline | None
    lead: str
    title: str = ""
    signed: Sequence[str] = ()
    page: Sequence[str] = ()


def from_signature(evidence: Evidence) -> str:
    """Return the name in a last line such as "SOURCE Halden Robotics", or else in a signature."""
    lines = [*evidence.footer, *evidence.paragraphs[-2:]]
    for at, line in enumerate(lines):
        label, value = read_label(line)
        if label == "publisher" and not value:
            value = lines[at + 1] if at + 1 < len(lines) else ""
            if organisation_score(value) >= NAME:
                return value
            continue
        name = "" if value.startswith(("http", "www.")) else re.split("[:：|]", value)[0].strip(" .")
        if label == "publisher" and 0 < size(name) <= _FEW and not is_wire(name):
            return name
        hit = _SOURCE.match(line)
        if hit and not hit["who"].startswith("http") and not is_wire(hit["who"]):
            return _BEHIND_SOURCE.split(hit["who"])[0].strip(" .")
    return next(iter(evidence.signed), "")


def from_agency(evidence: Evidence) -> str:
    """Return the agency in the dateline, unless it is a wire service that only distributes releases."""
    agency = evidence.dateline.agency if evidence.dateline else ""
    return "" if is_wire(agency) else agency


def from_copyright(evidence: Evidence) -> str:
    """Return the holder in the copyright line below the text. Without a year, it may be that of a picture."""
    told = " ".join((evidence.title, *evidence.paragraphs))
    for line in (*evidence.footer, *evidence.page):
        hit = _COPYRIGHT.search(line)
        name = hit["holder"].split(" - ")[0].strip(" -–") if hit else ""
        if not any(map(str.isalpha, name)):
            continue
        if _SURE.search(line) or _is_organisation(name) or (hit and hit.start() == 0 and name in told):
            return name
    return ""


def from_credit(evidence: Evidence) -> str:
    """Return the name in brackets below the text or behind its last sentence: "(KWP w Krakowie)", "(ACN)"."""
    lines = [*evidence.paragraphs[-1:], *evidence.footer[:3]]
    hits = (_CREDIT.fullmatch(line) or _CREDIT_BEHIND.search(line) for line in lines)
    names = (hit[1].strip() for hit in hits if hit)
    return next((each for each in names if _is_credit(each)), "")


def _is_credit(name: str) -> bool:
    capitals = any(len(word) > 1 and word.isupper() for word in name.split())
    return (capitals or is_agency(name) or organisation_score(name) >= NAME) and kind_of(name)[1] is Kind.TEXT


def from_last_line(evidence: Evidence) -> str:
    """Return the name that stands alone below the last sentence, as a signature."""
    lines = [*evidence.paragraphs[-1:], *evidence.footer[:2]]
    return next((line for line in lines if size(line) <= _SIGNED and _is_signature(line)), "")


def _is_signature(line: str) -> bool:
    if "\n" in line or is_bullet(line) or ends_sentence(line) or line[-1] in ":：":
        return False
    return organisation_score(line) >= NAME and kind_of(line)[1] is Kind.TEXT


def from_opening(evidence: Evidence) -> str:
    """Return the name before a dash at the start of the text: "Brine News Agency - The port"."""
    hit = _OPENING_NAME.match(next(iter(evidence.paragraphs), ""))
    return hit[1] if hit and size(hit[1]) <= _FEW and _is_organisation(hit[1]) else ""


def from_about(evidence: Evidence) -> str:
    """Return the name in a heading such as "About Blue Fjord Lines"."""
    told = " ".join((evidence.title, *evidence.paragraphs)).casefold()
    for line in (*evidence.paragraphs[-_LAST:], *evidence.footer):
        # "ABOUT BLUE FJORD LINES: Blue Fjord Lines runs ..."
        heading = line if len(line) <= _HEADING else line[:_HEADING].partition(":")[0]
        hit = _ABOUT.fullmatch(heading) if len(heading) < _HEADING else None
        name = _TICKER.sub("", hit["before"] or hit["behind"]).strip(' :：“”„"') if hit else ""
        named = name[:1].upper() == name[:1] and kind_of(line)[1] is Kind.TEXT
        # In other languages, "About" is also a word of headings: "Über das Projekt".
        known = line[:5].casefold() == "about" or organisation_score(name) >= NAME
        if name and named and (known or told.count(name.casefold()) > 1):
            return name
    return ""


def from_contacts(evidence: Evidence) -> str:
    """Return the organisation in the contacts."""
    told = set(re.findall(r"\w{4,}", " ".join((evidence.lead, *evidence.paragraphs)).casefold()[:4000]))
    page = [line for line in (*evidence.footer, *evidence.page) if not is_bullet(line)]  # no items of menus
    for name in (*_names(evidence.contacts), *_names(page)):
        own = [word for word in re.findall(r"\w{4,}", name.casefold()) if organisation_score(word) < NAME]
        if not own or not told.isdisjoint(own):  # the office of one contact person is not the publisher
            return name
    return ""


def _names(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        if len(line) > _LONGEST_CONTACT:
            continue  # a notice
        told = _GLUED_LABEL.sub("", line, count=1)
        for part in (*told.partition(":")[2].split(","), *told.split(","), told):
            if _is_organisation(part) and 2 <= size(part) <= 9 and kind_of(part)[1] is Kind.TEXT:
                yield part.strip()


def _is_organisation(name: str) -> bool:
    """Return whether this is a name. German and its neighbours write "Harbourpolice" as one word."""
    if organisation_score(name) >= NAME:
        return True
    plain = size(name) <= 6 and not any(char.isdigit() or char in "?!:„“" for char in name)
    plain = plain and not any(word.islower() and word not in _SMALL for word in name.split())
    return plain and any(word.strip("(),.").casefold().endswith(_COMPOUNDS) for word in name.split())


def from_lead(evidence: Evidence) -> str:
    """Return the name at the start of a lead such as "Corvane Systems (NYSE: CRVX), a supplier"."""
    hit = _LEAD_NAME.match(_TODAY.sub("", evidence.lead, count=1)) if evidence.dateline else None
    return hit["who"].strip(" ,") if hit else ""


def from_subject(evidence: Evidence) -> str:
    """Return the organisation that the text begins with: "The Harbour Office of Vestby says"."""
    openings = [evidence.lead] if evidence.lead else evidence.paragraphs[:2]
    return next((name for each in openings if (name := _subject(each))), "")


def from_title(evidence: Evidence) -> str:
    """Return the organisation that the title begins with: "Municipality of Vestby buys two ferries"."""
    name, colon, _ = evidence.title.partition(": ")  # "Harbour Police Vestby: two boats stolen"
    named = colon and 2 <= size(name) <= _FEW and _is_organisation(name)
    return name if named else _subject(evidence.title)


def _subject(text: str) -> str:
    opening = _TODAY.sub("", _PLACE_FIRST.sub("", text[:_OPENING], count=1), count=1)
    told = (pattern.match(opening) for pattern in (_ASIAN_SUBJECT, _KOREAN_SUBJECT, _ARABIC_SUBJECT))
    if subject := next(filter(None, told), None):
        return str(subject["who"])
    words: list[str] = []
    for word in _ARTICLE.sub("", opening, count=1).split():
        plain = word.strip("()[],'’“”\"«»")
        if not any(map(str.isalnum, plain)):
            return ""
        if plain[0].islower() and plain.casefold() not in _SMALL:
            break
        words.append(word)
        if word.endswith((",", ":", ".", ";")):
            return ""
    else:
        return ""
    while words and words[-1].casefold() in _SMALL:
        words.pop()
    name = " ".join(words)
    # "Officers of the Harbour Police" are people.
    people = len(words) > 1 and words[1].casefold() in _SMALL and not _ARTICLE.match(opening)
    if people and not _is_organisation(words[0]):
        return ""
    # "The police" may be any, but the "harbour police" in one word is a name.
    named = 2 <= size(name) <= 9 or (len(words) == 1 and _COMPOUND.fullmatch(name))
    return name if named and _is_organisation(name) else ""


def from_address(evidence: Evidence) -> str:
    """Return the initials or the words in an email address or a link that the text has too.

    "press@halden-robotics.example" stands for "Halden Robotics", and "press@hro.example" for "HRO".
    """
    told = " ".join((evidence.title, *evidence.paragraphs))
    for line in (*evidence.contacts, *evidence.footer, *evidence.page):
        for domain in _DOMAIN.findall(line):
            words = r"[\s-]".join(map(re.escape, domain.split("-")))
            hit = re.search(rf"(?<!\w){words}(?!\w)", told, re.IGNORECASE)
            name = hit[0] if hit else ""
            if (name.isupper() or (" " in name and name[0].isupper())) and not is_wire(name):
                return name
    return ""


def from_wire(evidence: Evidence) -> str:
    """Return the wire service that distributed the release, if nothing names the publisher."""
    return evidence.dateline.agency if evidence.dateline else ""


# The most reliable is first.
FINDERS: tuple[Callable[[Evidence], str], ...] = (
    from_signature,
    from_agency,
    from_credit,
    from_last_line,
    from_opening,
    from_about,
    from_copyright,
    from_contacts,
    from_lead,
    from_subject,
    from_title,
    from_address,
    from_wire,
)


def find_publisher(evidence: Evidence) -> str:
    """Return the publisher from the most reliable place that names one, or ""."""
    return next((name for find in FINDERS if (name := find(evidence))), "")


def copyright_year(footer: Sequence[str]) -> int | None:
    """Return the year in the copyright line. Dates without a year can use it."""
    hits = (_COPYRIGHT.search(line) for line in footer)
    return next((int(hit["year"]) for hit in hits if hit and hit["year"]), None)
