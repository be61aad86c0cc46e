"""benchmark_hpo: how good and how fast the hyperparameter search is, beside its peers.

    hpo_tables/NAME.json, a search space, and NAME.csv, trials of real tuning
      -> simulated studies with one worker, or several that never wait for each other
      -> normalised regret of the best trial so far -> a markdown table

Examples:
    python3 -m tests.benchmarks.benchmark_hpo --seeds 2 --trials 50 --workers 1
    python3 -m tests.benchmarks.benchmark_hpo --methods ours random optuna optuna_gp
    python3 -m tests.benchmarks.benchmark_hpo --only mlp_digits cost

Regret is (value - best known) / (median random point - best known) of the trial that looks best,
judged without the noise that the search saw. optuna needs Optuna, optuna_gp PyTorch, too. Writes
nothing but the table on stdout. To compare two versions, run the command in both: seeds and
objectives are the same.
"""
import argparse
import csv
import functools
import heapq
import math
import os
import random
import sys
import time
import warnings

from stages.search import optimizer
from stages.search.space import read_space, to_params, to_units

TABLES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "hpo_tables")
COST = "sgd_cancer"        # the table on which a proposal's time is measured
REPORTED = (30, 50, 100)   # trials after which the regret is reported
CLIPPED = 0.9              # a table's values above this quantile count as it: diverged trainings


# ---- objective functions

class Objective:
    """A function to minimise. true: params -> value; best: its lowest value; noise: deviation of
    what a search sees, in (median - best)."""

    def __init__(self, name):
        self.name, self.space = name, read_space(os.path.join(TABLES, name + ".json"))
        near, noise = MEASURED[name]
        self.true, self.best = measured(name, self.space, near)
        draws = random.Random(1)
        self.middle = sorted(self.true(self.drawn(draws)) for _ in range(1001))[500]
        self.noise = noise * (self.middle - self.best)

    def drawn(self, generator):
        """Returns the parameters of a random point."""
        return to_params(self.space, [generator.random() for _ in self.space])

    def regret(self, value):
        return max(0.0, (value - self.best) / (self.middle - self.best))


# rows that a point's value is made of, noise
MEASURED = {"forest_diabetes": (4, 0.0), "gbm_cancer": (1, 0.0), "gbm_diabetes": (4, 0.0),
            "mlp_digits": (4, 0.0), "mlp_response": (4, 0.03), "sgd_cancer": (4, 0.0)}


def measured(name, space, near):
    """Returns (function, lowest value) of a table of trials: the nearest rows, by closeness."""
    with open(os.path.join(TABLES, name + ".csv"), encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    points = [to_units(space, {entry["name"]: read_cell(entry, row[entry["name"]])
                               for entry in space}) for row in rows]
    values = [float(row["objective"]) for row in rows]
    ceiling = sorted(values)[int(CLIPPED * len(values))]
    values = [min(value, ceiling) for value in values]
    unordered = [entry["type"] == "categorical" for entry in space]

    def true(params):
        here = to_units(space, params)
        far = [(sum(0.5 * (a != b) if flag else (a - b) ** 2
                    for a, b, flag in zip(here, point, unordered)), value)
               for point, value in zip(points, values)]
        found = [(1.0 / (square + 1e-6), value) for square, value in heapq.nsmallest(near, far)]
        return sum(weight * value for weight, value in found) / sum(weight for weight, _ in found)

    return true, min(values)


def read_cell(entry, text):
    """Returns the value that a cell of a table stands for."""
    if "choices" in entry:
        return next(value for value in entry["choices"] if str(value) == text)
    return float(text)


# ---- methods: each makes, for an objective and a seed, a function from a history to params

def method_of(search):
    """Returns the method of one of our searches."""
    return lambda objective, seed: lambda history: search(objective.space, history, seed,
                                                          len(history))


def optuna_method(sampler_name):
    """Returns the method of one of Optuna's samplers, with its default settings."""
    def method(objective, seed):
        import optuna
        warnings.simplefilter("ignore")
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        study = optuna.create_study(sampler=getattr(optuna.samplers, sampler_name)(seed=seed))
        study.enqueue_trial({entry["name"]: entry["default"] for entry in objective.space})
        trials, told = [], set()

        def ask(history):
            for index, (_, value) in enumerate(history):
                if value is not None and index not in told:
                    told.add(index)
                    study.tell(trials[index], value)
            trials.append(study.ask())
            return {entry["name"]: optuna_value(trials[-1], entry) for entry in objective.space}
        return ask
    return method


def optuna_value(trial, entry):
    if "choices" in entry:
        return trial.suggest_categorical(entry["name"], entry["choices"])
    suggest = trial.suggest_int if entry["type"] == "int" else trial.suggest_float
    return suggest(entry["name"], entry["min"], entry["max"], log=entry["log_uniform"])


METHODS = {"ours": method_of(optimizer.suggest),
           "random": method_of(functools.partial(optimizer.suggest, search="random")),
           "optuna": optuna_method("TPESampler"), "optuna_gp": optuna_method("GPSampler")}


# ---- studies

def simulate(objective, ask, workers, trials, seed):
    """Returns the regret of the incumbent after each finished trial.

    Each worker takes the next trial as soon as its own is finished; a trial lasts 0.5 to 1.5.
    """
    generator = random.Random(f"{objective.name} {seed}")
    history, running, regrets = [], [], []
    best, now = (math.inf, None), 0.0
    while len(regrets) < trials:
        if len(history) < trials and len(running) < workers:
            params = ask(list(history))
            true = objective.true(params)
            heapq.heappush(running, (now + generator.uniform(0.5, 1.5), len(history),
                                     true + generator.gauss(0.0, 1.0) * objective.noise, true))
            history.append((params, None))
            continue
        now, index, value, true = heapq.heappop(running)
        history[index] = (history[index][0], value)
        best = min(best, (value, true))
        regrets.append(objective.regret(best[1]))
    return regrets


def table(names, methods, workers, trials, seeds):
    """Returns the markdown table of one number of workers: a line a function, a column a method."""
    reported = [at for at in REPORTED if at <= trials]
    lines = [f"{workers} worker{'s' * (workers > 1)}, {seeds} seeds: mean normalised regret after "
             f"{' / '.join(map(str, reported))} trials", "",
             f"| function | {' | '.join(methods)} |", "|" + " --- |" * (len(methods) + 1)]
    columns = [[] for _ in methods]
    for name in names:
        made = Objective(name)
        for column, method in zip(columns, methods):
            runs = [simulate(made, METHODS[method](made, seed), workers, trials, seed)
                    for seed in range(seeds)]
            column.append([sum(run[at - 1] for run in runs) / seeds for at in reported])
        lines.append(f"| {name} | {' | '.join(spaced(column[-1]) for column in columns)} |")
        print(lines[-1], file=sys.stderr)
    means = [f"**{spaced([sum(each) / len(names) for each in zip(*column)])}**"
             for column in columns]
    return "\n".join([*lines, f"| **mean** | {' | '.join(means)} |"])


def spaced(regrets):
    return " ".join(f"{regret:.3f}" for regret in regrets)


def cost_lines():
    """Returns the processor time of one proposal in the dimensions of COST, by finished trials."""
    made, generator = Objective(COST), random.Random(1)
    points = [made.drawn(generator) for _ in range(150)]
    history = [(params, made.true(params)) for params in points]
    lines = ["| finished trials | seconds of one proposal |", "| --- | --- |"]
    for count in (50, 100, 150):
        start = time.process_time()
        optimizer.suggest(made.space, history[:count], 1, count)
        lines.append(f"| {count} | {time.process_time() - start:.2f} |")
    return "\n".join(lines)


def main(argv=None):
    """Prints the tables; returns the exit code."""
    names = list(MEASURED)
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=100, metavar="N",
                        help="trials of a study, at least 30 (100)")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 8], metavar="N",
                        help="workers of a study (1 8)")
    parser.add_argument("--seeds", type=int, default=10, metavar="N",
                        help="studies of each function (10)")
    parser.add_argument("--methods", nargs="+", default=["ours", "random"],
                        choices=sorted(METHODS), help="(ours random)")
    parser.add_argument("--only", nargs="+", choices=names + ["cost"], metavar="NAME",
                        default=names + ["cost"], help=f"of {', '.join(names)}, cost (all)")
    args = parser.parse_args(argv)
    chosen = [name for name in args.only if name != "cost"]
    for workers in args.workers if chosen else []:
        print(table(chosen, args.methods, workers, args.trials, args.seeds) + "\n", flush=True)
    if "cost" in args.only:
        print(cost_lines())
    return 0


if __name__ == "__main__":
    sys.exit(main())
