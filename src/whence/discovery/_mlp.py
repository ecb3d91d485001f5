"""A small neural network for every column, all evaluated at once: a layer of sigmoid units and a linear output.

``f_j(x) = c_j + sum over units h of u_jh * sigmoid(b_jh + sum over i of v_ijh x_i)``. The strength of ``i -> j`` is the
sum over the units of ``v_ijh^2``: zero exactly where column i does not enter (Zheng et al. 2020, section 3.2).
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from whence.kernels import Kernels

_kernels = Kernels("whence.discovery._kernels_continuous")

Array = NDArray[np.float64]
Loss = Literal["squares", "log-squares"]


class Layers(NamedTuple):
    """The parameters of all networks: inputs (p, units, p), biases and outputs (p, units), intercepts (p,).

    ``inputs[j, h, i]`` is what unit h of column j makes of column i.
    """

    inputs: Array
    biases: Array
    outputs: Array
    intercepts: Array


class NetworkModel:
    """Neural networks of the allowed edges, judged by the rows.

    Parameters
    ----------
    values : float array, shape (n, p)
        Centred.
    allowed, free : bool arrays, shape (p, p)
        ``[i, j]``: column i may enter the network of j; and does so without a price.
    units : int
        Hidden units of a column.
    price : float
        Of the size of each input weight, in units of the loss.
    decay : float
        Times half the sum of squares of input and output weights is added to the loss.
    loss : {"squares", "log-squares"}
        Half the sum of the residual variances (Zheng et al. 2020, equation 5), or p / 2 times the logarithm of their
        sum (Bello et al. 2022, section C.2).
    random_state : int
        Seed of the weights to start from.
    unit : float
        In which the sum of squares is measured, a variance: price and decay are to be in it as well.
    """

    def __init__(
        self,
        values: Array,
        allowed: NDArray[np.bool_],
        free: NDArray[np.bool_],
        *,
        units: int,
        price: float,
        decay: float,
        loss: Loss,
        random_state: int,
        unit: float = 1.0,
    ) -> None:
        self._unit = unit
        self._rows = np.ascontiguousarray(values)
        self._columns = np.ascontiguousarray(values.T)
        p = self._p = values.shape[1]
        self._units, self._decay, self._criterion = units, decay, loss
        target, place, source = np.nonzero(np.broadcast_to(allowed.T[:, None, :], (p, units, p)))
        self._where = (target * units + place) * p + source
        self._edge = source * p + target  # to which edge each input weight belongs
        others = np.zeros(p * (2 * units + 1))
        self.price = np.concatenate([np.where(free.ravel()[self._edge], 0.0, price), others])
        rng = np.random.default_rng(random_state)
        reach = 1.0 / np.sqrt(np.maximum(allowed.sum(axis=0), 1))  # so large that units do not saturate
        self.start = np.concatenate(
            [
                rng.uniform(-1.0, 1.0, len(target)) * reach[target],
                np.zeros(p * units),
                rng.uniform(-1.0, 1.0, p * units) / math.sqrt(units),
                np.zeros(p),
            ]
        )

    def layers(self, x: Array) -> Layers:
        """Return the parameters by their part in the networks."""
        p, units, count = self._p, self._units, len(self._where)
        inputs = np.zeros(p * units * p)
        inputs[self._where] = x[:count]
        biases, outputs = x[count : count + 2 * p * units].reshape(2, p, units)
        return Layers(inputs.reshape(p, units, p), biases, np.ascontiguousarray(outputs), x[-p:])

    def loss(self, x: Array) -> tuple[float, Array]:
        """Return the loss and its gradient."""
        p, units, n = self._p, self._units, len(self._rows)
        layers = self.layers(x)
        hidden, predicted = self._forward(layers)
        residual = predicted - self._columns
        squares = float(np.vdot(residual, residual)) / n
        if self._criterion == "squares":
            value = 0.5 * squares / self._unit
            residual /= n * self._unit
        else:
            value = 0.5 * p * math.log(squares)
            residual *= p / (n * squares)
        to_outputs, to_biases = np.empty((p, units)), np.empty((p, units))
        _kernels.pass_back(hidden, residual, layers.outputs, to_outputs, to_biases)
        to_inputs = hidden.reshape(p * units, n) @ self._rows
        inputs = x[: len(self._where)]
        value += 0.5 * self._decay * float(inputs @ inputs + np.vdot(layers.outputs, layers.outputs))
        to_outputs += self._decay * layers.outputs
        return value, np.concatenate(
            [
                to_inputs.ravel()[self._where] + self._decay * inputs,
                to_biases.ravel(),
                to_outputs.ravel(),
                residual.sum(axis=1),
            ]
        )

    def strengths(self, x: Array) -> Array:
        """Return the squared strength of every edge, shape (p, p)."""
        inputs, p = x[: len(self._where)], self._p
        return np.asarray(np.bincount(self._edge, weights=inputs * inputs, minlength=p * p), float).reshape(p, p)

    def pull(self, x: Array, weight: Array) -> Array:
        """Return the gradient of ``sum(weight * strengths)``."""
        count = len(self._where)
        pulled = np.zeros(len(x))
        pulled[:count] = 2.0 * weight.ravel()[self._edge] * x[:count]
        return pulled

    def slopes(self, x: Array) -> Array:
        """Return the mean over the rows of the derivative of every column's network in every other, shape (p, p)."""
        layers = self.layers(x)
        hidden, _ = self._forward(layers)
        steepness = (hidden * (1.0 - hidden)).mean(axis=2) * layers.outputs
        return np.asarray(np.einsum("jh,jhi->ij", steepness, layers.inputs))

    def _forward(self, layers: Layers) -> tuple[Array, Array]:
        """Return the sigmoids of all units, (p, units, n), and what is predicted, (p, n)."""
        p, units, n = self._p, self._units, self._columns.shape[1]
        hidden = layers.inputs.reshape(p * units, p) @ self._columns
        hidden += layers.biases.reshape(p * units, 1)
        hidden = hidden.reshape(p, units, n)
        predicted = np.repeat(layers.intercepts[:, None], n, axis=1)
        _kernels.activate(hidden, layers.outputs, predicted)
        return hidden, predicted
