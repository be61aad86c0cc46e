"""task: one call of a stage script, from the words of a command line or of a .tasks file.

    words -> Task: script, output directory, inputs, stage, results tree, launch
"""
import itertools
import os

# Suffix of a script -> (stage, files without which it is not done, files it also leaves).
# Old ones are removed when an attempt starts, so that they never pass for new ones.
STAGES = (
    ("_preprocess_improve.py", "preprocess", ("train_y_data.csv", "val_y_data.csv", "test_y_data.csv"), ()),
    ("_train_improve.py", "train", ("val_scores.json",), ("val_y_data_predicted.csv",)),
    ("_infer_improve.py", "infer", ("test_y_data_predicted.csv",), ("test_scores.json",)),
    ("hpo_trial.py", "trial", ("trial.json",), ()),
    ("collect_scores.py", "collect", (), ()),
)


class Refused(Exception):
    """A call that makes no sense: one sentence, and the way out."""


def words_of_line(line):
    """Takes a line apart as shlex.quote put it together; nothing is evaluated. None if it is no task."""
    words, word, rest = [], None, line.rstrip("\n")
    while rest:
        first = rest[0]
        if first in "'\"":
            inside, quote, rest = rest[1:].partition(first)
            if not quote:
                return None
            word = (word or "") + inside
        elif first in " \t":
            words, word, rest = words + [word] * (word is not None), None, rest[1:]
        else:
            end = next((at for at, letter in enumerate(rest) if letter in "'\" \t"), len(rest))
            word, rest = (word or "") + rest[:end], rest[end:]
    words += [word] * (word is not None)
    return words if len(words) >= 2 else None


class Task:
    """One call of a stage script. Paths are absolute: the stage runs in a directory of its own,
    since a file there that has a split's name would shadow the one in splits/.

    out, launch, name: its results tree, the launch that it belongs to ('' by hand), its directory in out
    """

    def __init__(self, words, task_file=""):
        self.words = list(words)
        self.words[1] = os.path.abspath(words[1])
        kind, colon, place = words[0].partition(":")
        if kind in ("venv", "apptainer"):
            self.words[0] = kind + colon + os.path.abspath(place)
        self.script, self.directory, self.inputs, self.model_dir = self.words[1], "", [], os.path.dirname(self.words[1])
        for at in range(2, len(words) - 1):
            self._read_option(at)
        if not self.directory:
            raise Refused("the task has no --output_dir: " + " ".join(words) + "\n  try: bash run_model.sh --help")
        self.args = self.words[2:]
        self._know_stage()
        self.task_file = task_file
        self.out = os.path.dirname(os.path.dirname(os.path.dirname(task_file))) if task_file else results_tree(self.directory)
        self.launch = os.path.basename(os.path.dirname(task_file))
        self.name = os.path.relpath(self.directory, self.out)

    def _read_option(self, at):
        option, path = self.words[at], os.path.abspath(self.words[at + 1])
        if option == "--output_dir":
            self.directory = self.words[at + 1] = path
        elif option in ("--input_dir", "--input_data_dir", "--input_model_dir"):
            self.inputs.append(path)
            self.words[at + 1] = path
        elif option == "--train_script":    # of a trial
            self.model_dir = os.path.dirname(path)

    def _know_stage(self):
        self.stage, self.required, self.optional = "other", (), ()
        for suffix, stage, required, optional in STAGES:
            if os.path.basename(self.script).endswith(suffix):
                self.stage, self.required, self.optional = stage, required, optional
        told = " ".join(self.args).lower()      # the last word counts
        if self.stage == "infer" and told.rfind("--calc_infer_scores true") > told.rfind("--calc_infer_scores false"):
            self.required, self.optional = self.optional, self.required

    def path(self, name):
        return os.path.join(self.directory, name)


def results_tree(directory):
    """The results tree of a task that is called by hand: where launches are, else above ml_data, models..."""
    above, parts = os.path.dirname(directory), ("ml_data", "models", "infer", "trials", "scores")
    while above != "/":
        if os.path.isdir(os.path.join(above, "launches")):
            return above
        above = os.path.dirname(above)
    for part in parts:
        if "/{}/".format(part) in directory:
            return directory.rpartition("/{}/".format(part))[0]
    return os.path.dirname(directory)


def tasks_of_file(file, index, count):
    """The tasks of COUNT lines from INDEX on, of which some may be empty; raises Refused."""
    path, tasks = os.path.abspath(file), []
    try:
        with open(path, encoding="utf-8", errors="surrogateescape", newline="\n") as lines:
            rows = list(itertools.islice(lines, index, index + count))
    except OSError as error:
        raise Refused("task file {} cannot be read ({})\n  try: a .tasks file of OUT/launches".format(file, error.strerror))
    for at, row in enumerate(rows, index + 1):
        words = words_of_line(row)
        if words is None and row.strip():
            raise Refused("line {} of {} is not a task\n  try: the launcher again, which writes such files".format(at, file))
        if words:
            tasks.append(Task(words, path))
            if tasks[-1].words[0] != tasks[0].words[0]:
                raise Refused("line {} of {} is for another environment than the line before\n"
                              "  try: a COUNT of lines with one environment".format(at, file))
    if not tasks:
        raise Refused("line {} of {} is not a task\n  try: the INDEX of a line that is not empty".format(index + 1, file))
    return tasks
