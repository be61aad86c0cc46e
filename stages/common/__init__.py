"""common: file formats, metrics, tables, reading side by side. Imports nothing of ours."""
