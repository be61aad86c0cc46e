"""stats: learning-curve fits, significance, generalization, naive baseline; pure.

Imports common and search.
"""
