"""Run the benchmarks, all or those named: ``python -m benchmarks [NAME ...]``. Each writes its own file of results."""

from __future__ import annotations

import pkgutil
import runpy
import sys
from pathlib import Path


def main() -> None:
    known = [module.name for module in pkgutil.iter_modules([str(Path(__file__).parent)])]
    runnable = [name for name in known if not name.startswith("_") and not name.endswith("_contenders")]
    chosen = sys.argv[1:] or runnable
    unknown = sorted(set(chosen) - set(runnable))
    if unknown:
        sys.exit(f"no benchmark is named {', '.join(unknown)}; known: {', '.join(runnable)}")
    sys.argv = sys.argv[:1]
    for name in chosen:
        print(f"— {name}", flush=True)
        runpy.run_module(f"benchmarks.{name}", run_name="__main__")


if __name__ == "__main__":
    main()
