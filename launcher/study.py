"""study: what all trials of a search have in common, OUT/{source}/study.json, created once.

    options, space -> the study that is asked for -> refused if the one in OUT is another, else a file to create

Beside it, imported.json holds what other searches have found (--import_trials), created once, too.
"""
import glob
import json
import os
import shlex

from launcher import improve_stages, whole_file
from launcher.refusal import Refusal

WAY_OUT = "choose another --output_dir, or give the command that the study was started with"
KNOWN = "leave --import_trials out: the search knows those trials already"


def files(options, source, splits, space, imported):
    """{name in OUT: text} of the files that are to be created; raises Refusal if OUT holds another study.

    imported: [{"params", "objective", "from"}], None if nothing is imported
    """
    study = {"source": source, "val_metric": options.val_metric, "search": options.search, "seed": options.seed,
             "prior": options.prior, "split_type": options.split_type, "splits": splits, "preprocess_args": options.preprocess_args,
             "train_words": train_words(options), "space": space}
    found = {}
    if not exists_alike(options, f"{source}/study.json", study, differences, WAY_OUT):
        found[f"{source}/study.json"] = as_text(study)
    if imported is not None and not exists_alike(options, f"{source}/imported.json", imported, other_trials, KNOWN):
        found[f"{source}/imported.json"] = json.dumps(imported, indent=1) + "\n"
    return found


def train_words(options):
    """What every trial gives to the train script, whatever its point."""
    return ["--y_col_name", options.y_col_name, *improve_stages.for_train(options), *options.train_args]


def exists_alike(options, name, wanted, differ, way_out):
    """Whether OUT holds this file; raises Refusal if it says something else. differ: (old, new) -> [difference]"""
    path = improve_stages.inside(options, name)
    if not os.path.lexists(path):
        return False
    others = differ(whole_file.read_json(path), wanted)
    if others and not has_worked(os.path.dirname(path)):
        way_out = f"rm -r {shlex.quote(os.path.dirname(path))}, since no trial of it has ended well, then the same command"
    if others:
        raise Refusal(f"{path} is of another search: {'; '.join(others)}", way_out)
    return True


def has_worked(study):
    """Whether a trial of this study has ended well, or runs."""
    paths = glob.glob(os.path.join(glob.escape(study), "trials", "*", "stage_status.json"))
    states = [status.get("state") for status in map(whole_file.read_json, paths) if isinstance(status, dict)]
    return not paths or "done" in states or "running" in states


def differences(old, new):
    """['val_metric: mse -> r2', 'space: learning_rate'] of two studies; [] if they are one."""
    if not isinstance(old, dict):
        return ["it is broken"]
    kinds = [kind for kind in new if old.get(kind) != new[kind]]
    return [f"space: {', '.join(other_parameters(old.get(kind), new[kind])) or 'their order'}" if kind == "space"
            else f"{kind}: {shown(old.get(kind))} -> {shown(new[kind])}" for kind in kinds]


def other_parameters(old, new):
    """The names of the parameters that two spaces do not have alike."""
    old, new = ({entry["name"]: entry for entry in space} for space in (old if isinstance(old, list) else [], new))
    return [name for name in dict.fromkeys([*old, *new]) if old.get(name) != new.get(name)]


def other_trials(old, new):
    """Imported trials are the same wherever they were read from."""
    def known(trials):
        return [(trial.get("params"), trial.get("objective")) for trial in trials]
    if not isinstance(old, list):
        return ["it is broken"]
    return [] if known(old) == known(new) else [f"it holds {len(old)} imported trials, not these {len(new)}"]


def shown(value):
    return " ".join(map(str, value)) or "none" if isinstance(value, list) else str(value)


def as_text(study):
    """One key a line."""
    lines = [f"{json.dumps(key)}: {json.dumps(value, indent=1 if key == 'space' else None)}" for key, value in study.items()]
    return "{" + ",\n ".join(lines) + "}\n"
