"""What every registered search must do, by itself, for each sort of table on its card."""

from __future__ import annotations

import json
import pickle
import re
from dataclasses import replace

import numpy as np
import pytest

from tests.conformance.conftest import ODD_NAMES
from whence.data import read
from whence.discovery import DiscoveryResult, bootstrap
from whence.errors import DataError, ParameterError
from whence.graph import Knowledge, Mark
from whence.independence import GSquare, TestwiseDeletion

FORMS = ("required", "forbidden", "tiers", "roots", "leaves")


def same_marks(one: DiscoveryResult, other: DiscoveryResult) -> bool:
    """Whether two results on the same columns, in any order, are the same graph."""
    return bool(np.array_equal(one.graph.subgraph(other.graph.names).marks, other.graph.marks))


def record(result: DiscoveryResult) -> dict:
    return {key: value for key, value in result.to_dict().items() if key != "seconds"}


def test_the_same_table_gives_the_same_result(case):
    data = case.table()
    assert record(case.search().fit(data)) == record(case.search().fit(data))


def test_the_result_says_what_it_is(case):
    found = case.search().fit(case.table())
    assert found.method == case.card.name
    assert found.graph.names == case.names
    assert found.graph.kind == case.card.output
    assert found.rows_used == 400
    assert found.seconds >= 0
    assert found.parameters
    assert [(e.source, e.target) for e in found.evidence] == [(e.source, e.target) for e in found.graph.edges()]
    assert found.graph.edges(), "a table with strong relations gave an empty graph"


def test_the_result_is_json_and_survives_pickling(case):
    search = case.search()
    found = search.fit(case.table())
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False)) == found.to_dict()
    again = pickle.loads(pickle.dumps(found))
    assert record(again) == record(found)
    assert record(pickle.loads(pickle.dumps(search)).fit(case.table())) == record(found)
    assert case.card.name in repr(found)
    assert "<svg" in found._repr_html_()


def test_the_input_is_not_changed(case):
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(case.columns())
    before = frame.copy(deep=True)
    case.search().fit(frame)
    pd.testing.assert_frame_equal(frame, before)
    if not case.discrete:
        values = frame.to_numpy().copy()
        kept = values.copy()
        case.search().fit(values)
        np.testing.assert_array_equal(values, kept)


def test_odd_names_are_kept(case):
    p = case.card.columns or len(ODD_NAMES)
    plain = case.search().fit(case.columns(p=p))
    for names in (ODD_NAMES[k : k + p] for k in range(0, len(ODD_NAMES), p)):
        found = case.search().fit(dict(zip(names, case.columns(p=p).values())))
        assert found.graph.names == names
        assert len(plain.graph.edges()) == len(found.graph.edges())
        assert {name for edge in found.evidence for name in (edge.source, edge.target)} <= set(names)


@pytest.mark.filterwarnings("ignore:fetch_arrow_table:DeprecationWarning")  # ibis with the newest duckdb
def test_the_same_answer_from_every_kind_of_table(case, tmp_path):
    pd, pl = pytest.importorskip("pandas"), pytest.importorskip("polars")
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = case.columns()
    frame, arrow = pd.DataFrame(columns), pa.table({name: pa.array(values) for name, values in columns.items()})
    pq.write_table(arrow, tmp_path / "table.parquet")
    expected = case.search().fit(columns)
    found = {
        "pandas": case.search().fit(frame),
        "polars": case.search().fit(pl.DataFrame({name: list(values) for name, values in columns.items()})),
        "arrow": case.search().fit(arrow),
        "parquet": case.search().fit(str(tmp_path / "table.parquet")),
        "duckdb": case.search().fit(read(str(tmp_path / "table.parquet"), lazy=True)),
    }
    if not case.discrete:
        found["array"] = case.search().fit(read(frame.to_numpy(), names=list(columns)))
    for library, result in found.items():
        assert result.graph.names == expected.graph.names, library
        assert np.array_equal(result.graph.marks, expected.graph.marks), library
    assert isinstance(found["pandas"].table(), pd.DataFrame)
    assert isinstance(found["polars"].table(), pl.DataFrame)


@pytest.mark.parametrize("seed", range(4))
def test_the_order_of_the_columns_does_not_matter(case, seed):
    data = case.table(seed=seed)
    order = np.random.default_rng(seed).permutation(case.width) if case.width > 2 else [1, 0]
    shuffled = data.select([data.names[k] for k in order])
    one, other = case.search().fit(data), case.search().fit(shuffled)
    assert other.graph.names == shuffled.names
    assert same_marks(one, other)


def test_units_and_names_of_values_do_not_matter(case):
    columns = case.columns()
    if case.discrete:
        moved = {name: np.array([f"{'zyx'[int(v[1:])]} of {name}" for v in values]) for name, values in columns.items()}
    else:
        scales = (1e-3, 1.0, 1e4, 7.0, 0.1, 1e2)
        moved = {name: values * scale + scale for (name, values), scale in zip(columns.items(), scales)}
    one, other = case.search().fit(columns), case.search().fit(moved)
    if "equal-variances" in case.card.assumes:  # reads directions from variances, and has to say so every time
        assert all(any("units" in warning for warning in found.warnings) for found in (one, other))
    else:
        assert same_marks(one, other)


def random_knowledge(form: str, names: tuple[str, ...], rng: np.random.Generator) -> Knowledge:
    """Return a few statements of one form that do not contradict each other."""
    order = [names[k] for k in rng.permutation(len(names))]
    pairs = [(order[i], order[j]) for i in range(len(order)) for j in range(i + 1, len(order))]
    some = [pairs[k] for k in rng.choice(len(pairs), min(3, len(pairs)), replace=False)]
    few = max(1, len(order) // 3)
    if form == "required":
        return Knowledge(required=some)
    if form == "forbidden":
        both = [*some, *[(b, a) for a, b in some[:1]]]
        return Knowledge(forbidden=[*both, (order[-1], order[0])])
    if form == "tiers":
        return Knowledge(tiers=[order[:few], order[few:5]])
    return Knowledge(**{form: order[:few]})


def violations(result: DiscoveryResult, knowledge: Knowledge) -> list[str]:
    """Name the required edges that are missing, and the edges that some graph of the class directs against the rest."""
    marks, names = result.graph.marks, result.graph.names
    required, forbidden = knowledge.for_names(names)
    directed = (marks == Mark.ARROW) & (marks.T == Mark.TAIL)
    open_edge = (marks == Mark.TAIL) & (marks.T == Mark.TAIL)
    wrong = (required & ~directed) | (forbidden & (directed | open_edge))
    np.fill_diagonal(wrong, val=False)
    return [f"{names[i]} -> {names[j]}" for i, j in np.argwhere(wrong)]


@pytest.mark.parametrize("form", FORMS)
def test_knowledge_on_the_card_is_respected_and_other_forms_are_refused(case, form):
    rng = np.random.default_rng(FORMS.index(form))
    for seed in range(12):
        data = case.table(n=150, seed=seed)
        knowledge = random_knowledge(form, data.names, rng)
        if form not in case.card.knowledge:
            with pytest.raises(ParameterError, match=form):
                case.search(knowledge=knowledge).fit(data)
            return
        assert violations(case.search(knowledge=knowledge).fit(data), knowledge) == []


def test_all_forms_of_knowledge_together_are_respected(case):
    rng = np.random.default_rng(9)
    for seed in range(8):
        data = case.table(n=150, seed=seed)
        names = [data.names[k] for k in rng.permutation(case.width)]
        if case.card.columns == 2:  # more than one statement on two columns repeats or contradicts the first
            knowledge = Knowledge(tiers=[names[:1], names[1:]], roots=names[:1], leaves=names[1:])
            assert violations(case.search(knowledge=knowledge).fit(data), knowledge) == []
            continue
        knowledge = Knowledge(
            required=[(names[1], names[2])] if "required" in case.card.knowledge else (),
            forbidden=[(names[0], names[4]), (names[4], names[3])] if "forbidden" in case.card.knowledge else (),
            tiers=[names[:2], names[2:4]] if "tiers" in case.card.knowledge else (),
            roots=names[:1] if "roots" in case.card.knowledge else (),
            leaves=names[5:] if "leaves" in case.card.knowledge else (),
        )
        assert violations(case.search(knowledge=knowledge).fit(data), knowledge) == []


def with_column(case, name, values):
    """Return the table with one more column, or with one in place of the last where no more are taken."""
    columns = case.columns()
    if case.card.columns:
        columns.pop(case.names[-1])
    return {**columns, name: values}


def test_a_column_without_values_is_an_error_that_names_it(case):
    empty = np.full(400, None) if case.discrete else np.full(400, np.nan)
    with pytest.raises(DataError, match="'hollow'"):
        case.search().fit(with_column(case, "hollow", empty))


def test_a_constant_column_is_an_error_that_names_it(case):
    constant = np.full(400, "same") if case.discrete else np.full(400, 3.0)
    with pytest.raises(DataError, match="'flat'"):
        case.search().fit(with_column(case, "flat", constant))


def test_a_copied_column_is_an_error_that_names_both(case):
    name = "X2" if case.width > 2 else "X0"
    original = case.columns()[name]
    copy = np.array([f"{v}!" for v in original]) if case.discrete else 2.54 * original - 1
    with pytest.raises(DataError, match=rf"'{name}'.*'copy'|'copy'.*'{name}'"):
        case.search().fit(with_column(case, "copy", copy))


def test_a_single_column_is_an_error(case):
    with pytest.raises(DataError, match="two columns"):
        case.search().fit({"only": case.columns()["X0"]})


def test_infinite_values_are_an_error_that_names_the_column(case):
    if case.discrete:
        pytest.skip("categories are not infinite")
    columns = case.columns()
    columns["X1"] = np.where(np.arange(400) == 5, np.inf, columns["X1"])
    with pytest.raises(DataError, match="'X1'"):
        case.search().fit(columns)


def test_missing_values_are_left_out_and_counted(case):
    columns = case.columns()
    hole = np.arange(400) < 40
    columns["X1"] = np.where(hole, None, columns["X1"]) if case.discrete else np.where(hole, np.nan, columns["X1"])
    found = case.search().fit(columns)
    assert any("40 of 400 rows" in warning for warning in found.warnings)
    if case.card.missing == "test-wise":
        assert found.rows_used == 400
        test = (
            GSquare(columns, missing="test-wise")
            if case.discrete
            else TestwiseDeletion(columns, dropouts=False, min_rows=10)
        )
        assert same_marks(found, case.search(test=test).fit())
        found = case.search(test="g-square" if case.discrete else "fisher-z").fit(columns)
    assert found.rows_used == 360
    complete = {name: values[40:] for name, values in case.columns().items()}
    assert same_marks(found, case.search().fit(complete))


def test_another_number_of_columns_than_the_card_says_is_refused(case):
    if case.card.columns is None:
        pytest.skip("takes any number of columns")
    with pytest.raises(DataError, match=rf"{case.card.name} .*'X0', 'X1', 'X2'"):
        case.search().fit(case.table(p=3))


def test_more_columns_than_rows_run_with_a_warning_or_are_refused(case):
    if case.card.columns is not None:
        pytest.skip("takes a fixed number of columns")
    data = case.table(n=60, p=65)
    try:
        said = " ".join(case.search().fit(data).warnings)
    except DataError as refusal:
        said = str(refusal)
    # Among so few rows of categories a column may happen not to vary, which is refused first.
    assert re.search(r"60 (complete )?rows for 65 columns|not vary: 'X", said)


def test_two_columns_are_enough(case):
    columns = case.columns()
    found = case.search().fit({name: columns[name] for name in ("X0", "X1")})
    assert found.graph.n_nodes == 2


def test_the_bootstrap_runs_on_it(case):
    data = case.table()
    search = case.search()
    one, two = (bootstrap(search, data, draws=4, random_state=1, n_jobs=jobs) for jobs in (1, 2))
    np.testing.assert_array_equal(one.adjacency, two.adjacency)
    np.testing.assert_array_equal(one.forward, two.forward)
    found = replace(search.fit(data), confidence=one)
    assert json.dumps(found.to_dict(), allow_nan=False)
