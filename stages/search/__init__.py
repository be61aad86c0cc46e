"""search: search space, optimizer, Gaussian process. Imports core."""
