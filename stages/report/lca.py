"""lca: the page of a learning-curve analysis.

    curves, fits -> what doubling the data buys, figures and tables -> OUT/report.html

Examples:
    page, figures = report(run, curves, fits, naive)
    figures["learning_curve_mae.svg"]           # also in OUT/scores
"""
from core.metrics import direction, in_order
from core.text import finite, quantile
from stages.report import charts, naive as naive_report, page as parts
from stages.report.charts import Series, number
from stages.report.run import NOTHING, Figures, whole_page
from stages.stats.learning_curve import TIMES, band, predict

FIRST = "mae"       # the metric that is shown first; mse without it
STEPS = 20          # of a drawn curve
LAW = ("The curve is the power law alpha * m^beta + gamma (Partin et al., BMC Bioinformatics "
       "22:252, 2021), m being the rows of the training set, fitted by least squares weighted with "
       "m to the median over splits, at sizes of at least 1/8 of the largest (at least five "
       "sizes). The bands are from splits drawn with replacement, and beyond the data from a "
       "drift: on published curves that calibrated nothing, 95 of 100 errors at 2, 4 and 8 times "
       "the data were in their 95 % bands.")
GAINS = ("Fitted: the law at the largest size, which need not pass through the median measured; "
         "gains count from it. Back-test: the law without the largest size against the median "
         "there; above 0 it expected a larger error. Asymptote: where the laws that fit about as "
         "well level off.")
HEADER = ["source", "rows", "fitted", *(f"at {times} times (80 % band)" for times in TIMES),
          "gain at twice, %", "back-test, %", "rows for 10 % less", "asymptote"]


def report(run, curves, fits, naive):
    """Returns (page, {file name: SVG}).

    run: report.run.Run; curves: {(source, metric): {size: {split: value}}};
    fits: {(source, metric): Fit}; naive: collect.naive.Naive.
    """
    figures = Figures(run.tree.synthetic)
    sections = curve_sections(curves, fits, figures)
    sections += naive_report.sections(naive, figures, True)
    return whole_page(run, f"Learning curves of {run.model}", lead(fits, run.model), sections,
                      figures)


def lead(fits, model):
    """Returns what twice the data would give, and how far to trust that."""
    met = FIRST if any(name == FIRST for _, name in fits) else "mse"
    usable = {source: fit for source, fit in of_metric(fits, met).items() if fit.usable}
    if not usable:
        return ("No learning curve could be fitted: there are too few sizes, or the error does not "
                "fall.")
    gains = ", ".join(f"{gain(fit)} ({source})" for source, fit in usable.items())
    known = sum(fit.asymptote_identified for fit in usable.values())
    missed = [f"{number(abs(fit.backtest_percent))} % ({source})" for source, fit in usable.items()
              if abs(fit.backtest_percent or 0) >= max(fit.gain_percent / 3, 1e-9)]
    beware = ("Beware: the same fit without the largest size misses what was measured there by "
              f"{', '.join(missed)}. ") * bool(missed)
    return (f"With twice the rows of the largest size, the {met} of {model} would fall by {gains}, "
            f"according to the fitted law (80 % bands in brackets). {beware}The sizes show "
            f"where it levels off for {known} of {len(usable)} "
            f"{'study' if len(usable) == 1 else 'studies'}.")


def of_metric(found, metric):
    """Returns {source: value} of {(source, metric): value}."""
    return {source: value for (source, name), value in sorted(found.items()) if name == metric}


def gain(fit):
    """Returns what twice the rows take off the error, with the 80 % band of that."""
    low, high = (number(100 * (1 - end / fit.predicted_full), 0)
                 for end in reversed(fit.ahead[0].band_80))
    return f"{number(fit.gain_percent)} % [{low} to {high}]"


# ---- sections

def curve_sections(curves, fits, figures):
    """Returns the section of the first metric, and the curves of the others, folded."""
    metrics = sorted(in_order(metric for _, metric in curves), key=lambda metric: metric != FIRST)
    if not metrics:
        return [parts.section("Learning curves", NOTHING)]
    drawn, *others = [figure(met, curves, fits, figures) for met in metrics]
    notes, table = fit_parts(metrics[0], of_metric(fits, metrics[0]))
    text = parts.tag("div", parts.paragraphs([LAW, notes])) if table else ""
    folded = parts.details(", ".join(metrics[1:]), parts.figures(*others))
    return [parts.section(f"Learning curve: {metrics[0]}", parts.figures(drawn, text), table),
            parts.section("Other metrics", folded) if others else ""]


def fit_parts(metric, fits):
    """Returns what a reader of the numbers has to know, and what is predicted at more rows, what
    doubling buys, the back-test. fits: {source: Fit}."""
    notes = {source: " ".join(dict.fromkeys(filter(None, (
        fit.warning, fit.asymptote_reason, fit.size_note)))) for source, fit in fits.items()}
    table = parts.table(HEADER, [[source, *fit_cells(fit)] for source, fit in fits.items()],
                        f"{metric}. {GAINS}", "scores/learning_curve_fit.csv",
                        own_digits=HEADER[6:8])
    return parts.items([f"{source}: {note}" for source, note in notes.items() if note]), table


def fit_cells(fit):
    if not fit.usable:
        return [int(fit.full_size)] + [None] * (len(HEADER) - 2)
    ahead = [f"{number(at.error)} ({limits(at.band_80)})" for at in fit.ahead]
    level = limits(fit.asymptote or ())
    return [int(fit.full_size), fit.predicted_full, *ahead, fit.gain_percent, fit.backtest_percent,
            parts.Cell(number(fit.size_needed), fit.size_needed),
            level if fit.asymptote_identified else f"not identified ({level})"]


def limits(pair):
    return " to ".join(map(number, pair)) or "\u2013"


# ---- figures

def figure(metric, curves, fits, figures):
    """Returns the learning curves of all sources."""
    better = direction(metric)
    note = "; line, shaded: fitted law and 80 % band; dashed: beyond the data"
    return figures.add(
        f"learning_curve_{metric}.svg", charts.lines,
        f"Learning curve: {metric}\npoints: splits; large: median" + note * (better == "lower"),
        [series(source, curve, fits.get((source, metric)))
         for source, curve in of_metric(curves, metric).items()],
        "training set size (rows)", f"test {metric}", "log",
        "log" if better == "lower" else "linear", csv="learning_curve.csv",
        caption=f"{better.capitalize()} is better." if better else "")


def series(source, curve, fit):
    """Returns one source's points, medians and fit."""
    known = {size: finite(by_split.values()) for size, by_split in curve.items()}
    points = [(size, value) for size, values in known.items() for value in values]
    medians = [(size, quantile(values, 0.5)) for size, values in known.items() if values]
    if fit is None or not fit.usable:
        return Series(source, points, medians, [] if fit else medians)
    start, end = sorted(curve)[-fit.n_sizes], max(curve)
    line, dashed = ([(size, predict(fit, size)) for size in steps(*ends)]
                    for ends in ((start, end), (end, 2 * end)))
    return Series(source, points, medians, line, dashed,
                  [(size, *band(fit, size, 0.8)) for size in steps(start, 2 * end)])


def steps(start, end):
    return [start * (end / start) ** (step / STEPS) for step in range(STEPS + 1)]
