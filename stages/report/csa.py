"""csa: the page of a cross-study analysis.

    rows of scores -> mean, std, G, Ga, Gn, Gna -> figures and tables -> OUT/report.html

Examples:
    page, figures = report(run, rows, studies, naive, overlap)
    figures["csa_r2_mean.svg"]                  # also in OUT/scores

Figures: csa_{met}_mean, _std, _bubbles, _within, _generalization, _ratio, _splits, _within_cross; csa_scatter_SRC-TRG;
csa_runtimes; those of report/naive.py and report/overlap.py.
The measures G, Ga, Gn and Gna are those of Partin et al., arXiv 2503.14356; stats/generalization.py says how they are made.
"""
import math
from typing import NamedTuple

from common.metrics import METRICS, direction, in_order
from common.tables import plural
from report import axes
from report import bubbles
from report import charts
from report import heatmap
from report import naive as naive_report
from report import overlap as overlap_report
from report import page as parts
from report.hexbins import hexbins
from report.run import NOTHING, Figures, Run, whole_page
from stats.generalization import by_pair, densed_rows, generalization_rows, is_within, mean, std

FIRST = ("r2", "pcc", "scc", "mae", "rmse", "mse")      # the order of metrics; the first is shown, the others fold
WORDS = {
    "r2": "r2: 1 is perfect, 0 is as good as the mean of the test set, below 0 is worse than that.",
    "pcc": "pcc: Pearson correlation of truth and prediction.",
    "scc": "scc: Spearman rank correlation of truth and prediction.",
    "mae": "mae: mean absolute error; lower is better.",
    "rmse": "rmse: root of the mean squared error; lower is better.",
    "mse": "mse: mean squared error; lower is better."}
WHERE = {"within": "within a study", "cross": "across studies"}
MEASURES = {"G": "the model on its own study", "Ga": "mean over the other studies",
            "Gna": "mean of each other study's score as a share of the own study's; 1 would be no loss"}


class Scores(NamedTuple):
    """What the page is made from."""
    run: Run
    rows: list              # those of collect.csa.score_rows
    sources: list
    targets: list

    def by_pair(self, met):
        """Returns {(source, target): values of the splits} of a metric."""
        return by_pair([row for row in self.rows if row[0] == met])

    def measures(self, met):
        """Returns {measure: {source: value}} of G, Ga and Gna, {(source, target): value} of Gn."""
        found = {"G": {}, "Ga": {}, "Gn": {}, "Gna": {}}
        for _, measure, source, target, value, _, _ in generalization_rows(
                met, self.by_pair(met), (self.sources, self.targets), self.run.model):
            found[measure][(source, target) if measure == "Gn" else source] = value
        return found

    def matrix(self, values, function=lambda value: value):
        """Returns function(values[source, target]) as rows of sources, None without a value."""
        return [[function(values[source, target]) if (source, target) in values else None for target in self.targets]
                for source in self.sources]


def report(run, rows, studies, naive, strata=(), coverage=None, clouds=()):
    """Returns (page, {file name: SVG}). studies: (sources, targets); naive: collect.naive.Naive.

    strata: dicts of strata.csv's columns; coverage: collect.overlap.Coverage; clouds: collect.csa.Clouds.
    """
    scores, figures = Scores(run, rows, *studies), Figures(run.tree.synthetic)
    there = in_order(row[0] for row in rows)
    metrics = [met for met in FIRST if met in there] + [met for met in there if met not in FIRST]
    sections = metric_sections(metrics[0], scores, figures) if metrics else [parts.section("Scores", NOTHING)]
    sections += filter(None, [cloud_section(clouds, figures)])
    sections += naive_report.sections(naive, figures)
    if coverage:
        means = {pair: mean(values) for pair, values in scores.by_pair("r2").items()}
        sections += filter(None, [overlap_report.section(strata, coverage, means, figures)])
    folded = [folded_metric(met, scores, figures) for met in metrics[1:]]
    sections += [parts.section("Other metrics", *folded)] if folded else []
    text = f"{lead(metrics[0], scores, naive)} {overlap_report.sentences(strata)}" if metrics else "There are no scores yet."
    return whole_page(run, f"Cross-study analysis of {run.model}", text, sections, figures, "csa")


# ---- what came out

def lead(met, scores, naive):
    """Returns two sentences: the mean within and across studies, and that of the mean-effects predictor."""
    kinds = {kind: (center, spread) for _, center, spread, kind, _ in densed_rows(
        [row for row in scores.rows if row[0] == met], "")}
    said = [f"{axes.number(kinds[kind][0])} {words}" for kind, words in WHERE.items() if kind in kinds]
    sentences = [f"{scores.run.model} has a mean {met} of {' and '.join(said)}."] if said else []
    baseline = naive_means(naive, met)
    said = [f"{axes.number(baseline[kind])} {words}" for kind, words in WHERE.items() if kind in baseline]
    if said:
        sentences.append(f"The mean-effects predictor, which knows only drugs and cell lines by name, has {' and '.join(said)}.")
    return " ".join(sentences)


def words_of(met):
    """Returns what a metric is and which values are better, as far as its name says so."""
    return WORDS.get(met) or f"{met}: " + ("higher is better, 1 is perfect." if direction(met) else
                                           "as the model's score files have it; which values are better is not known here.")


def naive_means(naive, met):
    """Returns {within or cross: mean score of the mean-effects predictor}, pooled over pairs and splits."""
    rows = [(met, row[2], record["scores"][f"naive_{met}"], row[0], row[1]) for row, record in zip(naive.rows, naive.records)
            if f"naive_{met}" in record["scores"]]
    return {kind: center for _, center, _, kind, _ in densed_rows(rows, "")}


# ---- parts of a metric

def metric_sections(met, scores, figures):
    """Returns the sections of the metric that is shown first."""
    return [parts.section(f"{met} of every source and target", parts.paragraph(words_of(met)), heatmaps(met, scores, figures),
                          bubbles_and_bars(met, scores, figures), paper_table(met, scores), negative_pairs(met, scores)),
            parts.section("How well it generalizes", parts.figures(generalization(met, scores, figures))),
            parts.section("Within a study against across studies",
                          parts.figures([within_cross(met, scores, figures), pooled_table(scores),
                                         splits(met, scores, figures)]))]


def folded_metric(met, scores, figures):
    """Returns what another metric says, folded."""
    return parts.details(met, parts.paragraph(words_of(met)), heatmaps(met, scores, figures),
                         parts.figures(generalization(met, scores, figures) + [splits(met, scores, figures)]))


def heatmaps(met, scores, figures):
    """Returns the mean and the standard deviation over splits, sources x targets."""
    groups = scores.by_pair(met)
    ends = {"center": 0, "low": -1, "high": 1} if met in METRICS and direction(met) == "higher" else {}
    below = counts(groups, scores)
    return parts.figures([
        figures.add(f"csa_{met}_mean.svg", heatmap.heatmap, scores.matrix(groups, mean), scores.sources, scores.targets,
                    f"Mean {met} over splits", below=below, **ends,
                    caption="Rows: trained on; columns: tested on." + (
                        " Below a number, how many splits it is the mean of." if below else "")),
        figures.add(f"csa_{met}_std.svg", heatmap.heatmap, scores.matrix(groups, std), scores.sources, scores.targets,
                    f"Standard deviation of {met} over splits",
                    caption="Standard deviation over splits (ddof 1); a dash below two splits.")])


def bubbles_and_bars(met, scores, figures):
    """Returns mean and spread in one map, and each source's own study with its standard deviation."""
    groups = scores.by_pair(met)
    ends = {"center": 0, "low": -1, "high": 1} if met in METRICS and direction(met) == "higher" else {}
    drawn = [figures.add(f"csa_{met}_bubbles.svg", bubbles.bubble_map, scores.matrix(groups, mean), scores.matrix(groups, std),
                         scores.sources, scores.targets, f"Mean and spread of {met}", **ends,
                         caption="Color: mean over splits; area: 1 / standard deviation, so that what is certain is large.")]
    own = [source for source in scores.sources if (source, source) in groups]
    if own:
        drawn.append(figures.add(
            f"csa_{met}_within.svg", charts.bars, own, [(met, [mean(groups[source, source]) for source in own])],
            f"{met} within each study", x_label=met, spreads=[[std(groups[source, source]) for source in own]],
            caption="Mean over splits; lines: one standard deviation to both sides."))
    return parts.figures(drawn)


def decimals(spreads):
    """Returns how many decimals give the typical standard deviation two significant digits: 2 to 6."""
    usual = sorted(spread for spread in spreads if spread > 0)
    return max(2, min(6, 1 - math.floor(math.log10(usual[len(usual) // 2])))) if usual else 3


def mean_std_rows(met, groups, studies):
    """Returns rows of a source each: 'mean (std)' of every target, all with the same decimals; '' without a score."""
    digits = decimals([std(values) for values in groups.values()])
    return [[source] + [mean_std(groups.get((source, target)), digits) for target in studies[1]] for source in studies[0]]


def mean_std(values, digits):
    if not values:
        return ""
    spread = std(values)
    return f"{mean(values):.{digits}f}" + (f" ({spread:.{digits}f})" if spread == spread else "")


def paper_table(met, scores):
    """Returns the table of 'mean (std)'."""
    rows = mean_std_rows(met, scores.by_pair(met), (scores.sources, scores.targets))
    return parts.table(["source"] + scores.targets, rows,
                       f"{met}: mean (standard deviation) over splits, to be pasted into a paper; mean_std_table.csv has all "
                       "metrics.")


def negative_pairs(met, scores):
    """Returns the list of pairs with a negative mean r2; '' for other metrics."""
    if met != "r2":
        return ""
    rows = [[f"{source} \u2192 {target}", mean(values), std(values)] for (source, target), values in scores.by_pair(met).items()
            if mean(values) < 0]
    if not rows:
        return parts.paragraph("No pair of studies has a negative mean r2.")
    return parts.table(["source \u2192 target", "mean r2", "std"], sorted(rows, key=lambda row: row[1]),
                       "Pairs with a negative r2: worse than the mean of the test set")


def cloud_section(clouds, figures):
    """Returns true against predicted responses of some pairs, '' without any."""
    drawn = [figures.add(
        f"csa_scatter_{cloud.source}-{cloud.target}.svg", hexbins, cloud.true, cloud.pred,
        f"{cloud.source} \u2192 {cloud.target}", x_label="true response", y_label="predicted response",
        caption=f"{plural(len(cloud.true), 'row')} of split {cloud.split}; dashed: where prediction and truth are equal.")
             for cloud in clouds]
    return parts.section("True against predicted", parts.figures(drawn)) if drawn else ""


def counts(groups, scores):
    """Returns 'n of m' splits per cell, None if no pair lacks a split."""
    lacks = [(gap.task.source, gap.task.target) for gap in scores.run.gaps]
    if not set(lacks) & set(groups):
        return None

    def cell(pair):
        there = len(groups.get(pair, ()))
        return f"{there} of {there + lacks.count(pair)}" if pair in lacks else ""
    return [[cell((source, target)) for target in scores.targets] for source in scores.sources]


def generalization(met, scores, figures):
    """Returns [bars of G, Ga and Gna per source, Gn per source and target]."""
    measures = scores.measures(met)
    shown = [measure for measure in MEASURES if measures[measure]]
    series = [(measure, [measures[measure].get(source) for source in scores.sources]) for measure in shown]
    drawn = [figures.add(f"csa_{met}_generalization.svg", charts.bars, scores.sources, series,
                         f"{', '.join(shown)} of {met}", x_label=met,
                         caption=" ".join(f"{measure}: {MEASURES[measure]}." for measure in shown))]
    if measures["Gn"]:
        drawn.append(figures.add(
            f"csa_{met}_ratio.svg", heatmap.heatmap, scores.matrix(measures["Gn"]), scores.sources, scores.targets,
            f"Gn: {met} as a share of the own study's", center=0, low=-1, high=1,
            caption="Gn: the score on another study divided by that on the own one."))
    elif direction(met) == "lower":
        drawn.append(parts.paragraph("There is no Gn or Gna for an error: the ratio does not say which is better."))
    return drawn


def within_cross(met, scores, figures):
    """Returns each source's splits within and across studies."""
    strips = []
    for source in scores.sources:
        for kind in ("within", "cross"):
            values = [value for (s, target), group in scores.by_pair(met).items() for value in group
                      if s == source and is_within(s, target) == (kind == "within")]
            strips += [charts.Strip(source, values, kind)] if values else []
    return figures.add(f"csa_{met}_within_cross.svg", charts.strips, strips, f"{met} within and across studies",
                       points="splits", x_label=met,
                       caption="All splits and targets of a source: its own study against the others.")


def pooled_table(scores):
    """Returns the numbers of all metrics within and across studies."""
    numbers = {(kind, met): pair for met, *pair, kind, _ in densed_rows(scores.rows, "")}
    metrics = in_order(met for _, met in numbers)
    lines = [[f"{WHERE[kind]}, {name}"] + [numbers.get((kind, met), (None, None))[at] for met in metrics]
             for kind in WHERE for at, name in enumerate(("mean", "std"))]
    return parts.table([""] + metrics, lines, "Pooled over all pairs and splits, as in densed_csa_table.csv")


def splits(met, scores, figures):
    """Returns the score of every split, by source and target."""
    groups = scores.by_pair(met)
    strips = [charts.Strip(source, groups[source, target], target) for source in scores.sources
              for target in scores.targets if (source, target) in groups]
    return figures.add(f"csa_{met}_splits.svg", charts.strips, strips, f"{met} of every split, trained on the study at the left",
                       points="splits", colors="tested on", x_label=met)
