"""hpo_case: searches of the toy model in one parameter, best at a learning rate of 0.3."""
import collections
import json
import os

from tests.support import WorkCase, write_benchmark

LOCAL = ("--executor", "local")
RATE = {"name": "learning_rate", "type": "float", "min": 0.0, "max": 1.0, "default": 0.9}
CHOICES = {"name": "learning_rate", "type": "categorical", "choices": [0.1, 0.2, 0.3], "default": 0.2}


class HpoCase(WorkCase):
    def setUp(self):
        super().setUp()
        write_benchmark(self.path("raw"), ("A", "B"))
        self.write("space.json", json.dumps([RATE]))

    def run_hpo(self, *arguments, **settings):
        return self.run_toy("--hyperparameter_file", "space.json", "--source", "A", *arguments, workflow="hpo", **settings)

    def trials(self, source="A"):
        """{number: content of trial.json} of the trials that have one."""
        folder = self.path("out", source, "trials")
        return {int(name): json.loads(self.read("out", source, "trials", name, "trial.json"))
                for name in sorted(os.listdir(folder)) if os.path.exists(os.path.join(folder, name, "trial.json"))}

    def trained(self):
        """{number: how often its training was started}"""
        return collections.Counter(int(name.split("/")[2]) for _, stage, name in self.starts() if stage == "train")
