"""Digits turned and coloured by domain, rendered from the images that come with scikit-learn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whence.errors import ParameterError
from whence.parallel import RandomState, generator

COLOURS = np.array(
    [[1.0, 0.25, 0.25], [0.25, 1.0, 0.25], [0.3, 0.3, 1.0], [1.0, 1.0, 0.2], [1.0, 0.2, 1.0], [0.2, 1.0, 1.0]]
)


@dataclass(frozen=True, eq=False)
class DigitDomains:
    """Images of digits in two domains: upright, and turned by 90 degrees.

    Attributes
    ----------
    images : ndarray (n, 3, 8, 8)
        Red, green and blue in [0, 1].
    domain : ndarray (n,)
        0 upright, 1 turned.
    digit : ndarray (n,)
    colour : ndarray (n,)
        Index of one of six colours.
    """

    images: NDArray[np.float32]
    domain: NDArray[np.int64]
    digit: NDArray[np.int64]
    colour: NDArray[np.int64]

    def __getitem__(self, rows: Any) -> DigitDomains:
        return DigitDomains(self.images[rows], self.domain[rows], self.digit[rows], self.colour[rows])

    def __len__(self) -> int:
        return len(self.images)


def digit_domains(
    *, digits: tuple[int, ...] = (0, 1, 2), favoured: float = 0.5, random_state: RandomState = 0
) -> tuple[DigitDomains, DigitDomains]:
    """Return digits for training and for testing, each image in one domain chosen at random.

    Digit number y (its place in ``digits``) of domain d has colour ``2 d + y`` with probability ``favoured``, else one
    of the five others: colour goes with domain and digit by construction (Zhou et al. 2024, CRMNIST). A test on digits
    alone must not see colours; `judges_of_digits` are trained on colours drawn evenly.

    Parameters
    ----------
    favoured : float
        Probability of the colour that goes with domain and digit; 1/6 draws colours evenly.

    Returns
    -------
    training, testing : DigitDomains
        Four fifths and one fifth of the images, which are 8 by 8 pixels of the UCI optical digits.

    Examples
    --------
    >>> training, testing = digit_domains()
    >>> training.images.shape, len(testing)
    ((429, 3, 8, 8), 108)
    """
    from sklearn.datasets import load_digits

    if not digits or not set(digits) <= set(range(10)) or len(digits) > 4 or not 0 <= favoured <= 1:
        raise ParameterError(
            "E660", f"digits={digits}, favoured={favoured} are impossible.", "Give up to four of 0 to 9, and a share."
        )
    rng = generator(random_state)
    bundled = load_digits()
    kept = rng.permutation(np.flatnonzero(np.isin(bundled.target, digits)))
    grey = bundled.images[kept] / 16.0
    digit = np.searchsorted(np.sort(digits), bundled.target[kept])
    domain = rng.integers(2, size=len(kept))
    grey[domain == 1] = np.rot90(grey[domain == 1], axes=(1, 2))
    own = 2 * domain + digit
    others = (own + rng.integers(1, len(COLOURS), size=len(kept))) % len(COLOURS)
    colour = np.where(rng.random(len(kept)) < favoured, own, others)
    images = (grey[:, None] * COLOURS[colour][:, :, None, None]).astype(np.float32)
    drawn = DigitDomains(images, domain, np.sort(digits)[digit], colour)
    cut = len(kept) * 4 // 5
    return drawn[slice(0, cut)], drawn[slice(cut, None)]


def judges_of_digits(random_state: int = 0) -> tuple[Any, Any]:
    """Return two classifiers of images (n, 3, 8, 8): of the domain and of the digit, to whom colour says nothing.

    They look at the brightest channel of each pixel, and are trained on colours that are drawn evenly.

    Examples
    --------
    >>> domain, digit = judges_of_digits()
    >>> _, testing = digit_domains()
    >>> bool((digit(testing.images) == testing.digit).mean() > 0.95)
    True
    """
    from sklearn.svm import SVC

    drawn, _ = digit_domains(favoured=1 / 6, random_state=random_state)
    seen, targets = _brightest(drawn.images), (drawn.domain, drawn.digit)
    trained = [SVC(C=10.0, gamma="scale").fit(seen, target) for target in targets]
    domain, digit = trained
    return (lambda images: domain.predict(_brightest(images))), (lambda images: digit.predict(_brightest(images)))


def _brightest(images: NDArray[Any]) -> NDArray[np.float64]:
    brightest: NDArray[np.float64] = np.asarray(images, dtype=np.float64).max(axis=1).reshape(len(images), -1)
    return brightest
