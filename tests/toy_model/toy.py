"""toy: a model with IMPROVE's three stages that does almost nothing, and fails when told to.

    TOY_FAULTS = "STAGE PART FAULT;..."   for tasks of STAGE whose --output_dir holds PART
    FAULT is exit:CODE, sleep:SECONDS, kill, nan, nofile, or wait:PATH (until that file is there)

It writes each start to TOY_STARTS, one line `seconds stage output_dir`, in one write.
"""
import argparse
import json
import os
import signal
import sys
import time


def arguments(stage):
    parser = argparse.ArgumentParser(allow_abbrev=False)
    names = {"preprocess": ("train_split_file", "val_split_file", "test_split_file", "input_dir"),
             "train": ("input_dir", "epochs", "learning_rate"),
             "infer": ("input_data_dir", "input_model_dir", "calc_infer_scores")}[stage]
    for name in names + ("output_dir", "y_col_name"):
        parser.add_argument(f"--{name}")
    return parser.parse_args()


def run(stage):
    given = arguments(stage)
    note_start(stage, given.output_dir)
    left_out = fault(stage, given.output_dir)
    value = len(given.output_dir) % 7 + trained_value(given)
    files = {"preprocess": [(f"{part}_y_data.csv", "improve_sample_id,improve_chem_id,auc\nc,d,0.5\n")
                            for part in ("train", "val", "test")],
             "train": [("val_scores.json", scores(value, given)), ("val_y_data_predicted.csv", predictions())],
             "infer": [("test_scores.json", scores(value, given)), ("test_y_data_predicted.csv", predictions())]}[stage]
    for name, text in files:
        if left_out != "nofile":
            with open(os.path.join(given.output_dir, name), "w") as file:
                file.write(text.replace("0.25", "NaN") if left_out == "nan" else text)


def trained_value(given):
    """epochs of the training; an inference passes on what its model says."""
    if getattr(given, "input_model_dir", None):
        with open(os.path.join(given.input_model_dir, "val_scores.json")) as file:
            return json.load(file)["r2"]
    return float(getattr(given, "epochs", None) or 0)


def scores(value, given):
    """mse is 0.25, or best (0.01) at a learning rate of 0.3 where one is given."""
    rate = getattr(given, "learning_rate", None)
    mse = 0.25 if rate is None else 0.01 + (float(rate) - 0.3) ** 2
    return json.dumps({"mse": mse, "rmse": 0.5, "pcc": 0.9, "scc": 0.9, "r2": value})


def predictions():
    return "improve_sample_id,improve_chem_id,auc,auc_true,auc_pred\na,d,0.5,0.5,0.4\nb,d,0.7,0.7,0.6\nc,d,0.1,0.1,0.3\n"


def note_start(stage, directory):
    path = os.environ.get("TOY_STARTS")
    if path:
        with open(path, "a") as file:
            file.write(f"{time.time()} {stage} {directory}\n")


def fault(stage, directory):
    for rule in filter(None, os.environ.get("TOY_FAULTS", "").split(";")):
        wanted, part, what = rule.split()
        if wanted == stage and part in directory:
            kind, _, value = what.partition(":")
            print(f"toy: {what} as told")
            sys.stdout.flush()
            if kind == "exit":
                sys.exit(int(value))
            elif kind == "sleep":
                time.sleep(float(value))
            elif kind == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            elif kind == "wait":
                while not os.path.exists(value):
                    time.sleep(0.1)
            else:
                return kind
    return None
