"""Read reports without a machine-readable part: find the failed addresses in the text for people. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, replace

from newsletter.bounces.read.original import MOST_CHARACTERS, cut_original
from newsletter.bounces.read.reasons import Reason, classify, code_in, fold, status_in
from newsletter.bounces.read.report import LONGEST_WORDS, Failure, addresses_in_text, clean_address
from newsletter.bounces.read.signs import HomeMade, oneself_of
from newsletter.bounces.read.wording import ends_with, says
from newsletter.bounces.read_header import Header, addresses_in, first_word, read_header

MOST_CANDIDATES = 300
LONGEST_CONTEXT = 1200
# How many addresses one report may name.
MOST_RECIPIENTS = 100

_ONLY_MARKS = re.compile(r"[\s<>\"'`(\[{*|:;.,=#&\-\u2022\u00b7\u3000\d)/+]*")
_BEFORE_WORDS = re.compile(r"[\s<\"'`(\[=]+$")
_TYPE_OF_ADDRESS = re.compile(r"(?:rfc822|smtp|internet)\s*[;:]\s*$|mailto:$", re.IGNORECASE)
_REPLY_CODE = re.compile(r"[\s#>]*[245](?:\d\d|\.\d{1,3}\.\d{1,3})\b[\s\d.#-]*[\s<\"'`(\[]*$")
_WORD_AFTER = re.compile(r"[>\"'\])]*[ \t]+[^\W\d_]")
_LETTERS = re.compile(r"[^\W\d_]{2,}")
_ADDRESS_WORDS = re.compile(r"[^\s:;,<>()\[\]\"']{0,120}@[^\s;,<>()\[\]\"']{0,120}")
# Where Exim and Postfix say which address was mailed, if an alias led to the one that failed.
_ALIAS = re.compile(r"\((?:generated|expanded) from <?([^\s<>()]{1,128}@[^\s<>()]{1,255})>?\)")
_ANNOUNCEMENT = re.compile(
    r"\b(?:following|these|listed) (?:recipient|address|user|e-?mail|destination|people)|did not reach",
    re.IGNORECASE,
)
_NOT_PEOPLE = frozenset({"postmaster", "mailer-daemon", "abuse", "hostmaster", "mailerdaemon"})


# The start of the line, the end of the address, the address, and its score.
_Place = tuple[int, int, str, int]


def read_home_made(mail: HomeMade, library: Collection[str] = ()) -> list[Failure]:
    """Return the failures that a text for people names; none if this is no report.

    `library` has the addresses that the library found. They are right more often than our own search, unless
    they stand in the returned message only.
    """
    if mail.by_person or (not mail.signs and not library):
        return []
    oneself = oneself_of(mail.header)
    region, rest = cut_original(mail.text, oneself)
    folded = fold(region)
    if not mail.has_failed_recipients and not library and not mail.says_failure(folded):
        return []
    named = [clean_address(each) for each in addresses_in(mail.header, ("x-failed-recipients",))]
    named = [each for each in named if each]
    if mail.has_failed_recipients and not named:
        # Exim names a pipe or a filter that failed. The addresses in its output did not.
        return []
    found = _candidates(region, mail.header)
    library = [each for each in library if each.lower() not in oneself] or list(library)
    inside = _inside(library, region)
    if not named and not (found and found[0].score == 4 and not inside):
        named = inside or library
        # The library found the address outside of `region`, so the reason may be outside too.
        region = region if inside else mail.text[:MOST_CHARACTERS]
    if named:
        wanted = {each.lower() for each in named}
        found = [each for each in found if each.address.lower() in wanted]
        missing = wanted - {each.address.lower() for each in found}
        found += [_Candidate(each, 3, "") for each in named if each.lower() in missing]
    if not found and mail.signs + says("failures", folded) >= 2:
        found = [_Candidate(each, 3, "") for each in _recipients_of(mail, rest)]
    failures = [_failure(each, region, len(found) == 1) for each in found[:MOST_RECIPIENTS]]
    return _as_mailed(failures)


def _as_mailed(failures: list[Failure]) -> list[Failure]:
    """Return the failures. Where words say "expanded from" an address, that one was mailed, and is put in.

    A failure of such a mailed address itself is left out, because it is the same failure.
    """
    aliases = [clean_address(match[1]) if (match := _ALIAS.search(each.words)) else "" for each in failures]
    mailed = {each.lower() for each in aliases if each}
    return [
        replace(each, address=alias or each.address)
        for each, alias in zip(failures, aliases, strict=True)
        if alias or each.address.lower() not in mailed
    ]


def _inside(addresses: Collection[str], text: str) -> list[str]:
    folded = text.lower()
    return [each for each in addresses if each.lower() in folded]


@dataclass(frozen=True)
class _Candidate:
    address: str
    score: int
    context: str


def _candidates(text: str, header: Header, *, everything: bool = False) -> list[_Candidate]:
    """Return the addresses of the best kind in a text (or of every kind), each with the words after it."""
    oneself = oneself_of(header)
    places: list[_Place] = []
    for match in addresses_in_text(text):
        address = clean_address(match[0])
        start = text.rfind("\n", 0, match.start()) + 1
        before = text[max(start, match.start() - 100) : match.start()]
        score = _score(before, text[match.end() : match.end() + 20], address)
        if (
            score
            and address
            and address.lower() not in oneself
            and address.lower().partition("@")[0] not in _NOT_PEOPLE
        ):
            places.append((start, match.end(), address, score))
        if len(places) >= MOST_CANDIDATES:
            break
    places = _without_continued_lines(_after_announcement(places, text), text)
    best = max((score for *_, score in places), default=0)
    chosen = [place for place in places if place[3] == best]
    if everything:
        chosen = places
    elif best <= 2:
        chosen = chosen[:1]
    found: dict[str, _Candidate] = {}
    for number, (start, _, address, score) in enumerate(chosen):
        others = (place[0] for place in chosen[number + 1 :] if place[2].lower() != address.lower())
        end = min(next(others, len(text)), start + LONGEST_CONTEXT)
        known = found.get(address.lower())
        context = text[start:end] if known is None else f"{known.context}\n{text[start:end]}"
        found[address.lower()] = _Candidate(known.address if known else address, score, context)
    return list(found.values())


def _without_continued_lines(places: list[_Place], text: str) -> list[_Place]:
    """Leave out what stands in an indented line below "<address>: words". Postfix wraps words so."""
    flush = [place for place in places if place[3] == 4 and text.startswith(">:", place[1])]
    if not any(text[place[0]] == "<" for place in flush):
        return places
    return [place for place in places if text[place[0]] not in " \t"]


def _after_announcement(places: list[_Place], text: str) -> list[_Place]:
    """Leave out what stands before "the following recipients", if anything stands after it.

    Exchange quotes To and Subject of the returned message first, and To may be a mailing list.
    """
    announced = _ANNOUNCEMENT.search(text)
    if announced is None:
        return places
    later = [place for place in places if place[1] > announced.end()]
    return later or places


def _score(before: str, after: str, address: str) -> int:
    """Return how surely an address in a text is a failed recipient: from 4, alone in its line, to 0, not.

    2 is an address in the words of a server, after its reply code. It may be where an alias leads to.
    """
    plain = _TYPE_OF_ADDRESS.sub("", before)
    folded = fold(_BEFORE_WORDS.sub("", plain))
    words = f" {folded.lstrip('<>*-|=. ')}"
    if ends_with("not_recipients", words):
        return 0
    if len(address.partition("@")[0]) > 40 and any(each.isdigit() for each in address):
        return 0
    if _REPLY_CODE.match(plain):
        return 2
    if _ONLY_MARKS.fullmatch(plain):
        return 3 if _WORD_AFTER.match(after) else 4
    return 3 if ends_with("before_address", words) else 1


def _recipients_of(mail: HomeMade, rest: str) -> list[str]:
    """Return the recipient of the returned message, if it has only one and was sent to no mailing list."""
    oneself = oneself_of(mail.header)
    for header in (*mail.originals, read_header(rest.encode("utf-8", "replace"))):
        if "x-beenthere" in header or first_word(header, "precedence") == "list":
            continue
        found = addresses_in(header, ("x-original-to", "delivered-to")) or addresses_in(header, ("to",))
        if len(found) == 1 and found[0].lower() not in oneself:
            return found
    return []


def explain(failures: list[Failure], mail: HomeMade) -> list[Failure]:
    """Return failures with the reasons that stand in the text for people, where their own words give none.

    Exim gives the server's words in the text alone.
    """
    if all(each.words or each.reason is not Reason.UNKNOWN for each in failures):
        return failures
    region, _ = cut_original(mail.text, oneself_of(mail.header))
    said = {each.address.lower(): each.context for each in _candidates(region, mail.header, everything=True)}
    alone = len({each.address.lower() for each in failures}) == 1
    explained = []
    for each in failures:
        words = said.get(each.address.lower()) or said.get(each.final.lower()) or (region if alone else "")
        if each.words or each.reason is not Reason.UNKNOWN or not words:
            explained.append(each)
            continue
        reason, status, _ = _classify(words, whole=words is region)
        bare = reason is Reason.UNKNOWN and _says_nothing(words)
        explained.append(
            replace(each, reason=reason, status=status or each.status, words=_kept(words), unexplained=bare)
        )
    return explained


def _says_nothing(words: str) -> bool:
    """Return whether the words after an address explain nothing."""
    rest = fold(_ADDRESS_WORDS.sub(" ", words))
    return not says("explanations", rest) and code_in(rest) is None and len(_LETTERS.findall(rest)) < 3


def _failure(candidate: _Candidate, region: str, alone: bool) -> Failure:
    words = candidate.context
    reason, status, code = _classify(words)
    if reason is Reason.UNKNOWN and (alone or not words):
        reason, status_there, code_there = _classify(region, whole=True)
        status, code, words = status or status_there, code or code_there, words or region
    delayed = says("delays", fold(region)) and not says("final", fold(region))
    permanent = not delayed and (status.startswith("5") if status else code is None or code >= 500)
    beside = candidate.context.partition("\n\n")[0]
    bare = code is None and not status and not says("explanations", fold(region))
    bare = bare and (alone or bool(beside)) and (_says_nothing(beside) or says("failures", fold(beside)))
    return Failure(
        candidate.address, reason, permanent, delayed, status, _kept(words), candidate.address,
        unexplained=reason is Reason.UNKNOWN and bare,
    )  # fmt: skip


def _kept(words: str) -> str:
    return " ".join(words.split())[:LONGEST_WORDS]


def _classify(words: str, *, whole: bool = False) -> tuple[Reason, str, int | None]:
    plain = _ADDRESS_WORDS.sub("@", words)
    status, code = status_in(plain), code_in(plain)
    return classify(status, plain, whole=whole), status, code
