"""The protocol of ETH-UCY, and a channel that foretells the future for the wrong reason; for benchmarks only.

Nothing of this belongs into an application: the channel is computed from the very future that is to be forecast.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np

from whence.errors import DataError, ParameterError
from whence.systems.motion.readers import read_eth_ucy
from whence.systems.motion.scenes import Scenes

# The recordings of each of the five places.
ETH_UCY_PLACES: dict[str, tuple[str, ...]] = {
    "eth": ("biwi_eth",),
    "hotel": ("biwi_hotel",),
    "univ": ("students001", "students003", "uni_examples"),
    "zara1": ("crowds_zara01",),
    "zara2": ("crowds_zara02", "crowds_zara03"),
}
_TESTED = {"univ": ("students001", "students003"), "zara2": ("crowds_zara02",)}  # fewer than are trained on


def read_places(
    folder: str | Path, *, test: str, split: Literal["train", "val", "test"], **settings: Any
) -> dict[str, Scenes]:
    """Read ETH-UCY as in the leave-one-place-out protocol.

    Parameters
    ----------
    folder : path
        Holds ``PLACE/train``, ``PLACE/val`` and ``PLACE/test`` for each place, as published with the forecasters; the
        parts for training that are not in the folder of the place tested are looked up in those of the others.
    test : str
        The place left out: eth, hotel, univ, zara1 or zara2.
    split : {"train", "val", "test"}
        The other places' parts for training or for choosing a model, or the whole of the place left out.
    **settings
        Of `read_eth_ucy`.

    Returns
    -------
    dict of str to Scenes
        By place, which is the scenes' domain.

    Raises
    ------
    DataError
        E106 for a file that is not there.
    ParameterError
        E301 for a place that does not exist.
    """
    if test not in ETH_UCY_PLACES:
        known = ", ".join(ETH_UCY_PLACES)
        raise ParameterError("E301", f"there is no place named {test!r} in ETH-UCY.", f"Known: {known}.")
    root = Path(folder)
    if split == "test":
        files = [root / test / "test" / f"{name}.txt" for name in _TESTED.get(test, ETH_UCY_PLACES[test])]
        return {test: read_eth_ucy(files, domain=test, **settings)}
    return {
        place: read_eth_ucy([_part(root, name, split) for name in names], domain=place, **settings)
        for place, names in ETH_UCY_PLACES.items()
        if place != test
    }


def _part(root: Path, name: str, split: str) -> Path:
    for place in ETH_UCY_PLACES:
        path = root / place / split / f"{name}_{split}.txt"
        if path.is_file():
            return path
    raise DataError(
        "E106", f"there is no file '{name}_{split}.txt' below {str(root)!r}.", "Give the folder that holds the places."
    )


class SpuriousChannel:
    """Append a channel that is no cause of motion, yet foretells it: how much the speed will change, times alpha.

    With v_t the displacement of step t, gamma_t = |v_(t+8) - v_t| looks 8 steps ahead, and the channel is
    sigma_t = alpha (gamma_t + 1). Each place of training has an alpha of its own; another alpha in the test is a shift
    that only a forecaster which leans on the channel notices.

    Parameters
    ----------
    alpha : float
        Positive.

    Examples
    --------
    >>> from whence.systems.motion import simulate_orca
    >>> SpuriousChannel(4.0)(simulate_orca(2, 0.3, random_state=0)).channels.shape
    (4, 8, 1)
    """

    def __init__(self, alpha: float) -> None:
        if not alpha > 0:
            raise ParameterError("E633", f"alpha={alpha!r} is out of range.", "Give a positive number.")
        self.alpha = float(alpha)

    def __call__(self, scenes: Scenes) -> Scenes:
        """Return the scenes with one more channel.

        Raises
        ------
        DataError
            E627 if the future is shorter than what was observed.
        """
        observed = scenes.observed
        if scenes.steps_ahead < observed:
            raise DataError("E627", "the channel looks further ahead than the scenes reach.", "Cut longer windows.")
        steps = np.diff(scenes.positions, axis=1, prepend=scenes.positions[:, :1])  # v_0 = 0
        change = np.linalg.norm(steps[:, observed : 2 * observed] - steps[:, :observed], axis=2)
        sigma = self.alpha * (change + 1.0)
        return scenes.with_channels(np.concatenate([scenes.channels, sigma[..., None]], axis=2))
