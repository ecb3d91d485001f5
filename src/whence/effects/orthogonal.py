"""Orthogonal scores: estimates that errors of the nuisances reach only through their products."""

from __future__ import annotations

import numpy as np

from whence.effects.crossfit import floored
from whence.effects.fitted import ContrastFit, Nuisances, Score
from whence.effects.sums import Array, Labels


def weighted_mean_score(values: Array, weights: Array) -> Score:
    """Return a weighted mean, its weights normalised, as a score."""
    total = weights.mean()
    mean = float((weights @ values) / len(values) / total)
    return Score.of(mean, weights * (values - mean) / total)


def partialling_out(outcome: Array, treatment: Array, expected_outcome: Array, expected_treatment: Array) -> Score:
    """Return the slope of outcome residuals on treatment residuals.

    Chernozhukov et al. (2018), equation 4.4: the score ``(Y - l(X) - theta (D - m(X))) (D - m(X))``.
    """
    moved = treatment - expected_treatment
    left = outcome - expected_outcome
    spread = float(moved @ moved) / len(moved)
    slope = float(moved @ left) / len(moved) / spread
    return Score.of(slope, moved * (left - slope * moved) / spread)


def augmented_contrast(
    outcome: Array, codes: Labels, nuisances: Nuisances, arm: int, population: str, *, normalise: bool
) -> ContrastFit:
    """Return the contrast of an arm with the reference from one split.

    Parameters
    ----------
    population : str
        ``"all"``: augmented inverse-propensity means of both arms over all rows, Robins, Rotnitzky and Zhao (1994) and
        Chernozhukov et al. (2018), equation 5.3. ``"treated"``: over the arm's rows, equation 5.4. ``"overlap"``: rows
        weighted by the product of the two arms' probabilities among their rows; the efficient score of Crump et al.
        (2006) is then the partialling-out score with ``l(X) = mu0 + e (mu1 - mu0)``.
    normalise : bool
        Divide by the sum of the weights instead of their expectation.
    """
    if population == "overlap":
        return ContrastFit(_overlap_contrast(outcome, codes, nuisances, arm), arm, 0)
    if population == "treated":
        means = (_own_mean(outcome, codes == arm), _mean_for_arm(outcome, codes, nuisances, arm, normalise=normalise))
    else:
        means = (
            _mean_for_all(outcome, codes, nuisances, arm, normalise=normalise),
            _mean_for_all(outcome, codes, nuisances, 0, normalise=normalise),
        )
    return ContrastFit(means[0] - means[1], arm, 0, *means)


def _mean_for_all(outcome: Array, codes: Labels, nuisances: Nuisances, arm: int, *, normalise: bool) -> Score:
    predicted = nuisances.outcome[:, arm]
    weights = (codes == arm) / floored(nuisances.treatment[:, arm])
    return _sum(Score.of_mean(predicted), _correction(outcome - predicted, weights, None, normalise))


def _mean_for_arm(outcome: Array, codes: Labels, nuisances: Nuisances, arm: int, *, normalise: bool) -> Score:
    """Return the mean that the arm's rows would have had at the reference."""
    predicted = nuisances.outcome[:, 0]
    inside = (codes == arm).astype(np.float64)
    odds = nuisances.treatment[:, arm] / floored(nuisances.treatment[:, 0])
    weights = (codes == 0) * odds
    return _sum(weighted_mean_score(predicted, inside), _correction(outcome - predicted, weights, inside, normalise))


def _own_mean(outcome: Array, inside: Array) -> Score:
    return weighted_mean_score(outcome, inside.astype(np.float64))


def _correction(residuals: Array, weights: Array, inside: Array | None, normalise: bool) -> Score:
    """Return the weighted mean residual, over the sum of the weights or of what they add up to on average."""
    if normalise:
        return weighted_mean_score(residuals, weights)
    if inside is None:
        return Score.of_mean(weights * residuals)
    mean = float((weights @ residuals) / inside.sum())
    return Score.of(mean, (weights * residuals - mean * inside) / inside.mean())


def _sum(a: Score, b: Score) -> Score:
    return Score.of(a.value + b.value, a.influence + b.influence)


def _overlap_contrast(outcome: Array, codes: Labels, nuisances: Nuisances, arm: int) -> Score:
    inside = np.flatnonzero((codes == arm) | (codes == 0))
    e = nuisances.treatment[inside][:, [0, arm]]
    propensity = e[:, 1] / e.sum(axis=1)
    mu = nuisances.outcome[inside]
    expected = mu[:, 0] + propensity * (mu[:, arm] - mu[:, 0])
    among = partialling_out(outcome[inside], (codes[inside] == arm).astype(np.float64), expected, propensity)
    influence = np.zeros(len(outcome))
    influence[inside] = among.influence * len(outcome) / len(inside)
    return Score(among.value, influence, among.variance)
