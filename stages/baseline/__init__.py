"""baseline: the baseline model. Imports common."""
