"""Settings of domain counterfactuals against the rows they are used on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from whence.errors import ParameterError, quote_names
from whence.parallel import check_seed

if TYPE_CHECKING:
    from whence.systems.domains.counterfactuals import DomainCounterfactuals

FORMS = ("relax_can", "can", "dense")
MIXINGS = ("linear_leaky", "flow", "vae")
SOLVERS = ("auto", "profile", "adam")


def check_settings(model: DomainCounterfactuals, solver: str, rows: NDArray[Any]) -> None:
    """Raise ParameterError E660 for the first setting that is impossible, or does not fit the rows."""
    check_seed(model.random_state)
    m = model.latent_dim or rows.shape[1]
    problems = [
        (
            isinstance(model.g, str) and model.g not in MIXINGS,
            f"g={model.g!r} is unknown",
            f"Mixings: {quote_names(MIXINGS)}.",
        ),
        (model.f not in FORMS, f"f={model.f!r} is unknown", f"Forms: {quote_names(FORMS)}."),
        (
            model.solver not in SOLVERS,
            f"solver={model.solver!r} is unknown",
            f"Solvers: {quote_names(SOLVERS)}.",
        ),
        (
            solver == "profile" and model.g != "linear_leaky",
            f"solver='profile' does not take g={model.g!r}",
            "Use solver='adam'.",
        ),
        (not 0 <= model.k <= m, f"k={model.k} of {m} mechanisms is impossible", f"Give 0 to {m}."),
        (not 0 < model.slope < 1, f"slope={model.slope} is impossible", "Give a number between 0 and 1."),
        (model.starts < 1, f"starts={model.starts} is impossible", "Give 1 or more."),
        (not 0 < model.validation < 1, f"validation={model.validation} is impossible", "Give a share such as 0.1."),
        (
            (model.g == "vae") != (rows.ndim == 4),
            f"g={model.g!r} does not take rows of shape {rows.shape[1:]}",
            "Images (n, C, H, W) take g='vae', tables the other mixings.",
        ),
        (model.g == "vae" and model.latent_dim is None, "g='vae' needs latent_dim", "Give latent_dim=10, say."),
        (
            rows.ndim == 2 and m != rows.shape[1],
            f"latent_dim={m} of {rows.shape[1]} columns is not invertible",
            "Leave latent_dim out: a table has as many latent variables as columns.",
        ),
    ]
    for wrong, problem, remedy in problems:
        if wrong:
            raise ParameterError("E660", f"{problem}.", remedy)
