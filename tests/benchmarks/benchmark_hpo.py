"""benchmark_hpo: how good and how fast the hyperparameter search is, beside its peers.

    hpo_tables/NAME.json, a search space, with a formula or with NAME.csv, trials of real tuning
      -> simulated studies with one worker, or several that never wait for each other
      -> normalised regret of the best trial so far -> a markdown table

Examples:
    python3 -m tests.benchmarks.benchmark_hpo --seeds 2 --trials 50 --workers 1
    python3 -m tests.benchmarks.benchmark_hpo --methods ours random optuna optuna_gp
    python3 -m tests.benchmarks.benchmark_hpo --only branin cost

Regret is (value - best known) / (median random point - best known) of the trial that looks best,
judged without the noise that the search saw. optuna needs Optuna, optuna_gp PyTorch, too. Writes
nothing but the table on stdout. To compare two versions, run the command in both: seeds and
objectives are the same.
"""
import argparse
import csv
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
REPORTED = (30, 50, 100)   # trials after which the regret is reported
CLIPPED = 0.9              # a table's values above this quantile count as it: diverged trainings


# ---- objective functions

class Objective:
    """A function to minimise. true: params -> value; best: its lowest value; noise: deviation of
    what a search sees, in (median - best)."""

    def __init__(self, name):
        self.name, self.space = name, read_space(os.path.join(TABLES, name + ".json"))
        if name in FORMULAS:
            self.true, self.best, noise = FORMULAS[name]
        else:
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


HARTMANN_A = ((10, 3, 17, 3.5, 1.7, 8), (.05, 10, 17, .1, 8, 14),
              (3, 3.5, 1.7, 10, 17, 8), (17, 8, .05, 10, .1, 14))
HARTMANN_P = ((.1312, .1696, .5569, .0124, .8283, .5886),
              (.2329, .4135, .8307, .3736, .1004, .9991),
              (.2348, .1451, .3522, .2883, .3047, .6650),
              (.4047, .8828, .8732, .5743, .1091, .0381))


def hartmann6(params):
    x = [params[f"x{i}"] for i in range(6)]
    return -sum(c * math.exp(-sum(a * (u - p) ** 2 for a, u, p in zip(row_a, x, row_p)))
                for c, row_a, row_p in zip((1.0, 1.2, 3.0, 3.2), HARTMANN_A, HARTMANN_P))


def branin(params):
    x, y = params["x"], params["y"]
    bend = y - 5.1 / (4 * math.pi ** 2) * x * x + 5 / math.pi * x - 6
    return bend ** 2 + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x) + 10


def ackley(x):
    far, wave = sum(v * v for v in x) / len(x), sum(math.cos(2 * math.pi * v) for v in x) / len(x)
    return 20 + math.e - 20 * math.exp(-0.2 * math.sqrt(far)) - math.exp(wave)


def ackley_mixed(params):
    return ackley([params["a"] - 1.3, params["b"] + 0.7, params["i"] - 2, params["j"] + 3,
                   "pqrs".index(params["c"])])


def ackley_int(params):
    return ackley([params[f"i{i}"] - best for i, best in enumerate((3, -4, 1, 6, -2))])


def valley(params):
    """A learning rate that grows with the batch size, and diverges far above it."""
    rate, batch = math.log10(params["learning_rate"]), math.log2(params["batch_size"])
    far = rate - (-4 + 0.5 * (batch - 3) * math.log10(2))
    value = (0.1 + 0.25 * far ** 2 / (1 + 0.1 * abs(far)) + 0.02 * (batch - 5) ** 2
             + 0.03 * (math.log10(params["weight_decay"]) + 4) ** 2
             + 0.05 * (math.log2(params["latent_dim"]) - 6) ** 2)
    return value + 5 if far > 1.2 else value


def three_choices(params):
    value = {"relu": 0, "tanh": .15, "elu": .05, "gelu": .02}[params["activation"]]
    value += {"adam": 0, "sgd": .2, "rmsprop": .06}[params["optimizer"]]
    value += {"none": .12, "batch": 0, "layer": .03, "group": .08, "instance": .2}[params["norm"]]
    best = {"adam": -3.0, "sgd": -1.0, "rmsprop": -3.5}[params["optimizer"]]
    best += 0.5 * (params["norm"] == "batch")
    drop = 0.5 if params["activation"] == "relu" else 0.2
    return (value + 0.08 * (math.log10(params["learning_rate"]) - best) ** 2
            + 0.3 * (params["dropout"] - drop) ** 2)


# value, lowest value, noise
FORMULAS = {"hartmann6": (hartmann6, -3.32237, 0.0), "branin": (branin, 0.397887, 0.03),
            "ackley_mixed": (ackley_mixed, 0.0, 0.0), "ackley_int": (ackley_int, 0.0, 0.0),
            "valley": (valley, 0.1, 0.03), "three_choices": (three_choices, 0.0, 0.03)}
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


METHODS = {"ours": method_of(optimizer.suggest), "random": method_of(optimizer.random_point),
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
    """Returns the processor time of one proposal in five dimensions, by finished trials."""
    made, generator = Objective("three_choices"), random.Random(1)
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
    names = [*FORMULAS, *MEASURED]
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
