"""collect: Tree -> tables: a file for each workflow, and the comparison. Imports report."""
