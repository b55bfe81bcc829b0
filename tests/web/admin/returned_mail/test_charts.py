"""Where the bars of a chart are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.web.admin.returned_mail.charts import (
    BOTTOM,
    HEIGHT,
    LEFT,
    LINES,
    MOST_NAMES,
    TOP,
    WIDTH,
    bars_in_rows,
    stacked_columns,
)

COLUMNS = st.lists(
    st.fixed_dictionaries({}, optional={"a": st.floats(0, 1e7), "b": st.floats(0, 100)}), max_size=60
)


def test_the_parts_of_a_column_stand_on_one_another():
    chart = stacked_columns([("1 Mar", {"a": 1, "b": 3}), ("8 Mar", {"b": 2})], ["a", "b"], " %")

    first, second, third = chart.bars
    assert first.y + first.height == HEIGHT - BOTTOM == third.y + third.height
    assert second.y + second.height == pytest.approx(first.y)
    assert second.height == pytest.approx(3 * first.height)
    assert [each.series for each in chart.bars] == [0, 1, 1]
    assert first.words == "1 Mar: a 1 %"
    assert [each.words for each in chart.values] == ["0 %", "1 %", "2 %", "3 %", "4 %"]


@given(COLUMNS)
def test_nothing_is_drawn_outside_of_the_chart(values):
    chart = stacked_columns([(str(number), each) for number, each in enumerate(values)], ["a", "b"])

    assert all(each.x >= LEFT and each.x + each.width <= WIDTH for each in chart.bars)
    assert all(each.y >= TOP - 0.2 and each.y + each.height <= HEIGHT - BOTTOM + 0.2 for each in chart.bars)
    assert len(chart.values) == LINES + 1 and len(chart.names) <= MOST_NAMES
    assert chart.is_empty == (not any(sum(each.values()) for each in values))


def test_rows_are_as_long_as_their_values_and_long_names_are_shortened():
    chart = bars_in_rows([("a.org", 2.0), ("x" * 80, 1.0), ("b.org", 0.0)], " %")

    assert [each.width for each in chart.rows] == [350.0, 175.0, 0.0]
    assert [each.words for each in chart.rows] == ["2 %", "1 %", "0 %"]
    assert len(chart.rows[1].name) < 50 and "…" in chart.rows[1].name
    assert bars_in_rows([]).rows == []


def test_a_limit_is_marked_inside_of_the_chart_even_if_no_value_reaches_it():
    low = stacked_columns([("1 Mar", {"a": 0.01})], ["a"], " %", limit=0.1)
    none = stacked_columns([("1 Mar", {"a": 0.01})], ["a"], " %")

    assert low.limit == TOP and low.values[-1].words == "0.1 %"
    assert none.limit is None
