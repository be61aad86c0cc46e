"""collect_scores: makes the tables of a results tree, whatever part of it there is.

    OUT (plans, statuses, scores) -> Tree -> the workflow's collector -> Report -> OUT/scores/

Runs as the last job of a launch, and by hand at any time, also while tasks
write and on trees that IMPROVE's own workflows wrote. Scores that are not there
are listed, never guessed.

Examples:
    python3 stages/collect_scores.py runs/csa_baseline
    python3 stages/collect_scores.py /data/csa_of_improve --model_name graphdrp --output_dir tables
    python3 stages/collect_scores.py runs/csa_baseline --scatter gCSI:CCLE CCLE:gCSI
    python3 stages/collect_scores.py runs/csa_lgbm --bundle lgbm_csa.tar.gz
    python3 stages/collect_scores.py --compare runs/csa_lgbm runs/csa_graphdrp --output_dir comparison

Files, in OUT/scores or --output_dir:
    missing.csv     each score that is not there: which stage failed, why, its log
    summary.txt     what is printed: what was run, how complete it is, a table, failed tasks
    *.csv, *.svg    the workflow's tables and figures (collect/csa.py and its like say which)
    OUT/report.html one page with all of it

Exit code: 0 tables are written, though scores may be missing; 1 there is no
score at all; 2 nothing was written, and why.
"""
import argparse
import glob
import importlib
import os
import shlex
import sys

from common.refusal import Refusal
from common.tables import csv_text, plural, write_tables
from common.tree_files import as_text, printable
from tree.environments import data_notes, environment_notes
from tree.results_tree import Tree
from tree.scores import by_cause, failed_and_pending

COLLECTORS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "collect")   # a file a workflow
LAYOUTS = {                     # workflow -> what its trees hold, if no plan names it
    "csa": ("infer/*-*/split_*", "models/*/split_*", "ml_data/*-*/split_*"),
    "lca": ("models/split_*/sz_*", "infer/split_*/sz_*", "ml_data/split_*/sz_*",
            "*/models/split_*/sz_*", "*/infer/split_*/sz_*", "*/ml_data/split_*/sz_*"),
    "hpo": ("trials", "*/trials"),
}
MISSING_HEADER = ("task", "source", "target", "split", "stage", "failed_task", "state", "reason",
                  "exit_code", "log")
SYNTHETIC = ("SYNTHETIC DEMO DATA: made by a random generator; no number here says anything "
             "about a real drug or cell line.")


# ---- which workflow

def workflow_of(tree):
    """Returns the name of the workflow that wrote a tree: its plan's, else by its layout."""
    if tree.plan:
        return tree.plan["workflow"]
    base = glob.escape(tree.out)
    for workflow, patterns in LAYOUTS.items():
        if any(next(glob.iglob(os.path.join(base, pattern)), None) for pattern in patterns):
            return workflow
    return None


def collector_of(tree):
    """Returns the function(Tree, model name) -> Report of a tree's workflow; Refusal if it is no results tree.

    It is `collect` of collect/WORKFLOW.py, else that of collect/generic.py.
    """
    workflow = workflow_of(tree)
    if workflow is None:
        reasons = "".join(f"; {note}" for note in tree.notes)
        raise Refusal(f"{as_text(tree.out)} is not a results tree that this program knows{reasons}",
                      "a directory that holds launches/, or infer/SOURCE-TARGET/split_K/")
    known = workflow.isidentifier() and os.path.isfile(os.path.join(COLLECTORS, workflow + ".py"))
    module = importlib.import_module(f"collect.{workflow}") if known else None
    return getattr(module, "collect", None) or importlib.import_module("collect.generic").collect


# ---- what is written

def missing_text(gaps):
    """Returns missing.csv: one line a Gap."""
    return csv_text(MISSING_HEADER, [
        (gap.task.name, gap.task.source, gap.task.target, gap.task.split, gap.stage, gap.failed_task,
         gap.state, gap.reason, gap.exit_code, gap.log) for gap in gaps])


def summary_text(tree, report, workflow, model):
    """Returns summary.txt: what was run, how complete it is, the table, what failed."""
    parts = [_run_lines(tree, report, workflow, model), report.text.split("\n"),
             _failure_lines(report.gaps), _note_lines(tree, report)]
    return "\n\n".join("\n".join(map(printable, lines)) for lines in parts if lines) + "\n"


def _run_lines(tree, report, workflow, model):
    lines = [f"{workflow} of model {model}" + (f", launch {tree.plan['launch']}"
                                               if tree.plan.get("launch") else "")]
    if tree.plan.get("command"):
        lines.append("command: " + " ".join(map(shlex.quote, tree.plan["command"])))
    if tree.synthetic:
        lines.append(SYNTHETIC)
    missing = f", {len(report.gaps)} missing (listed in missing.csv)" if report.gaps else ""
    return lines + [f"scores: {report.found} of {report.found + len(report.gaps)}{missing}"]


def _failure_lines(gaps):
    """Returns a line per cause of failures, and one for what waits."""
    failed, pending = failed_and_pending(gaps)
    lines = [_failure_line(alike) for alike in by_cause(failed)]
    if pending:
        lines.append(f"{plural(pending, 'score')} not there yet: tasks are running or have not run")
    return lines


def _failure_line(alike):
    """alike: [(failed task, the gaps that it leaves)] of one cause."""
    failed_task, gaps = alike[0]
    more = f" and {len(alike) - 1} more" if len(alike) > 1 else ""
    reason = f": {gaps[0].reason}" if gaps[0].reason else ""
    log = f"; log: {gaps[0].log}" if gaps[0].log else ""
    return f"{failed_task}{more} {gaps[0].state}{reason} ({plural(sum(len(gaps) for _, gaps in alike), 'score')} missing{log})"


def _note_lines(tree, report):
    notes = list(dict.fromkeys(tree.notes + report.notes + environment_notes(tree) + data_notes(tree)))
    for field in ("model", "y_col_name"):
        values = {getattr(task, field) for task in tree.tasks.values()} - {None}
        if len(values) > 1:
            notes.append(f"the launches differ in {field}: {', '.join(sorted(values))}; "
                         "their scores do not belong into one table")
    return [f"note: {note}" for note in notes]


# ---- main

def parse(argv):
    parser = argparse.ArgumentParser(
        prog="collect_scores", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", metavar="OUT", nargs="?", help="results tree")
    parser.add_argument("--compare", metavar="OUT", nargs="+", help="compare these cross-study analyses")
    parser.add_argument("--output_dir", metavar="DIR", help="where tables go (default: OUT/scores; a comparison needs one)")
    parser.add_argument("--bundle", metavar="FILE.tar.gz",
                        help="also write what a paper publishes: predictions, scores, plans, checksums; OUT may be such a file")
    parser.add_argument("--scatter", metavar="SRC:TRG", nargs="+", type=pair_of, default=[],
                        help="draw true against predicted responses of these pairs (default: each study on itself)")
    parser.add_argument("--model_name", metavar="NAME", default="model",
                        help="name of the model if no plan names it (default: model)")
    arguments = parser.parse_args(argv)
    if (arguments.out is None) == (arguments.compare is None):
        parser.error("one results tree OUT, or --compare OUT1 OUT2 ... --output_dir DIR")
    if arguments.compare and (arguments.bundle or arguments.scatter):
        parser.error("--bundle and --scatter are for one results tree")
    if arguments.compare and not arguments.output_dir:
        parser.error("--compare needs --output_dir DIR")
    return arguments


def pair_of(text):
    """Returns (source, target) of 'SRC:TRG'."""
    source, colon, target = text.partition(":")
    if not (source and target):
        raise argparse.ArgumentTypeError(f"{text!r} is not SOURCE:TARGET, such as gCSI:CCLE")
    return source, target


def collect(out, output_dir, model_name, scatter=(), bundle=None):
    """Writes the tables of a results tree or bundle; returns (summary, whether there is any score).

    scatter: [(source, target)] to draw; bundle: the file to write what is to be published into.
    """
    if os.path.isdir(out):
        return _collect(out, output_dir, model_name, scatter, bundle)
    from collect.bundle import opened       # slow to import, and rarely needed
    with opened(out) as directory:
        if not os.path.isdir(directory):
            raise Refusal(f"{as_text(out)} is not a directory", "the --output_dir of a launch, or a file of --bundle")
        if directory != out and not output_dir:
            raise Refusal(f"{as_text(out)} is a bundle, which is not changed", "--output_dir DIR, where tables go")
        return _collect(directory, output_dir, model_name, scatter, bundle)


def _collect(out, output_dir, model_name, scatter, bundle):
    tree = Tree(out)
    collector, model = collector_of(tree), tree.plan.get("model") or model_name
    if scatter and workflow_of(tree) != "csa":
        raise Refusal(f"{as_text(out)} is no cross-study analysis: it has no pairs of source and target", "no --scatter")
    report = collector(tree, model, scatter) if scatter else collector(tree, model)
    summary = summary_text(tree, report, workflow_of(tree), model)
    files = dict(report.files)
    files.update({"missing.csv": missing_text(report.gaps), "summary.txt": summary})
    scores = os.path.join(out, "scores")
    write_tables(output_dir or scores, files)
    # Beside scores/; all together if somebody wants the tables elsewhere.
    elsewhere = output_dir and os.path.abspath(output_dir) != os.path.abspath(scores)
    write_tables(output_dir if elsewhere else out, report.top_files)
    if bundle:
        from collect.bundle import write_bundle     # slow to import, and rarely needed
        summary += "\n" + write_bundle(tree, bundle, model) + "\n"
    return summary, report.found > 0


def say(text, stream):
    """Prints text; what a terminal without Unicode cannot show is escaped."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
    stream.flush()


def main(argv=None):
    arguments = parse(argv)
    try:
        if arguments.compare:
            from collect.compare import compare      # not needed otherwise
            summary, any_score = compare(arguments.compare, arguments.output_dir)
        else:
            summary, any_score = collect(arguments.out, arguments.output_dir, arguments.model_name, arguments.scatter,
                                         arguments.bundle)
    except Refusal as refusal:
        say(f"collect_scores: error: {refusal}\n  try: {refusal.way_out}\n", sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    say(summary, sys.stdout)
    return 0 if any_score else 1


if __name__ == "__main__":
    sys.exit(main())
