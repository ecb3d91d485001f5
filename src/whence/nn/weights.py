"""A trained network as a folder: its settings in ``config.json``, its numbers in ``model.safetensors``.

Neither file can run code when it is read. The settings hold a digest of the numbers, so that a folder whose two files
come from different saves is noticed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor, nn

import whence
from whence.errors import DataError, ParameterError, quote_names
from whence.results import write_atomically

FORMAT = 1
CONFIG = "config.json"
WEIGHTS = "model.safetensors"


def save(folder: str | Path, module: nn.Module | Mapping[str, Tensor], config: Mapping[str, Any]) -> Path:
    """Write a network's settings and numbers into a folder, each file whole or not at all.

    Parameters
    ----------
    folder : str or Path
        Made if it is not there; what an earlier save left in it is replaced.
    module : torch.nn.Module or mapping of str to Tensor
        The network, or its ``state_dict``.
    config : mapping
        What is needed to build the network again: numbers, text, lists, mappings, dataclasses, NumPy values. Tuples
        come back as lists.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    ParameterError
        If a setting cannot be written as JSON; nothing is written.
    DataError
        If the folder cannot be written.

    Examples
    --------
    >>> import torch
    >>> from tempfile import TemporaryDirectory
    >>> first, second = nn.Linear(2, 1), nn.Linear(2, 1)
    >>> with TemporaryDirectory() as folder:
    ...     _ = save(folder, first, {"width": 2})
    ...     config, state = load(folder)
    >>> load_into(second, state)
    >>> config, torch.equal(first.weight, second.weight)
    ({'width': 2}, True)
    """
    state = module.state_dict() if isinstance(module, nn.Module) else module
    numbers = safetensors.torch.save(_apart(state), metadata={"format": "pt"})
    document = {
        "format": FORMAT,
        "whence": whence.__version__,
        "weights_sha256": hashlib.sha256(numbers).hexdigest(),
        "config": _checked(config),
    }
    text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    target = Path(folder)
    write_atomically(target / WEIGHTS, numbers)
    write_atomically(target / CONFIG, text)
    return target


def load(folder: str | Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Read what `save` wrote.

    Returns
    -------
    config : dict
        The settings.
    state : dict of str to Tensor
        The numbers, on the processor; hand them to `load_into`.

    Raises
    ------
    DataError
        If a file is missing or damaged, if the two files do not belong together, or if a later version wrote them.
    """
    text, numbers = (_read(Path(folder), name) for name in (CONFIG, WEIGHTS))
    try:
        document = json.loads(text)
        written, config, digest = int(document["format"]), dict(document["config"]), document["weights_sha256"]
    except (ValueError, TypeError, KeyError) as error:
        raise _damaged(folder, f"{CONFIG} is not what `save` writes ({error})") from error
    if written > FORMAT:
        raise DataError(
            "E605",
            f"{str(folder)!r} was written by whence {document.get('whence')}, in format {written}; this is "
            f"{whence.__version__}, which reads up to format {FORMAT}.",
            "Install that version or a later one.",
        )
    if hashlib.sha256(numbers).hexdigest() != digest:
        raise _damaged(folder, f"{WEIGHTS} is not the file that {CONFIG} was saved with")
    try:
        return config, safetensors.torch.load(numbers)
    except SafetensorError as error:
        raise _damaged(folder, f"{WEIGHTS} cannot be read ({error})") from error


def load_into(module: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Put numbers into a network that has exactly these names and shapes.

    Parameters
    ----------
    module : torch.nn.Module
        Stays as it was if anything does not fit.
    state : mapping of str to Tensor
        As from `load` or ``module.state_dict()``.

    Raises
    ------
    DataError
        If names are missing, left over, or have other shapes; all of them are counted, the first few named.
    """
    wanted = module.state_dict()
    missing = [name for name in wanted if name not in state]
    left_over = [name for name in state if name not in wanted]
    reshaped = [
        f"{name}: {tuple(state[name].shape)} instead of {tuple(wanted[name].shape)}"
        for name in wanted
        if name in state and state[name].shape != wanted[name].shape
    ]
    problems = [
        f"{len(found)} {word} ({quote_names(found, 5)})"
        for word, found in (("missing", missing), ("not in the network", left_over), ("of another shape", reshaped))
        if found
    ]
    if problems:
        raise DataError(
            "E606",
            f"the weights do not fit {type(module).__name__}: {', '.join(problems)}.",
            "Build the network with the settings that the weights were saved with.",
        )
    module.load_state_dict(dict(state))


def _apart(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return tensors on the processor, of which no two share memory: tied weights are written twice."""
    seen: set[int] = set()
    apart: dict[str, Tensor] = {}
    for name, tensor in state.items():
        plain = tensor.detach().cpu().contiguous()
        start = plain.untyped_storage().data_ptr()
        apart[name] = plain.clone() if start in seen else plain
        seen.add(start)
    return apart


def _checked(config: Mapping[str, Any]) -> Any:
    plain = {}
    for name, value in config.items():
        try:
            plain[str(name)] = json.loads(json.dumps(value, default=_plain, allow_nan=False))
        except (TypeError, ValueError) as error:
            raise ParameterError(
                "E611",
                f"the setting {name!r} cannot be written as JSON: {error}.",
                "Settings are numbers, text, lists and mappings of these; put arrays of learned numbers into a buffer.",
            ) from error
    return plain


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} is none of its types")


def _read(folder: Path, name: str) -> bytes:
    try:
        return (folder / name).read_bytes()
    except OSError as error:
        raise DataError(
            "E605",
            f"{str(folder / name)!r} cannot be read: {error.strerror or error}.",
            f"Give the folder that `save` wrote; it holds {CONFIG} and {WEIGHTS}.",
        ) from error


def _damaged(folder: str | Path, what: str) -> DataError:
    return DataError("E605", f"in {str(folder)!r} {what}.", "Save the model again; a copy may have been cut short.")
