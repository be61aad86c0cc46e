"""collect_scores: makes the tables of a results tree, whatever part of it exists.

    OUT (plans, statuses, scores) -> Tree -> the workflow's collector -> Report -> OUT/scores/

Runs as the last job of a launch, and by hand at any time, also while tasks write and on trees that
IMPROVE's own workflows wrote. Missing scores are listed, never guessed.

Examples:
    python3 stages/collect_scores.py runs/csa_baseline
    python3 stages/collect_scores.py /data/csa_of_improve --model_name graphdrp --output_dir tables
    python3 stages/collect_scores.py --compare runs/csa_lgbm runs/csa_uno --output_dir compared

Files, in OUT/scores or --output_dir:
    missing.csv     each missing score: which stage failed, why, its log
    summary.txt     what is printed: what was run, how complete it is, a table, failed tasks
    *.csv, *.svg    the workflow's tables and figures (collect/csa.py and its like say which); of a
                    workflow without a file there all_scores.csv, a row per result
    OUT/report.html one page with all of it

Exit code: 0 tables are written, though scores may be missing; 1 there is no score at all; 2 nothing
was written, and why.
"""
import argparse
import glob
import importlib.util
import os
import shlex
import sys

# the project's folder
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from core.errors import Refusal  # noqa: E402
from core.metrics import in_order  # noqa: E402
from core.text import Output, as_text, printable  # noqa: E402
from stages.collect.compare import compare  # noqa: E402
from stages.collect.gaps import Report, Tree  # noqa: E402
from stages.collect.scores import read_results, run_of  # noqa: E402
from stages.collect.tables import csv_text, write_tables  # noqa: E402
from stages.report.page import SYNTHETIC, section, table  # noqa: E402
from stages.report.run import (  # noqa: E402
    NOTHING, failure_lines, launch_notes, whole_page)

LAYOUTS = (                     # a workflow and what its trees hold, if no plan names it
    ("lca", "*/split_*/sz_*"), ("lca", "*/*/split_*/sz_*"), ("hpo", "*/trials"),
    ("csa", "*/*-*/split_*"), ("csa", "models/*/split_*"))
FIELDS = ("stage", "source", "target", "split", "size")
MISSING_HEADER = ("task", "source", "target", "split", "stage", "failed_task", "state", "reason",
                  "exit_code", "log")


def workflow_of(tree):
    """Returns the name of the workflow that wrote a tree: its plan's, else by its layout."""
    if tree.plan:
        return tree.plan["workflow"]
    return next((workflow for workflow, pattern in LAYOUTS
                 if glob.glob(os.path.join(glob.escape(tree.out), pattern))), None)


def collector_of(workflow):
    """Returns the function(Tree, model name) -> Report of a workflow: `collect` of
    collect/WORKFLOW.py, else collect_any."""
    name = f"stages.collect.{workflow}"
    is_known = workflow.isidentifier() and importlib.util.find_spec(name)
    return getattr(importlib.import_module(name) if is_known else None, "collect", collect_any)


def collect_any(tree, model):
    """Returns the Report of a tree of any workflow: its inferences, else its trainings. A task of a
    plan may have labels, such as {"seed": 3}, each of which is a column."""
    every = sorted(tree.tasks.values(), key=lambda task: task.name)
    tasks = [task for task in every if task.stage == "infer"] or [
        task for task in every if task.stage == "train"]
    results = read_results(tree, tree.done(tasks))
    run, scored = run_of(tree, model, tasks, results)
    metrics = in_order(met for task in scored for met in results[task.name].scores)
    names = {name for task in scored for name in task.labels}
    labels = sorted(names.difference(["task", *FIELDS], metrics))
    header = ["task", *FIELDS, *labels, *metrics]
    rows = [[task.name, *(getattr(task, name) for name in FIELDS), *map(task.labels.get, labels),
             *map(results[task.name].scores.get, metrics)] for task in scored]
    scores = table(header, rows, "All scores", "scores/all_scores.csv") or NOTHING
    page, _ = whole_page(run, f"{tree.plan['workflow']} of {model}", "",
                         [section("Scores", scores)], {})
    return Report(run, {"all_scores.csv": csv_text(header, rows)}, "all scores: all_scores.csv",
                  {"report.html": page})


def summary_text(run, workflow, table_text):
    """Returns summary.txt: what was run, how complete it is, the table, what failed."""
    tree = run.tree
    missing = f", {run.missing} missing (listed in missing.csv)" * bool(run.missing)
    launch = f", launch {tree.plan['launch']}" if tree.plan else ""
    head = [f"{workflow} of model {run.model}{launch}"]
    if tree.plan.get("command"):
        head.append("command: " + " ".join(map(shlex.quote, tree.plan["command"])))
    head += [*[SYNTHETIC] * tree.synthetic,
             f"scores: {run.found} of {run.found + run.missing}{missing}"]
    notes = tree.notes + run.notes + launch_notes(tree)
    parts = [head, table_text.split("\n"), failure_lines(run.gaps),
             [f"note: {note}" for note in dict.fromkeys(notes)]]
    return "\n\n".join("\n".join(map(printable, lines)) for lines in parts if lines) + "\n"


def parse(argv):
    parser = argparse.ArgumentParser(prog="collect_scores", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", metavar="OUT", nargs="?", help="results tree")
    parser.add_argument("--input_dir", metavar="OUT", help="the same, as launchers name it")
    parser.add_argument("--compare", metavar="OUT", nargs="+",
                        help="compare these cross-study analyses")
    parser.add_argument("--output_dir", metavar="DIR",
                        help="where tables go (default: OUT/scores; a comparison needs one)")
    parser.add_argument("--model_name", metavar="NAME", default="model",
                        help="name of the model if no plan names it (default: model)")
    arguments = parser.parse_args(argv)
    arguments.out = arguments.out or arguments.input_dir
    if bool(arguments.out) == bool(arguments.compare) or (
            arguments.compare and not arguments.output_dir):
        parser.error("one results tree OUT, or --compare OUT1 OUT2 ... --output_dir DIR")
    return arguments


def collect(out, output_dir, model_name):
    """Writes the tables of a results tree; returns (summary, whether there is any score)."""
    tree = Tree(out)
    workflow, model = workflow_of(tree), tree.plan.get("model") or model_name
    if workflow is None:
        reasons = "".join(f"; {note}" for note in tree.notes)
        raise Refusal(f"{as_text(out)} is not a results tree that this program knows{reasons}",
                      "a directory that holds launches/, or infer/SOURCE-TARGET/split_K/")
    run, files, text, top = collector_of(workflow)(tree, model)
    summary = summary_text(run, workflow, text)
    missing = [(gap.task.name, gap.task.source, gap.task.target, gap.task.split,
                gap.stage, gap.failed_task, *gap[3:]) for gap in run.gaps]
    scores = os.path.join(out, "scores")
    write_tables(output_dir or scores, {
        **files, "missing.csv": csv_text(MISSING_HEADER, missing), "summary.txt": summary})
    # Beside scores/; all together if somebody wants the tables elsewhere.
    elsewhere = output_dir and os.path.abspath(output_dir) != os.path.abspath(scores)
    if elsewhere:
        top["report.html"] = top["report.html"].replace('href="scores/', 'href="')
    write_tables(output_dir if elsewhere else out, top)
    return summary, run.found > 0


def main(argv=None):
    arguments = parse(argv)
    try:
        if arguments.compare:
            summary, any_score = compare(arguments.compare, arguments.output_dir), True
        else:
            summary, any_score = collect(arguments.out, arguments.output_dir, arguments.model_name)
    except Refusal as refusal:
        Output(sys.stderr).write(refusal.text("collect_scores"))
        return 2
    except KeyboardInterrupt:
        return 130
    Output(sys.stdout).write(summary)
    return 0 if any_score else 1


if __name__ == "__main__":
    sys.exit(main())
