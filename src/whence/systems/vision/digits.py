"""Handwritten digits whose stroke width causes their brightness, in the manner of Morpho-MNIST.

`morphed_digits` makes them from the 8 x 8 digits that scikit-learn carries, without any download: enlarged, thinned or
thickened to a drawn width, then given a brightness that depends on the width. `read_morpho_mnist` reads the published
files. The model is that of Pawlowski, Castro and Glocker (2020), section 4.1 (and Castro et al. 2019):
``thickness = 0.5 + Gamma(10, rate 5)``, ``intensity = 64 + 191 sigmoid(2 (thickness - 2.5) + 0.5 e)``.
"""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from whence.errors import DataError, ParameterError
from whence.graph import Graph
from whence.models import Intervention
from whence.parallel import RandomState, generator
from whence.systems.vision.pendulum import Scenes

Array = NDArray[np.float64]

VARIABLES = ("thickness", "intensity")
GRAPH = Graph.from_edges(["thickness -> intensity"])
_PIXELS = 28


def intensity(thickness: ArrayLike, noise: ArrayLike) -> Array:
    """Return the brightness, 64 to 255, of strokes of a thickness in pixels; noise of standard deviation 1."""
    logit = 2.0 * (np.asarray(thickness, float) - 2.5) + 0.5 * np.asarray(noise, float)
    return 64.0 + 191.0 / (1.0 + np.exp(-logit))


def truth(labels: Array, do: Intervention | Mapping[str, Any]) -> Array:
    """Return what the labels (n, 2) would have been under an intervention, each row keeping its noise."""
    asked = Intervention.of(do).check(VARIABLES)
    share = np.clip((labels[:, 1] - 64.0) / 191.0, 1e-4, 1.0 - 1e-4)
    noise = (np.log(share / (1.0 - share)) - 2.0 * (labels[:, 0] - 2.5)) / 0.5
    thickness = asked.apply("thickness", np.array(labels[:, 0], dtype=float))
    return np.column_stack([thickness, asked.apply("intensity", intensity(thickness, noise))])


def morphed_digits(rows: int, *, random_state: RandomState = 0) -> Scenes:
    """Return grey images (rows, 1, 28, 28) in [0, 1] of digits with drawn thickness and intensity.

    Each digit is one of scikit-learn's 1,797, enlarged and thinned to lines; strokes are all pixels nearer to these
    than half the thickness, edges smoothed over one pixel. Digits repeat where more rows are asked for.

    Examples
    --------
    >>> drawn = morphed_digits(3)
    >>> drawn.X.shape, drawn.labels.shape
    ((3, 1, 28, 28), (3, 2))
    """
    from scipy.ndimage import distance_transform_edt, gaussian_filter, zoom
    from sklearn.datasets import load_digits

    if rows < 1:
        raise ParameterError("E651", f"rows={rows} asks for no image.", "Give a number from 1 up.")
    rng = generator(random_state)
    small = load_digits().images / 16.0
    thickness = 0.5 + rng.gamma(10.0, 1.0 / 5.0, size=rows)
    labels = np.column_stack([thickness, intensity(thickness, rng.normal(size=rows))])
    chosen = rng.permutation(np.resize(np.arange(len(small)), rows))
    wanted, place = np.unique(chosen, return_inverse=True)
    large = gaussian_filter(zoom(small[wanted], (1, 2.5, 2.5), order=1), (0, 0.6, 0.6))
    ridges = thinned(np.pad(large, ((0, 0), (4, 4), (4, 4))) > 0.4)
    away = np.array([distance_transform_edt(~ridge) for ridge in ridges])[place]
    drawn = np.clip(0.5 + thickness[:, None, None] / 2 - away, 0.0, 1.0)
    return Scenes((drawn * labels[:, 1, None, None] / 255.0)[:, None], labels)


def thinned(shapes: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the lines one pixel wide in the middle of shapes (n, H, W), by the algorithm of Zhang and Suen (1984)."""
    left = np.pad(np.array(shapes), ((0, 0), (1, 1), (1, 1)))
    changed = True
    while changed:
        changed = False
        for half in (0, 1):
            # The eight neighbours, clockwise from the one above.
            steps = [(-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1)]
            around = np.array([np.roll(left, (-down, -right), (1, 2)) for down, right in steps])
            count = around.sum(axis=0)
            rises = (~around & np.roll(around, -1, axis=0)).sum(axis=0)
            above, right, below, beside = around[0], around[2], around[4], around[6]
            inner = right & below & (above | beside) if half == 0 else above & beside & (right | below)
            gone = left & (count >= 2) & (count <= 6) & (rises == 1) & ~inner
            changed |= bool(gone.any())
            left &= ~gone
    return left[:, 1:-1, 1:-1]


def read_morpho_mnist(folder: str | Path, split: str = "t10k") -> tuple[Scenes, NDArray[np.int64] | None]:
    """Read the published files ``SPLIT-images-idx3-ubyte.gz``, ``SPLIT-morpho.csv`` and, if there, the digits' classes.

    Returns
    -------
    rows : Scenes
        Images (n, 1, 28, 28) in [0, 1]; labels thickness and intensity.
    classes : ndarray of int, shape (n,), or None

    Raises
    ------
    DataError
        E657 if a file is missing or is not what its name says.
    """
    place = Path(folder)
    try:
        table = np.genfromtxt(place / f"{split}-morpho.csv", delimiter=",", names=True)
        labels = np.column_stack([table[name] for name in VARIABLES])
        images = _idx(place / f"{split}-images-idx3-ubyte.gz")
        classes = place / f"{split}-labels-idx1-ubyte.gz"
        kinds = _idx(classes).astype(np.int64) if classes.is_file() else None
    except (OSError, EOFError, ValueError, IndexError) as error:
        raise DataError(
            "E657",
            f"Morpho-MNIST cannot be read from {str(folder)!r}: {error}.",
            f"The folder must hold {split}-images-idx3-ubyte.gz, and {split}-morpho.csv with thickness and intensity.",
        ) from error
    if images.ndim != 3 or len(images) != len(labels):
        raise DataError("E657", f"{len(images)} images do not go with {len(labels)} rows of labels.", "Take one split.")
    return Scenes(images[:, None] / 255.0, labels), kinds


def _idx(path: Path) -> NDArray[np.uint8]:
    """Read a file in the IDX format of MNIST."""
    content = gzip.decompress(path.read_bytes())
    axes = content[3]
    shape = tuple(int(size) for size in np.frombuffer(content, ">i4", axes, offset=4))
    return np.frombuffer(content, np.uint8, offset=4 + 4 * axes).reshape(shape)
