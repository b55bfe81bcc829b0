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
    """Return every IANA name in this machine's time zone data, including old names."""
    return frozenset(available_timezones())


@lru_cache(maxsize=64)
def zones_in_words(language: str) -> dict[str, str]:
    """Return one name for each zone on offer, in `language` and in display order.

    Each zone is listed once, by its current name. `zone_in_words` also knows the old ones.
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
    """Return the name of a zone in `language`. An old zone gets the name of the current one."""
    named = zones_in_words(language)
    return named.get(zone) or named.get(get_global("zone_aliases").get(zone, "")) or zone.replace("_", " ")


@lru_cache(maxsize=64)
def zone_options(language: str) -> Markup:
    """Return the options of a select field. None is selected: the caller puts the selected one before them.

    Cached, because rendering four hundred options would take longer than the rest of the page.
    """
    option = Markup('<option value="{}">{}</option>')
    return Markup("").join(option.format(zone, words) for zone, words in zones_in_words(language).items())


def _city(locale: Locale, zone: str) -> str:
    found = locale.time_zones.get(zone, {}).get("city")
    return str(found) if found else zone.rpartition("/")[2].replace("_", " ")


def _plain(text: str) -> str:
    """Return the sort key of a name: without case and accents."""
    return "".join(
        char for char in unicodedata.normalize("NFKD", text).casefold() if not unicodedata.combining(char)
    )
