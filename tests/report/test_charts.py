"""Charts, read back: a mark stands where its number says."""

from __future__ import annotations

import math
import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whence.report import charts
from whence.report.charts import Axis
from whence.report.effect_part import figures
from whence.report.units import Units

PLAIN = Units(1.0, "kg")
COMPARISON = {"label": ["unadjusted", "adjusted"], "estimate": [2.5, 3.0], "low": [1.5, 2.0], "high": [3.5, 4.0]}


def read(svg):
    return ElementTree.fromstring(svg)


def marks(svg, kind, attribute):
    return [float(e.get(attribute)) for e in read(svg).iter() if e.get("class") == kind]


def scale(svg):
    """Return the function from positions to values, read off the first and last tick."""
    ticks = [(e.text, e) for e in read(svg).iter() if e.get("class") == "tick"]
    places = marks(svg, "grid", "x1")
    first, last = (float(ticks[k][0].replace(",", "")) for k in (0, -1))
    return lambda x: first + (x - places[0]) / (places[-1] - places[0]) * (last - first)


def test_dots_and_bars_stand_at_their_values():
    svg = charts.intervals(COMPARISON, PLAIN)
    value = scale(svg)
    assert [value(x) for x in marks(svg, "dot", "cx")] == pytest.approx(COMPARISON["estimate"], abs=0.02)
    assert [value(x) for x in marks(svg, "interval", "x1")] == pytest.approx(COMPARISON["low"], abs=0.02)
    assert [value(x) for x in marks(svg, "interval", "x2")] == pytest.approx(COMPARISON["high"], abs=0.02)
    assert value(marks(svg, "zero", "x1")[0]) == pytest.approx(0, abs=0.02)


def test_love_plot_stands_at_its_values():
    data = {"covariate": ["age", "sex"], "before": [0.4, -0.25], "after": [0.02, 0.01], "threshold": 0.1}
    svg = charts.balance(data)
    value = scale(svg)
    assert [value(x) for x in marks(svg, "hollow", "cx")] == pytest.approx(data["before"], abs=0.005)
    assert [value(x) for x in marks(svg, "dot", "cx")] == pytest.approx(data["after"], abs=0.005)
    band = marks(svg, "band", "x")[0]
    assert value(band) == pytest.approx(-0.1, abs=0.005)


def test_overlap_draws_one_bar_for_each_filled_bin():
    panel = {"arm": "1", "counts": {"0": [5, 3, 0, 0], "1": [0, 1, 4, 2]}}
    svg = charts.overlap(panel, [0, 0.25, 0.5, 0.75, 1.0], "T")
    assert len(marks(svg, "up", "x")) == 3
    assert len(marks(svg, "down", "x")) == 2
    heights = marks(svg, "up", "height")
    assert heights[0] / heights[1] == pytest.approx(math.sqrt(1 / 4), rel=0.01)
    assert "T = 1, 7 rows" in svg


def test_open_ends_are_marked_and_stay_in_the_frame():
    data = {"label": ["weak instrument"], "estimate": [1.0], "low": [-math.inf], "high": [math.inf]}
    svg = charts.intervals(data, PLAIN)
    assert svg.count('class="end"') == 2
    assert "infinity" in svg
    assert "nan" not in svg
    assert "inf " not in svg


@given(
    st.lists(
        st.tuples(*[st.floats(-1e12, 1e12, allow_subnormal=False)] * 3).map(sorted),
        min_size=1,
        max_size=6,
    )
)
def test_no_mark_leaves_the_frame(rows):
    low, middle, high = zip(*rows)
    data = {"label": [str(k) for k in range(len(rows))], "estimate": middle, "low": low, "high": high}
    svg = charts.intervals(data, PLAIN)
    for kind, attribute in (("dot", "cx"), ("interval", "x1"), ("interval", "x2"), ("zero", "x1")):
        assert all(0 <= x <= charts.WIDTH for x in marks(svg, kind, attribute))


@given(st.floats(-1e9, 1e9), st.floats(1e-6, 1e9))
def test_axes_are_round_and_cover_what_they_show(low, spread):
    axis = Axis(low, low + spread)
    assert axis.low <= low + 1e-9 * spread
    assert axis.high >= low + spread - 1e-9 * spread
    assert 2 <= len(axis.ticks) <= 7
    places = [axis.x(tick) for tick in axis.ticks]
    assert places == sorted(places)


def test_every_chart_of_an_effect_is_sound_and_has_its_numbers(any_study):
    if any_study.effect is None:
        return
    drawn = figures(any_study.effect)
    assert drawn
    for figure in drawn:
        root = read(figure.svg)
        assert root.get("role") == "img"
        assert root.get("aria-label")
        assert not re.search(r'="-?(nan|inf)', figure.svg)
        assert figure.table.rows
        assert all(len(row) == len(figure.table.heads) for row in figure.table.rows)


def test_labels_are_escaped_and_cut():
    data = {**COMPARISON, "label": ["<b>&" + "x" * 200, "plain"]}
    root = read(charts.intervals(data, PLAIN))
    labels = [e for e in root.iter() if e.get("class") == "label"]
    assert labels[0][0].text == data["label"][0]
    assert len(labels[0][0].tail) < 60
