"""Time zones as people find them: by country, and by city where a country has several. Pure."""

from __future__ import annotations

import unicodedata
from collections import Counter
from functools import lru_cache
from zoneinfo import available_timezones

from babel import Locale
from babel.core import get_global
from markupsafe import Markup

from newsletter.languages import parse_language


@lru_cache(maxsize=1)
def known_zones() -> frozenset[str]:
    """Return every IANA name that this machine's time zone data has, old names included."""
    return frozenset(available_timezones())


@lru_cache(maxsize=64)
def zones_in_words(language: str) -> dict[str, str]:
    """Return one name for each zone on offer, in `language`, in the order to show them.

    Each zone is there once, by its present name; `zone_in_words` also knows the old ones.
    """
    locale = parse_language(language)
    territories = {
        zone: territory
        for zone, territory in get_global("zone_territories").items()
        if zone in known_zones() and not zone.startswith("Etc/")
    }
    several = {territory for territory, count in Counter(territories.values()).items() if count > 1}
    named = {}
    for zone, territory in territories.items():
        country = locale.territories.get(territory, territory)
        named[zone] = f"{country}: {_city(locale, zone)}" if territory in several else country
    ordered = sorted(named, key=lambda zone: _plain(named[zone]))
    return {"UTC": "UTC", **{zone: named[zone] for zone in ordered}}


def zone_in_words(zone: str, language: str) -> str:
    """Return what a zone is called in `language`; an old name by the present one's."""
    named = zones_in_words(language)
    return named.get(zone) or named.get(get_global("zone_aliases").get(zone, "")) or zone.replace("_", " ")


@lru_cache(maxsize=64)
def zone_options(language: str) -> Markup:
    """Return the options of a select field, none of them selected: that one the caller puts before these.

    Kept, because to draw four hundred for every page would take longer than all the rest of it.
    """
    option = Markup('<option value="{}">{}</option>')
    return Markup("").join(option.format(zone, words) for zone, words in zones_in_words(language).items())


def _city(locale: Locale, zone: str) -> str:
    found = locale.time_zones.get(zone, {}).get("city")
    return str(found) if found else zone.rpartition("/")[2].replace("_", " ")


def _plain(text: str) -> str:
    """Return what to sort by: without case, accents after their letters."""
    return "".join(
        char for char in unicodedata.normalize("NFKD", text).casefold() if not unicodedata.combining(char)
    )
