"""runner_case: run_model.sh with the toy model's scripts, as a test calls it."""
import json
import os

from tests.support import RUN_MODEL, TOY_MODEL, WorkCase

TRAIN = os.path.join(TOY_MODEL, "toy_train_improve.py")
INFER = os.path.join(TOY_MODEL, "toy_infer_improve.py")
PREPROCESS = os.path.join(TOY_MODEL, "toy_preprocess_improve.py")


class RunnerCase(WorkCase):
    def run_model(self, *words, **settings):
        return self.run_command("bash", RUN_MODEL, *words, **dict({"LATENCY_WAIT": "0"}, **settings))

    def out_status(self, *parts):
        with open(self.path(*parts, "stage_status.json"), encoding="utf-8") as file:
            return json.load(file)

    def preprocess(self, **settings):
        os.makedirs(self.path("raw"), exist_ok=True)
        return self.run_model("none", PREPROCESS, "--input_dir", "raw", "--output_dir", "out/ml_data/A-A/split_0", **settings)

    def train(self, *more, **settings):
        return self.run_model("none", TRAIN, "--input_dir", "out/ml_data/A-A/split_0",
                              "--output_dir", "out/models/A/split_0", *more, **settings)
