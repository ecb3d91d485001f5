"""Speed and accuracy against the peers, side by side in one run."""
