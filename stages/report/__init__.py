"""report: pages and figures: tables -> HTML, SVG. Imports stats and what is below."""
