"""changed_since: whether anything that a failed task is made with was changed after it failed.

    words, executor, stage script, model's folder, templates, environment's packages, inputs -> True or False

An error of a stage's own comes again unless something of this changes. Times are compared with that of the task's
status, both by the clock of the file system. A change too many only runs a task again.
"""
import functools
import glob
import os

from launcher import needs_run, templates, whole_file
from launcher.paths import HERE
from launcher.status_file import STATUS

CODE = (".py", ".sh", ".ini", ".json", ".yaml", ".yml", ".toml", ".cfg")     # what people edit in a model's folder
SHARED = ("site.sbatch", "site.sh")


def changed_since(task, status, tree, options):
    """Whether the task would not run as it ran when it failed."""
    if not needs_run.same_experiment(status, task, tree.out) or status["words"][0] != task.words[0]:
        return True
    if status.get("executor") != options.executor or made_from_others(task, status, tree):
        return True
    failed = os.stat(tree.path(task.name, STATUS)).st_mtime_ns
    files = [os.path.join(HERE, "run_model.sh"), *template_files(task.stage, task.source, options.model), *input_files(task)]
    times = [newest(path) for path in files] + [newest_code(folder, tree.out) for folder in code_folders(task)]
    return max(times + [newest_package(status.get("launch", ""), task.words[0], tree.out)]) > failed


def made_from_others(task, status, tree):
    """Whether an input was made anew since."""
    made = [(tree.status(made.name), made) for made in status["made_from"] if made.words is not None]
    return any(now is not None and now.stamp != then.stamp for now, then in made)


@functools.lru_cache(maxsize=None)
def newest(path):
    """When a file was last changed, in nanoseconds; 0 if there is none."""
    try:
        return os.stat(path).st_mtime_ns
    except (OSError, ValueError):
        return 0


@functools.lru_cache(maxsize=None)
def newest_code(folder, out):
    """When the last of a folder's own files, and of those one folder below, was changed; OUT may be in there, too."""
    paths = [path for pattern in ("*", "*/*") for path in glob.glob(os.path.join(glob.escape(folder), pattern))]
    return max((newest(path) for path in paths if path.endswith(CODE) and not path.startswith(out + "/")), default=0)


def code_folders(task):
    """The folder of the stage script; of a trial also that of the train script that it runs."""
    scripts = [task.words[1]] + [task.words[at + 1] for at, word in enumerate(task.words[:-1]) if word == "--train_script"]
    return list(dict.fromkeys(os.path.dirname(script) for script in scripts))


def template_files(stage, source, model):
    shared = [os.path.join(folder, name) for folder in templates.folders(model, templates.DIRECTORY) for name in SHARED]
    return [templates.find_template(stage, source, model), templates.find_template("row", source, model), *shared]


def input_files(task):
    """The split files and other files that the task names."""
    folder = task.words[task.words.index("--input_dir") + 1] if "--input_dir" in task.words[:-1] else ""
    names = [word for word in task.words[2:] if not word.startswith("--")]
    return [path for word in names for path in (word, os.path.join(folder, "splits", word)) if os.path.isfile(path)]


@functools.lru_cache(maxsize=None)
def newest_package(launch, environment, out):
    """When something was last installed in the environment, as far as this machine sees it."""
    found = 0
    for path in glob.glob(os.path.join(glob.escape(out), "launches", launch, "environment.*.json")) if launch else ():
        known = whole_file.read_json(path)
        if isinstance(known, dict) and known.get("environment") == environment and isinstance(known.get("executable"), str):
            prefix = glob.escape(os.path.dirname(os.path.dirname(known["executable"])))
            places = glob.glob(os.path.join(prefix, "lib", "python*", "site-packages")) + [os.path.join(prefix, "conda-meta")]
            found = max([found] + [newest(place) for place in places])
    kind, _, place = environment.partition(":")
    return max(found, newest(place) if kind == "apptainer" else 0)
