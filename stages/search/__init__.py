"""search: search space, optimizer, Gaussian process; pure. Imports core."""
