"""make_tables: measures the tables of real tuning that benchmark_hpo.py searches.

Data flow: scikit-learn's bundled data (nothing is downloaded) -> a model trained with random
  hyperparameters -> validation error -> one row of a table.

Examples:
    python3 tests/benchmarks/hpo_tables/make_tables.py sgd_cancer --rows 400
    python3 tests/benchmarks/hpo_tables/make_tables.py

Writes {table}.json, the search space, and {table}.csv, its trials with their `objective`, beside
this file. Needs scikit-learn and numpy (the tables were made with scikit-learn 1.9.1, numpy 2.4.6).
"""

import argparse
import csv
import json
import math
import os
import random
import sys
import warnings

import numpy as np
from sklearn import datasets
from sklearn.ensemble import GradientBoostingClassifier, GradientBoostingRegressor, RandomForestRegressor
from sklearn.linear_model import SGDClassifier
from sklearn.metrics import log_loss
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.preprocessing import StandardScaler

HERE = os.path.dirname(os.path.abspath(__file__))
DIVERGED = 1e6


def number(name, low, high, default, kind="float", log=False):
    return {"name": name, "type": kind, "min": low, "max": high, "default": default, "log_uniform": log}


def choice(name, choices, default):
    return {"name": name, "type": "categorical", "choices": choices, "default": default}


def data(name, rows=None):
    x, y = getattr(datasets, "load_" + name)(return_X_y=True)
    order = np.random.RandomState(0).permutation(len(y))[:rows]
    return StandardScaler().fit_transform(x[order]), y[order]


def validated(make, x, y, score, folds):
    """Return the mean of score(model, x, y) over the validation folds; mse in variances of y."""
    split, unit = (KFold, np.var(y)) if score is mse else (StratifiedKFold, 1.0)
    parts = split(folds, shuffle=True, random_state=1).split(x, y)
    return float(np.mean([score(make().fit(x[train], y[train]), x[val], y[val]) / unit for train, val in parts]))


def mse(model, x, y):
    return np.mean((model.predict(x) - y) ** 2)


def error_rate(model, x, y):
    return 1 - model.score(x, y)


def loss(model, x, y):
    return log_loss(y, model.predict_proba(x))


def forest_diabetes(params):
    return validated(lambda: RandomForestRegressor(random_state=0, **params), *data("diabetes"), mse, 3)


def gbm_diabetes(params):
    return validated(lambda: GradientBoostingRegressor(random_state=0, **params), *data("diabetes"), mse, 3)


def gbm_cancer(params):
    return validated(lambda: GradientBoostingClassifier(random_state=0, max_features=0.3, **params),
                     *data("breast_cancer", 300), loss, 2)


def mlp_digits(params):
    rest = {name: value for name, value in params.items() if name != "hidden"}
    return validated(lambda: MLPClassifier(hidden_layer_sizes=(params["hidden"],), max_iter=12, random_state=0, **rest),
                     *data("digits", 500), loss, 2)


def sgd_cancer(params):
    return validated(lambda: SGDClassifier(max_iter=20, tol=None, random_state=0, **params), *data("breast_cancer"), error_rate, 5)


def mlp_response(params):
    """A network on a made response of 60 cell lines to 20 drugs: known features, a bilinear effect, noise."""
    make = np.random.RandomState(3)
    cells, drugs, effect = make.randn(60, 12), make.randn(20, 8), make.randn(12, 8) / 10
    cell, drug = make.randint(60, size=900), make.randint(20, size=900)
    y = np.tanh(np.einsum("nd,de,ne->n", cells[cell], effect, drugs[drug])) + 0.5 * drugs[drug, 0] + 0.3 * make.randn(900)
    x, y = np.hstack([cells[cell], drugs[drug]]), (y - y.mean()) / y.std()
    model = MLPRegressor(hidden_layer_sizes=(params["latent_dim"],), solver="sgd", max_iter=15, random_state=0,
                         learning_rate_init=params["learning_rate"], momentum=params["momentum"],
                         alpha=params["weight_decay"], batch_size=params["batch_size"])
    model.fit(x[:700], y[:700])
    return float(np.mean((model.predict(x[700:]) - y[700:]) ** 2))


BOOSTING = [number("learning_rate", 1e-3, 1.0, 0.1, log=True), number("n_estimators", 10, 300, 100, "int", True),
            number("max_depth", 1, 8, 3, "int"), number("subsample", 0.2, 1.0, 1.0),
            number("min_samples_leaf", 1, 50, 1, "int", True)]
SPACES = {
    forest_diabetes: [number("n_estimators", 3, 60, 20, "int", True), number("max_depth", 1, 16, 8, "int"),
                      number("min_samples_leaf", 1, 40, 1, "int", True), number("max_features", 0.1, 1.0, 1.0),
                      choice("bootstrap", [True, False], True),
                      choice("criterion", ["squared_error", "friedman_mse", "poisson"], "squared_error")],
    gbm_diabetes: BOOSTING + [number("max_features", 0.1, 1.0, 1.0)],
    gbm_cancer: BOOSTING[:1] + [number("n_estimators", 10, 200, 50, "int", True)] + BOOSTING[2:],
    mlp_digits: [number("learning_rate_init", 1e-5, 1.0, 1e-3, log=True), number("batch_size", 8, 256, 64, "int", True),
                 number("hidden", 4, 128, 32, "int", True), number("alpha", 1e-6, 1.0, 1e-4, log=True),
                 choice("activation", ["relu", "tanh", "logistic"], "relu"), choice("solver", ["adam", "sgd"], "adam")],
    mlp_response: [number("learning_rate", 1e-6, 1e-1, 1e-3, log=True), number("batch_size", 8, 512, 64, "int", True),
                   number("latent_dim", 2, 128, 16, "int", True), number("weight_decay", 1e-8, 1.0, 1e-4, log=True),
                   number("momentum", 0.0, 0.99, 0.9)],
    sgd_cancer: [choice("loss", ["hinge", "log_loss", "modified_huber", "squared_hinge", "perceptron"], "hinge"),
                 choice("penalty", ["l2", "l1", "elasticnet"], "l2"),
                 choice("learning_rate", ["constant", "optimal", "invscaling", "adaptive"], "optimal"),
                 number("alpha", 1e-7, 1.0, 1e-4, log=True), number("eta0", 1e-5, 10.0, 0.01, log=True),
                 number("power_t", 0.1, 1.0, 0.5)],
}


def drawn(space, generator):
    return {entry["name"]: drawn_value(entry, generator) for entry in space}


def drawn_value(entry, generator):
    if "choices" in entry:
        return generator.choice(entry["choices"])
    low, high = entry["min"], entry["max"]
    value = math.exp(generator.uniform(math.log(low), math.log(high))) if entry["log_uniform"] else generator.uniform(low, high)
    return min(high, max(low, int(round(value)))) if entry["type"] == "int" else float("%.4g" % value)


def measured(function, params):
    """Return the objective; a training that ends in nan, inf or an error has diverged."""
    try:
        value = function(params)
    except ValueError:
        return DIVERGED
    return min(value, DIVERGED) if math.isfinite(value) else DIVERGED


def write_table(function, space, rows):
    path, generator = os.path.join(HERE, function.__name__), random.Random(function.__name__)
    with open(path + ".json", "w") as handle:
        handle.write("[\n " + ",\n ".join(json.dumps(entry) for entry in space) + "\n]\n")
    with open(path + ".csv", "w", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow([entry["name"] for entry in space] + ["objective"])
        for number_ in range(rows):
            params = drawn(space, generator) if number_ else {entry["name"]: entry["default"] for entry in space}
            writer.writerow([params[entry["name"]] for entry in space] + ["%.5g" % measured(function, params)])


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    functions = {function.__name__: function for function in SPACES}
    parser.add_argument("tables", nargs="*", metavar="TABLE", help="of %s (all)" % ", ".join(functions))
    parser.add_argument("--rows", type=int, default=400, metavar="N", help="trials of a table (400)")
    args = parser.parse_args(argv)
    warnings.simplefilter("ignore")
    for name in args.tables or functions:
        write_table(functions[name], SPACES[functions[name]], args.rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
