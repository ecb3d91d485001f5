"""How good counterfactuals are, always beside doing nothing; and how many mechanisms differ between domains."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from itertools import permutations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whence.errors import ParameterError
from whence.results import make_frame
from whence.systems.domains._checks import check_settings
from whence.systems.domains._rows import domains_of, hold_out, read_labels, read_rows
from whence.systems.domains.counterfactuals import DomainCounterfactuals

Judge = Callable[[NDArray[Any]], NDArray[Any]]
Truth = Callable[[NDArray[Any], Any, Any], NDArray[Any]]


@dataclass(frozen=True)
class CounterfactualReport:
    """What is known of a model's counterfactuals; errors are mean squared differences over all entries.

    Attributes
    ----------
    pairs : int
        Pairs of domains that were looked at; everything is a mean over them.
    moved : float
        How far counterfactuals are from the rows they come from.
    composition : float
        How far a row's counterfactual in its own domain is from the row: zero for an invertible mixing, the
        reconstruction error otherwise.
    reversibility : float
        How far a row that goes to another domain and back comes out.
    error, identity_error : float or None
        Of the counterfactuals, and of leaving the row as it is, where the truth is known. A model whose error is not
        below the identity error is worse than doing nothing.
    effectiveness, identity_effectiveness : float or None
        How often a judge sees the new domain in the counterfactual, and in the row as it is.
    preservation, identity_preservation : float or None
        How often a judge sees in the counterfactual, and in the row, the label that the row has.
    """

    pairs: int
    moved: float
    composition: float
    reversibility: float
    error: float | None = None
    identity_error: float | None = None
    effectiveness: float | None = None
    identity_effectiveness: float | None = None
    preservation: float | None = None
    identity_preservation: float | None = None

    def table(self, library: str = "pyarrow") -> Any:
        """Return one row for each measure: its value for the model and for doing nothing."""
        nothing = {
            "error": self.identity_error,
            "effectiveness": self.identity_effectiveness,
            "preservation": self.identity_preservation,
            "moved": 0.0,
            "composition": 0.0,
            "reversibility": 0.0,
        }
        listed = [name for name in nothing if getattr(self, name) is not None]
        columns = {
            "measure": listed,
            "model": [getattr(self, name) for name in listed],
            "nothing": [nothing[name] for name in listed],
        }
        return make_frame(columns, library)

    @property
    def sentence(self) -> str:
        """One sentence: whether the model is better than doing nothing, where the truth is known."""
        if self.error is None or self.identity_error is None:
            return f"Rows moved by {self.moved:.3g}; the truth is not known, so no error can be given."
        verdict = "below" if self.error < self.identity_error else "NOT below"
        return f"Mean squared error {self.error:.3g}, {verdict} that of doing nothing, {self.identity_error:.3g}."


def counterfactual_report(
    model: DomainCounterfactuals,
    X: Any,
    d: Any,
    *,
    truth: Truth | None = None,
    domain_judge: Judge | None = None,
    label_judge: Judge | None = None,
    labels: Any = None,
) -> CounterfactualReport:
    """Measure a fitted model's counterfactuals on rows it was not fitted to, over all ordered pairs of domains.

    Parameters
    ----------
    X, d
        As in `DomainCounterfactuals.fit`.
    truth : callable, optional
        ``truth(X, d, d_new)`` returns the true counterfactuals, as `DomainWorld.counterfactual` does.
    domain_judge, label_judge : callable, optional
        Classifiers trained elsewhere: from rows to domains, and to labels.
    labels : array (n,), optional
        The label of each row, which a change of domain should keep.

    Raises
    ------
    ParameterError
        E660 for a judge of labels without labels.

    Examples
    --------
    >>> from whence.systems.domains import simulate_domains
    >>> world = simulate_domains(1000, n_latents=3, intervened=(2,), random_state=2)
    >>> model = DomainCounterfactuals(k=1).fit(world.rows, world.domain)
    >>> found = counterfactual_report(model, *world.draw(200, 1), truth=world.counterfactual)
    >>> found.error < found.identity_error, found.composition < 1e-20
    (True, True)
    """
    if (label_judge is None) != (labels is None):
        raise ParameterError(
            "E660", "a judge of labels needs the rows' labels.", "Give label_judge and labels, or neither."
        )
    rows = read_rows(X, model.shape_)
    own = read_labels(d, len(rows))
    kept = None if labels is None else read_labels(labels, len(rows))
    sums: dict[str, list[float]] = {}

    def note(**values: float) -> None:
        for name, value in values.items():
            sums.setdefault(name, []).append(value)

    present = [one for one in model.domains_ if (own == one).any()]
    for one in present:
        here = own == one
        x = rows[here]
        note(composition=apart(model.counterfactual(x, one, one), x))
        for other in model.domains_:
            if other == one:
                continue
            moved = model.counterfactual(x, one, other)
            note(moved=apart(moved, x), reversibility=apart(model.counterfactual(moved, other, one), x))
            if truth is not None:
                true = truth(x, one, other)
                note(error=apart(moved, true), identity_error=apart(x, true))
            if domain_judge is not None:
                seen, before = (float(np.mean(domain_judge(images) == other)) for images in (moved, x))
                note(effectiveness=seen, identity_effectiveness=before)
            if label_judge is not None and kept is not None:
                seen, before = (float(np.mean(label_judge(images) == kept[here])) for images in (moved, x))
                note(preservation=seen, identity_preservation=before)
    return CounterfactualReport(len(sums["moved"]), **{name: float(np.mean(values)) for name, values in sums.items()})


@dataclass(frozen=True)
class KSelection:
    """How the fit grows with the number of mechanisms that may differ.

    Attributes
    ----------
    k : int
        The smallest number whose validation loss is within the tolerance of sharing nothing.
    tolerance : float
        In nats a row.
    ks : tuple of int
    nll : tuple of float
        Validation loss of each, every domain counting the same.
    models : dict of int to DomainCounterfactuals
    moved : tuple of float
        How far the counterfactuals of each are from the rows.
    apart : tuple of float
        How far they are from those of the chosen one: where this is large, the choice matters.
    """

    k: int
    tolerance: float
    ks: tuple[int, ...]
    nll: tuple[float, ...]
    moved: tuple[float, ...]
    apart: tuple[float, ...]
    models: dict[int, DomainCounterfactuals] = field(repr=False)

    @property
    def model(self) -> DomainCounterfactuals:
        """The chosen model."""
        return self.models[self.k]

    def table(self, library: str = "pyarrow") -> Any:
        """Return one row for each k."""
        best = self.nll[-1]
        columns: dict[str, Sequence[Any]] = {
            "k": self.ks,
            "nll": self.nll,
            "above_dense": [value - best for value in self.nll],
            "within_tolerance": [value - best <= self.tolerance for value in self.nll],
            "moved": self.moved,
            "apart": self.apart,
            "chosen": [one == self.k for one in self.ks],
        }
        return make_frame(columns, library)


def select_k(
    X: Any, d: Any, *, ks: Sequence[int] | None = None, tolerance: float = 0.05, **settings: Any
) -> KSelection:
    """Choose how many mechanisms differ: the smallest k that fits about as well as sharing nothing.

    Likelihood alone prefers to share nothing, though its counterfactuals are the worst determined, and counterfactual
    errors are not known outside simulations. So k is taken from the likelihood of rows held out, with a tolerance.

    Parameters
    ----------
    X, d
        As in `DomainCounterfactuals.fit`.
    ks : sequence of int, optional
        By default 0 to m for a table; m is always added.
    tolerance : float
        Nats a row that validation may be worse than sharing nothing.
    **settings
        Of `DomainCounterfactuals`. The ``profile`` solver searches once for all k.

    Examples
    --------
    >>> from whence.systems.domains import simulate_domains
    >>> world = simulate_domains(2000, n_latents=3, intervened=(2,), random_state=2)
    >>> found = select_k(world.rows, world.domain)
    >>> found.k, found.ks
    (1, (0, 1, 2, 3))
    """
    if not tolerance >= 0:
        raise ParameterError("E660", f"tolerance={tolerance} is impossible.", "Give a number of nats from 0 up.")
    rows = read_rows(X)
    labels = read_labels(d, len(rows))
    first = DomainCounterfactuals(**{**settings, "k": 0})
    m = first.latent_dim or rows.shape[1]
    tried = sorted({*(range(m + 1) if ks is None else ks), m})
    check_settings(first, first._solver(), rows)
    _, codes = domains_of(labels, 2)
    kept, held = hold_out(codes, first.validation, np.random.default_rng(0))
    models = _fit_all(tried, settings, (rows[kept], labels[kept]), (rows[held], labels[held]))
    losses = [models[k].validation_nll_ for k in tried]
    k = next(one for one, loss in zip(tried, losses) if loss - losses[-1] <= tolerance)
    moves = {one: _moves(models[one], rows[held], labels[held]) for one in tried}
    return KSelection(
        k,
        tolerance,
        tuple(tried),
        tuple(losses),
        tuple(float(np.mean([apart(y, x) for y, x in moves[one]])) for one in tried),
        tuple(float(np.mean([apart(y, z) for (y, _), (z, _) in zip(moves[one], moves[k])])) for one in tried),
        models,
    )


def _fit_all(
    ks: Sequence[int],
    settings: dict[str, Any],
    rows: tuple[NDArray[Any], NDArray[Any]],
    validation: tuple[NDArray[Any], NDArray[Any]],
) -> dict[int, DomainCounterfactuals]:
    """Fit every k on the same rows; a search over starts that all have in common is made once."""
    models: dict[int, DomainCounterfactuals] = {}
    found = None
    for k in ks:
        model = models[k] = DomainCounterfactuals(**{**settings, "k": k})
        found = model._fit(*rows, *validation, found)
    return models


def _moves(model: DomainCounterfactuals, rows: NDArray[Any], labels: NDArray[Any]) -> list[tuple[Any, Any]]:
    pairs: list[tuple[Hashable, Hashable]] = list(permutations(model.domains_, 2))
    return [(model.counterfactual(x, one, other), x) for one, other in pairs if len(x := rows[labels == one])]


def apart(first: NDArray[Any], second: NDArray[Any]) -> float:
    """Return the mean squared difference over all entries."""
    return float(np.mean(np.square(np.asarray(first, dtype=np.float64) - second)))
