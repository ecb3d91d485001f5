"""A structural causal model over the blocks of a latent code, with learned mechanisms.

Axes: B rows, k variables in the order of ``graph.names``, d entries of each variable's block.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor, nn

from whence.errors import GraphError, ParameterError
from whence.graph import Graph
from whence.models import Intervention
from whence.nn.layers import mlp

Mechanism = Literal["additive", "flow"]


class LatentSCM(nn.Module):
    """Turns exogenous noises into causally related variables, and back.

    Parameters
    ----------
    graph : Graph
        A DAG over the k variables.
    width : int
        d, entries in the block of one variable.
    mechanism : {"additive", "flow"}
        ``additive``: ``z_i = f_i(pa_i) + u_i``. ``flow``: ``z_i = exp(s_i(pa_i)) u_i + t_i(pa_i)``. Both have exact
        inverses. f, s and t are two-layer networks, one for each variable; roots pass their noise through.
    hidden : int, optional
        Width of the hidden layer; k * d by default.
    parents : {"values", "noises"}
        ``noises`` feeds a mechanism the noises of its parents instead of their values, for comparison only: an
        intervention then never reaches a grandchild.

    Notes
    -----
    Parameters are drawn variable by variable in alphabetical order, and parents are concatenated in it, so that the
    same graph with its nodes in another order makes the same model.

    References
    ----------
    Komanduri, Zhao, Chen and Wu (2024), section 4.1. Pearl (2009), definition 7.1.1.

    Examples
    --------
    >>> chain = Graph.from_edges(["a -> b", "b -> c"])
    >>> scm = LatentSCM(chain, width=2)
    >>> u = torch.randn(4, 3, 2)
    >>> moved = scm.do(u, {"a": 1.0}) - scm(u)
    >>> bool((moved[:, 2] != 0).any())  # a change of a reaches c through b
    True
    """

    def __init__(
        self,
        graph: Graph,
        width: int,
        mechanism: Mechanism = "additive",
        *,
        hidden: int | None = None,
        parents: Literal["values", "noises"] = "values",
    ) -> None:
        super().__init__()
        if graph.kind != "DAG":
            raise GraphError("E206", f"a structural causal model needs a DAG, not a {graph.kind}.")
        if mechanism not in ("additive", "flow"):
            raise ParameterError("E301", f"there is no mechanism {mechanism!r}.", "Mechanisms: 'additive', 'flow'.")
        self.graph = graph
        self.width = width
        self.mechanism: Mechanism = mechanism
        self.of_noises = parents == "noises"
        self.order = [graph.index(name) for name in graph.topological_order()]
        self.parents = [sorted(graph.indices(graph.parents(n)), key=graph.names.__getitem__) for n in graph.names]
        hidden = graph.n_nodes * width if hidden is None else hidden
        outputs = width if mechanism == "additive" else 2 * width
        self.mechanisms = nn.ModuleDict()
        for name in sorted(graph.names):
            count = len(self.parents[graph.index(name)])
            if count:
                self.mechanisms[_key(name)] = mlp([count * width, hidden, outputs], "leaky_relu")

    def forward(self, u: Tensor) -> Tensor:
        """Return the variables (B, k, d) that noises (B, k, d) make."""
        return self.do(u, None)

    def do(self, u: Tensor, intervention: Intervention | Mapping[str, Any] | None) -> Tensor:
        """Return the variables that noises make under an intervention, causes first; (B, k, d).

        Changes are in units of the code and apply to every entry of a block; a value for each row is allowed.
        """
        asked = Intervention.of(intervention).check(self.graph.names)
        z: list[Tensor] = list(u.unbind(1))
        for i in self.order:
            z[i] = asked.apply(self.graph.names[i], self._natural(i, u, z))
        return torch.stack(z, dim=1)

    def abduct(self, z: Tensor) -> Tensor:
        """Return the noises (B, k, d) behind variables (B, k, d): the exact inverse of `forward`."""
        u: list[Tensor] = list(z.unbind(1))
        for i in self.order:
            if self.parents[i]:
                scale, shift = self._scale_and_shift(i, u if self.of_noises else list(z.unbind(1)))
                u[i] = z[:, i] - shift if scale is None else (z[:, i] - shift) * torch.exp(-scale)
        return torch.stack(u, dim=1)

    def surprise(self, z: Tensor) -> Tensor:
        """Return how unlikely variables (B, k, d) are given their causes, for standard normal noises; (B,).

        The negative logarithm of their density without its constant: half the squared noises plus the logarithms of the
        scales. Given variables that are known, minimising it fits the mechanisms.
        """
        blocks = list(z.unbind(1))
        total = 0.5 * self.abduct(z).square().sum(dim=(1, 2))
        if self.mechanism == "flow":
            for i in (i for i in self.order if self.parents[i]):
                causes = list(self.abduct(z).unbind(1)) if self.of_noises else blocks
                scale, _ = self._scale_and_shift(i, causes)
                total = total + scale.sum(dim=1)  # type: ignore[union-attr]
        return total

    def _natural(self, i: int, u: Tensor, z: list[Tensor]) -> Tensor:
        """Return what the causes of variable i and its noise give it, (B, d)."""
        if not self.parents[i]:
            return u[:, i]
        scale, shift = self._scale_and_shift(i, list(u.unbind(1)) if self.of_noises else z)
        return u[:, i] + shift if scale is None else u[:, i] * torch.exp(scale) + shift

    def _scale_and_shift(self, i: int, blocks: list[Tensor]) -> tuple[Tensor | None, Tensor]:
        causes = torch.cat([blocks[j] for j in self.parents[i]], dim=1)
        output: Tensor = self.mechanisms[_key(self.graph.names[i])](causes)
        if self.mechanism == "additive":
            return None, output
        scale, shift = output.chunk(2, dim=1)
        return 3.0 * torch.tanh(scale / 3.0), shift  # a factor between 1/20 and 20 keeps the inverse exact


def _key(name: str) -> str:
    """Return a name as a key of modules, which may not hold dots."""
    return "of " + name.replace("%", "%25").replace(".", "%2E")
