"""A model whose domain is set: the domain change as an intervention."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from whence.models import Intervention
from whence.parallel import RandomState

if TYPE_CHECKING:
    from whence.systems.domains.counterfactuals import DomainCounterfactuals


@dataclass(frozen=True, eq=False)
class ChangedDomain:
    """A model whose domain is set by an intervention, as `DomainCounterfactuals.do` returns it."""

    model: DomainCounterfactuals
    intervention: Intervention
    domain: Hashable

    def counterfactual(self, X: Any, d: Any) -> NDArray[Any]:
        """Return what rows of domains ``d`` would have been under the intervention."""
        return self.model.counterfactual(X, d, self.domain)

    def sample(self, n: int, random_state: RandomState = None) -> NDArray[Any]:
        """Draw n rows under the intervention."""
        return self.model.sample(n, self.domain, random_state)

    def __repr__(self) -> str:
        return f"{self.model!r} under {self.intervention!r}"
