"""rank_diagram: the critical-difference diagram: models by their average rank, joined if they do not differ.

    stats.ranks.Ranking -> one whole <svg>

Source: Demsar, Journal of Machine Learning Research 7 (2006), figure 1; lines join what Wilcoxon's test, corrected by Holm,
does not tell apart. A row for each model, so that long names have room.
"""
from report import axes
from report import svg
from report.axes import number, place
from report.svg import GAP, LINE, SMALL, WIDTH, label, marker, named, rule, series_group
from stats.ranks import groups


def rank_diagram(ranking, title, description="", note="", stamp="", width=WIDTH):
    """The models of a Ranking along one axis, from rank 1 (best) to the number of models."""
    order = sorted(zip(ranking.ranks, ranking.names))
    body, top = svg.head(title, stamp, note, [], width)
    lines, names_width = svg.names_left([name for _, name in order], width)
    axis = axes.Axis("linear", 0.9, len(order) + 0.1, [(rank, str(rank)) for rank in range(1, len(order) + 1)])
    heights = [max(22.0, len(name) * LINE * SMALL + 6) for name in lines]
    joined = groups(ranking)
    left = GAP + names_width + 8
    box = svg.Box(left, top, width - 2 * GAP - 36, top + sum(heights) + 10 * len(joined) + 6)
    below, bottom = svg.x_axis(axis, box, "average rank, 1 is best")
    body += below
    at, y = {}, top
    for (rank, name), words, height in zip(order, lines, heights):
        at[name] = place(axis, rank, box.left, box.right)
        body += _model(name, words, rank, at[name], y + height / 2, box.left)
        y += height
    body += [rule(at[group[0]] - 5, y + 6 + 10 * i, at[group[-1]] + 5, y + 6 + 10 * i, "ink-line", stroke_width=4)
             for i, group in enumerate(joined)]
    words = "; ".join("{}: average rank {}".format(name, number(rank)) for rank, name in order)
    return svg.document(body, width, bottom, title, description or words)


def _model(name, words, rank, x, y, left):
    dot = series_group(0, marker(0, x, y, 4.6, fill="currentColor"))
    return [named(name, words, left - 8, y, "end"), rule(left, y, x, y, "soft-line"), dot,
            label("{:.2f}".format(rank), x + 9, y, size=SMALL)]
