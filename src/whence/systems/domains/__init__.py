"""Domain counterfactuals: what a sample would have looked like had it come from another domain."""
