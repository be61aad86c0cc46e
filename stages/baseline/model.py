"""model: predicts a response from who the drug and the cell line are, without features.

    *_y_data.csv -> read_responses -> train_model -> Model -> predict -> predicted values
                                                     └─> write_model, read_model

    response = mean + cell line's effect + drug's effect + sum over k of their k-th factors' product

the biased matrix factorization of Koren, Bell and Volinsky 2009 (IEEE Computer
42(8):30-37), trained by minibatch stochastic gradient descent on the squared
error. A drug or cell line that was not in the training data has effect and
factors 0: then what is known of the other one counts, at last the mean.

Examples:
    model = train_model(read_responses("train_y_data.csv", "auc"),
                        read_responses("val_y_data.csv", "auc"), DEFAULTS._replace(latent_dim=8))
    predicted = predict(model, ["ACH-000001"], ["Drug_7"])

The same seed gives the same weights under every Python: chance is
Random.random() alone, and sums are math.fsum or a fixed order of additions.
"""
import json
import math
from collections import Counter, namedtuple
from operator import mul, sub
from random import Random

from common.improve_files import FileError, read_table, reading, write_whole

MODEL_FILE = "baseline_model.json"
CELL_COLUMN, DRUG_COLUMN = "improve_sample_id", "improve_chem_id"
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

# cells, drugs: lists of names; values: list of numbers; one entry a row in each
Responses = namedtuple("Responses", "cells drugs values")
# mean, spread: of the training responses. cells, drugs: name -> [effect, factor 1, factor 2, ...],
# where effects are in units of the spread
Model = namedtuple("Model", "y_col_name mean spread cells drugs")
# The same while it is trained. columns[0]: (effects of cells, effects of drugs), columns[k]: their
# k-th factors; lists by index, whose last entry, 0, stands for the unknown cell line or drug
Weights = namedtuple("Weights", "cell_index drug_index columns")


class TrainingError(Exception):
    """One sentence: why no model came out of training."""


# ---- reading

def read_responses(path, y_col_name):
    """Returns the Responses of a *_y_data.csv file.

    FileError: no such column, no rows, a response that is not a number.
    """
    header, rows = read_table(path, ",")
    for name in (CELL_COLUMN, DRUG_COLUMN, y_col_name):
        if name not in header:
            raise FileError(f"{path}: has no column {name!r}")
    cell, drug, y = map(header.index, (CELL_COLUMN, DRUG_COLUMN, y_col_name))
    responses, names = Responses([], [], []), {}
    for row in rows:
        # one text per name, not per row: 230,000 rows name 1,200 things
        responses.cells.append(names.setdefault(row[cell], row[cell]))
        responses.drugs.append(names.setdefault(row[drug], row[drug]))
        responses.values.append(response_value(path, y_col_name, row[y]))
    if not responses.values:
        raise FileError(f"{path}: holds no responses, only a header")
    return responses


def response_value(path, y_col_name, text):
    """Returns the number that a field of a table holds."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not abs(value) < LARGEST:
        raise FileError(f"{path}: {y_col_name} {text[:40]!r} is not a number within {LARGEST:g}")
    return value


# ---- predicting

def predict(model, cells, drugs):
    """Returns the predicted responses of pairs of cell line and drug, a list of numbers."""
    unknown = [0.0] * len(next(iter(model.cells.values())))
    predicted = []
    for cell, drug in zip(cells, drugs):
        cell_weights = model.cells.get(cell, unknown)
        drug_weights = model.drugs.get(drug, unknown)
        value = cell_weights[0] + drug_weights[0]
        for k in range(1, len(unknown)):
            value += cell_weights[k] * drug_weights[k]
        predicted.append(model.mean + model.spread * value)
    return predicted


# ---- training

def train_model(train, validation, settings=DEFAULTS, y_col_name="auc", report=None):
    """Returns the Model with the smallest squared error on the validation responses.

    train, validation: Responses. report: called with a line of text after each
    epoch. TrainingError: the weights grew without limit.
    """
    uniform = Random(settings.seed).random
    mean, spread = _mean_and_spread(train.values)
    weights = _start_weights(train, settings.latent_dim, uniform)
    rows = _indexed(train, weights, mean, spread)
    checks = _indexed(validation, weights, mean, spread)
    best, best_error, best_epoch = None, math.inf, 0
    for epoch in range(1, settings.epochs + 1):
        _train_epoch(weights.columns, _shuffled(rows, uniform), settings)
        error = _mean_square(_errors(weights.columns, *checks)[0])
        if not math.isfinite(error):
            raise _divergence(settings)
        if report:
            report(f"epoch {epoch}: validation mse {error * spread * spread:.6g}")
        if error < best_error:
            best, best_error, best_epoch = _named(weights), error, epoch
        elif epoch - best_epoch >= settings.patience:
            break
    return _checked(Model(y_col_name, mean, spread, *best), settings)


def _mean_and_spread(values):
    """Returns mean and standard deviation."""
    mean = math.fsum(values) / len(values)
    squares = [(value - mean) * (value - mean) for value in values]
    return mean, math.sqrt(math.fsum(squares) / len(values))


def _start_weights(train, latent_dim, uniform):
    """Returns Weights with effects 0 and small random factors, one sign as likely as the other."""
    cell_index = {name: index for index, name in enumerate(sorted(set(train.cells)))}
    drug_index = {name: index for index, name in enumerate(sorted(set(train.drugs)))}
    sizes = len(cell_index), len(drug_index)
    columns = [tuple([0.0] * (size + 1) for size in sizes)]
    for _ in range(latent_dim):
        columns.append(tuple([START * (2.0 * uniform() - 1.0) for _ in range(size)] + [0.0]
                             for size in sizes))
    return Weights(cell_index, drug_index, columns)


def _indexed(responses, weights, mean, spread):
    """Returns three lists: cell and drug indices, responses in units of the spread."""
    unknown_cell, unknown_drug = len(weights.cell_index), len(weights.drug_index)
    return ([weights.cell_index.get(name, unknown_cell) for name in responses.cells],
            [weights.drug_index.get(name, unknown_drug) for name in responses.drugs],
            [(value - mean) / (spread or 1.0) for value in responses.values])


def _shuffled(rows, uniform):
    """Returns the three lists in one random order; Random.shuffle differs between Pythons."""
    order = list(range(len(rows[0])))
    for last in range(len(order) - 1, 0, -1):
        other = int(uniform() * (last + 1))
        order[last], order[other] = order[other], order[last]
    return tuple(list(map(values.__getitem__, order)) for values in rows)


def _train_epoch(columns, rows, settings):
    for first in range(0, len(rows[0]), settings.batch_size):
        batch = [values[first:first + settings.batch_size] for values in rows]
        _train_batch(columns, *batch, step=RATE * settings.learning_rate,
                     weight_decay=settings.weight_decay)


def _train_batch(columns, cells, drugs, values, step, weight_decay):
    """Moves each weight of a batch by `step` times the mean of its gradient over its rows.

    All gradients are taken at the weights before the batch. The lists are
    processed as wholes (map of built-in functions), which is what makes pure
    Python fast enough.
    """
    errors, gathered = _errors(columns, cells, drugs, values)
    cell_steps, drug_steps = _steps(cells, step), _steps(drugs, step)
    cell_pulls = [weight_decay * of_row for of_row in cell_steps]
    drug_pulls = [weight_decay * of_row for of_row in drug_steps]
    cell_errors = list(map(mul, errors, cell_steps))
    drug_errors = list(map(mul, errors, drug_steps))
    ones = [1.0] * len(cells)       # an effect is a factor whose counterpart is always 1
    slopes = [(ones, ones)] + [(of_drugs, of_cells) for of_cells, of_drugs in gathered[1:]]
    for column, now, slope in zip(columns, gathered, slopes):
        _move(column[0], cells, now[0], slope[0], cell_errors, cell_pulls)
        _move(column[1], drugs, now[1], slope[1], drug_errors, drug_pulls)


def _errors(columns, cells, drugs, values):
    """Returns values minus predictions, and the weights they were made of, all by row."""
    gathered = [(list(map(of_cells.__getitem__, cells)), list(map(of_drugs.__getitem__, drugs)))
                for of_cells, of_drugs in columns]
    errors = map(sub, map(sub, values, gathered[0][0]), gathered[0][1])
    for of_cells, of_drugs in gathered[1:]:
        errors = map(sub, errors, map(mul, of_cells, of_drugs))
    return list(errors), gathered


def _steps(indices, step):
    """Returns `step` divided by the number of rows in the batch that share the row's weight."""
    shares = {index: step / count for index, count in Counter(indices).items()}
    return list(map(shares.__getitem__, indices))


def _move(weights, indices, now, slopes, errors, pulls):
    changes = map(sub, map(mul, errors, slopes), map(mul, pulls, now))
    for index, change in zip(indices, changes):
        weights[index] += change


def _mean_square(errors):
    try:
        return math.fsum(map(mul, errors, errors)) / len(errors)
    except OverflowError:
        return math.inf


def _divergence(settings):
    return TrainingError(f"training diverged: learning rate {settings.learning_rate:g} is too high")


def _named(weights):
    """Returns (cells, drugs): name -> [effect, factor 1, ...] as they are now."""
    of_cells = zip(*(column[0] for column in weights.columns))
    of_drugs = zip(*(column[1] for column in weights.columns))
    # zip stops before the unknown one, which stands last and has no name
    return (dict(zip(weights.cell_index, map(list, of_cells))),
            dict(zip(weights.drug_index, map(list, of_drugs))))


def _checked(model, settings):
    """Returns the model; weights that no validation row touches can diverge unseen."""
    if not all(all(map(math.isfinite, weights))
               for part in (model.cells, model.drugs) for weights in part.values()):
        raise _divergence(settings)
    return model


# ---- files

def write_model(path, model):
    write_whole(path, json.dumps(model._asdict()) + "\n")


def read_model(path, y_col_name):
    """Returns the Model of a file; FileError: not a model, or one of another response."""
    with reading(path), open(path, encoding="utf-8") as file:
        text = file.read()
    try:
        model = _whole_model(**json.loads(text))
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError):
        raise FileError(f"{path}: is not a baseline model")
    if model.y_col_name != y_col_name:
        raise FileError(f"{path}: predicts {model.y_col_name!r}, not {y_col_name!r}")
    return model


def _whole_model(y_col_name, mean, spread, cells, drugs):
    """Returns the Model; a built-in error where its weights are no numbers or not equally long."""
    cells, drugs = ({name: list(map(float, weights)) for name, weights in part.items()}
                    for part in (cells, drugs))
    sizes = set(map(len, cells.values())) | set(map(len, drugs.values()))
    if len(sizes) != 1 or 0 in sizes or not cells:
        raise ValueError("weights of different lengths")
    return Model(y_col_name, float(mean), float(spread), cells, drugs)
