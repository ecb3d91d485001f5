"""Domain counterfactuals: what a sample would have looked like had it come from another domain.

Examples
--------
>>> from whence.systems.domains import simulate_domains
>>> simulate_domains(10, random_state=0).rows.shape
(30, 6)
"""

from __future__ import annotations

from whence.systems.domains.changed import ChangedDomain
from whence.systems.domains.counterfactuals import DomainCounterfactuals
from whence.systems.domains.digits import DigitDomains, digit_domains, judges_of_digits
from whence.systems.domains.linear import LinearDomainModel, counterfactually_equivalent
from whence.systems.domains.mechanisms import Affine, DomainMechanisms
from whence.systems.domains.report import CounterfactualReport, KSelection, counterfactual_report, select_k
from whence.systems.domains.simulate import DomainWorld, simulate_domains

__all__ = [
    "Affine",
    "ChangedDomain",
    "CounterfactualReport",
    "DigitDomains",
    "DomainCounterfactuals",
    "DomainMechanisms",
    "DomainWorld",
    "KSelection",
    "LinearDomainModel",
    "counterfactual_report",
    "counterfactually_equivalent",
    "digit_domains",
    "judges_of_digits",
    "select_k",
    "simulate_domains",
]
