"""The figures of an effect as Altair charts, drawn from the plain data in ``effect.figures``."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from whence.errors import ParameterError, quote_names

if TYPE_CHECKING:
    from whence.effects.effect import Effect

# Okabe and Ito's palette: told apart by colour-blind readers.
BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#777777"
_WIDTH, _HEIGHT = 420, 200


def draw(effect: Effect, figure: str) -> Any:
    """Return one figure as an Altair chart.

    Parameters
    ----------
    figure : str
        One of ``effect.figures``.

    Raises
    ------
    ParameterError
        If the effect has no such figure.
    """
    if figure not in effect.figures or figure not in _DRAWN:
        known = [name for name in _DRAWN if name in effect.figures]
        raise ParameterError("E448", f"the effect has no figure {figure!r}.", f"It has {quote_names(known)}.")
    return _DRAWN[figure](effect, effect.figures[figure])


def draw_all(effect: Effect) -> Any:
    """Return all figures of the effect below one another."""
    import altair as alt

    return alt.vconcat(*(draw(effect, name) for name in _DRAWN if name in effect.figures))


def _chart(values: list[dict[str, Any]], title: str) -> Any:
    import altair as alt

    return alt.Chart(alt.Data(values=values), title=title).properties(width=_WIDTH, height=_HEIGHT)


def _comparison(effect: Effect, figure: dict[str, Any]) -> Any:
    rows = _records(figure)
    base = _chart(rows, f"Effect of {effect.treatment} on {effect.outcome}")
    y = {"field": "label", "type": "nominal", "title": None, "sort": None}
    bars = base.mark_rule(color=BLUE, strokeWidth=2).encode(
        x=_quantity("low", effect.units), x2="high:Q", y=_encoding("Y", y)
    )
    dots = base.mark_point(color=BLUE, filled=True, size=80).encode(
        x=_quantity("estimate", effect.units), y=_encoding("Y", y)
    )
    zero = _chart([{"zero": 0}], "").mark_rule(color=GREY, strokeDash=[4, 4]).encode(x=_quantity("zero", effect.units))
    return zero + bars + dots


def _overlap(effect: Effect, figure: dict[str, Any]) -> Any:
    edges = figure["edges"]
    rows = [
        {"low": low, "high": high, "rows": count, "none": 0, "level": level}
        for level, counts in figure["panels"][0]["counts"].items()
        for low, high, count in zip(edges, edges[1:], counts)
    ]
    arm = figure["panels"][0]["arm"]
    chart = _chart(rows, f"Probability of {effect.treatment} = {arm} given the adjusted columns")
    colour = _encoding("Color", {"field": "level", "type": "nominal", "title": effect.treatment}, range=[BLUE, ORANGE])
    return chart.mark_bar(opacity=0.6).encode(
        x=_quantity("low", "probability"),
        x2="high:Q",
        y=_quantity("rows", "rows", stack=None),
        y2="none:Q",
        color=colour,
    )


def _balance(effect: Effect, figure: dict[str, Any]) -> Any:
    rows = [
        {"covariate": name, "when": when, "difference": value}
        for when in ("before", "after")
        for name, value in zip(figure["covariate"], figure[when])
    ]
    chart = _chart(rows, "Balance before and after weighting").properties(height=max(80, 18 * len(figure["covariate"])))
    colour = _encoding("Color", {"field": "when", "type": "nominal", "title": None}, range=[BLUE, ORANGE])
    y = _encoding("Y", {"field": "covariate", "type": "nominal", "title": None, "sort": None})
    return chart.mark_point(filled=True, size=60).encode(
        x=_quantity("difference", "difference in standard deviations"), y=y, color=colour
    )


def _placebo(effect: Effect, figure: dict[str, Any]) -> Any:
    rows = [{"estimate": value} for value in figure["estimates"]]
    title = "Estimates with a permuted column, and the estimate itself"
    ticks = _chart(rows, title).mark_tick(color=GREY, thickness=2).encode(x=_quantity("estimate", effect.units))
    own = _chart([{"estimate": figure["estimate"]}], title).mark_tick(color=ORANGE, thickness=4)
    return ticks + own.encode(x=_quantity("estimate", effect.units))


def _influence(effect: Effect, figure: dict[str, Any]) -> Any:
    rows = [{"row": str(row), "change": change} for row, change in zip(figure["row"], figure["change"])]
    y = _encoding("Y", {"field": "row", "type": "nominal", "title": "row", "sort": None})
    return (
        _chart(rows, "Change of the estimate when a row is left out")
        .mark_bar(color=BLUE)
        .encode(x=_quantity("change", effect.units), y=y)
    )


def _sensitivity(effect: Effect, figure: dict[str, Any]) -> Any:
    named = {"a cause just strong enough": [figure["robustness_value"]] * 2}
    named |= {f"one as strong as {name}": pair for name, pair in figure["observed"].items()}
    rows = [{"treatment": pair[0], "outcome": pair[1], "cause": name} for name, pair in named.items()]
    cells = [
        {"treatment": x, "outcome": y, "estimate": estimate}
        for y, line in zip(figure["with_outcome"], figure["estimate"])
        for x, estimate in zip(figure["with_treatment"], line)
    ]
    title = "Estimate had a hidden common cause of this strength been adjusted for"
    side = _WIDTH / len(figure["with_treatment"]), 300 / len(figure["with_outcome"])
    colour = _encoding(
        "Color",
        {"field": "estimate", "type": "quantitative", "title": effect.units or "estimate"},
        scheme="blueorange",
        domainMid=0,
    )
    x, y = (_share("X", "treatment"), _share("Y", "outcome"))
    surface = _chart(cells, title).mark_rect(width=side[0] + 1, height=side[1] + 1).encode(x=x, y=y, color=colour)
    points = _chart(rows, title).mark_point(filled=True, size=60, color="black").encode(x=x, y=y)
    labels = _chart(rows, title).mark_text(align="left", dx=8, color="black").encode(x=x, y=y, text="cause:N")
    return (surface + points + labels).properties(height=300)


def _share(channel: str, part: str) -> Any:
    title = f"share of the {part} it explains"
    return _encoding(channel, {"field": part, "type": "quantitative", "title": title}, zero=True)


_DRAWN: dict[str, Callable[[Effect, dict[str, Any]], Any]] = {
    "comparison": _comparison,
    "overlap": _overlap,
    "balance": _balance,
    "sensitivity": _sensitivity,
    "placebo": _placebo,
    "influence": _influence,
}


def _records(figure: dict[str, Any]) -> list[dict[str, Any]]:
    names = list(figure)
    return [dict(zip(names, row)) for row in zip(*figure.values())]


def _quantity(field: str, title: str, **more: Any) -> Any:
    import altair as alt

    channel = alt.Y if field == "rows" else alt.X
    return channel(field=field, type="quantitative", title=title, **more)


def _encoding(channel: str, settings: dict[str, Any], **scale: Any) -> Any:
    import altair as alt

    if scale:
        settings = {**settings, "scale": alt.Scale(**scale)}
    return getattr(alt, channel)(**settings)
