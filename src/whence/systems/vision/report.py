"""One self-contained HTML page of counterfactual images: the images, the labels read off them, the graph."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from whence.errors import ParameterError
from whence.models import Intervention
from whence.results import write_atomically

if TYPE_CHECKING:
    from whence.systems.vision.causal_diffae import CausalDiffAE

_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1d2433;background:#fff}
.scroll{overflow-x:auto}table{border-collapse:collapse;margin:1rem 0}
td,th{padding:.3rem .6rem;border-bottom:1px solid #d9dde5}
td{text-align:right;font-variant-numeric:tabular-nums}th{text-align:left}
img{image-rendering:pixelated;height:96px;display:block}
.note{background:#fff6df;padding:.6rem 1rem;border-radius:6px}svg{max-width:100%;height:auto}
"""


def write_report(
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
    pictures = [(_png((a - low) / (1 - low)), _png((b - low) / (1 - low))) for a, b in zip(shown, changed)]
    return write_atomically(path, _page(model, asked, pictures, before, after))


def _page(model: CausalDiffAE, asked: Intervention, pictures: Any, before: Any, after: Any) -> str:
    heads = "".join(f"<th>{escape(name)}</th>" for name in model.variables)
    lines = [
        f'<tr><td><img alt="image {row + 1}" src="{old}"></td><td><img alt="its counterfactual" src="{new}"></td>'
        + "".join(f"<td>{a:.3g} → {b:.3g}</td>" for a, b in zip(before[row], after[row]))
        + "</tr>"
        for row, (old, new) in enumerate(pictures)
    ]
    moved = "".join(f"<td>{shift:+.3g}</td>" for shift in (after - before).mean(axis=0))
    notes = "".join(f'<p class="note">{escape(note)}</p>' for note in model.warnings_)
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Counterfactual images</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style>'
        f"<h1>{escape(repr(asked))}</h1><p>What {len(pictures)} images would have been, and the labels that the "
        f"model's code stands for before and after.</p>{notes}{model.graph.to_svg()}"
        f'<div class="scroll"><table><tr><th>image</th><th>would be</th>{heads}</tr>{"".join(lines)}'
        f"<tr><th colspan=2>mean change</th>{moved}</tr></table></div></html>\n"
    )


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
