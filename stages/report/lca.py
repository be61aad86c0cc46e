"""lca: the page of a learning-curve analysis.

    curves -> what doubling the data buys, figures and tables -> OUT/report.html
"""
from core.metrics import direction
from stages.report import charts, naive as naive_report, page as parts
from stages.report.charts import Panel, Series, number
from stages.report.run import NOTHING, Figures, whole_page
from stages.stats.learning_curve import TIMES, band, cleaned, medians_of

FIRST = "mae"               # the metric that is shown first
BEYOND = 1, 1.25, 1.5, 2    # times the largest size, of the dashed line
LAW = ("The curve is the power law alpha * m^beta + gamma (Partin et al., BMC Bioinformatics "
       "22:252, 2021), m being the rows of the training set, fitted by least squares weighted with "
       "m to the median over splits, at sizes of at least 1/8 of the largest (at least five "
       "sizes). The bands are from splits drawn with replacement, and beyond the data from a "
       "drift: on published curves that calibrated nothing, 95 of 100 errors at 2, 4 and 8 times "
       "the data were in their 95 % bands.")
GAINS = ("Of the metric of the first figure. Fitted: the law at the largest size, which need not "
         "pass through the median measured; gains count from it. Back-test: the law without the "
         "largest size against the median there; above 0 it expected a larger error. Asymptote: "
         "where the laws that fit about as well level off.")
HEADER = ["source", "rows", "fitted", *(f"at {times} times (80 % band)" for times in TIMES),
          "gain at twice, %", "back-test, %", "asymptote"]


def report(run, curves, naive):
    """Returns (page, {file name: SVG}). run: report.run.Run; curves: Curves in the order of metrics
    and sources; naive: [(task, record)] of collect/scores.py."""
    figures, shown = Figures(run.tree.synthetic), main_curves(curves)
    table = parts.table(HEADER, [[curve.source, *fit_cells(curve.fit)] for curve in shown],
                        GAINS, "scores/learning_curve_fit.csv")
    notes = parts.items([f"{curve.source}: {curve.fit.warning}" for curve in shown
                         if curve.fit.warning])
    drawn = []
    for metric in dict.fromkeys(curve.metric for curve in shown + curves):
        better = direction(metric)
        note = "; line, shaded: fitted law and 80 % band; dashed: beyond the data"
        drawn.append(figures.add(
            f"learning_curve_{metric}.svg", charts.panels, f"Learning curve: {metric}\n"
            "points: splits; large: median" + note * (better == "lower"),
            [Panel("", [series(curve) for curve in curves if curve.metric == metric], log=True)],
            "training set size (rows)", f"test {metric}", better == "lower",
            csv="learning_curve.csv",
            caption=f"{better.capitalize()} is better." if better else ""))
    sections = [parts.section("Learning curves", table, notes, LAW * bool(shown),
                              parts.figures(*drawn) or NOTHING),
                naive_report.section(naive, figures, True)]
    return whole_page(run, f"Learning curves of {run.model}", lead(shown, run.model), sections,
                      figures)


def lead(shown, model):
    """Returns what twice the data would give, and how far to trust that. shown: main_curves."""
    gains = []
    for source, metric, _, fit in shown:
        if fit.usable:
            high, low = (number(100 * (1 - end / fit.predicted_full), 0)
                         for end in band(fit, 2 * fit.full_size, 0.8))
            gains.append(f"{number(fit.gain_percent)} % [{low} to {high}] ({source}; back-test "
                         f"{number(fit.backtest_error_percent)} %)")
    if not gains:
        return ("No learning curve could be fitted: there are too few sizes, or the error does not "
                "fall.")
    return (f"With twice the rows of the largest size, the {metric} of {model} would fall by "
            f"{'; '.join(gains)}, according to the fitted law; 80 % bands in brackets.")


def main_curves(curves):
    """Returns the curves with a fit in the metric that is shown first."""
    fitted = [curve for curve in curves if curve.fit]
    return [curve for curve in fitted if curve.metric == FIRST] or [
        curve for curve in fitted if curve.metric == fitted[0].metric]


def fit_cells(fit):
    """Returns the cells of HEADER after the source."""
    if not fit.usable:
        return [fit.full_size] + [None] * (len(HEADER) - 2)
    sizes = [times * fit.full_size for times in TIMES]
    ahead = [f"{number(fit.law.at(size))} ({limits(*band(fit, size, 0.8))})" for size in sizes]
    level = limits(fit.asymptote_low, fit.asymptote_high)
    percents = [parts.Cell(number(value), value)
                for value in (fit.gain_percent, fit.backtest_error_percent)]
    return [fit.full_size, fit.predicted_full, *ahead, *percents,
            level if fit.asymptote_identified else f"not identified ({level})"]


def limits(low, high):
    return f"{number(low)} to {number(high)}"


def series(curve):
    fit, medians = curve.fit, list(medians_of(cleaned(curve.sizes)).items())
    points = [(size, value) for size, by_split in curve.sizes.items()
              for value in by_split.values()]
    if not fit or not fit.usable:
        return Series(curve.source, points, medians, [] if fit else medians)
    known, beyond = dict(medians[-fit.sizes:]), [times * fit.full_size for times in BEYOND]
    line, dashed = ([(size, fit.law.at(size)) for size in sizes] for sizes in (known, beyond))
    return Series(curve.source, points, medians, line, dashed,
                  [(size, *band(fit, size, 0.8)) for size in (*known, *beyond)])
