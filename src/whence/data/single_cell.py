"""Single-cell expression from AnnData: the genes as columns, zeros kept as zeros."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whence.data.dataset import Dataset
from whence.data.memory import MemoryTable
from whence.data.reading import check_names, column_of
from whence.errors import DataError, MissingExtra, quote_names, suggest


def read_anndata(
    source: Any, *, genes: Iterable[str] | None = None, layer: str | None = None, most_zeros: float = 1.0
) -> Dataset:
    """Read cells from an AnnData object or an ``.h5ad`` file into a Dataset of one column for each gene.

    Parameters
    ----------
    source : AnnData or path
        An object with ``X`` of shape (cells, genes), dense or sparse, and ``var_names``; or the path of an ``.h5ad``
        file, for which the package ``anndata`` is needed.
    genes : iterable of str, optional
        The genes to read, in this order; all by default, which a search cannot take beyond some hundred.
    layer : str, optional
        A layer in the place of ``X``, such as ``"counts"``.
    most_zeros : float
        Genes with a larger share of zeros, and those that are zero in every cell, are left out; ``notes`` says how
        many.

    Returns
    -------
    Dataset
        Genes are counts if every value is a whole number from zero up, else continuous numbers, also where a gene takes
        two values only.

    Raises
    ------
    MissingExtra
        For a path, if the package ``anndata`` is not installed.
    DataError
        For a file, a layer or a gene that does not exist, a source that is no AnnData, or if no gene is left.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> cells = SimpleNamespace(X=np.array([[0.0, 2.0], [1.0, 0.0], [3.0, 5.0]]), var_names=["SOX9", "AMH"], layers={})
    >>> read_anndata(cells).kinds()["SOX9"]
    <Kind.COUNT: 'count'>
    """
    cells = _opened(source)
    names = [str(name) for name in cells.var_names]
    matrix = cells.X if layer is None else _layer(cells, layer)
    if matrix is None:
        raise DataError("E105", "the AnnData object holds no matrix X.", f"Choose a layer: {_known_layers(cells)}.")
    chosen = names if genes is None else list(genes)
    check_names(chosen, "the cells")
    place = {name: k for k, name in enumerate(names)}
    absent = [name for name in chosen if name not in place]
    if absent:
        raise DataError("E123", f"there is no gene {quote_names(absent, 4)}.", suggest(absent[0], names))
    values = _dense(matrix, [place[name] for name in chosen])
    rates = (values == 0).mean(axis=0) if len(values) else np.ones(len(chosen))
    kept = [k for k, rate in enumerate(rates) if rate < 1.0 and rate <= most_zeros]
    if not kept:
        raise DataError(
            "E101",
            f"no gene is left: the fewest zeros are {rates.min(initial=1.0):.1%} of the cells.",
            "Raise most_zeros, or check the layer.",
        )
    notes = []
    if len(kept) < len(chosen):
        notes.append(
            f"{len(chosen) - len(kept):,} of {len(chosen):,} genes were left out: zero in every cell, or in more than "
            f"{most_zeros:.0%} of them."
        )
    return _dataset(values[:, kept], [chosen[k] for k in kept], source, notes)


def _opened(source: Any) -> Any:
    if isinstance(source, (str, Path)):
        try:
            anndata = import_module("anndata")
        except ImportError as error:
            raise MissingExtra.of("anndata", "cells", "read_anndata of a file") from error
        if not Path(source).is_file():
            raise DataError("E106", f"there is no file {str(source)!r}.", "Check the path.")
        return anndata.read_h5ad(source)
    if not (hasattr(source, "X") and hasattr(source, "var_names")):
        raise DataError(
            "E105",
            f"a {type(source).__name__} is no AnnData object: it lacks X or var_names.",
            "Pass an AnnData object or the path of an .h5ad file; other tables go to whence.read.",
        )
    return source


def _layer(cells: Any, layer: str) -> Any:
    layers = getattr(cells, "layers", None) or {}
    if layer not in layers:
        raise DataError("E123", f"there is no layer {layer!r}.", f"Layers: {_known_layers(cells)}.")
    return layers[layer]


def _known_layers(cells: Any) -> str:
    return quote_names(list(getattr(cells, "layers", None) or {})) or "none"


def _dense(matrix: Any, columns: list[int]) -> NDArray[np.float64]:
    """Return columns of a dense or sparse matrix as an array; only these are made dense."""
    part = matrix.tocsc()[:, columns].toarray() if hasattr(matrix, "tocsc") else np.asarray(matrix)[:, columns]
    return np.asarray(part, dtype=np.float64)


def _dataset(values: NDArray[np.float64], names: list[str], source: Any, notes: list[str]) -> Dataset:
    import pyarrow as pa

    present = values[~np.isnan(values)]
    kind = "count" if (present >= 0).all() and (np.floor(present) == present).all() else "continuous"
    arrays = [pa.array(np.ascontiguousarray(column), mask=np.isnan(column)) for column in values.T]
    table = pa.table(arrays, names=names)
    columns = [column_of(name, table.column(name), kind=kind) for name in names]
    label = Path(source).name if isinstance(source, (str, Path)) else "the cells"
    return Dataset(MemoryTable(table), columns, source=label, notes=notes)
