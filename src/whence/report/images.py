"""One self-contained HTML page of counterfactual images: the images, the labels read off them, the graph."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from whence.errors import ParameterError
from whence.models import Intervention
from whence.report.pieces import Table
from whence.report.render import render_page
from whence.results import write_atomically
from whence.systems.vision import CausalDiffAE

_CSS = """
.images{display:flex;flex-wrap:wrap;gap:12px}.images figure{margin:0}
.images img{image-rendering:pixelated;height:96px}.images figcaption{text-align:center}
"""


@dataclass(frozen=True, slots=True)
class ImagePage:
    """What the page shows: addresses of pictures before and after, the labels of each, their mean change last."""

    title: str
    warnings: tuple[str, ...]
    images: tuple[tuple[str, str], ...]
    labels: Table
    graph: str


def write_image_report(
    model: CausalDiffAE,
    X: ArrayLike,
    do: Intervention | Mapping[str, Any],
    path: str | Path,
    *,
    rows: int = 12,
    **settings: Any,
) -> Path:
    """Write what images would have been under an intervention as one HTML page.

    Parameters
    ----------
    model : CausalDiffAE
        Fitted on images.
    X : array
        Images; the first ``rows`` are shown.
    do : Intervention or mapping
    path : str or Path
    **settings
        For `CausalDiffAE.counterfactual`.

    Raises
    ------
    ParameterError
        E658 for a model of vectors.
    """
    shown = np.asarray(X, dtype=np.float64)[:rows]
    if shown.ndim < 3:
        raise ParameterError("E658", "vectors cannot be shown as images.", "Use model.counterfactual(X, do) instead.")
    asked = Intervention.of(do)
    asked = asked.rows(slice(rows))
    changed = model.counterfactual(shown, asked, **settings)
    before, after = model.read_labels(shown), model.read_labels(changed)
    low = 0.0 if shown.min() >= 0 else -1.0
    changes = [[f"{a:.3g} → {b:.3g}" for a, b in zip(*row)] for row in zip(before, after)]
    moved = [f"{shift:+.3g}" for shift in (after - before).mean(axis=0)]
    page = ImagePage(
        title=repr(asked),
        warnings=model.warnings_,
        images=tuple((_png((a - low) / (1 - low)), _png((b - low) / (1 - low))) for a, b in zip(shown, changed)),
        labels=Table(
            ("image", *model.variables),
            (*((str(number), *row) for number, row in enumerate(changes, start=1)), ("mean change", *moved)),
            frozenset(range(1, len(model.variables) + 1)),
        ),
        graph=model.graph.to_svg(),
    )
    return write_atomically(path, render_page("images.html", page, _CSS))


def _png(image: NDArray[np.float64]) -> str:
    """Return an image (C, H, W) or (H, W) in [0, 1] as the address of a PNG, grey or in colour."""
    pixels = image[None] if image.ndim == 2 else image
    pixels = pixels[:3] if len(pixels) >= 3 else pixels[:1]
    bytes_ = np.round(np.clip(pixels, 0.0, 1.0) * 255).astype(np.uint8).transpose(1, 2, 0)
    height, width, channels = bytes_.shape
    lines = b"".join(b"\0" + line.tobytes() for line in bytes_)
    head = struct.pack(">IIBBBBB", width, height, 8, 2 if channels == 3 else 0, 0, 0, 0)
    parts = [(b"IHDR", head), (b"IDAT", zlib.compress(lines)), (b"IEND", b"")]
    content = b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in parts
    )
    return "data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n\x1a\n" + content).decode()
