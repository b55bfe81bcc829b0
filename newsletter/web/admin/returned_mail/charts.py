"""Where the bars of a chart are. templates/admin/_charts.html draws them. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

# The units of the drawing. The text has 13 units, so it can be read on a phone too.
WIDTH, HEIGHT = 420, 230
LEFT, RIGHT, TOP, BOTTOM = 46, 6, 12, 30
LINES = 4
# The most names under the columns. More would overlap.
MOST_NAMES = 4


@dataclass(frozen=True)
class Bar:
    """One part of a column. `series` is the number of its colour."""

    x: float
    y: float
    width: float
    height: float
    series: int
    words: str


@dataclass(frozen=True)
class Label:
    """A text of an axis. `x` and `y` are where it stands, and `line` is the height of its grid line."""

    x: float
    y: float
    words: str
    line: float | None = None


@dataclass(frozen=True)
class Columns:
    """A chart of stacked columns."""

    bars: Sequence[Bar]
    values: Sequence[Label]
    names: Sequence[Label]
    is_empty: bool
    # The height of the line that marks a limit.
    limit: float | None = None
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    base: int = HEIGHT - BOTTOM


def stacked_columns(
    columns: Sequence[tuple[str, Mapping[str, float]]],
    series: Sequence[str],
    unit: str = "",
    limit: float | None = None,
) -> Columns:
    """Return a chart with one column for each of `columns`, from left to right: its name and its values.

    `series` are the names of the values, the lowest part first. `limit` is marked by a line.
    """
    totals = [sum(values.get(name, 0) for name in series) for _, values in columns]
    top = _round_up(max([*totals, limit or 0]))
    room = (WIDTH - LEFT - RIGHT) / max(1, len(columns))
    scale = (HEIGHT - TOP - BOTTOM) / top
    bars = []
    for number, (name, values) in enumerate(columns):
        y = float(HEIGHT - BOTTOM)
        for colour, each in enumerate(series):
            value = values.get(each, 0)
            if value <= 0:
                continue
            height = value * scale
            y -= height
            x, width = LEFT + room * (number + 0.15), min(room * 0.7, 40.0)
            x += (room * 0.7 - width) / 2
            words = f"{name}: {each} {_shown(value)}{unit}"
            bars.append(Bar(round(x, 1), round(y, 1), round(width, 1), round(height, 1), colour, words))
    values_ = [
        Label(
            LEFT - 6,
            _height_of(part, scale, top) + 4,
            f"{_shown(top * part / LINES)}{unit}",
            _height_of(part, scale, top),
        )
        for part in range(LINES + 1)
    ]
    step = max(1, math.ceil(len(columns) / MOST_NAMES))
    names = [
        Label(round(LEFT + room * (number + 0.5), 1), HEIGHT - 9, name)
        for number, (name, _) in enumerate(columns)
        if number % step == 0
    ]
    return Columns(
        bars,
        values_,
        names,
        is_empty=not any(totals),
        limit=limit and round(HEIGHT - BOTTOM - limit * scale, 1),
    )


def _height_of(part: int, scale: float, top: float) -> float:
    return round(HEIGHT - BOTTOM - scale * top * part / LINES, 1)


def _round_up(value: float) -> float:
    """Return the next number that divides into four round parts: 1, 2, 4 or 8 times a power of ten."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next((each * power for each in (1, 2, 4, 8) if value <= each * power), 10 * power)


def _shown(value: float) -> str:
    """Return a number with at most two digits after the point."""
    return f"{value:,.2f}".rstrip("0").rstrip(".") if value % 1 else f"{value:,.0f}"


@dataclass(frozen=True)
class Row:
    """One bar from left to right, with its name above it and its value behind it."""

    name: str
    words: str
    width: float
    y: float


@dataclass(frozen=True)
class Rows:
    """A chart of bars below one another."""

    rows: Sequence[Row]
    height: int
    width: int = WIDTH
    row_height: int = 38


def bars_in_rows(values: Sequence[tuple[str, float]], unit: str = "") -> Rows:
    """Return a chart with one bar for each value, from top to bottom."""
    most = max((value for _, value in values), default=0) or 1
    rows = [
        Row(_short(name), f"{_shown(value)}{unit}", round((WIDTH - 70) * value / most, 1), number * 38.0)
        for number, (name, value) in enumerate(values)
    ]
    return Rows(rows, height=38 * max(1, len(rows)))


def _short(name: str) -> str:
    return name if len(name) <= 44 else f"{name[:20]}…{name[-22:]}"
