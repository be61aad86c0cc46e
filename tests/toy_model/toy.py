"""toy: a model with IMPROVE's three stages that does almost nothing, and fails when told to.

    TOY_FAULTS = "STAGE PART FAULT;..."   for tasks of STAGE whose --output_dir holds PART
    FAULT is exit:CODE, sleep:SECONDS, kill, nan, empty, nofile, burn:SECONDS (of CPU),
    or wait:PATH (until that file is there)

It writes each start to TOY_STARTS, one line `seconds stage output_dir`, in one write.
"""
import os
import signal
import sys
import time

OPTIONS = {"preprocess": ("train_split_file", "val_split_file", "test_split_file", "input_dir"),
           "train": ("input_dir", "epochs", "learning_rate"),
           "infer": ("input_data_dir", "input_model_dir", "calc_infer_scores")}
PREDICTIONS = """improve_sample_id,improve_chem_id,auc,auc_true,auc_pred
a,d,0.5,0.5,0.4
b,d,0.7,0.7,0.6
c,d,0.1,0.1,0.3
"""


def arguments(stage):
    """{option: value}. By hand: a campaign starts this program often, and argparse and json take
    longer than it does."""
    given = {option[2:]: value for option, value in zip(sys.argv[1::2], sys.argv[2::2])}
    unknown = set(given) - {*OPTIONS[stage], "output_dir", "y_col_name"}
    if unknown:
        sys.exit(f"toy: unknown option {unknown}")
    return given


def run(stage):
    given = arguments(stage)
    note_start(stage, given["output_dir"])
    left_out = fault(stage, given["output_dir"])
    value = len(given["output_dir"]) % 7 + trained_value(given)
    files = {f"{part}_y_data.csv": "improve_sample_id,improve_chem_id,auc\nc,d,0.5\n"
             for part in ("train", "val", "test")}
    if stage != "preprocess":
        part = "val" if stage == "train" else "test"
        files = {f"{part}_scores.json": scores(value, given),
                 f"{part}_y_data_predicted.csv": PREDICTIONS}
    for name, text in files.items():
        if left_out != "nofile":
            with open(os.path.join(given["output_dir"], name), "w") as file:
                file.write({"nan": text.replace("0.25", "NaN"), "empty": ""}.get(left_out, text))


def trained_value(given):
    """epochs of the training; an inference passes on what its model says."""
    if "input_model_dir" in given:
        with open(os.path.join(given["input_model_dir"], "val_scores.json")) as file:
            return float(file.read().split('"r2": ')[1].rstrip("}"))
    return float(given.get("epochs", 0))


def scores(value, given):
    """mse is 0.25, or best (0.01) at a learning rate of 0.3 where one is given."""
    rate = given.get("learning_rate")
    mse = 0.25 if rate is None else 0.01 + (float(rate) - 0.3) ** 2
    return f'{{"mse": {mse!r}, "rmse": 0.5, "pcc": 0.9, "scc": 0.9, "r2": {value!r}}}'


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
            elif kind == "burn":
                while time.process_time() < float(value):
                    pass
            elif kind == "wait":
                while not os.path.exists(value):
                    time.sleep(0.1)
            else:
                return kind
    return None
