"""The latent structural model against the linear one, whose answers are closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import whence as wh
from whence.errors import GraphError, ParameterError
from whence.models import LinearSCM, clamp_to, intervene, shift_by
from whence.nn.latent_scm import LatentSCM
from whence.nn.seeds import reproducible

torch.set_num_threads(1)
CHAIN = wh.Graph.from_edges(["A -> B", "B -> C"])


def linear_latent(graph, weights):
    """Return a latent model of width 1 whose networks compute a linear structural model."""
    scm = LatentSCM(graph, 1, hidden=2 * graph.n_nodes).double()
    for i, name in enumerate(graph.names):
        if not scm.parents[i]:
            continue
        first, _, last = scm.mechanisms[f"of {name}"]
        row = torch.tensor([weights[j, i] for j in scm.parents[i]])
        with torch.no_grad():
            for part in (first.weight, first.bias, last.weight, last.bias):
                part.zero_()
            first.weight[0], first.weight[1] = row, -row  # leaky(x) - leaky(-x) = 1.01 x
            last.weight[0, 0], last.weight[0, 1] = 1 / 1.01, -1 / 1.01
    return scm


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10_000))
def test_do_and_abduction_agree_with_the_linear_model(seed):
    simulated = wh.simulate.linear_scm(5, 12, standardise=False, weights=(0.5, 1.2), random_state=seed)
    graph = wh.Graph.from_edges(simulated.edges, simulated.names)
    exact = LinearSCM(graph, simulated.weights)
    latent = linear_latent(graph, simulated.weights)
    rng = np.random.default_rng(seed)
    first, second = rng.choice(graph.names, size=2, replace=False)
    asked = intervene({str(first): clamp_to(-0.5, 0.5), str(second): shift_by(1.0)})
    z = torch.from_numpy(simulated.values)[:, :, None]
    with torch.no_grad():
        u = latent.abduct(z)
        torch.testing.assert_close(latent(u), z, atol=1e-9, rtol=1e-9)
        moved = latent.do(u, asked)[:, :, 0].numpy()
    np.testing.assert_allclose(moved, exact.counterfactual(simulated.values, asked), atol=1e-8)


@pytest.mark.parametrize("mechanism", ["additive", "flow"])
def test_an_intervention_on_a_grandparent_reaches_the_grandchild(mechanism):
    with reproducible(0):
        scm = LatentSCM(CHAIN, 3, mechanism)
        of_noises = LatentSCM(CHAIN, 3, mechanism, parents="noises")
    u = torch.randn(6, 3, 3)
    with torch.no_grad():
        assert float((scm.do(u, {"A": 2.0}) - scm(u))[:, 2].abs().max()) > 1e-3
        assert float((scm.do(u, {"C": 2.0}) - scm(u))[:, :2].abs().max()) == 0.0  # causes stay
        # mechanisms fed with noises, as in the code published with the paper, never pass it on
        assert float((of_noises.do(u, {"A": 2.0}) - of_noises(u))[:, 1:].abs().max()) == 0.0


@pytest.mark.parametrize("mechanism", ["additive", "flow"])
@pytest.mark.parametrize("parents", ["values", "noises"])
def test_mechanisms_are_inverted_exactly(mechanism, parents):
    graph = wh.Graph.from_edges(["a -> b", "a -> c", "b -> d", "c -> d", "a -> d"])
    with reproducible(1):
        scm = LatentSCM(graph, 8, mechanism, parents=parents)
    u = 3 * torch.randn(50, 4, 8)
    with torch.no_grad():
        z = scm(u)
        assert float((scm.abduct(z) - u).abs().max()) < 1e-4  # single precision, scales up to 20
        scm.double()
        assert float((scm.abduct(scm(u.double())) - u).abs().max()) < 1e-6


@pytest.mark.parametrize("mechanism", ["additive", "flow"])
def test_surprise_is_the_density_of_the_variables(mechanism):
    with reproducible(4):
        scm = LatentSCM(CHAIN, 1, mechanism).double()
    z = torch.randn(5, 3, 1, dtype=torch.float64)
    for row in range(5):
        # change of variables: log p(z) = log N(u) + log |du / dz|, the Jacobian by automatic differentiation
        jacobian = torch.autograd.functional.jacobian(lambda z: scm.abduct(z[None, :, None]).flatten(), z[row, :, 0])
        u = scm.abduct(z[row : row + 1])
        expected = 0.5 * u.square().sum() - torch.linalg.slogdet(jacobian).logabsdet
        torch.testing.assert_close(scm.surprise(z)[row], expected)


def test_the_order_of_the_nodes_does_not_matter():
    shuffled = wh.Graph.from_edges(CHAIN.edges(), ["C", "A", "B"])
    models = []
    for graph in (CHAIN, shuffled):
        with reproducible(2):
            models.append(LatentSCM(graph, 2, "flow"))
    u = torch.randn(4, 3, 2)
    with torch.no_grad():
        one = models[0].do(u, {"B": shift_by(1.0)})
        other = models[1].do(u[:, [2, 0, 1]], {"B": shift_by(1.0)})
    torch.testing.assert_close(other, one[:, [2, 0, 1]], rtol=0, atol=0)


def test_values_by_row_devices_and_gradients():
    with reproducible(3):
        scm = LatentSCM(CHAIN, 2, hidden=4).double()
    u = torch.randn(3, 3, 2, dtype=torch.float64, requires_grad=True)
    moved = scm.do(u, {"A": [1.0, 2.0, 3.0]})
    assert moved[:, 0].detach().tolist() == [[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]]
    assert torch.autograd.gradcheck(lambda u: scm.do(u, {"A": clamp_to(-9.0, 9.0)}), u)


def test_awkward_names_and_what_is_refused():
    graph = wh.Graph.from_edges([("shadow.length", "50% dose")])
    scm = LatentSCM(graph, 1)
    scm.load_state_dict(scm.state_dict())
    assert scm(torch.zeros(1, 2, 1)).shape == (1, 2, 1)
    with pytest.raises(ParameterError, match="no variable 'shadow'"):
        scm.do(torch.zeros(1, 2, 1), {"shadow": 1.0})
    with pytest.raises(GraphError):
        LatentSCM(CHAIN.to_cpdag(), 1)
    with pytest.raises(ParameterError):
        LatentSCM(CHAIN, 1, "spline")
