"""lca: the page of a learning-curve analysis.

    curves, fits -> what doubling buys, figures and tables -> OUT/report.html

Examples:
    page, figures = report(run, curves, fits, naive)
    figures["learning_curve_mae.svg"]           # also in OUT/scores
"""
from report import axes
from report import charts
from report import naive as naive_report
from report import page as parts
from report.run import NOTHING, Figures, in_unit, unit_of, whole_page
from stats.learning_curve import TIMES, band, predict
from common.metrics import direction, in_order
from common.tables import finite, quantile

FIRST = "mae"       # the metric that is shown first; mse if it is missing
STEPS = 20          # of a drawn curve
LAW = ("The curve averages over the power law alpha * m^beta + gamma (Partin et al., BMC Bioinformatics 22:252, 2021), m "
       "being the rows of the training set, and three rivals, each counted by how well it fits the median over splits. "
       "The bands hold what these splits would give with more rows, in 80 and 95 of 100 made curves; the sizes at hand "
       "cannot show a change of course beyond them.")


def report(run, curves, fits, naive):
    """Returns (page, {file name: SVG}).

    run: report.run.Run; curves: {(source, metric): {size: {split: value}}}; fits: {(source, metric): Fit};
    naive: collect.naive.Naive.
    """
    figures, unit = Figures(run.tree.synthetic), unit_of(run.tree)
    sections = curve_sections(curves, fits, figures, unit) + naive_report.sections(naive, figures, unit)
    title = f"Learning curves of {run.model}" + ("" if unit == "rows" else f" along {unit}")
    return whole_page(run, title, in_unit(lead(fits, run.model), unit), sections, figures, "lca")


def lead(fits, model):
    """Returns what twice the data would give, and how far to trust that."""
    usable = {source: fit for (source, metric), fit in fits.items() if metric == shown_metric(fits) and fit.usable}
    if not usable:
        return "No learning curve could be fitted: there are too few sizes, or the error does not fall."
    gains = {source: fit.gain_percent for source, fit in usable.items()}
    low, high = min(gains, key=gains.get), max(gains, key=gains.get)
    told = sum(fit.asymptote_identified for fit in usable.values())
    ends = " to ".join(f"{gain(usable[source])} ({source})" for source in dict.fromkeys((low, high)))
    return (f"With twice the rows of the largest size, the {shown_metric(fits)} of {model} would fall by {ends}, according to "
            f"the averaged curves (80 % bands in brackets). {caveat(usable)}The sizes at hand show where it levels off for "
            f"{told} of {len(usable)} {'study' if len(usable) == 1 else 'studies'}.")


def gain(fit):
    """Returns what twice the rows take off the error, with the 80 % band of that."""
    low, high = (100 * (1 - end / fit.predicted_full) for end in reversed(fit.ahead[0].band_80))
    return f"{axes.number(fit.gain_percent)} % [{low:.0f} to {high:.0f}]"


def caveat(usable):
    """Returns a sentence on the studies whose back-test misses by at least a third of the gain, or ''."""
    missed = {source: abs(fit.backtest_percent) for source, fit in usable.items() if fit.backtest_percent is not None
              and abs(fit.backtest_percent) >= fit.gain_percent / 3}
    if not missed:
        return ""
    named = ", ".join(f"{axes.number(percent)} % ({source})" for source, percent in missed.items())
    return f"Beware: the same fit without the largest size misses what was measured there by {named}. "


def shown_metric(fits):
    return FIRST if any(key[1] == FIRST for key in fits) else "mse"


# ---- sections

def curve_sections(curves, fits, figures, unit):
    """Returns the section of the first metric, what doubling buys, and the other metrics, folded."""
    metrics = in_order(metric for _, metric in curves)
    metrics.sort(key=lambda metric: metric != FIRST)
    if not metrics:
        return [parts.section("Learning curves", NOTHING)]
    drawn = {metric: figure(metric, curves, fits, figures, unit) for metric in metrics}
    others = [parts.details(metric, parts.figures(list(filter(None, [drawn[metric], flags(metric, fits, unit)]))),
                            fit_table(metric, fits, unit)) for metric in metrics[1:]]
    shown = metrics[0]
    fitted = fit_table(shown, fits, unit)
    words = [parts.tag("div", parts.joined([parts.paragraph(in_unit(LAW, unit)), flags(shown, fits, unit)]))] if fitted else []
    return [parts.section(f"Learning curve: {shown}", parts.figures([drawn[shown]] + words)),
            parts.section("What more data would buy", fitted) if fitted else "",
            parts.section("Other metrics", *others) if others else ""]


def fit_table(metric, fits, unit="rows"):
    """Returns the fits of a metric: what is predicted at more rows, what doubling buys, the back-test."""
    rows = [[source, *fit_cells(fit)] for (source, name), fit in fits.items() if name == metric]
    header = ["source", "rows", "curve there", *(f"at {times} times (80 %; 95 % band)" for times in TIMES), "gain at twice, %",
              "back-test, %", "rows for 10 % less", "asymptote"]
    words = ("Curve there: the averaged curves at the largest size, which need not pass through the median measured; gains "
             "count from it. Back-test: the fit without the largest size, against the median there; above 0 it expected a "
             "larger error. Asymptote: where 95 % of the curves level off.")
    return parts.table([in_unit(name, unit) for name in header], rows, words) if rows else ""


def fit_cells(fit):
    if not fit.usable:
        return [int(fit.full_size) if fit.full_size == fit.full_size else None] + [None] * 8
    ahead = [f"{axes.number(at.error)} ({to_text(at.band_80)}; {to_text(at.band_95)})" for at in fit.ahead]
    needed = "-" if fit.size_needed is None else axes.number(fit.size_needed)
    asymptote = to_text(fit.asymptote) if fit.asymptote_identified else f"not identified ({to_text(fit.asymptote)})"
    return [int(fit.full_size), fit.predicted_full, *ahead, fit.gain_percent, fit.backtest_percent, needed, asymptote]


def to_text(limits):
    return " to ".join(map(axes.number, limits))


def flags(metric, fits, unit="rows"):
    """Returns what a reader of the numbers has to know, a line per source."""
    notes = [f"{source}: " + in_unit(" ".join(dict.fromkeys(filter(
        None, (fit.warning, fit.asymptote_reason, fit.size_note)))), unit)
             for (source, name), fit in fits.items() if name == metric]
    return parts.items(notes)


# ---- figures

def figure(metric, curves, fits, figures, unit="rows"):
    """Returns the learning curves of all sources."""
    chosen = {source: curve for (source, name), curve in sorted(curves.items()) if name == metric}
    error = direction(metric) == "lower"
    note = "points: splits; large: median" + ("; line, shaded: averaged curves and 80 % band, dashed beyond the data"
                                              if error else "")
    return figures.add(
        f"learning_curve_{metric}.svg", charts.line_chart,
        [series(source, curve, fits.get((source, metric))) for source, curve in chosen.items()], f"Learning curve: {metric}",
        x_scale="log", y_scale="log" if error else "linear", x_label=f"training set size ({unit})",
        y_label=f"test {metric}", note=note,
        caption="" if error else "A falling curve is for errors, so nothing is fitted here.")


def series(source, curve, fit):
    """Returns one source's points, medians and fit."""
    points = [(size, value) for size, by_split in curve.items() for value in by_split.values()]
    medians = [(size, quantile(finite(by_split.values()), 0.5)) for size, by_split in curve.items()
               if finite(by_split.values())]
    if fit is None or not fit.usable:
        return charts.Series(source, points, medians, line=medians if fit is None else [])
    start, end = min(curve), max(curve)
    shaded = [(size, *band(fit, size, 0.8)) for size in steps(start, 2 * end)]
    return charts.Series(source, points, medians, drawn(fit, start, end), drawn(fit, end, 2 * end), band=shaded)


def drawn(fit, start, end):
    return [(size, predict(fit, size)) for size in steps(start, end)]


def steps(start, end):
    return [start * (end / start) ** (step / STEPS) for step in range(STEPS + 1)]
