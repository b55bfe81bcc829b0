"""The colours of a newsletter on pages and in emails, in light and dark mode, and their contrast. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

# WCAG 2.2, success criterion 1.4.3, level AA.
LEAST_CONTRAST = 4.5

# The same values are in static/css/site.css and templates/email.
ACCENT, ON_ACCENT = "#8c2f1b", "#ffffff"
DARK_ACCENT, ON_DARK_ACCENT = "#eba48e", "#161513"
PAPER, SURFACE = "#fbfaf7", "#ffffff"
DARK_PAPER, DARK_SURFACE = "#161513", "#1e1c1a"
INK = "#1c1b19"

# A computed accent for dark mode is lightened until it has this contrast.
_COMFORTABLE = 7.0
_COLOUR = re.compile(r"#[0-9a-f]{6}")


@dataclass(frozen=True, slots=True)
class Palette:
    """The accent colours as #rrggbb: of links and buttons, and of the text on such a button."""

    accent: str = ACCENT
    on_accent: str = ON_ACCENT
    dark_accent: str = DARK_ACCENT
    on_dark_accent: str = ON_DARK_ACCENT

    @property
    def soft(self) -> str:
        """The background of what is chosen, in light mode."""
        return mix(self.accent, SURFACE, 0.1)

    @property
    def dark_soft(self) -> str:
        """The background of what is chosen, in dark mode."""
        return mix(self.dark_accent, DARK_SURFACE, 0.1)


USUAL = Palette()


def palette_of(colours: Mapping[str, str]) -> Palette:
    """Return the palette of the chosen colours, by their field in Palette. Missing ones are computed."""
    accent = colours.get("accent", ACCENT)
    usual = ON_ACCENT if contrast(ON_ACCENT, accent) >= LEAST_CONTRAST else INK
    dark = colours.get("dark_accent") or (DARK_ACCENT if accent == ACCENT else _lighten(accent))
    return Palette(
        accent, colours.get("on_accent", usual), dark, colours.get("on_dark_accent", ON_DARK_ACCENT)
    )


def colours_name(palette: Palette) -> str:
    """Return the colours as one word, for the URL of the style sheet that has them."""
    chosen = (palette.accent, palette.on_accent, palette.dark_accent, palette.on_dark_accent)
    return "-".join(colour.removeprefix("#") for colour in chosen)


def parse_colour(text: str) -> str:
    """Return a colour as lower-case #rrggbb. Raises ValueError."""
    colour = text.strip().lower()
    if not _COLOUR.fullmatch(colour):
        raise ValueError("is not a colour such as #8c2f1b (# and six digits from 0 to f)")
    return colour


def contrast_faults(palette: Palette) -> dict[str, str]:
    """Return a sentence for each colour that is hard to read, by its field in Palette."""
    faults: dict[str, str] = {}
    pairs = (
        ("accent", palette.accent, "the page in light mode", PAPER),
        ("accent", palette.accent, "a chosen topic in light mode", palette.soft),
        ("on_accent", palette.on_accent, "the accent colour", palette.accent),
        ("dark_accent", palette.dark_accent, "the page in dark mode", DARK_SURFACE),
        ("dark_accent", palette.dark_accent, "a chosen topic in dark mode", palette.dark_soft),
        ("on_dark_accent", palette.on_dark_accent, "the accent colour in dark mode", palette.dark_accent),
    )
    for name, colour, place, ground in pairs:
        found = contrast(colour, ground)
        if found < LEAST_CONTRAST:
            # Rounded down, so that a contrast that fails is never shown as 4.5.
            shown = int(found * 10) / 10
            faults.setdefault(
                name,
                f"{colour} on {place} ({ground}) has a contrast of {shown}:1. At least {LEAST_CONTRAST}:1 is "
                "needed, so that everybody can read it.",
            )
    return faults


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colours, from 1 to 21 (WCAG 2.2)."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def mix(colour: str, other: str, share: float) -> str:
    """Return `share` (0 to 1) of `colour` with the rest of `other`."""
    parts = zip(_channels(colour), _channels(other), strict=True)
    return "#" + "".join(f"{round(share * a + (1 - share) * b):02x}" for a, b in parts)


def _lighten(colour: str) -> str:
    """Return the colour with just enough white in it for dark mode."""
    shares = (mix("#ffffff", colour, share / 20) for share in range(21))
    return next(each for each in shares if contrast(each, DARK_SURFACE) >= _COMFORTABLE)


def _channels(colour: str) -> list[int]:
    return [int(colour[at : at + 2], 16) for at in (1, 3, 5)]


def _luminance(colour: str) -> float:
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in (each / 255 for each in _channels(colour))
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
