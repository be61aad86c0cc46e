"""lca_report: the page of a learning-curve analysis.

    curves, fits -> what doubling buys, figures and tables -> OUT/report.html

Examples:
    page, figures = report(tree, "baseline", tasks, curves, fits, gaps)
    figures["learning_curve_mae.svg"]           # also stands in OUT/scores
"""
import axes
import charts
import naive_report
import report as parts
import run_report
from learning_curve import predict
from metrics import METRICS, lower_is_better
from tables import finite, quantile

FIRST = "mae"       # the metric that is shown first; mse where it is missing
STEPS = 60          # points of a drawn curve
LAW = ("The fitted law is error(m) = alpha * m^beta + gamma, m being the rows of the training set, fitted to the median "
       "over splits (Partin et al., BMC Bioinformatics 22:252, 2021). Bands are the sampling error of the splits only: "
       "they do not say whether the law holds beyond the data.")


def report(tree, model, tasks, curves, fits, gaps, naive=None, notes=()):
    """Returns (page, {file name: SVG}).

    tasks: those of the curves; curves: {(source, metric): {size: {split: value}}}; fits: {(source, metric): Fit};
    gaps: a Gap per missing result; naive: what naive_scores found, or None.
    """
    stamp = run_report.stamp_of(tree)
    metrics = [metric for metric in METRICS if any(key[1] == metric for key in curves)]
    metrics.sort(key=lambda metric: metric != FIRST)
    figures = {f"learning_curve_{metric}.svg": figure(metric, curves, fits, stamp) for metric in metrics}
    found = len({(task.source, task.split, task.size) for task in tasks}) - len(gaps)
    times, drawn = run_report.runtime_section(tree, "lca_runtimes.svg")
    sections = [*curve_sections(metrics, curves, fits, figures), *naive_report.sections(naive, figures, stamp),
                times, run_report.failure_section(gaps, notes)]
    text = run_report.run_page(f"Learning curves of {model}", tree, run_report.run_rows(tree, model, tasks, found, gaps),
                               sections, lead(fits, model))
    return text, dict(figures, **drawn)


def lead(fits, model):
    """Returns two sentences: what twice the data would give, and how far to trust that."""
    usable = {source: fit for (source, metric), fit in fits.items() if metric == shown_metric(fits) and fit.usable}
    if not usable:
        return "No learning curve could be fitted: there are too few sizes, or the error does not fall."
    gains = {source: fit.gain_percent for source, fit in usable.items()}
    low, high = min(gains, key=gains.get), max(gains, key=gains.get)
    told = sum(fit.asymptote_identified for fit in usable.values())
    ends = f"{axes.number(gains[low])} % ({low})" + ("" if low == high else f" to {axes.number(gains[high])} % ({high})")
    return (f"With twice the data, the {shown_metric(fits)} of {model} would fall by {ends}, as the fitted curves have it. "
            f"Where it levels off can be told for {told} of {len(usable)} {'study' if len(usable) == 1 else 'studies'}.")


def shown_metric(fits):
    return FIRST if any(key[1] == FIRST for key in fits) else "mse"


# ---- sections

def curve_sections(metrics, curves, fits, figures):
    """Returns the section of the first metric, what doubling buys, and the other metrics, folded."""
    if not metrics:
        return [parts.section("Learning curves", parts.paragraph("No inference has ended well, so there is nothing to show."))]
    others = [parts.details(metric, parts.figure(figures[f"learning_curve_{metric}.svg"], caption(metric)),
                            fit_table(metric, fits)) for metric in metrics[1:]]
    shown = metrics[0]
    drawn = parts.figure(figures[f"learning_curve_{shown}.svg"], caption(shown))
    fitted = fit_table(shown, fits)
    words = [parts.tag("div", parts.joined([parts.paragraph(LAW), flags(shown, fits)]))] if fitted else []
    return [parts.section(f"Learning curve: {shown}", parts.figures([drawn] + words)),
            parts.section("What more data would buy", fitted) if fitted else "",
            parts.section("Other metrics", *others) if others else ""]


def caption(metric):
    if lower_is_better(metric):
        return "Small points: splits; large: their median; line: the fitted law, dashed beyond the data."
    return "Small points: splits; large: their median. A falling power law is for errors, so nothing is fitted here."


def fit_table(metric, fits):
    """Returns the fits of a metric: what is predicted, what doubling buys, the back-test."""
    rows = [[source, *fit_cells(fit)] for (source, name), fit in fits.items() if name == metric]
    header = ["source", "rows", "fitted error", "at twice the rows", "sampling error only", "gain, %", "rows for 10 % less",
              "asymptote", "back-test, %"]
    words = ("Back-test: the fit without the largest size, against the median there; above 0 it expected a larger error.")
    return parts.table(header, rows, words) if rows else ""


def fit_cells(fit):
    if not fit.usable:
        return [fit.full_size, None, None, None, None, None, None, None]
    band = "-" if fit.sampling_twice is None else " to ".join(map(axes.number, fit.sampling_twice))
    needed = "-" if fit.size_needed is None else axes.number(fit.size_needed)
    asymptote = axes.number(fit.gamma) if fit.asymptote_identified else "not identified"
    return [int(fit.full_size), fit.predicted_full, fit.predicted_twice, band, fit.gain_percent, needed, asymptote,
            fit.backtest_percent]


def flags(metric, fits):
    """Returns what a reader of the numbers has to know, a line per source."""
    told = [f"{source}: " + " ".join(dict.fromkeys(filter(None, (fit.warning, fit.asymptote_reason, fit.size_note))))
            for (source, name), fit in fits.items() if name == metric]
    return parts.items(told)


# ---- figures

def figure(metric, curves, fits, stamp):
    """Returns the learning curves of all sources as one SVG."""
    chosen = {source: curve for (source, name), curve in sorted(curves.items()) if name == metric}
    error = lower_is_better(metric)
    note = "points: splits; large: median" + ("; line: fitted power law, dashed beyond the data" if error else "")
    return charts.line_chart(
        [series(source, curve, fits.get((source, metric))) for source, curve in chosen.items()], f"Learning curve: {metric}",
        x_scale="log", y_scale="log" if error else "linear", x_label="training set size (rows)",
        y_label=f"test {metric}", note=note, stamp=stamp)


def series(source, curve, fit):
    """Returns one source's points, medians and fit."""
    points = [(size, value) for size, by_split in curve.items() for value in by_split.values()]
    medians = [(size, quantile(finite(by_split.values()), 0.5)) for size, by_split in curve.items()
               if finite(by_split.values())]
    if fit is None or not fit.usable:
        return charts.Series(source, points, medians, line=medians if fit is None else [])
    return charts.Series(source, points, medians, drawn(fit, min(curve), max(curve)), drawn(fit, max(curve), 2 * max(curve)))


def drawn(fit, start, end):
    sizes = [start * (end / start) ** (step / STEPS) for step in range(STEPS + 1)]
    return [(size, predict(fit, size)) for size in sizes]
