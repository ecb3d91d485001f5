"""Counterfactual images: what a picture would look like had one of its causes been different."""
