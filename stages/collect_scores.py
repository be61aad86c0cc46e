"""collect_scores: makes the tables of a results tree, whatever part of it there is.

    OUT (plans, statuses, scores) -> Tree -> the workflow's collector -> Report -> OUT/scores/

Runs as the last job of a launch, and by hand at any time, also while tasks
write and on trees that IMPROVE's own workflows wrote. Scores that are not there
are listed, never guessed.

Examples:
    python3 stages/collect_scores.py runs/csa_baseline
    python3 stages/collect_scores.py /data/csa_of_improve --model_name graphdrp --output_dir tables
    python3 stages/collect_scores.py --compare runs/csa_lgbm runs/csa_graphdrp --output_dir comparison

Files, in OUT/scores or --output_dir:
    missing.csv     each score that is not there: which stage failed, why, its log
    summary.txt     what is printed: what was run, how complete it is, a table, failed tasks
    *.csv, *.svg    the workflow's tables and figures (csa_tables.py and its like say which)
    OUT/report.html one page with all of it

Exit code: 0 tables are written, though scores may be missing; 1 there is no
score at all; 2 nothing was written, and why.
"""
import argparse
import collections
import glob
import os
import shlex
import sys

import compare_runs
import csa_tables
import hpo_tables
import lca_tables
from improve_files import FileError, write_whole
from refusal import Refusal
from results_tree import Tree
from tree_files import as_text, printable
from tables import csv_text

COLLECTORS = {                  # workflow -> function(Tree, model name) -> Report
    "csa": csa_tables.collect,
    "lca": lca_tables.collect,
    "hpo": hpo_tables.collect,
}
LAYOUTS = {                     # workflow -> what its trees hold, where no plan names it
    "csa": ("infer/*-*/split_*", "models/*/split_*", "ml_data/*-*/split_*"),
    "lca": ("models/split_*/sz_*", "infer/split_*/sz_*", "ml_data/split_*/sz_*",
            "*/models/split_*/sz_*", "*/infer/split_*/sz_*", "*/ml_data/split_*/sz_*"),
    "hpo": ("trials", "*/trials"),
}
MISSING_HEADER = ("task", "source", "target", "split", "stage", "failed_task", "state", "reason",
                  "exit_code", "log")
SYNTHETIC = ("SYNTHETIC DEMO DATA: made by a random generator; no number here says anything "
             "about a real drug or cell line.")
PENDING = ("running", "waiting")    # neither failed nor done


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
    """Returns the function that collects a tree; Refusal where there is none."""
    workflow = workflow_of(tree)
    if workflow is None:
        reasons = "".join(f"; {note}" for note in tree.notes)
        raise Refusal(f"{as_text(tree.out)} is not a results tree that this program knows{reasons}",
                      "a directory that holds launches/, or infer/SOURCE-TARGET/split_K/")
    if workflow not in COLLECTORS:
        raise Refusal(f"{as_text(tree.out)} was written by the workflow {workflow!r}, which this "
                      "program does not collect", f"a tree of {', '.join(COLLECTORS)}")
    return COLLECTORS[workflow]


# ---- what is written

def missing_text(gaps):
    """Returns missing.csv: one line a Gap."""
    return csv_text(MISSING_HEADER, [
        (gap.task.name, gap.task.source, gap.task.target, gap.task.split, gap.stage, gap.culprit,
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
    """Returns a line per task that failed, and one for those that wait."""
    failed = collections.OrderedDict()
    for gap in gaps:
        if gap.state not in PENDING:
            failed.setdefault(gap.culprit, []).append(gap)
    lines = [_failure_line(culprit, gaps_of) for culprit, gaps_of in failed.items()]
    pending = sum(gap.state in PENDING for gap in gaps)
    if pending:
        lines.append(f"{_count(pending, 'score')} not there yet: tasks are running or have not run")
    return lines


def _failure_line(culprit, gaps):
    reason = f": {gaps[0].reason}" if gaps[0].reason else ""
    log = f"; log: {gaps[0].log}" if gaps[0].log else ""
    return f"{culprit} {gaps[0].state}{reason} ({_count(len(gaps), 'score')} missing{log})"


def _count(number, noun):
    return f"{number} {noun}" + ("" if number == 1 else "s")


def _note_lines(tree, report):
    notes = list(collections.OrderedDict.fromkeys(tree.notes + report.notes))
    for field in ("model", "y_col_name"):
        values = {getattr(task, field) for task in tree.tasks.values()} - {None}
        if len(values) > 1:
            notes.append(f"the launches differ in {field}: {', '.join(sorted(values))}; "
                         "their scores do not belong into one table")
    return [f"note: {note}" for note in notes]


def write_tables(output_dir, files):
    """Writes {file name: text} whole; where the text is None, an old file is removed."""
    try:
        os.makedirs(output_dir, exist_ok=True)
        for name, text in files.items():
            path = os.path.join(output_dir, name)
            if text is not None:
                # half a character of a strange file name cannot be written as UTF-8
                write_whole(path, text.encode("utf-8", "backslashreplace").decode("utf-8"))
            elif os.path.lexists(path):
                os.remove(path)
    except (FileError, OSError) as error:
        raise Refusal(f"the tables cannot be written: {as_text(str(error))}",
                      "--output_dir with a directory of your own")


# ---- main

def parse(argv):
    parser = argparse.ArgumentParser(
        prog="collect_scores", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", metavar="OUT", nargs="?", help="results tree")
    parser.add_argument("--compare", metavar="OUT", nargs="+", help="compare these cross-study analyses")
    parser.add_argument("--output_dir", metavar="DIR", help="where tables go (default: OUT/scores; a comparison needs one)")
    parser.add_argument("--model_name", metavar="NAME", default="model",
                        help="name of the model where no plan tells it (default: model)")
    arguments = parser.parse_args(argv)
    if (arguments.out is None) == (arguments.compare is None):
        parser.error("one results tree OUT, or --compare OUT1 OUT2 ... --output_dir DIR")
    if arguments.compare and not arguments.output_dir:
        parser.error("--compare needs --output_dir DIR")
    return arguments


def collect(out, output_dir, model_name):
    """Writes the tables of a results tree; returns (summary, whether there is any score)."""
    if not os.path.isdir(out):
        raise Refusal(f"{as_text(out)} is not a directory", "the --output_dir of a launch")
    tree = Tree(out)
    collector, model = collector_of(tree), tree.plan.get("model") or model_name
    report = collector(tree, model)
    summary = summary_text(tree, report, workflow_of(tree), model)
    files = dict(report.files)
    files.update({"missing.csv": missing_text(report.gaps), "summary.txt": summary})
    scores = os.path.join(out, "scores")
    write_tables(output_dir or scores, files)
    # Beside scores/; all together where somebody wants the tables elsewhere.
    elsewhere = output_dir and os.path.abspath(output_dir) != os.path.abspath(scores)
    write_tables(output_dir if elsewhere else out, report.top_files)
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
            summary, any_score = compare_runs.compare(arguments.compare, arguments.output_dir)
        else:
            summary, any_score = collect(arguments.out, arguments.output_dir, arguments.model_name)
    except Refusal as refusal:
        say(f"collect_scores: error: {refusal}\n  try: {refusal.way_out}\n", sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    say(summary, sys.stdout)
    return 0 if any_score else 1


if __name__ == "__main__":
    sys.exit(main())
