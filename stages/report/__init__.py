"""report: pages and figures: tables -> HTML, SVG. Imports tree, stats and what is below them."""
