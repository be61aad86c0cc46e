"""stats: learning-curve fits, significance, generalization, naive baseline; pure. Imports core."""
