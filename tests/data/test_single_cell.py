"""AnnData as a table: zeros stay zeros, sparse and dense alike, and what is not there is said."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from whence.data.single_cell import read_anndata
from whence.errors import DataError, MissingExtra

COUNTS = np.array([[0, 2, 0, 1], [1, 0, 0, 0], [3, 5, 0, 1], [0, 7, 0, 0]], dtype=float)
GENES = ["SOX9", "AMH", "SILENT", "DAX1"]


def cells(matrix=COUNTS, **layers):
    return SimpleNamespace(X=matrix, var_names=GENES, layers=layers)


@pytest.mark.parametrize("make", [np.asarray, csr_matrix], ids=["dense", "sparse"])
def test_genes_become_columns_and_zeros_stay(make):
    data = read_anndata(cells(make(COUNTS)))
    assert data.names == ("SOX9", "AMH", "DAX1")
    np.testing.assert_array_equal(data.numeric(), COUNTS[:, [0, 1, 3]])
    assert {str(kind) for kind in data.kinds().values()} == {"count"}
    assert "1 of 4 genes were left out" in data.notes[0]


def test_a_gene_of_two_values_is_a_count_and_no_binary_column():
    assert str(read_anndata(cells(), genes=["DAX1", "SOX9"]).kinds()["DAX1"]) == "count"


def test_transformed_values_are_continuous():
    data = read_anndata(cells(), layer=None)
    logs = read_anndata(cells(COUNTS, logs=np.log1p(COUNTS)), layer="logs")
    assert {str(kind) for kind in logs.kinds().values()} == {"continuous"}
    np.testing.assert_allclose(logs.numeric(), np.log1p(data.numeric()))


def test_genes_are_chosen_in_order_and_by_their_zeros():
    assert read_anndata(cells(), genes=["AMH", "SOX9"]).names == ("AMH", "SOX9")
    assert read_anndata(cells(), most_zeros=0.3).names == ("AMH",)


@pytest.mark.parametrize(
    ("settings", "code", "match"),
    [
        ({"genes": ["SOX8"]}, "E123", "'SOX8'"),
        ({"layer": "raw"}, "E123", "'raw'"),
        ({"most_zeros": 0.1}, "E101", "no gene is left"),
    ],
)
def test_what_is_not_there_is_said(settings, code, match):
    with pytest.raises(DataError, match=match) as caught:
        read_anndata(cells(), **settings)
    assert caught.value.code == code


def test_other_objects_are_refused():
    with pytest.raises(DataError, match="no AnnData object"):
        read_anndata({"a": [1, 2]})
    with pytest.raises(DataError, match="no matrix"):
        read_anndata(SimpleNamespace(X=None, var_names=GENES))


def test_a_file_needs_the_package(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "anndata", None)
    with pytest.raises(MissingExtra, match=r"whence\[cells\]"):
        read_anndata(tmp_path / "cells.h5ad")


def test_a_file_is_read_by_the_package(tmp_path, monkeypatch):
    path = tmp_path / "cells.h5ad"
    monkeypatch.setitem(
        sys.modules, "anndata", SimpleNamespace(read_h5ad=lambda given: cells() if given == path else None)
    )
    with pytest.raises(DataError, match="no file"):
        read_anndata(path)
    path.write_bytes(b"stands for a file")
    assert read_anndata(path).source == "cells.h5ad"
