"""made_tree: a results tree as the launcher and the runner leave it, written without running
anything."""
import json
import os
import shutil
from itertools import product

PREDICTIONS = """source,improve_chem_id,auc,auc_true,auc_pred
a,d1,0.1,0.1,0.2
a,d2,0.4,0.4,0.2
a,d3,0.4,0.4,0.5
a,d4,0.8,0.8,0.5
a,d5,0.9,0.9,0.9
"""

KEPT = ("stamp", "arguments", "script_fingerprint", "read_files")     # of an input, in made_from


class Campaign:
    """A CSA tree under a temporary directory, written as launcher and runner write it."""

    def __init__(self, out, epochs="5"):
        self.out, self.epochs, self.stamps, self.launch = out, epochs, 0, ""

    def entry(self, stage, name, row, parents, arguments):
        """The task of a plan.json; row: (source, target, split)."""
        if stage == "train":
            arguments = dict(arguments, epochs=self.epochs)
        return {"name": name, "stage": stage, "array": stage, "run": True, "parents": parents,
                "script": f"/repo/stages/baseline_{stage}_improve.py",
                "arguments": dict(arguments, output_dir=name),
                "source": row[0], "target": row[1], "split": row[2]}

    def entries(self, sources, targets, splits=(0,)):
        """Returns the plan entries of all pairs; a model is trained on its first target's data."""
        found = []
        for source, split in product(sources, splits):
            model = f"models/{source}/split_{split}"
            rows = {f"{source}-{target}/split_{split}": (source, target, split)
                    for target in targets}
            data = [f"ml_data/{pair}" for pair in rows]
            found += [self.entry("preprocess", f"ml_data/{pair}", row, [], {
                "input_dir": "/raw", "train_split_file": f"{source}.txt",
                "test_split_file": f"{row[1]}.txt"}) for pair, row in rows.items()]
            found.append(self.entry("train", model, (source, "", split), data[:1],
                                    {"input_dir": data[0]}))
            found += [self.entry("infer", f"infer/{pair}", row, [model, f"ml_data/{pair}"], {
                "input_data_dir": f"ml_data/{pair}", "input_model_dir": model})
                      for pair, row in rows.items()]
        return found

    def plan(self, launch, entries, file="plan.json", **more):
        plan = {"workflow": "csa", "command": ["workflow_csa.py", "--x y"], "arguments": {},
                "model": "baseline", "y_col_name": "auc", "tasks": entries, **more}
        self.launch = launch    # what runs next belongs to it
        write(os.path.join(self.out, "launches", launch, file), json.dumps(plan))

    def run(self, entries, **status):
        """Leaves what the runner would leave of these tasks."""
        for entry in entries:
            name, self.stamps = entry["name"], self.stamps + 1
            inputs = {parent: self.status_of(parent) for parent in entry["parents"]}
            content = {"state": "done", "reason": "", "launch": self.launch,
                       "stamp": f"stamp {self.stamps} of {name}", "script": entry["script"],
                       "arguments": entry["arguments"],
                       "made_from": {parent: {key: it[key] for key in KEPT if key in it}
                                     for parent, it in inputs.items()}, **status}
            self.write(f"{name}/stage_status.json", json.dumps(content))
            self.write(f"{name}/log.txt", "log\n")
            if entry["stage"] == "infer" and content["state"] == "done":
                self.scores(name)

    def scores(self, name, r2=0.5):
        self.write(name + "/test_scores.json", json.dumps(
            {"mse": 0.25, "rmse": 0.5, "pcc": 0.75, "scc": 0.625, "r2": r2}))

    def status_of(self, name):
        with open(os.path.join(self.out, name, "stage_status.json"), encoding="utf-8") as file:
            return json.load(file)

    def change(self, name, **changes):
        """Changes keys of a status."""
        self.write(name + "/stage_status.json", json.dumps(dict(self.status_of(name), **changes)))

    def write(self, name, text):
        write(os.path.join(self.out, name), text)

    def remove(self, *names):
        for name in names:
            path = os.path.join(self.out, name)
            shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(text if isinstance(text, bytes) else text.encode("utf-8"))


def of_stage(entries, stage):
    return [entry for entry in entries if entry["stage"] == stage]
