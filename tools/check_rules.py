"""The house rules that a script can hold; `make check` runs it and fails on the first broken rule's list.

Rules: every error code raised has a page and every page is raised; public names have docstrings; no module of the
library is longer than it may be; generated documentation is up to date; no private path or host stands in the tree.
"""

from __future__ import annotations

import ast
import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "whence"
LONGEST_MODULE = 520
_CODE = re.compile(r"\bE\d{3}\b")
_PRIVATE = re.compile(r"(?<![\w.])/(?:home|root|tmp|work|Users)/[\w.-]+/")
_TEXT = {".py", ".md", ".toml", ".txt", ".json", ".j2", ".css", ".js", ".yml", ".yaml"}


def main() -> int:
    """Check all rules, print what breaks them and return 1 if anything does."""
    broken = [*error_codes(), *docstrings(), *module_sizes(), *generated_docs(), *private_paths()]
    for line in broken:
        print(line)
    print(f"{len(broken)} broken rules." if broken else "All rules hold.")
    return 1 if broken else 0


def modules() -> list[Path]:
    """Return the library's modules."""
    return sorted(SOURCE.rglob("*.py"))


def error_codes() -> Iterator[str]:
    """Yield codes without a page and pages without a code."""
    used: dict[str, str] = {}
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and re.fullmatch(r"E\d{3}", node.value):
                used.setdefault(node.value, str(path.relative_to(ROOT)))
    pages = {path.stem for path in (SOURCE / "error_pages").glob("E*.md")}
    for code in sorted(set(used) - pages):
        yield f"{used[code]}: error {code} has no page in src/whence/error_pages"
    for code in sorted(pages - set(used)):
        yield f"src/whence/error_pages/{code}.md: no code raises {code}"


def docstrings() -> Iterator[str]:
    """Yield public classes and functions of the library without a docstring."""
    for path in modules():
        if any(part.startswith("_") and part != "__init__.py" for part in path.relative_to(SOURCE).parts):
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in tree.body:
            public = isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_")
            if public and ast.get_docstring(node) is None:
                yield f"{path.relative_to(ROOT)}:{node.lineno}: {node.name} has no docstring"


def module_sizes() -> Iterator[str]:
    """Yield modules that have outgrown one sitting."""
    for path in modules():
        lines = len(path.read_text(encoding="utf-8").splitlines())
        if lines > LONGEST_MODULE:
            yield f"{path.relative_to(ROOT)}: {lines} lines; split it (at most {LONGEST_MODULE})"


def generated_docs() -> Iterator[str]:
    """Yield generated pages that differ from what the code says now."""
    sys.path.insert(0, str(ROOT))
    pages = importlib.import_module("tools.write_docs").pages()
    for path, text in pages.items():
        target = ROOT / path
        if not target.is_file() or target.read_text(encoding="utf-8") != text:
            yield f"{path}: out of date; run python tools/write_docs.py"
    for left in sorted((ROOT / "docs" / "methods").glob("*.md")):
        if str(left.relative_to(ROOT)) not in pages:
            yield f"{left.relative_to(ROOT)}: no method has this page any more; delete it"


def private_paths() -> Iterator[str]:
    """Yield lines that carry a path of somebody's machine."""
    for path in sorted(ROOT.rglob("*")):
        relative = path.relative_to(ROOT)
        hidden = any(part.startswith(".") or part in {"out", "build", "dist"} for part in relative.parts)
        if hidden or path.suffix not in _TEXT or not path.is_file() or path == Path(__file__).resolve():
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            if _PRIVATE.search(line):
                yield f"{relative}:{number}: a path of a private machine"


if __name__ == "__main__":
    sys.exit(main())
