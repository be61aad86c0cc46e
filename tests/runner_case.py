"""runner_case: run_model.sh with the toy model's scripts, as a test calls it."""
import json
import os
import shlex

from tests.support import RUN_MODEL, TOY_MODEL, WorkCase, wait_for

TRAIN = os.path.join(TOY_MODEL, "toy_train_improve.py")
PREPROCESS = os.path.join(TOY_MODEL, "toy_preprocess_improve.py")
MODEL, DATA = "out/models/A/split_0", "out/ml_data/A-A/split_0"


class RunnerCase(WorkCase):
    def run_model(self, *line, **settings):
        return self.run_command("bash", RUN_MODEL, *line, **dict({"LATENCY_WAIT": "0"}, **settings))

    def start_model(self, *line, **settings):
        """Starts a runner; what all of them print is in the file `printed`."""
        return self.start("bash", "-c", 'exec bash "$@" >>printed 2>&1', "bash", RUN_MODEL, *line,
                          **settings)

    def wait_for_text(self, name, text, count=1):
        wait_for(lambda: os.path.exists(self.path(name)) and self.read(name).count(text) >= count,
                 f"{text!r} in {name}")

    def out_status(self, *parts):
        return json.loads(self.read(*parts, "stage_status.json"))

    def preprocess(self, *more, **settings):
        os.makedirs(self.path("raw"), exist_ok=True)
        return self.run_model("none", PREPROCESS, "--input_dir", "raw", "--output_dir", DATA, *more,
                              **settings)

    def train(self, *more, **settings):
        return self.run_model("none", TRAIN, "--input_dir", DATA, "--output_dir", MODEL, *more,
                              **settings)

    def run_script(self, text, *more, name="own_train_improve.py", **settings):
        """Runs a stage script with this text, outputs in out/; returns (its end, its status)."""
        self.write(name, text)
        ended = self.run_model("none", name, "--output_dir", "out", *more, **settings)
        return ended, self.out_status("out")

    def write_tasks(self, name, *lines):
        self.write(name, "".join(" ".join(map(shlex.quote, line)) + "\n" for line in lines))
