"""baseline: the baseline model. Imports core."""
