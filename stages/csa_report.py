"""csa_report: the page of a cross-study analysis.

    rows of scores -> mean, std, G, Ga, Gn, Gna -> figures and tables -> OUT/report.html

Examples:
    page, figures = report(tree, "baseline", rows, studies, gaps)
    figures["csa_r2_mean.svg"]                  # also stands in OUT/scores

Figures: csa_{met}_mean, _std, _generalization, _ratio, _splits, _within_cross; csa_runtimes; naive_report's.
The measures G, Ga, Gn and Gna are those of Partin et al., arXiv 2503.14356; csa_measures says how they are made.
"""
import axes
import charts
import csa_measures
import heatmap
import naive_report
import report as parts
import run_report
from metrics import lower_is_better

FIRST = ("r2", "pcc", "scc", "mae", "rmse", "mse")      # the order of metrics; the first is shown, the others fold
WORDS = {
    "r2": "r2: 1 is perfect, 0 is as good as the mean of the test set, below 0 is worse than that.",
    "pcc": "pcc: Pearson correlation of truth and prediction.",
    "scc": "scc: Spearman rank correlation of truth and prediction.",
    "mae": "mae: mean absolute error; lower is better.",
    "rmse": "rmse: root of the mean squared error; lower is better.",
    "mse": "mse: mean squared error; lower is better."}
MEASURES = ("G: the model on its own study. Ga: mean over the other studies. Gna: mean of each other study's score as "
            "a share of the own study's; 1 would be no loss.")


def report(tree, model, rows, studies, gaps, naive=None, notes=()):
    """Returns (page, {file name: SVG}).

    rows: as csa_tables.score_rows; studies: (sources, targets); gaps: a Gap per missing result;
    naive: what naive_scores found, or None.
    """
    tasks = [task for task in tree.tasks.values() if task.stage == "infer"]
    found = len({row[1:2] + row[3:5] for row in rows})
    metrics = [met for met in FIRST if any(row[0] == met for row in rows)]
    figures = Figures(run_report.stamp_of(tree))
    sections = metric_sections(metrics[0], rows, studies, gaps, model, figures) if metrics else [nothing()]
    sections += naive_sections(naive, figures)
    sections += other_metrics(metrics[1:], rows, studies, gaps, model, figures)
    times, drawn = run_report.runtime_section(tree, "csa_runtimes.svg")
    figures.update(drawn)
    sections += [times, run_report.failure_section(gaps, notes)]
    text = run_report.run_page(
        f"Cross-study analysis of {model}", tree, run_report.run_rows(tree, model, tasks, found, gaps), sections,
        lead(metrics[0], rows, studies, model) if metrics else "There are no scores yet.")
    return text, dict(figures)


class Figures(dict):
    """{file name: SVG} of the figures made so far; each bears the stamp."""

    def __init__(self, stamp):
        super().__init__()
        self.stamp = stamp

    def add(self, name, chart, *arguments, caption="", **options):
        """Draws a figure and returns it as part of a page."""
        self[name] = chart(*arguments, stamp=self.stamp, **options)
        return parts.figure(self[name], caption)


def nothing():
    return parts.section("Scores", parts.paragraph("No inference has ended well, so there is nothing to show."))


# ---- what came out

def lead(met, rows, studies, model):
    """Returns two sentences: the score within the own study, and what is left of it on others."""
    measures = measures_of(met, rows, studies, model)
    within, across = measures["G"], measures["Ga"]
    sentences = []
    if within:
        sentences.append(f"Tested on the study it was trained on, {model} has a mean {met} of {span(within)}.")
    if across:
        sentences.append(f"Tested on other studies it has {span(across)}, the mean over targets per source (Ga).")
    return " ".join(sentences)


def measures_of(met, rows, studies, model):
    """Returns {measure: {source: value}} of G, Ga and Gna, {(source, target): value} of Gn."""
    groups = csa_measures.by_pair([row for row in rows if row[0] == met])
    found = {"G": {}, "Ga": {}, "Gn": {}, "Gna": {}}
    for _, measure, source, target, value, _, _ in csa_measures.generalization_rows(met, groups, studies, model):
        found[measure][(source, target) if measure == "Gn" else source] = value
    return found


def span(values):
    """Returns '0.763 (gCSI)' or '0.763 (gCSI) to 0.791 (CCLE)'."""
    low, high = (choose(values, key=values.get) for choose in (min, max))
    ends = [low] if low == high else [low, high]
    return " to ".join(f"{axes.number(values[name])} ({name})" for name in ends)


# ---- sections of a metric

def metric_sections(met, rows, studies, gaps, model, figures):
    """Returns the sections of the metric that is shown first."""
    return [parts.section(f"{met} of every source and target", parts.paragraph(WORDS[met]),
                          heatmaps(met, rows, studies, gaps, figures)),
            parts.section("How well it generalizes", generalization(met, rows, studies, model, figures)),
            parts.section("Within a study against across studies",
                          parts.figures([within_cross(met, rows, studies, figures), splits(met, rows, studies, figures)]),
                          pooled_table(rows, model))]


def other_metrics(metrics, rows, studies, gaps, model, figures):
    """Returns one section with all that the other metrics say, folded."""
    folded = [parts.details(met, parts.paragraph(WORDS[met]), heatmaps(met, rows, studies, gaps, figures),
                            generalization(met, rows, studies, model, figures),
                            splits(met, rows, studies, figures)) for met in metrics]
    return [parts.section("Other metrics", *folded)] if folded else []


def heatmaps(met, rows, studies, gaps, figures):
    """Returns the mean and the standard deviation over splits, sources x targets."""
    groups = csa_measures.by_pair([row for row in rows if row[0] == met])
    ends = {} if lower_is_better(met) else {"center": 0, "low": -1, "high": 1}
    below = counts(groups, studies, gaps)
    mean = figures.add(f"csa_{met}_mean.svg", heatmap.heatmap, matrix(groups, studies, csa_measures.mean), *studies,
                       f"Mean {met} over splits", below=below, **ends,
                       caption="Rows: trained on; columns: tested on." + (
                           " Below a number, how many splits it is the mean of." if below else ""))
    std = figures.add(f"csa_{met}_std.svg", heatmap.heatmap, matrix(groups, studies, csa_measures.std), *studies,
                      f"Standard deviation of {met} over splits",
                      caption="Standard deviation over splits (ddof 1); a dash below two splits.")
    return parts.figures([mean, std])


def matrix(groups, studies, measure):
    return [[measure(groups[source, target]) if (source, target) in groups else None for target in studies[1]]
            for source in studies[0]]


def counts(groups, studies, gaps):
    """Returns 'n of m' splits per cell, None where no pair lacks a split."""
    lacks = [(gap.task.source, gap.task.target) for gap in gaps]
    if not set(lacks) & set(groups):
        return None

    def cell(pair):
        there = len(groups.get(pair, ()))
        return f"{there} of {there + lacks.count(pair)}" if pair in lacks else ""
    return [[cell((source, target)) for target in studies[1]] for source in studies[0]]


def generalization(met, rows, studies, model, figures):
    """Returns bars of G, Ga and Gna per source, and Gn per source and target."""
    measures = measures_of(met, rows, studies, model)
    shown = [measure for measure in ("G", "Ga", "Gna") if measures[measure]]
    series = [(measure, [measures[measure].get(source) for source in studies[0]]) for measure in shown]
    drawn = [figures.add(f"csa_{met}_generalization.svg", charts.bars, studies[0], series,
                         f"{', '.join(shown)} of {met}", x_label=met, caption=MEASURES)]
    if measures["Gn"]:
        values = [[measures["Gn"].get((source, target)) for target in studies[1]] for source in studies[0]]
        drawn.append(figures.add(
            f"csa_{met}_ratio.svg", heatmap.heatmap, values, *studies, f"Gn: {met} as a share of the own study's",
            center=0, low=-1, high=1, caption="Gn: the score on another study divided by that on the own one."))
    elif lower_is_better(met):
        drawn.append(parts.paragraph("There is no Gn or Gna for an error: the ratio does not say which is better."))
    return parts.figures(drawn)


def within_cross(met, rows, studies, figures):
    """Returns each source's splits within and across studies."""
    groups = csa_measures.by_pair([row for row in rows if row[0] == met])
    strips = []
    for source in studies[0]:
        for kind in ("within", "cross"):
            values = [value for (s, target), group in groups.items() for value in group
                      if s == source and (s == target) == (kind == "within")]
            strips += [charts.Strip(source, values, kind)] if values else []
    return figures.add(f"csa_{met}_within_cross.svg", charts.strips, strips, f"{met} within and across studies",
                       x_label=met, note="points: splits (many: their outline); box: quartiles; line: median",
                       caption="All splits and targets of a source: its own study against the others.")


def pooled_table(rows, model):
    """Returns the numbers of all metrics within and across studies."""
    numbers = {(met, kind): [mean, std] for met, mean, std, kind, _ in csa_measures.densed_rows(rows, model)}
    lines = [[met] + [value for kind in ("within", "cross") for value in numbers.get((met, kind), [None, None])]
             for met in FIRST if {(met, "within"), (met, "cross")} & set(numbers)]
    return parts.table(["metric", "within: mean", "std", "cross: mean", "std"], lines,
                       "Pooled over all pairs and splits, as in densed_csa_table.csv")


def splits(met, rows, studies, figures):
    """Returns the score of every split, by source and target."""
    groups = csa_measures.by_pair([row for row in rows if row[0] == met])
    strips = [charts.Strip(source, groups[source, target], target) for source in studies[0] for target in studies[1]
              if (source, target) in groups]
    return figures.add(f"csa_{met}_splits.svg", charts.strips, strips, f"{met} of every split", x_label=met,
                       note="points: splits; box: quartiles; line: median; colors: tested on",
                       caption="Each point is one split: left the source, in color the target.")


# ---- beside the mean-effects predictor

def naive_sections(naive, figures):
    return naive_report.sections(naive, figures, figures.stamp)
