"""Which of two columns causes the other: four methods for pairs, by the form of the relation.

Two columns carry no independence to tell a direction by. Additive noise, post-nonlinear models, errors of regression
and information geometry each assume something else instead, and so say more than the other searches where it holds and
mislead where it does not.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

from numpy.typing import ArrayLike

from whence.discovery import _pair_scores
from whence.discovery._pair_scores import Curve, Estimator, Reference, Way
from whence.discovery._pair_search import Array, Decision, PairSearch, by_score, by_test
from whence.discovery.result import DiscoveryResult
from whence.errors import ParameterError
from whence.graph import Knowledge
from whence.registry import Card, Paper, lookup, methods, register

__all__ = ["IGCI", "RECI", "AdditiveNoise", "PostNonlinear", "direction"]

Rule = Literal["test", "score"]

_KINDS = frozenset({"continuous", "count", "ordinal"})
_FORMS = frozenset({"required", "forbidden", "tiers", "roots", "leaves"})
_ASSUMES = frozenset({"acyclic", "no-hidden-causes", "iid"})


def _card(name: str, answers: str, assumes: frozenset[str], paper: Paper) -> Card:
    return Card(
        name=name,
        family="search",
        answers=answers,
        assumes=_ASSUMES | assumes,
        kinds=_KINDS,
        output="PDAG",
        missing="complete-rows",
        knowledge=_FORMS,
        paper=paper,
        columns=2,
    )


class _Tested(PairSearch):
    """A method that tests each direction."""

    _model: str

    def __init__(self, *, alpha: float = 0.05, rule: Rule = "test", knowledge: Knowledge | None = None) -> None:
        self.alpha = alpha
        self.rule = rule
        self.knowledge = knowledge

    def _settings(self) -> dict[str, Any]:
        return {"rule": self.rule}

    def _check(self) -> None:
        super()._check()
        _one_of("rule", self.rule, get_args(Rule))

    def _judge(self, ways: tuple[Way, Way], names: tuple[str, ...]) -> Decision:
        return by_test(ways, names, self.alpha, self._model) if self.rule == "test" else by_score(ways, names, 0.0)


@register(
    _card(
        "anm",
        "Which of two columns is a function of the other plus noise that does not depend on it?",
        frozenset({"additive-noise"}),
        Paper(
            "Hoyer, Janzing, Mooij, Peters and Schölkopf",
            "Nonlinear causal discovery with additive noise models",
            2009,
            "Advances in Neural Information Processing Systems 21, 689-696",
        ),
    )
)
class AdditiveNoise(_Tested):
    """The additive noise model of a pair: ``effect = f(cause) + noise``, the noise independent of the cause.

    Each column is regressed on the other by a Gaussian process, and what is left is tested for independence of the
    column it was regressed on by the Hilbert-Schmidt criterion on ranks. A direction fits if the test does not reject.
    If one fits, it is the answer; if both or neither do, the edge stays undirected and a warning says which it was.

    Parameters
    ----------
    alpha : float
        Level of the tests: of the two directions, and of whether the columns depend on each other at all.
    rule : {"test", "score"}
        ``"score"`` takes the direction of the larger p-value, whatever the tests say.
    knowledge : Knowledge, optional
        Settles the direction where it requires or forbids one.

    Notes
    -----
    The regression follows some of the noise, so that the true direction is rejected somewhat less often than ``alpha``.
    On many thousand rows of real data both directions are rejected for small departures from the model.

    References
    ----------
    Hoyer et al. (2009); Mooij, Peters, Janzing, Zscheischler and Schölkopf (2016), section 2.2, on the criterion.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> dose = rng.uniform(-2, 2, size=500)
    >>> found = AdditiveNoise().fit({"dose": dose, "cure": dose + dose**3 + rng.normal(size=500)})
    >>> found.details["verdict"], found.details["fits"]
    ('dose -> cure', {'dose -> cure': True, 'cure -> dose': False})
    """

    _model = "additive noise"

    def _score(self, cause: Array, effect: Array) -> Way:
        return _pair_scores.additive_noise(cause, effect)


@register(
    _card(
        "pnl",
        "Which of two columns is, seen through some increasing function, a function of the other plus noise?",
        frozenset(),
        Paper(
            "Zhang and Hyvärinen",
            "On the identifiability of the post-nonlinear causal model",
            2009,
            "Uncertainty in Artificial Intelligence 25, 647-655",
        ),
    )
)
class PostNonlinear(_Tested):
    """The post-nonlinear model of a pair: ``effect = h(f(cause) + noise)`` with h increasing.

    It holds where a measurement bends what additive noise made, which the additive model alone would reject. The
    inverse of h and f are splines, the noise a mixture of Gaussians, fitted together by maximum likelihood; the noise
    that is found is tested for independence of the cause. The wider model fits both directions more often.

    Parameters
    ----------
    alpha, knowledge
        As in `AdditiveNoise`.
    rule : {"test", "score"}
        ``"score"`` takes the direction of the higher likelihood, whatever the tests say.

    References
    ----------
    Zhang and Hyvärinen (2009), section 4.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(1)
    >>> dose = rng.uniform(-2, 2, size=500)
    >>> found = PostNonlinear().fit({"cure": np.exp(dose**2 + 0.5 * rng.normal(size=500)), "dose": dose})
    >>> found.details["verdict"]
    'dose -> cure'
    """

    _model = "the post-nonlinear model"

    def _score(self, cause: Array, effect: Array) -> Way:
        return _pair_scores.post_nonlinear(cause, effect)


class _Scored(PairSearch):
    """A method that compares scores and tests nothing."""

    least_margin: float

    def _check(self) -> None:
        super()._check()
        if not self.least_margin >= 0:
            raise ParameterError("E311", f"least_margin is {self.least_margin}.", "Give 0 or more.")

    def _judge(self, ways: tuple[Way, Way], names: tuple[str, ...]) -> Decision:
        return by_score(ways, names, self.least_margin)


@register(
    _card(
        "reci",
        "From which of two columns can the other be predicted with the smaller error?",
        frozenset(),
        Paper(
            "Blöbaum, Janzing, Washio, Shimizu and Schölkopf",
            "Cause-effect inference by comparing regression errors",
            2018,
            "Artificial Intelligence and Statistics 21, 900-909",
        ),
    )
)
class RECI(_Scored):
    """Regression error based causal inference: the effect is predicted better from the cause than the reverse.

    Both columns are scaled to [0, 1]; the direction of the smaller mean squared error wins. It holds for functions
    that do not depend on the distribution of the cause and little noise, and needs nothing but a regression.

    Parameters
    ----------
    curve : {"polynomial", "smooth"}
        The regression: a polynomial by least squares, or a Gaussian process.
    degree : int
        Of the polynomial.
    least_margin : float
        The difference of the logarithms of the errors below which the edge stays undirected.
    alpha : float
        Level of the test whether the columns depend on each other at all.
    knowledge : Knowledge, optional
        As in `AdditiveNoise`.

    References
    ----------
    Blöbaum et al. (2018), algorithm 1.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> dose = rng.uniform(0, 1, size=500)
    >>> RECI().fit({"cure": dose**3 + 0.1 * rng.normal(size=500), "dose": dose}).details["verdict"]
    'dose -> cure'
    """

    def __init__(
        self,
        *,
        curve: Curve = "polynomial",
        degree: int = 3,
        least_margin: float = 0.0,
        alpha: float = 0.05,
        knowledge: Knowledge | None = None,
    ) -> None:
        self.curve = curve
        self.degree = degree
        self.least_margin = least_margin
        self.alpha = alpha
        self.knowledge = knowledge

    def _settings(self) -> dict[str, Any]:
        return {"curve": self.curve, "degree": self.degree, "least_margin": self.least_margin}

    def _check(self) -> None:
        super()._check()
        _one_of("curve", self.curve, get_args(Curve))
        if not isinstance(self.degree, int) or self.degree < 1:
            raise ParameterError("E311", f"degree is {self.degree!r}.", "Give a whole number from 1 up.")

    def _score(self, cause: Array, effect: Array) -> Way:
        return _pair_scores.regression_error(cause, effect, curve=self.curve, degree=self.degree)


@register(
    _card(
        "igci",
        "Which of two columns, one a function of the other almost without noise, does its density not know about?",
        frozenset(),
        Paper(
            "Daniusis, Janzing, Mooij, Zscheischler, Steudel, Zhang and Schölkopf",
            "Inferring deterministic causal relations",
            2010,
            "Uncertainty in Artificial Intelligence 26, 143-150",
        ),
    )
)
class IGCI(_Scored):
    """Information-geometric causal inference: the slope of the function and the density of the cause share nothing.

    Against the causal direction they do: where the function is steep, the effect is thin. It is meant for invertible
    functions with hardly any noise, costs one sort and reads nothing but two marginal orders.

    Parameters
    ----------
    reference : {"uniform", "gaussian"}
        The columns are scaled to [0, 1], or to standard deviations.
    estimator : {"slope", "entropy"}
        From the steps between neighbours, or from the entropies of the two columns.
    least_margin : float
        The difference of scores up to which the edge stays undirected.
    alpha, knowledge
        As in `RECI`.

    References
    ----------
    Daniusis et al. (2010), section 3; Janzing et al. (2012), Artificial Intelligence 182, equation 24, for the slope.

    Examples
    --------
    >>> import numpy as np
    >>> dose = np.random.default_rng(0).uniform(0, 1, size=500)
    >>> IGCI().fit({"cure": dose**3, "dose": dose}).details["verdict"]
    'dose -> cure'
    """

    def __init__(
        self,
        *,
        reference: Reference = "uniform",
        estimator: Estimator = "slope",
        least_margin: float = 0.0,
        alpha: float = 0.05,
        knowledge: Knowledge | None = None,
    ) -> None:
        self.reference = reference
        self.estimator = estimator
        self.least_margin = least_margin
        self.alpha = alpha
        self.knowledge = knowledge

    def _settings(self) -> dict[str, Any]:
        return {"reference": self.reference, "estimator": self.estimator, "least_margin": self.least_margin}

    def _check(self) -> None:
        super()._check()
        _one_of("reference", self.reference, get_args(Reference))
        _one_of("estimator", self.estimator, get_args(Estimator))

    def _score(self, cause: Array, effect: Array) -> Way:
        return _pair_scores.information_geometry(cause, effect, reference=self.reference, estimator=self.estimator)


def direction(x: ArrayLike, y: ArrayLike, method: str = "anm", **settings: Any) -> DiscoveryResult:
    """Tell which of two columns causes the other.

    Parameters
    ----------
    x, y : array-like, shape (n,)
        Numbers; pairs with a missing value are left out. A named column, such as a pandas Series, keeps its name.
    method : str
        ``"anm"``, ``"pnl"``, ``"reci"`` or ``"igci"``.
    **settings
        Passed to the method.

    Returns
    -------
    DiscoveryResult
        See `AdditiveNoise.fit`.

    Raises
    ------
    ParameterError
        If there is no method of that name for pairs.
    DataError
        For columns of different length, that are no numbers, do not vary or are the same up to scale.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> cause = rng.uniform(-2, 2, size=500)
    >>> direction(cause, np.sin(cause) + cause + 0.3 * rng.normal(size=500), "anm").details["verdict"]
    'x -> y'
    """
    known = [card.name for card in methods("search") if card.columns == 2]
    _one_of("method", method, known, code="E301")
    names = [_name_of(column, other) for column, other in ((x, "x"), (y, "y"))]
    if names[0] == names[1]:
        names = ["x", "y"]
    table = dict(zip(names, (x, y)))
    found: DiscoveryResult = lookup("search", method)(**settings).fit(table)
    return found


def _name_of(column: object, default: str) -> str:
    name = getattr(column, "name", None)
    return name if isinstance(name, str) and name else default


def _one_of(setting: str, value: object, known: tuple[str, ...] | list[str], code: str = "E311") -> None:
    if value not in known:
        raise ParameterError(code, f"{setting} is {value!r}.", f"Choose {', '.join(known)}.")
