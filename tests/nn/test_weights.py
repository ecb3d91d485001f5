"""A network as a folder: strict, whole or not at all, and clear about what does not fit."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import whence as wh
from whence.nn import load, load_into, mlp, save


@dataclass
class Widths:
    inner: int = 3


def test_numbers_and_settings_come_back(tmp_path: Path):
    model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Linear(3, 1).double())
    config = {"widths": Widths(), "rates": np.array([0.1, 0.2]), "names": ("a", "b"), "n": np.int64(4), "none": None}
    assert save(tmp_path / "deep" / "model", model, config) == tmp_path / "deep" / "model"
    read, state = load(tmp_path / "deep" / "model")
    assert read == {"widths": {"inner": 3}, "rates": [0.1, 0.2], "names": ["a", "b"], "n": 4, "none": None}
    again = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Linear(3, 1).double())
    load_into(again, state)
    for name, tensor in model.state_dict().items():
        assert torch.equal(again.state_dict()[name], tensor)
        assert state[name].dtype == tensor.dtype


def test_the_folder_says_who_wrote_it(tmp_path: Path):
    save(tmp_path, mlp([1, 2]), {})
    document = json.loads((tmp_path / "config.json").read_text())
    assert (document["format"], document["whence"]) == (1, wh.__version__)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["config.json", "model.safetensors"]


def test_one_save_has_the_same_bytes_as_the_next(tmp_path: Path):
    model = mlp([2, 3, 1])
    for name in "ab":
        save(tmp_path / name, model, {"width": 3})
    for file in ("config.json", "model.safetensors"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_tied_and_sliced_weights_are_saved(tmp_path: Path):
    model = nn.ModuleDict({"one": nn.Linear(2, 2), "two": nn.Linear(2, 2)})
    model["two"].weight = model["one"].weight
    model.register_buffer("part", torch.arange(6.0).reshape(2, 3).T)
    save(tmp_path, model, {})
    _, state = load(tmp_path)
    assert torch.equal(state["two.weight"], model["one"].weight)
    load_into(model, state)
    assert model["two"].weight is model["one"].weight
    assert torch.equal(state["part"], model.part)


def test_weights_that_do_not_fit_are_counted_and_named(tmp_path: Path):
    model = mlp([2, 3, 1])
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    state = {"0.weight": torch.zeros(3, 4), "0.bias": torch.zeros(3), "9.bias": torch.zeros(1)}
    message = (
        r"do not fit Sequential: 2 missing \('2.weight', '2.bias'\), 1 not in the network \('9.bias'\), "
        r"1 of another shape \('0.weight: \(3, 4\) instead of \(3, 2\)'\).*\[E606\]"
    )
    with pytest.raises(wh.DataError, match=message):
        load_into(model, state)
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


@pytest.mark.parametrize(
    "value", [{1, 2}, torch.zeros(1), float("nan"), object()], ids=["set", "tensor", "nan", "object"]
)
def test_settings_that_are_no_json_are_named_and_nothing_is_written(value: object, tmp_path: Path):
    with pytest.raises(wh.ParameterError, match=r"setting 'inner' cannot be written as JSON.*\[E611\]"):
        save(tmp_path / "model", mlp([1, 2]), {"outer": 1, "inner": value})
    assert not (tmp_path / "model").exists()


def test_a_folder_that_was_not_saved_is_refused(tmp_path: Path):
    with pytest.raises(wh.DataError, match=r"config.json' cannot be read"):
        load(tmp_path)
    save(tmp_path, mlp([1, 2]), {})
    config, weights = tmp_path / "config.json", tmp_path / "model.safetensors"
    kept = weights.read_bytes()

    weights.write_bytes(kept[:-1])
    with pytest.raises(wh.DataError, match=r"not the file that config.json was saved with"):
        load(tmp_path)
    weights.unlink()
    with pytest.raises(wh.DataError, match="safetensors' cannot be read: No such file"):
        load(tmp_path)
    weights.write_bytes(kept)

    document = json.loads(config.read_text())
    config.write_text(json.dumps({**document, "format": 2, "whence": "9.0"}))
    with pytest.raises(wh.DataError, match=r"written by whence 9.0, in format 2.*Install that version"):
        load(tmp_path)
    for text in ("{", "[]", json.dumps({"format": 1})):
        config.write_text(text)
        with pytest.raises(wh.DataError, match="is not what `save` writes"):
            load(tmp_path)


def test_files_of_two_saves_are_told_apart(tmp_path: Path):
    save(tmp_path / "a", mlp([1, 2]), {})
    save(tmp_path / "b", mlp([1, 2]), {})
    (tmp_path / "a" / "config.json").replace(tmp_path / "b" / "config.json")
    with pytest.raises(wh.DataError, match="not the file"):
        load(tmp_path / "b")


def test_a_save_that_fails_leaves_the_older_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    save(tmp_path, mlp([1, 2]), {"width": 2})

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        with pytest.raises(wh.DataError, match="No space left"):
            save(tmp_path, mlp([1, 3]), {"width": 3})
    assert load(tmp_path)[0] == {"width": 2}
    assert len(list(tmp_path.iterdir())) == 2
