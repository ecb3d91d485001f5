"""The room as a whole: its public names, and the library without PyTorch."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import whence.nn

WITHOUT_TORCH = """
import sys
sys.modules["torch"] = None
import pkgutil
from importlib import import_module
import whence
assert len(whence.methods()) > 10
import whence.systems
found = [module.name for module in pkgutil.walk_packages(whence.systems.__path__, "whence.systems.")]
for name in found:
    if "._" not in name:
        import_module(name)
import whence.models
for module in pkgutil.walk_packages(whence.models.__path__, "whence.models."):
    import_module(module.name)
assert len(whence.systems.catalogue()) == 53
try:
    import whence.nn
except whence.MissingExtra as error:
    assert "pip install 'whence[nn]'" in str(error), error
    assert "'torch'" in str(error)
else:
    raise AssertionError("whence.nn was imported")
"""


def test_without_pytorch_everything_else_imports():
    done = subprocess.run([sys.executable, "-c", WITHOUT_TORCH], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_public_name_is_there_and_stands_in_all_three_lists():
    tree = ast.parse(Path(whence.nn.__file__).read_text(encoding="utf-8"))
    (typing,) = (node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
    typed = {name.name: node.module for node in typing.body if isinstance(node, ast.ImportFrom) for name in node.names}
    assert typed == {name: f"whence.nn.{home}" for name, home in whence.nn._HOME.items()}
    assert sorted(whence.nn.__all__) == sorted(typed)
    for name in typed:
        assert getattr(whence.nn, name).__doc__
    assert {name for name in dir(whence.nn) if not name.startswith("__")} == set(typed)
    with pytest.raises(AttributeError, match="no attribute 'transformer'"):
        _ = whence.nn.transformer
