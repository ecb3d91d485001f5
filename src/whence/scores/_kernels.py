"""What every score hands to the searches: one tuple of statistics, and two kernels that read it.

The tuple is ``mode`` (0 Gaussian BIC, 1 discrete BIC, 2 BDeu), ``correlation`` (p, p), ``codes`` (p, n), ``sizes``
(p,), ``sets``, ``first``, ``n``, ``unit``, ``edge``, ``ess``, ``logs``; what a score does not use is empty. ``unit`` is
the price of a parameter, ``edge`` that of a parent. Bit r of ``sets[first[x] + v]`` says whether row r has value v of
column x; columns of many values have no sets, and -1 in ``first``. ``logs[c]`` is c log c.

The kernels are ``gains(score, target, given, count, wanted, gains)``, which writes by how much the target's score
rises for every wanted column that joins ``given[:count]``, and ``losses(score, target, given, count, losses)``, which
writes by how much it falls for each of ``given[:count]`` that leaves and returns it. Searches take them as arguments.
"""

from __future__ import annotations

GAUSSIAN = 0
DISCRETE_BIC = 1
BDEU = 2
SCORE = (
    "Tuple((int64, float64[:,::1], int32[:,::1], int64[::1], uint64[:,::1], int64[::1], float64, float64, float64, "
    "float64, float64[::1]))"
)
GAINS_OF = f"void({SCORE}, int64, int64[::1], int64, boolean[::1], float64[::1])"
LOSSES_OF = f"float64({SCORE}, int64, int64[::1], int64, float64[::1])"
GAINS = f"FunctionType({GAINS_OF})"
LOSSES = f"FunctionType({LOSSES_OF})"
