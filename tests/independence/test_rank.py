"""Fisher's z on ranks: its correlations by other routes, invariance, its null distribution and extreme values."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import kendalltau, norm, spearmanr

from tests.independence.nonparametric import uniform
from whence.discovery import PC
from whence.errors import ParameterError
from whence.independence import FisherZ, RankFisherZ
from whence.independence.rank import nearest_correlation

RANKS = ("normal-scores", "spearman", "kendall")


def table(n: int, seed: int, slope: float = 1.0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    z, a, b = rng.normal(size=(3, n))
    return {"x": np.exp(slope * z + a), "y": (slope * z + b) ** 3, "z": np.sinh(z)}


def test_correlations_are_those_of_the_papers():
    columns = table(150, 0)
    rho = spearmanr(columns["x"], columns["y"]).statistic
    tau = kendalltau(columns["x"], columns["y"]).statistic
    assert RankFisherZ(columns, ranks="spearman").partial_correlation("x", "y") == pytest.approx(
        2 * np.sin(np.pi * rho / 6)
    )
    assert RankFisherZ(columns, ranks="kendall").partial_correlation("x", "y") == pytest.approx(np.sin(np.pi * tau / 2))
    scores = {name: norm.ppf((np.argsort(np.argsort(values)) + 1) / 151) for name, values in columns.items()}
    one, other = RankFisherZ(columns), FisherZ(scores)
    assert one("x", "y", ["z"]).p_value == pytest.approx(other("x", "y", ["z"]).p_value)


@pytest.mark.parametrize("ranks", RANKS)
def test_increasing_functions_of_a_column_change_nothing(ranks):
    columns = table(100, 1)
    moved = {name: np.log(values - values.min() + 1.0) for name, values in columns.items()}
    for query in (("x", "y", ()), ("x", "y", ("z",))):
        one, other = (RankFisherZ(of, ranks=ranks)(*query).p_value for of in (columns, moved))
        assert one == pytest.approx(other)


@pytest.mark.parametrize("ranks", RANKS)
@pytest.mark.parametrize("given", [(), ("z",)])
def test_p_values_are_uniform_under_the_null(ranks, given):
    found = [
        RankFisherZ(table(200, seed, slope=0.5 if given else 0.0), ranks=ranks)("x", "y", given).p_value
        for seed in range(300)
    ]
    assert uniform(np.array(found)) > 0.01


def test_a_few_extreme_values_hide_nothing():
    columns = table(300, 2)
    columns["x"][:3] = 1e9
    columns["y"][3:6] = -1e9
    assert FisherZ(columns)("x", "y").p_value > 0.05
    for ranks in RANKS:
        assert RankFisherZ(columns, ranks=ranks)("x", "y").p_value < 1e-4


def test_pc_reads_curved_chains_by_its_compiled_path():
    rng = np.random.default_rng(3)
    a = rng.normal(size=1000)
    b = a + rng.normal(size=1000)
    c = b + rng.normal(size=1000)
    columns = {"a": np.exp(a), "b": b**3, "c": np.exp(2 * c)}
    found = PC(test="rank-fisher-z").fit(columns)
    assert {frozenset((edge.source, edge.target)) for edge in found.graph.edges()} == {
        frozenset("ab"),
        frozenset("bc"),
    }
    for ranks in ("spearman", "kendall"):  # whose z has another spread
        test = RankFisherZ(columns, ranks=ranks)
        evidence = PC(test=test).fit().evidence[0]
        best = max(
            (
                test(evidence.source, evidence.target, s)
                for s in ((), *[(n,) for n in "abc" if n not in (evidence.source, evidence.target)])
            ),
            key=lambda result: result.p_value,
        )
        assert evidence.p_value == pytest.approx(best.p_value)


def test_the_nearest_correlation_has_no_negative_eigenvalue():
    odd = np.array([[1.0, 0.9, -0.9], [0.9, 1.0, 0.9], [-0.9, 0.9, 1.0]])
    assert np.linalg.eigvalsh(odd)[0] < 0
    found = nearest_correlation(odd)
    assert np.linalg.eigvalsh(found)[0] > 0
    np.testing.assert_allclose(np.diag(found), 1.0)
    assert np.sign(found[0, 1]) == 1
    assert np.sign(found[0, 2]) == -1


def test_other_ranks_are_refused():
    with pytest.raises(ParameterError, match="'pearson'"):
        RankFisherZ(table(50, 0), ranks="pearson")
