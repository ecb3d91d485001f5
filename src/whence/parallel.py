"""Work that fans out: seeded, in order, independent of the number of workers, with progress."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import BrokenExecutor
from typing import Any, TypeVar

import numpy as np
from joblib import Parallel, delayed

from whence.errors import ParameterError, WorkerLost

Progress = Callable[[str, int, int], None]
"""Called with a stage's name, how many of its steps are done and how many there are."""

RandomState = int | np.random.Generator | None

_T = TypeVar("_T")
_R = TypeVar("_R")


def silent(stage: str, done: int, total: int) -> None:
    """Report nothing: the default progress callback."""


def generator(random_state: RandomState) -> np.random.Generator:
    """Return a random generator from a seed, a generator or None."""
    check_seed(random_state)
    return random_state if isinstance(random_state, np.random.Generator) else np.random.default_rng(random_state)


def check_seed(random_state: object) -> None:
    """Raise ParameterError for what is no seed: a whole number from zero up, a generator or None."""
    if random_state is None or isinstance(random_state, (np.random.Generator, np.random.SeedSequence)):
        return
    if not isinstance(random_state, (int, np.integer)) or random_state < 0:
        raise ParameterError(
            "E343", f"random_state={random_state!r} is no seed.", "Give a whole number from 0 up, or a NumPy generator."
        )


def child_seeds(random_state: RandomState, count: int) -> Sequence[np.random.SeedSequence]:
    """Return one independent seed per task, the same whatever the number of workers."""
    check_seed(random_state)
    if isinstance(random_state, np.random.Generator):
        random_state = int(random_state.integers(2**63))
    return np.random.SeedSequence(random_state).spawn(count)


def default_jobs() -> int:
    """Return the number of processors this process may use, and no more than the variable OMP_NUM_THREADS says."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    said = os.environ.get("OMP_NUM_THREADS", "")
    return min(allowed, int(said)) if said.isdigit() and int(said) else allowed


def fan_out(
    function: Callable[[_T], _R],
    tasks: Iterable[_T],
    *,
    n_jobs: int | None = None,
    threads: bool = True,
    stage: str = "",
    progress: Progress = silent,
) -> Iterator[_R]:
    """Yield ``function(task)`` for every task in order, computed by joblib's current backend.

    Parameters
    ----------
    threads : bool
        True for compiled kernels that release the interpreter lock (no copies of the data); False for processes.

    Raises
    ------
    WorkerLost
        If a worker process is killed; what was yielded before is the caller's to keep.
    """
    listed = list(tasks)
    jobs = min(n_jobs or default_jobs(), max(len(listed), 1))
    if jobs == 1:
        results: Iterator[Any] = map(function, listed)
    else:
        prefer = "threads" if threads else "processes"
        results = Parallel(n_jobs=jobs, prefer=prefer, return_as="generator")(delayed(function)(t) for t in listed)
    done = 0
    try:
        for result in results:
            done += 1
            progress(stage, done, len(listed))
            yield result
    except BrokenExecutor as error:  # a worker that is killed takes its pool along
        steps = f"{done:,} of {len(listed):,} steps{f' of {stage}' if stage else ''}"
        raise WorkerLost(
            "E345",
            f"a worker process was killed after {steps}, most likely because memory ran out.",
            "Use fewer workers (n_jobs=1 or --jobs 1), threads instead of processes, or fewer rows or columns.",
        ) from error
