"""stats: learning-curve fits, significance, generalization, importance, naive baseline; pure. Imports common and search."""
