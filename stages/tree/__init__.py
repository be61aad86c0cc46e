"""tree: reads a results tree: plans, statuses, scores, trials. Imports common and search."""
