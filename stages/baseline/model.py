"""model: predicts a response from the names of drug and cell line, without features.

    *_y_data.csv -> responses_of -> train_model -> Model -> predict -> predicted values
                  a model's file -> read_model -> Model

    response = mean + cell line's effect + drug's effect + sum over k of their k-th factors' product

the biased matrix factorization of Koren, Bell and Volinsky 2009 (IEEE Computer 42(8):30-37),
trained by minibatch stochastic gradient descent on the squared error. An unseen drug or cell line
has effect and factors 0: it contributes nothing, and if both are unseen the prediction is the mean.

Examples:
    model = train_model(responses_of("train_y_data.csv", "auc"),
                        responses_of("val_y_data.csv", "auc"), DEFAULTS._replace(latent_dim=8))
    predicted = predict(model, ["Drug_7"], ["ACH-000001"])

The same seed gives the same weights under every Python: chance is Random.random() alone, and sums
are math.fsum or a fixed order of additions.
"""
import math
import os
from collections import Counter, namedtuple
from itertools import chain
from operator import mul, sub
from random import Random

from core.errors import FileError
from core.files import read_json
from core.improve_files import (SCORE_NAMES, read_responses, read_table, write_predictions,
                                write_scores)
from core.metrics import regression_scores, squares

MODEL_FILE = "baseline_model.json"
RATE = 60.0       # a step is RATE * learning_rate of the gradient: 1e-6 is then far too slow and
                  # 1e-2 about too fast, the range in which IMPROVE tunes neural networks
LARGEST = 1e100   # response; squares and sums of larger ones leave the range of floats
START = 0.2       # largest factor before training; two factors of 0 would stay 0

Settings = namedtuple("Settings", ["epochs", "batch_size", "learning_rate", "patience",
                                   "latent_dim", "weight_decay", "seed"])
DEFAULTS = Settings(
    epochs=100,             # at most
    batch_size=64,          # rows
    learning_rate=0.001,
    patience=15,            # epochs without a better validation error, then training stops
    latent_dim=4,           # factors of each drug and cell line
    weight_decay=0.01,      # pull of effects and factors toward 0
    seed=0)

# mean, spread: of the training responses. cells, drugs: name -> [effect, factor 1, factor 2, ...],
# where effects are in units of the spread
Model = namedtuple("Model", "y_col_name mean spread cells drugs")
# The same while it is trained. columns[0]: (effects of cells, effects of drugs), columns[k]: their
# k-th factors; lists by index, whose last entry, 0, stands for the unknown cell line or drug
Weights = namedtuple("Weights", "cell_index drug_index columns")


class TrainingError(Exception):
    """One sentence: why no model came out of training."""


def responses_of(path, y_col_name):
    """Returns the Responses of a *_y_data.csv file; FileError, also if a row has no number."""
    responses = read_responses(path, y_col_name, all_rows=True)
    if max(map(abs, responses.values)) >= LARGEST:
        raise FileError(f"{path}: some {y_col_name} is not within {LARGEST:g}")
    return responses


# ---- predicting

def predict(model, drugs, cells):
    """Returns the predicted responses of pairs of drug and cell line, a list of numbers."""
    unknown = [0.0] * len(next(iter(model.cells.values())))
    predicted = []
    for drug, cell in zip(drugs, cells):
        cell_weights = model.cells.get(cell, unknown)
        drug_weights = model.drugs.get(drug, unknown)
        value = cell_weights[0] + drug_weights[0]
        for k in range(1, len(unknown)):
            value += cell_weights[k] * drug_weights[k]
        predicted.append(model.mean + model.spread * value)
    return predicted


def write_results(model, data_dir, part, output_dir, scores=True):
    """Predicts the part, 'val' or 'test', of a data directory: writes predictions and scores."""
    path = os.path.join(data_dir, f"{part}_y_data.csv")
    drugs, cells, true = responses_of(path, model.y_col_name)
    predicted = predict(model, drugs, cells)
    header, rows = read_table(path, ",")
    write_predictions(os.path.join(output_dir, f"{part}_y_data_predicted.csv"), header, rows,
                      model.y_col_name, true, predicted)
    if scores:
        found = regression_scores(true, predicted)
        write_scores(os.path.join(output_dir, f"{part}_scores.json"),
                     {name: found[name] for name in SCORE_NAMES})


# ---- training

def train_model(train, validation, settings=DEFAULTS, y_col_name="auc", report=None):
    """Returns the Model with the smallest squared error on the validation responses.

    train, validation: Responses. report: called with a line of text after each epoch.
    TrainingError: the weights grew without limit.
    """
    uniform = Random(settings.seed).random
    mean = math.fsum(train.values) / len(train.values)
    spread = math.sqrt(_mean_square([value - mean for value in train.values]))
    weights = _start_weights(train, settings.latent_dim, uniform)
    rows = _indexed(train, weights, mean, spread)
    checks = _indexed(validation, weights, mean, spread)
    best, best_error, best_epoch = None, math.inf, 0
    for epoch in range(1, settings.epochs + 1):
        shuffled = _shuffled(rows, uniform)
        for first in range(0, len(train.values), settings.batch_size):
            batch = [values[first:first + settings.batch_size] for values in shuffled]
            _train_batch(weights.columns, *batch, settings)
        error = _mean_square(_errors(weights.columns, *checks)[0])
        if not math.isfinite(error):
            break
        if report:
            report(f"epoch {epoch}: validation mse {error * spread * spread:.6g}")
        if error < best_error:
            best, best_error, best_epoch = _named(weights), error, epoch
        elif epoch - best_epoch >= settings.patience:
            break
    model = Model(y_col_name, mean, spread, *best) if math.isfinite(error) else None
    if model is None or not _is_finite(model):
        raise TrainingError("training diverged: "
                            f"learning rate {settings.learning_rate:g} is too high")
    return model


def _start_weights(train, latent_dim, uniform):
    """Returns Weights with effects 0 and small random factors, one sign as likely as the other."""
    indices = [{name: index for index, name in enumerate(sorted(set(names)))}
               for names in (train.cells, train.drugs)]
    columns = [tuple([0.0] * (len(index) + 1) for index in indices)]
    for _ in range(latent_dim):
        columns.append(tuple([START * (2.0 * uniform() - 1.0) for _ in index] + [0.0]
                             for index in indices))
    return Weights(*indices, columns)


def _indexed(responses, weights, mean, spread):
    """Returns three lists: cell and drug indices, responses in units of the spread."""
    indices = [[index.get(name, len(index)) for name in names] for index, names in (
        (weights.cell_index, responses.cells), (weights.drug_index, responses.drugs))]
    return (*indices, [(value - mean) / (spread or 1.0) for value in responses.values])


def _shuffled(rows, uniform):
    """Returns the three lists in one random order; Random.shuffle differs between Pythons."""
    order = list(range(len(rows[0])))
    for last in range(len(order) - 1, 0, -1):
        other = int(uniform() * (last + 1))
        order[last], order[other] = order[other], order[last]
    return tuple(list(map(values.__getitem__, order)) for values in rows)


def _train_batch(columns, cells, drugs, values, settings):
    """Moves each weight of a batch by a step times the mean of its gradient over its rows.

    All gradients are taken at the weights before the batch. The lists are processed as wholes (map
    of built-in functions), which is what makes pure Python fast enough.
    """
    errors, gathered = _errors(columns, cells, drugs, values)
    rate = RATE * settings.learning_rate
    ones = [1.0] * len(cells)       # an effect is a factor whose counterpart is always 1
    slopes = [(ones, ones)] + [(of_drugs, of_cells) for of_cells, of_drugs in gathered[1:]]
    for side, indices in enumerate((cells, drugs)):
        # the rows of the batch that share a weight share its step
        shares = {index: rate / count for index, count in Counter(indices).items()}
        steps = list(map(shares.__getitem__, indices))
        own_errors = list(map(mul, errors, steps))
        pulls = [settings.weight_decay * step for step in steps]
        for column, now, slope in zip(columns, gathered, slopes):
            weights = column[side]
            changes = map(sub, map(mul, own_errors, slope[side]), map(mul, pulls, now[side]))
            for index, change in zip(indices, changes):
                weights[index] += change


def _errors(columns, cells, drugs, values):
    """Returns values minus predictions, and the weights they were made of, all by row."""
    gathered = [(list(map(of_cells.__getitem__, cells)), list(map(of_drugs.__getitem__, drugs)))
                for of_cells, of_drugs in columns]
    errors = map(sub, map(sub, values, gathered[0][0]), gathered[0][1])
    for of_cells, of_drugs in gathered[1:]:
        errors = map(sub, errors, map(mul, of_cells, of_drugs))
    return list(errors), gathered


def _mean_square(errors):
    return squares(errors) / len(errors)


def _named(weights):
    """Returns (cells, drugs): name -> [effect, factor 1, ...] as they are now."""
    # zip stops before the unknown one, which stands last and has no name
    return [dict(zip(index, map(list, zip(*side)))) for index, side in zip(
        weights[:2], zip(*weights.columns))]


def _is_finite(model):
    """Says whether all weights are finite; those that no validation row uses diverge unseen."""
    return all(map(math.isfinite, chain([model.mean, model.spread], *model.cells.values(),
                                        *model.drugs.values())))


# ---- files

def read_model(path, y_col_name):
    """Returns the Model of a file; FileError: not a model, or one of another response."""
    try:
        model = Model(**read_json(path))
        weights = [*model.cells.values(), *model.drugs.values()]
        if len(set(map(len, weights))) != 1 or not (
                model.cells and all(weights) and _is_finite(model)):
            raise ValueError("no weights, of different lengths, or not finite")
    except (TypeError, AttributeError, ValueError):
        raise FileError(f"{path}: is not a baseline model")
    if model.y_col_name != y_col_name:
        raise FileError(f"{path}: predicts {model.y_col_name!r}, not {y_col_name!r}")
    return model
