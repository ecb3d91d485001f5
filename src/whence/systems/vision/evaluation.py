"""How good a causal code and its counterfactuals are: disentanglement, effectiveness, identity, likeness."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from whence.errors import ParameterError, quote_names
from whence.models import Intervention
from whence.systems.vision._inputs import label_table

if TYPE_CHECKING:
    from whence.systems.vision.causal_diffae import CausalDiffAE

Array = NDArray[np.float64]
Truth = Callable[[Array, Intervention], Array]
"""From labels (n, k) and an intervention to what the labels would have been: a generator's own answer."""

KINDS = ("r2", "mcc", "dci", "identity", "effectiveness")


def evaluate(
    model: CausalDiffAE,
    kind: str,
    X: ArrayLike,
    labels: Any,
    *,
    do: Intervention | Mapping[str, Any] | None = None,
    reader: Reader | None = None,
    truth: Truth | None = None,
    steps: int = 50,
    refine: int = 5,
    strength: float = 1.0,
    random_state: int = 0,
) -> dict[str, float]:
    """Measure a fitted model on rows it was not trained on.

    Parameters
    ----------
    kind : str
        ``r2``: squared correlation of each block's mean with its label. ``mcc``: mean correlation of labels with the
        entries of the code matched to them one to one. ``dci``: see `dci`. ``identity``: relative error of rows whose
        variables are, one after another, set to their own label, from inverted noise (``ddim``) and from random noise
        (``noise``). ``effectiveness``: mean absolute difference, in standard deviations of each label, between what
        ``reader`` reads off the counterfactuals under ``do`` and what ``truth`` says.
    reader : Reader
        For effectiveness: trained on real rows, never on generated ones.
    truth : callable
        For effectiveness: see `Truth`.

    Raises
    ------
    ParameterError
        E656 for another kind, or a kind without what it needs.
    """
    known = label_table(labels, None, model.variables, len(np.asarray(X)))
    if kind == "r2":
        means = model.encode(X)[1].mean(axis=2)
        return {name: _correlation(means[:, i], known[:, i]) ** 2 for i, name in enumerate(model.variables)}
    if kind in ("dci", "mcc"):
        code = model.encode(X)[1].reshape(len(known), -1)
        return dci(code, known, random_state=random_state) if kind == "dci" else {"mcc": mcc(code, known)}
    if kind == "identity":
        sizes = {"steps": steps, "refine": refine, "random_state": random_state}
        found: dict[str, float] = {}
        for start in ("ddim", "noise"):
            errors = [
                relative_error(model.counterfactual(X, {name: known[:, i]}, abduction=start, **sizes), X)
                for i, name in enumerate(model.variables)
            ]
            found[start] = float(np.mean(errors))
        return found
    if kind != "effectiveness" or do is None or reader is None or truth is None:
        raise ParameterError(
            "E656",
            f"evaluate({kind!r}) cannot be computed from what was given.",
            f"Kinds: {quote_names(KINDS)}; effectiveness needs do=, reader= and truth=.",
        )
    changed = model.counterfactual(X, do, strength, steps, refine=refine)
    off = np.abs(reader.read(changed) - truth(known, Intervention.of(do))) / known.std(axis=0)
    return dict(zip(model.variables, off.mean(axis=0).tolist()))


class Reader:
    """Reads labels off rows: a small network trained on real rows, the judge of counterfactuals.

    Parameters
    ----------
    hidden : sequence of int
        Widths of the hidden layers.
    steps : int
        Of training, 256 rows each.
    device : str
    random_state : int

    Examples
    --------
    >>> from whence.systems.vision import pendulum
    >>> rows = pendulum.vectors(200)
    >>> Reader((8,), steps=10).fit(rows.X, rows.labels).read(rows.X[:2]).shape
    (2, 4)
    """

    def __init__(
        self, hidden: Sequence[int] = (256, 256), *, steps: int = 3000, device: str = "cpu", random_state: int = 0
    ) -> None:
        self.hidden = tuple(hidden)
        self.steps = steps
        self.device = device
        self.random_state = random_state

    def fit(self, X: ArrayLike, labels: ArrayLike) -> Reader:
        """Learn from rows of any shape (n, ...) and their labels (n, k)."""
        import torch

        from whence.nn import fit, mlp, reproducible

        rows, target = _flat(X), np.asarray(labels, dtype=np.float64)
        self.center_, self.scale_ = target.mean(axis=0), np.where(target.std(axis=0) > 0, target.std(axis=0), 1.0)
        self.shift_, self.spread_ = rows.mean(axis=0), max(float(rows.std()), 1e-12)
        x = torch.from_numpy(self._inside(rows))
        y = torch.from_numpy(((target - self.center_) / self.scale_).astype(np.float32))
        with reproducible(self.random_state):
            self.network_ = mlp([x.shape[1], *self.hidden, y.shape[1]], "silu")

        def batches(generator: torch.Generator) -> Any:
            chosen = torch.randint(len(x), (min(256, len(x)),), generator=generator)
            return x[chosen], y[chosen]

        def error(network: Any, batch: Any, step: int) -> Any:
            return (network(batch[0]) - batch[1]).square().mean()

        fit(
            self.network_,
            error,
            batches,
            steps=self.steps,
            learning_rate=2e-3,
            optimiser="adamw",
            schedule="cosine",
            average=0.99,
            device=self.device,
            random_state=self.random_state,
        )
        return self

    def read(self, X: ArrayLike) -> Array:
        """Return the labels (n, k) of rows, in the labels' units."""
        return self._run(X, len(self.network_)) * self.scale_ + self.center_  # type: ignore[no-any-return]

    def features(self, X: ArrayLike) -> Array:
        """Return the last hidden layer's values (n, width): what `frechet_distance` compares."""
        return self._run(X, len(self.network_) - 1)

    def _run(self, X: ArrayLike, layers: int) -> Array:
        import torch

        place = next(self.network_.parameters()).device
        with torch.no_grad():
            found = self.network_[:layers](torch.from_numpy(self._inside(_flat(X))).to(place))
        return np.asarray(found.cpu().numpy(), dtype=np.float64)

    def _inside(self, rows: Array) -> NDArray[np.float32]:
        return np.asarray((rows - self.shift_) / self.spread_, dtype=np.float32)


def dci(code: Array, factors: Array, *, random_state: int = 0) -> dict[str, float]:
    """Return disentanglement and completeness of a code (Eastwood and Williams 2018), each from 0 to 1.

    Importances of the m entries of the code for each of k factors are those of gradient-boosted trees. Disentanglement:
    one minus the entropy of an entry's importances over factors, entries weighted by theirs. Completeness: one minus
    the entropy of a factor's importances over entries, averaged over factors.

    Parameters
    ----------
    code : ndarray, shape (n, m)
    factors : ndarray, shape (n, k)
    """
    from sklearn.ensemble import GradientBoostingRegressor

    importance = np.column_stack(
        [
            GradientBoostingRegressor(n_estimators=40, max_depth=3, subsample=0.7, random_state=random_state)
            .fit(code, factor)
            .feature_importances_
            for factor in factors.T
        ]
    )
    by_entry, by_factor = importance.sum(axis=1), importance.sum(axis=0)
    return {
        "disentanglement": float(_purity(importance) @ (by_entry / by_entry.sum())),
        "completeness": float(_purity(importance.T) @ (by_factor / by_factor.sum())),
    }


def mcc(code: Array, factors: Array) -> float:
    """Return the mean absolute correlation of factors (n, k) with entries of a code (n, m) matched one to one."""
    from scipy.optimize import linear_sum_assignment

    size = np.array([[abs(_correlation(entry, factor)) for entry in code.T] for factor in factors.T])
    return float(size[linear_sum_assignment(-size)].mean())


def relative_error(found: ArrayLike, wanted: ArrayLike) -> float:
    """Return the size of the difference divided by the size of what was wanted."""
    a, b = np.asarray(found, dtype=np.float64), np.asarray(wanted, dtype=np.float64)
    return float(np.linalg.norm(a - b) / np.linalg.norm(b))


def frechet_distance(one: Array, other: Array) -> float:
    """Return the Fréchet distance of two sets of features (n, m), each taken for normal (Heusel et al. 2017)."""
    from scipy.linalg import sqrtm

    a, b = np.cov(one.T), np.cov(other.T)
    between = np.real(sqrtm(a @ b + 1e-9 * np.eye(len(a))))
    gap = one.mean(axis=0) - other.mean(axis=0)
    return float(max(gap @ gap + np.trace(a + b - 2.0 * between), 0.0))


def _purity(importance: Array) -> Array:
    """Return one minus the entropy of each row, in units of the largest possible."""
    share = importance / np.maximum(importance.sum(axis=1, keepdims=True), 1e-12)
    entropy = -(share * np.log(np.where(share > 0, share, 1.0))).sum(axis=1)
    return 1.0 - entropy / np.log(max(importance.shape[1], 2))  # type: ignore[no-any-return]


def _correlation(one: Array, other: Array) -> float:
    both = ~np.isnan(other)
    if np.ptp(one[both]) == 0 or np.ptp(other[both]) == 0:
        return 0.0
    return float(np.corrcoef(one[both], other[both])[0, 1])


def _flat(X: ArrayLike) -> Array:
    rows = np.asarray(X, dtype=np.float64)
    return rows.reshape(len(rows), -1)
