"""done_campaign: makes a finished campaign of any size without running it, for measurements of the
launcher.

    dry_plan.json of a dry run -> plan.json, and for each task its outputs (a byte each) and its
    stage_status.json
"""
import glob
import json
import os

from tests.made_tree import Campaign

FILES = {"preprocess": ("train_y_data.csv", "val_y_data.csv", "test_y_data.csv"),
         "train": ("val_scores.json", "val_y_data_predicted.csv"),
         "infer": ("test_y_data_predicted.csv", "test_scores.json"), "collect": ("summary.txt",)}


def finish_dry_run(out):
    """Every task of the dry run in OUT is done; returns their number."""
    (path,) = glob.glob(os.path.join(out, "launches", "*", "dry_plan.json"))
    with open(path) as file:
        tasks = json.load(file)["tasks"]
    os.rename(path, path.replace("dry_plan", "plan"))
    campaign = Campaign(out)
    campaign.launch = os.path.basename(os.path.dirname(path))
    for task in tasks:
        if task["stage"] == "collect":
            task["parents"] = []        # a status names no inputs of tables
        campaign.run([task], files=dict.fromkeys(FILES[task["stage"]], 1))
        for name in FILES[task["stage"]]:
            campaign.write(f"{task['name']}/{name}", "1")
    return len(tasks)
