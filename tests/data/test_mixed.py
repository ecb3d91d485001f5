"""Mixed tables as correlations and as rows: canonical correlations by hand, from aggregates as from rows."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from whence.data import read
from whence.data.mixed import embed, indicator_scores, mixed_rows


def table(n: int = 400, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    colour = rng.integers(0, 3, n)
    place = np.where(rng.random(n) < 0.5, colour, rng.integers(0, 4, n))
    return {
        "size": colour + rng.normal(size=n),
        "colour": np.array(["red", "green", "blue"])[colour],
        "sold": np.where(rng.random(n) < 0.3 + 0.1 * place, "yes", "no"),
        "place": np.array(list("abcd"))[place],
        "price": 100.0 * place + 10.0 * rng.normal(size=n),
    }


def block(embedded, one: str, other: str) -> np.ndarray:
    i, j = embedded.names.index(one), embedded.names.index(other)
    rows, columns = (slice(embedded.first[k], embedded.first[k + 1]) for k in (i, j))
    return embedded.correlation[rows, columns]


def r_squared(target: np.ndarray, groups: np.ndarray) -> float:
    """Return the share of a number's variance between groups."""
    means = {group: target[groups == group].mean() for group in np.unique(groups)}
    return float(np.var([means[group] for group in groups]) / np.var(target))


def test_blocks_hold_canonical_correlations():
    columns = table()
    embedded = embed(read(columns))
    assert np.diff(embedded.first).tolist() == [1, 2, 1, 3, 1]
    assert embedded.owner == ("size", "colour", "colour", "sold", "place", "place", "place", "price")
    assert embedded.n == 400
    assert block(embedded, "size", "price")[0, 0] == pytest.approx(np.corrcoef(columns["size"], columns["price"])[0, 1])
    for number in ("size", "price"):
        for category in ("colour", "place"):
            square = (block(embedded, number, category) ** 2).sum()
            assert square == pytest.approx(r_squared(columns[number], columns[category]))
    # Pearson's chi-square is n times the sum of the squared canonical correlations of two categories.
    counts = np.array(
        [[np.sum((columns["colour"] == c) & (columns["place"] == p)) for p in "abcd"] for c in ("red", "green", "blue")]
    )
    expected = np.outer(counts.sum(1), counts.sum(0)) / 400
    chi_square = ((counts - expected) ** 2 / expected).sum()
    assert 400 * (block(embedded, "colour", "place") ** 2).sum() == pytest.approx(chi_square)
    np.testing.assert_array_equal(block(embedded, "place", "place"), np.eye(3))


def test_scores_of_levels_are_uncorrelated_with_variance_one():
    shares = np.array([0.5, 0.0, 0.3, 0.2])
    scores = indicator_scores(shares)
    assert scores.shape == (4, 2)
    np.testing.assert_allclose(shares @ scores, 0.0, atol=1e-12)
    np.testing.assert_allclose(scores.T @ (shares[:, None] * scores), np.eye(2), atol=1e-12)
    np.testing.assert_array_equal(scores[1], 0.0)


@pytest.mark.filterwarnings("ignore:fetch_arrow_table:DeprecationWarning")  # ibis with the newest duckdb
@pytest.mark.parametrize(
    "chosen", [("size", "colour", "sold", "place", "price"), ("colour", "place"), ("size", "sold")]
)
def test_aggregates_of_a_stored_table_give_the_same_as_its_rows(chosen, tmp_path):
    columns = {name: values for name, values in table().items() if name in chosen}
    pq.write_table(pa.table(columns), tmp_path / "table.parquet")
    stored = read(str(tmp_path / "table.parquet"), lazy=True)
    assert not stored.in_memory
    one, other = embed(stored), embed(read(columns))
    np.testing.assert_array_equal(one.first, other.first)
    np.testing.assert_allclose(one.correlation, other.correlation, atol=1e-10)


@pytest.mark.filterwarnings("ignore:fetch_arrow_table:DeprecationWarning")
def test_missing_values_leave_out_rows_wherever_they_are(tmp_path):
    columns = table()
    holes = np.arange(400) < 25
    some = {
        **columns,
        "place": np.where(holes, None, columns["place"]),
        "size": np.where(holes, np.nan, columns["size"]),
    }
    rest = embed(read({name: values[25:] for name, values in columns.items()}))
    pq.write_table(pa.table(some, schema=None), tmp_path / "table.parquet")
    for data in (read(some), read(str(tmp_path / "table.parquet"), lazy=True)):
        found = embed(data)
        assert found.n == 375
        np.testing.assert_allclose(found.correlation, rest.correlation, atol=1e-10)


def test_a_column_that_does_not_vary_has_no_block():
    embedded = embed(read({"flat": [2.0] * 30, "same": ["a"] * 30, "size": np.arange(30.0)}))
    assert np.diff(embedded.first).tolist() == [0, 0, 1]


def test_rows_keep_binary_columns_among_the_categories():
    columns = table()
    rows = mixed_rows(read(columns))
    assert rows.n == 400
    assert [int(place) for place in rows.place] == [0, -1, -2, -3, 1]
    assert rows.sizes.tolist() == [3, 2, 4]
    np.testing.assert_allclose(rows.values.std(axis=1), 1.0)
    np.testing.assert_array_equal(rows.codes[1] == 1, columns["sold"] == "yes")
