"""hpo_case: searches of the toy model in one parameter, best at a learning rate of 0.3."""
import collections
import glob
import json

from tests.support import TOY, WorkCase, write_benchmark

LOCAL = ("--executor", "local")
RATE = {"name": "learning_rate", "type": "float", "min": 0.0, "max": 1.0, "default": 0.9}
CHOICES = {"name": "learning_rate", "type": "categorical", "choices": [0.1, 0.2, 0.3],
           "default": 0.2}
ARGUMENTS = (*TOY, "--hyperparameter_file", "space.json", "--source", "A")


class HpoCase(WorkCase):
    def setUp(self):
        super().setUp()
        write_benchmark(self.path("raw"), ("A", "B"))
        self.write("space.json", json.dumps([RATE]))

    def run_hpo(self, *arguments, **settings):
        return self.run_workflow("hpo", *ARGUMENTS, *arguments, **settings)

    def search(self, trials, *arguments, code=0, **settings):
        """A search of so many trials on this machine, which ends with this exit code."""
        return self.run_hpo(*LOCAL, "--max_evals", str(trials), *arguments, code=code,
                            TOY_STARTS=self.path("starts.txt"), **settings)

    def best(self):
        """{source: parameters of its best trial}"""
        return json.loads(self.read("out/hyperparameters_hpo.json"))["toy"]

    def trials(self):
        """{number: content of trial.json} of the trials that have one."""
        paths = sorted(glob.glob(self.path("out/A/trials/*/trial.json")))
        return {int(path.split("/")[-2]): json.loads(self.read(path)) for path in paths}

    def points(self):
        """The parameters of each trial."""
        return [trial["params"] for trial in self.trials().values()]

    def trained(self):
        """{number: how often its training was started}"""
        return collections.Counter(int(name.split("/")[2])
                                   for _, stage, name in self.starts() if stage == "train")
