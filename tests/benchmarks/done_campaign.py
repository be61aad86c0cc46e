"""done_campaign: makes a finished campaign of any size without running it, for measurements of the
launcher.

    dry_plan.json of a dry run -> plan.json, and for each task its outputs (a byte each) and its
    stage_status.json
"""
import json
import os

FILES = {"preprocess": ("train_y_data.csv", "val_y_data.csv", "test_y_data.csv"),
         "train": ("val_scores.json", "val_y_data_predicted.csv"),
         "infer": ("test_y_data_predicted.csv", "test_scores.json"), "collect": ("summary.txt",)}


def finish_dry_run(out):
    """Every task of the dry run in OUT is done; returns their number."""
    (launch,) = os.listdir(os.path.join(out, "launches"))
    path = os.path.join(out, "launches", launch, "dry_plan.json")
    with open(path) as file:
        plan = json.load(file)
    os.rename(path, path.replace("dry_plan", "plan"))
    made = {}
    for number, task in enumerate(plan["tasks"]):
        made[task["name"]] = {"stamp": f"2026-11-24T12:00:00Z.{number:06d}.node.4711",
                              "arguments": task["arguments"], "script_fingerprint": "63:19fce5a5"}
        write_task(os.path.join(out, task["name"]), status_of(task, made, out, launch))
    return len(plan["tasks"])


def status_of(task, made, out, launch):
    parents = task["parents"] if task["stage"] != "collect" else []
    return {"launch": launch, "task": task["name"], "stage": task["stage"], "state": "done",
            "reason_kind": "", "reason": "", "exit_code": 0, "attempt": 1,
            "started": "2026-11-24T12:00:00Z", "ended": "2026-11-24T12:10:00Z", "seconds": 600.0,
            "cpu_seconds": 590.0, "peak_mb": 812.5, "host": "node", "pid": 4711,
            "executor": "slurm", "slurm_job": f"409_{task['index']}", **made[task["name"]],
            "environment": task["environment"], "script": task["script"],
            "made_from": {name: made[name] for name in parents},
            "files": {name: 1 for name in FILES[task["stage"]]}}


def write_task(directory, status):
    os.makedirs(directory, exist_ok=True)
    for name in status["files"]:
        with open(os.path.join(directory, name), "w") as file:
            file.write("1")
    with open(os.path.join(directory, "stage_status.json"), "w") as file:
        json.dump(status, file)
