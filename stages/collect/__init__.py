"""collect: a file for each workflow, and the comparison: Tree -> tables.

Imports report and what is below it.
"""
