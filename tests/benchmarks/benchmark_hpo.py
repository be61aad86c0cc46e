"""benchmark_hpo: how good the hyperparameter search is, beside random search.

    hpo_tables/NAME.json, a search space, and NAME.csv, trials of real tuning
      -> simulated studies with one worker, or several that never wait for each other
      -> normalised regret of the best trial so far -> a markdown table

Examples:
    python3 -m tests.benchmarks.benchmark_hpo
    python3 -m tests.benchmarks.benchmark_hpo --seeds 1

Regret is (value - best known) / (median random point - best known) of the trial that looks best,
judged without the noise that the search saw. Writes nothing but the table on stdout. To compare
two versions, run the command in both: seeds and objectives are the same.
"""
import argparse
import csv
import heapq
import math
import os
import random
import sys

from stages.search.optimizer import suggest
from stages.search.space import read_space, to_params, to_units

TABLES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "hpo_tables")
# table -> rows that a point's value is made of, noise
MEASURED = {"forest_diabetes": (4, 0.0), "gbm_cancer": (1, 0.0), "gbm_diabetes": (4, 0.0),
            "mlp_digits": (4, 0.0), "mlp_response": (4, 0.03), "sgd_cancer": (4, 0.0)}
REPORTED = (30, 50, 100)   # trials after which the regret is reported
CLIPPED = 0.9              # a table's values above this quantile count as it: diverged trainings
SEARCHES = ("auto", "random")


class Objective:
    """A function to minimise, of a table of trials. best: its lowest value; middle: that of a
    median random point; noise: deviation of what a search sees."""

    def __init__(self, name):
        self.name, self.space = name, read_space(os.path.join(TABLES, name + ".json"))
        self.near, noise = MEASURED[name]
        with open(os.path.join(TABLES, name + ".csv"), encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        values = [float(row["objective"]) for row in rows]
        ceiling = sorted(values)[int(CLIPPED * len(values))]
        self.rows = [(to_units(self.space, {entry["name"]: read_cell(entry, row[entry["name"]])
                                            for entry in self.space}), min(value, ceiling))
                     for row, value in zip(rows, values)]
        draws = random.Random(1)
        at_random = [to_params(self.space, [draws.random() for _ in self.space])
                     for _ in range(1001)]
        self.best, self.middle = min(values), sorted(map(self.true, at_random))[500]
        self.noise = noise * (self.middle - self.best)

    def true(self, params):
        """Returns the value of a point: that of the nearest rows, by closeness."""
        here = to_units(self.space, params)
        far = [(sum(0.5 * (a != b) if entry["type"] == "categorical" else (a - b) ** 2
                    for a, b, entry in zip(here, point, self.space)), value)
               for point, value in self.rows]
        found = [(1.0 / (square + 1e-6), value)
                 for square, value in heapq.nsmallest(self.near, far)]
        return sum(weight * value for weight, value in found) / sum(weight for weight, _ in found)


def read_cell(entry, text):
    """Returns the value that a cell of a table stands for."""
    if "choices" in entry:
        return next(value for value in entry["choices"] if str(value) == text)
    return float(text)


def simulate(objective, search, workers, seed):
    """Returns the regret of the best trial so far after each finished trial of a study.

    Each worker takes the next trial as soon as its own is finished; a trial lasts 0.5 to 1.5.
    """
    generator = random.Random(f"{objective.name} {seed}")
    history, running, regrets = [], [], []
    best, now = (math.inf, None), 0.0
    while len(regrets) < REPORTED[-1]:
        if len(history) < REPORTED[-1] and len(running) < workers:
            params = suggest(objective.space, list(history), seed, len(history), search)
            true = objective.true(params)
            heapq.heappush(running, (now + generator.uniform(0.5, 1.5), len(history),
                                     true + generator.gauss(0.0, 1.0) * objective.noise, true))
            history.append((params, None))
            continue
        now, index, value, true = heapq.heappop(running)
        history[index] = (history[index][0], value)
        best = min(best, (value, true))
        regrets.append(max(0.0, (best[1] - objective.best) / (objective.middle - objective.best)))
    return regrets


def print_table(workers, seeds):
    """Prints the markdown table of one number of workers: a line a function, a column a search."""
    print(f"{workers} worker{'s' * (workers > 1)}, {seeds} seeds: mean normalised regret after "
          f"{' / '.join(map(str, REPORTED))} trials\n\n| function | ours | random |\n"
          "| --- | --- | --- |")
    found = []
    for name in MEASURED:
        objective = Objective(name)
        studies = [[simulate(objective, search, workers, seed) for seed in range(seeds)]
                   for search in SEARCHES]
        found.append([[sum(study[at - 1] for study in column) / seeds for at in REPORTED]
                      for column in studies])
        print_line(name, found[-1])
    print_line("**mean**", [[sum(each) / len(MEASURED) for each in zip(*column)]
                            for column in zip(*found)])
    print()


def print_line(name, columns):
    cells = [" ".join(f"{regret:.3f}" for regret in column) for column in columns]
    print(f"| {name} | {' | '.join(cells)} |", flush=True)


def main(argv=None):
    """Prints the tables; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10, metavar="N",
                        help="studies of each function (10)")
    seeds = parser.parse_args(argv).seeds
    for workers in (1, 8):
        print_table(workers, seeds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
