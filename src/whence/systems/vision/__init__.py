"""Counterfactual images: what a picture would look like had one of its causes been different.

Examples
--------
>>> from whence.systems.vision import pendulum
>>> pendulum.scenes(3, size=16).X.shape
(3, 1, 16, 16)
"""

from __future__ import annotations

from whence.systems.vision import digits, pendulum
from whence.systems.vision.causal_diffae import CausalDiffAE
from whence.systems.vision.evaluation import Reader

__all__ = ["CausalDiffAE", "Reader", "digits", "pendulum"]
