"""benchmark_hpo: measures how good and how fast the hyperparameter search is, beside its peers.

Data flow: objective functions (known formulas, and tables of real tuning in tests/benchmarks/hpo_tables)
  -> simulated studies with one worker, or several that never wait for each other
  -> normalised regret of the best trial so far -> a markdown table.

Examples:
    python3 tests/benchmarks/benchmark_hpo.py --seeds 2 --trials 50 --workers 1
    python3 tests/benchmarks/benchmark_hpo.py --trials 100 --workers 1 8 --seeds 10 --methods ours random optuna optuna_gp hyperopt
    python3 tests/benchmarks/benchmark_hpo.py --only branin cost
    python3 tests/benchmarks/benchmark_hpo.py --trials 50 --workers 1 --methods ours ours_prior --tables --defaults good

Regret is (value - best known) / (median random point - best known) of the trial that looks best,
judged without the noise that the search saw. Peers are used where they are installed; ours and
random need the standard library only. Writes nothing but the table on stdout.
"""

import argparse
import csv
import heapq
import json
import math
import os
import platform
import random
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
import tests  # noqa: F401  (puts stages/ on the path)

from search import optimizer
from search import space as hpo_space

REPORTED = (30, 50, 100)   # trials after which the regret is reported
POOR = 0.7                 # share of a table's trials that are better than poor defaults
OFF = 0.1                  # deviation of good defaults from the best trial, in widths of the cube
CLIPPED = 0.9              # values of a table above this quantile count as it: diverged trainings


# ---- objective functions

class Objective:
    """A function to minimise. space: as in a hyperparameter file; true: params -> value;
    best: its lowest value; noise: deviation of what a search sees, in (median - best)."""

    def __init__(self, name, space, true, best, noise=0.0):
        self.name, self.space, self.true, self.best = name, hpo_space.normalise_space(space), true, best
        draws = random.Random(1)
        values = [true(drawn(self.space, draws)) for _ in range(1001)]
        self.middle = sorted(values)[500]
        self.noise = noise * (self.middle - best)

    def regret(self, value):
        return max(0.0, (value - self.best) / (self.middle - self.best))


def drawn(space, generator):
    """Return the parameters of a random point."""
    return hpo_space.to_params(space, [generator.random() for _ in space])


def number(name, low, high, default=None, kind="float", log=False):
    entry = {"name": name, "type": kind, "min": low, "max": high, "log_uniform": log}
    return entry if default is None else dict(entry, default=default)


def choice(name, *choices):
    return {"name": name, "type": "categorical", "choices": list(choices)}


HARTMANN_A = ((10, 3, 17, 3.5, 1.7, 8), (.05, 10, 17, .1, 8, 14), (3, 3.5, 1.7, 10, 17, 8), (17, 8, .05, 10, .1, 14))
HARTMANN_P = ((.1312, .1696, .5569, .0124, .8283, .5886), (.2329, .4135, .8307, .3736, .1004, .9991),
              (.2348, .1451, .3522, .2883, .3047, .6650), (.4047, .8828, .8732, .5743, .1091, .0381))


def hartmann6(params):
    x = [params["x%d" % i] for i in range(6)]
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
    return ackley([params["a"] - 1.3, params["b"] + 0.7, params["i"] - 2, params["j"] + 3, "pqrs".index(params["c"])])


def ackley_int(params):
    return ackley([params["i%d" % i] - best for i, best in enumerate((3, -4, 1, 6, -2))])


def valley(params):
    """A learning rate that grows with the batch size, and diverges half a decade and more above it."""
    rate, batch = math.log10(params["learning_rate"]), math.log2(params["batch_size"])
    far = rate - (-4 + 0.5 * (batch - 3) * math.log10(2))
    value = (0.1 + 0.25 * far ** 2 / (1 + 0.1 * abs(far)) + 0.02 * (batch - 5) ** 2
             + 0.03 * (math.log10(params["weight_decay"]) + 4) ** 2 + 0.05 * (math.log2(params["latent_dim"]) - 6) ** 2)
    return value + 5 if far > 1.2 else value


def three_choices(params):
    value = {"relu": 0, "tanh": .15, "elu": .05, "gelu": .02}[params["activation"]]
    value += {"adam": 0, "sgd": .2, "rmsprop": .06}[params["optimizer"]]
    value += {"none": .12, "batch": 0, "layer": .03, "group": .08, "instance": .2}[params["norm"]]
    best = {"adam": -3.0, "sgd": -1.0, "rmsprop": -3.5}[params["optimizer"]] + 0.5 * (params["norm"] == "batch")
    drop = 0.5 if params["activation"] == "relu" else 0.2
    return value + 0.08 * (math.log10(params["learning_rate"]) - best) ** 2 + 0.3 * (params["dropout"] - drop) ** 2


def formulas():
    """Return the objectives that are formulas, as functions that make them, by name."""
    rate = number("learning_rate", 1e-6, 1e-1, 1e-3, log=True)
    return {
        "hartmann6": lambda: Objective("hartmann6", [number("x%d" % i, 0, 1) for i in range(6)], hartmann6, -3.32237),
        "branin": lambda: Objective("branin", [number("x", -5, 10), number("y", 0, 15)], branin, 0.397887, noise=0.03),
        "ackley_mixed": lambda: Objective("ackley_mixed", [
            number("a", -5, 5, 0), number("b", -5, 5, 0), number("i", -5, 5, 0, "int"), number("j", -5, 5, 0, "int"),
            choice("c", "s", "r", "q", "p")], ackley_mixed, 0.0),
        "ackley_int": lambda: Objective("ackley_int", [number("i%d" % i, -10, 10, 0, "int") for i in range(5)], ackley_int, 0.0),
        "valley": lambda: Objective("valley", [
            rate, number("batch_size", 8, 512, 64, "int", True), number("weight_decay", 1e-8, 1e-1, 1e-4, log=True),
            number("latent_dim", 4, 256, 32, "int", True)], valley, 0.1, noise=0.03),
        "three_choices": lambda: Objective("three_choices", [
            choice("activation", "tanh", "relu", "elu", "gelu"), choice("optimizer", "sgd", "adam", "rmsprop"),
            choice("norm", "none", "batch", "layer", "group", "instance"), number("learning_rate", 1e-6, 1, 1e-4, log=True),
            number("dropout", 0, 0.8, 0.1)], three_choices, 0.0, noise=0.03),
    }


# name of a table in tests/benchmarks/hpo_tables: (rows that a point's value is made of, noise)
TABLES = {"forest_diabetes": (4, 0.0), "gbm_cancer": (1, 0.0), "gbm_diabetes": (4, 0.0), "mlp_digits": (4, 0.0),
          "mlp_response": (4, 0.03), "sgd_cancer": (4, 0.0)}


def table_objective(name, defaults="own"):
    """Return the objective of a table of measured trials: the nearest rows, weighted by closeness.

    defaults: own, those of the table's space; good, near its best trial; poor, those of a bad trial
    """
    near, noise = TABLES[name]
    with open(os.path.join(HERE, "hpo_tables", name + ".json"), encoding="utf-8") as handle:
        space = hpo_space.normalise_space(json.load(handle))
    with open(os.path.join(HERE, "hpo_tables", name + ".csv"), encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    points = [hpo_space.to_units(space, {e["name"]: read_cell(e, row[e["name"]]) for e in space}) for row in rows]
    values = [float(row["objective"]) for row in rows]
    order = sorted(range(len(rows)), key=values.__getitem__)
    if defaults == "poor":
        space = with_defaults(space, points[order[int(POOR * len(rows))]])
    elif defaults == "good":
        moves = random.Random(name)
        space = with_defaults(space, [unit if entry["type"] == "categorical" else min(1.0, max(0.0, moves.gauss(unit, OFF)))
                                      for entry, unit in zip(space, points[order[0]])])
    ceiling = sorted(values)[int(CLIPPED * len(values))]
    values = [min(value, ceiling) for value in values]
    unordered = [entry["type"] == "categorical" for entry in space]

    def true(params):
        here = hpo_space.to_units(space, params)
        far = [(sum(0.5 * (a != b) if flag else (a - b) ** 2 for a, b, flag in zip(here, point, unordered)), value)
               for point, value in zip(points, values)]
        found = [(1.0 / (square + 1e-6), value) for square, value in heapq.nsmallest(near, far)]
        return sum(weight * value for weight, value in found) / sum(weight for weight, _ in found)

    return Objective(name, space, true, min(values), noise)


def with_defaults(space, units):
    """Return the space with the values at a point of the cube as defaults."""
    params = hpo_space.to_params(space, units)
    return [dict(entry, default=params[entry["name"]]) for entry in space]


def read_cell(entry, text):
    """Return the value that a cell of a table stands for."""
    if "choices" in entry:
        return next(value for value in entry["choices"] if str(value) == text)
    return int(text) if entry["type"] == "int" else float(text)


def objective_makers(defaults="own"):
    makers = formulas()
    for name in TABLES:
        makers[name] = lambda name=name: table_objective(name, defaults)
    return makers


# ---- methods: each makes, for an objective and a seed, a function from a history to params

def ours(objective, seed):
    return lambda history: optimizer.suggest(objective.space, history, (seed, len(history)))


def ours_prior(objective, seed):
    return lambda history: optimizer.suggest(objective.space, history, (seed, len(history)), prior=True)


def random_search(objective, seed):
    return lambda history: optimizer.random_point(objective.space, history, (seed, len(history)))


def optuna_method(sampler_name):
    """Return the method of one of Optuna's samplers, with its default settings."""
    def method(objective, seed):
        import optuna
        import warnings
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


def hyperopt_method(objective, seed):
    """hyperopt's TPE with its default settings; the defaults of the space go first, as for the others."""
    import hyperopt
    domain = hyperopt.base.Domain(lambda params: 0.0, {e["name"]: hyperopt_entry(hyperopt.hp, e) for e in objective.space})
    trials, documents = hyperopt.Trials(), {}

    def ask(history):
        for index, (_, value) in enumerate(history):
            if value is not None and index in documents:
                document = documents.pop(index)
                document["state"], document["result"] = hyperopt.JOB_STATE_DONE, {"loss": value, "status": "ok"}
        trials.refresh()
        if not history:
            return {entry["name"]: entry["default"] for entry in objective.space}
        proposed = hyperopt.tpe.suggest(trials.new_trial_ids(1), domain, trials, seed * 1000 + len(history))
        proposed[0]["state"] = hyperopt.JOB_STATE_RUNNING
        trials.insert_trial_docs(proposed)
        documents[len(history)] = trials._dynamic_trials[-1]
        units = {name: values[0] for name, values in proposed[0]["misc"]["vals"].items()}
        return {entry["name"]: hyperopt_value(entry, units[entry["name"]]) for entry in objective.space}
    return ask


def hyperopt_entry(hp, entry):
    if "choices" in entry:
        return hp.choice(entry["name"], list(range(len(entry["choices"]))))
    low, high = hpo_space.scaled_range(entry)
    if entry["type"] == "int":
        return (hp.qloguniform if entry["log_uniform"] else hp.quniform)(entry["name"], low, high, 1)
    return (hp.loguniform if entry["log_uniform"] else hp.uniform)(entry["name"], low, high)


def hyperopt_value(entry, value):
    if "choices" in entry:
        return entry["choices"][int(value)]
    value = min(entry["max"], max(entry["min"], value))
    return int(value) if entry["type"] == "int" else float(value)


METHODS = {"ours": (ours, None), "ours_prior": (ours_prior, None), "random": (random_search, None), "optuna": (optuna_method("TPESampler"), "optuna"),
           "optuna_gp": (optuna_method("GPSampler"), "torch"), "hyperopt": (hyperopt_method, "hyperopt")}


# ---- studies

def simulate(objective, ask, workers, trials, seed):
    """Return the regret of the incumbent after each finished trial.

    Each worker takes the next trial as soon as its own is finished; a trial lasts 0.5 to 1.5.
    """
    generator, history, running, regrets = random.Random("%s %s" % (objective.name, seed)), [], [], []
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


def measure(makers, methods, workers, trials, seeds, reported):
    """Return {method: {function: [mean regret at each reported trial]}}."""
    results = {method: {} for method in methods}
    for name, maker in makers.items():
        objective = maker()
        for method in methods:
            runs = [simulate(objective, METHODS[method][0](objective, seed), workers, trials, seed) for seed in range(seeds)]
            results[method][name] = [sum(run[at - 1] for run in runs) / seeds for at in reported if at <= trials]
            print("  %d workers, %s, %s: %s" % (workers, name, method, spaced(results[method][name])), file=sys.stderr)
    return results


def spaced(regrets):
    return " ".join("%.3f" % regret for regret in regrets)


def markdown(results, workers, trials, seeds, reported):
    """Return the table of one number of workers: a line a function, a column a method."""
    counts = " / ".join(str(at) for at in reported if at <= trials)
    methods = list(results)
    lines = ["%d worker%s, %d seeds: mean normalised regret after %s trials" % (workers, "s" * (workers > 1), seeds, counts), "",
             "| function | " + " | ".join(methods) + " |", "|" + " --- |" * (len(methods) + 1)]
    for name in results[methods[0]]:
        lines.append("| %s | " % name + " | ".join(spaced(results[method][name]) for method in methods) + " |")
    means = {method: [sum(column) / len(column) for column in zip(*results[method].values())] for method in methods}
    lines.append("| **mean** | " + " | ".join("**%s**" % spaced(means[method]) for method in methods) + " |")
    return "\n".join(lines)


# ---- cost

COST_SPACE = [number("x%d" % i, 0, 1) for i in range(4)] + [number("n", 1, 9, 4, "int"), choice("c", "a", "b", "c")]


def cost_lines():
    """Return the processor time of one proposal, in six dimensions, after 50, 100 and 150 finished trials."""
    space, generator = hpo_space.normalise_space(COST_SPACE), random.Random(1)
    history = []
    for _ in range(150):
        params = drawn(space, generator)
        history.append((params, sum((params["x%d" % i] - 0.4) ** 2 for i in range(4)) + 0.1 * abs(params["n"] - 4)
                        + (params["c"] == "a") + generator.gauss(0.0, 0.01)))
    lines = ["| finished trials | seconds of one proposal |", "| --- | --- |"]
    for count in (50, 100, 150):
        start = time.process_time()
        optimizer.suggest(COST_SPACE, history[:count], 1)
        lines.append("| %d | %.2f |" % (count, time.process_time() - start))
    return lines


# ---- the command

def installed(method):
    module = METHODS[method][1]
    try:
        return module is None or bool(__import__(module))
    except ImportError:
        print("benchmark_hpo: %s is left out: %s is not installed" % (method, module), file=sys.stderr)
        return False


def versions(methods):
    modules = {"optuna": ["optuna"], "optuna_gp": ["optuna", "torch"], "hyperopt": ["hyperopt"]}
    names = sorted({module for method in methods for module in modules.get(method, [])})
    return ", ".join(["Python " + platform.python_version()] + ["%s %s" % (name, __import__(name).__version__) for name in names])


def main(argv=None):
    """Print the tables; return the exit code."""
    makers = objective_makers()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=100, metavar="N", help="trials of a study, at least 30 (100)")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 8], metavar="N", help="workers of a study (1 8)")
    parser.add_argument("--seeds", type=int, default=10, metavar="N", help="studies of each function (10)")
    parser.add_argument("--methods", nargs="+", default=["ours", "random"], choices=sorted(METHODS), help="(ours random)")
    parser.add_argument("--only", nargs="+", choices=sorted(makers) + ["cost"], metavar="NAME",
                        help="of %s, cost (all)" % ", ".join(sorted(makers)))
    parser.add_argument("--report", type=int, nargs="+", default=REPORTED, metavar="N",
                        help="trials after which the regret is reported (30 50 100)")
    parser.add_argument("--tables", action="store_true", help="the tables alone, without formulas and cost")
    parser.add_argument("--defaults", choices=("own", "good", "poor"), default="own",
                        help="of the tables: those of their spaces, near the best trial, or of a bad one (own)")
    args = parser.parse_args(argv)
    args.only = list(TABLES) if args.tables else args.only
    methods = [method for method in args.methods if installed(method)]
    makers = {name: maker for name, maker in objective_makers(args.defaults).items() if name in (args.only or makers)}
    print("Measured with %s." % versions(methods))
    for workers in args.workers if makers else []:
        print("\n" + markdown(measure(makers, methods, workers, args.trials, args.seeds, args.report), workers, args.trials,
                              args.seeds, args.report))
        sys.stdout.flush()
    if not args.only or "cost" in args.only:
        print("\n" + "\n".join(cost_lines()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
