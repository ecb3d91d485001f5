"""Structural causal models, and the one description of an intervention that every model in the library answers to."""
