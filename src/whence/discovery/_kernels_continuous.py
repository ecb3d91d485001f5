"""The layer of hidden units of all columns at once, compiled: sigmoids with their sums, and the way back."""

from __future__ import annotations

import numpy as np

from whence.compile import kernel

# Adding this rounds a number of size below 2^51 to a whole one and leaves it in the low bits.
_ROUND = 6755399441055744.0
# log 2 in two parts, the first exact in few bits (Cody and Waite 1980).
_LOG2, _LOG2_REST = 0.693147180369123816490, 1.90821492927058770002e-10


@kernel("void(float64[:,:,::1], float64[:,::1], float64[:,::1])")
def activate(hidden, outputs, predicted):  # type: ignore[no-untyped-def]
    """Replace what units receive by its sigmoid and add each, times its output weight, to what is predicted.

    ``hidden`` is (p, units, n), ``outputs`` (p, units), ``predicted`` (p, n). The exponential is written out, a power
    of two set in the bits times a polynomial, because the processor's vector units then take the loop: exact to 1e-14.
    """
    p, units, n = hidden.shape
    for j in range(p):
        for unit in range(units):
            share = outputs[j, unit]
            received, row = hidden[j, unit], predicted[j]
            for k in range(n):
                x = -min(max(received[k], -700.0), 700.0)
                power = x * 1.4426950408889634 + _ROUND
                bits = np.float64(power).view(np.int64)
                power -= _ROUND
                rest = (x - power * _LOG2) - power * _LOG2_REST
                value = rest * (1.0 / 39916800) + 1.0 / 3628800
                value = value * rest + 1.0 / 362880
                value = value * rest + 1.0 / 40320
                value = value * rest + 1.0 / 5040
                value = value * rest + 1.0 / 720
                value = value * rest + 1.0 / 120
                value = value * rest + 1.0 / 24
                value = value * rest + 1.0 / 6
                value = value * rest + 0.5
                value = value * rest + 1.0
                value = value * rest + 1.0
                sigmoid = 1.0 / (1.0 + value * np.int64((bits + 1023) << 52).view(np.float64))
                received[k] = sigmoid
                row[k] += share * sigmoid


@kernel(
    "void(float64[:,:,::1], float64[:,::1], float64[:,::1], float64[:,::1], float64[:,::1])",
    reassociate=True,
)
def pass_back(hidden, residual, outputs, to_outputs, to_biases):  # type: ignore[no-untyped-def]
    """Replace each sigmoid h by ``u r h (1 - h)``, what the loss says of what its unit received.

    Also write the gradient of the output weights u and of the units' biases, (p, units) each. ``residual`` r is the
    gradient of the loss in what is predicted, (p, n).
    """
    p, units, n = hidden.shape
    for j in range(p):
        for unit in range(units):
            share = outputs[j, unit]
            value, row = hidden[j, unit], residual[j]
            output, bias = 0.0, 0.0
            for k in range(n):
                pushed = row[k] * value[k]
                output += pushed
                pushed *= share * (1.0 - value[k])
                bias += pushed
                value[k] = pushed
            to_outputs[j, unit] = output
            to_biases[j, unit] = bias
