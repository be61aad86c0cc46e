"""baseline_train_improve: trains the baseline model and scores it on the validation split.

    train_y_data.csv, val_y_data.csv
      └─> baseline_model.json, val_y_data_predicted.csv, val_scores.json

Minibatch stochastic gradient descent on the squared error. The same seed gives the same weights
under every Python: chance is Random.random() alone, and sums are math.fsum or a fixed order of
additions.

Examples:
    python3 baseline_train_improve.py --input_dir ml_data --output_dir model --y_col_name auc
    python3 baseline_train_improve.py --input_dir ml_data --output_dir model --learning_rate 0.003

Files written to --output_dir: those above and param_log_file.txt
Exit code: 0 done, 1 bad data or training diverged, 2 unknown option or value.
"""
import json
import math
import os
import sys
from collections import Counter
from itertools import chain
from operator import mul, sub
from random import Random

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from core.files import write_whole  # noqa: E402
from core.improve_files import read_responses  # noqa: E402
from core.metrics import deviations, mean, squares  # noqa: E402
from stages.baseline.model import (  # noqa: E402
    MODEL_FILE, Model, parser_of, run, write_results)

SETTINGS = {                # name -> default, help
    "epochs": (100, "passes over the training rows, at most"),
    "batch_size": (64, "rows per step"),
    "learning_rate": (0.001, "step size; 1e-6: far too slow, 1e-2: too fast"),
    "patience": (15, "epochs without a better validation mse before it stops"),
    "latent_dim": (4, "factors of each drug and cell line; 0: effects only"),
    "weight_decay": (0.01, "pull of effects and factors toward 0"),
    "seed": (0, "start of the random numbers"),
}
RATE = 60.0       # a step is RATE * learning_rate of the gradient: 1e-6 is then far too slow and
                  # 1e-2 about too fast, the range in which IMPROVE tunes neural networks
START = 0.2       # largest factor before training; two factors of 0 would stay 0


def train(args):
    rows, validation = (
        read_responses(os.path.join(args.input_dir, name), args.y_col_name, all_rows=True)
        for name in ("train_y_data.csv", "val_y_data.csv"))
    model = train_model(rows, validation, args)
    write_whole(os.path.join(args.output_dir, MODEL_FILE), json.dumps(model._asdict()) + "\n")
    write_results(model, args.input_dir, "val", args.output_dir)


def train_model(train, validation, settings):
    """Returns the Model with the smallest squared error on the validation responses.

    train, validation: Responses. settings: has y_col_name and the SETTINGS as attributes. Prints a
    line after each epoch. FloatingPointError: the weights grew without limit.
    """
    uniform = Random(settings.seed).random
    center = mean(train.values)
    spread = math.sqrt(squares(deviations(train.values)) / len(train.values))
    # name -> index, of cell lines and of drugs
    indices = [{name: index for index, name in enumerate(sorted(set(names)))}
               for names in (train.cells, train.drugs)]
    columns = start_weights(indices, settings.latent_dim, uniform)
    rows, checks = (indexed(responses, indices, center, spread)
                    for responses in (train, validation))
    best, best_error, best_epoch, error = None, math.inf, 0, math.inf
    for epoch in range(1, settings.epochs + 1):
        shuffled_rows = shuffled(rows, uniform)
        for first in range(0, len(train.values), settings.batch_size):
            batch = [values[first:first + settings.batch_size] for values in shuffled_rows]
            train_batch(columns, *batch, settings)
        errors, _ = errors_of(columns, *checks)
        error = squares(errors) / len(errors)
        if not math.isfinite(error):
            break
        print(f"epoch {epoch}: validation mse {error * spread * spread:.6g}")
        if error < best_error:
            # name -> [effect, factor 1, ...]; zip stops before the unknown one, which has no name
            best = [dict(zip(index, map(list, zip(*side))))
                    for index, side in zip(indices, zip(*columns))]
            best_error, best_epoch = error, epoch
        elif epoch - best_epoch >= settings.patience:
            break
    # weights that no validation row uses diverge unseen
    if not math.isfinite(error) or not all(map(math.isfinite, chain(
            [spread], *best[0].values(), *best[1].values()))):
        raise FloatingPointError("training diverged: "
                                 f"learning rate {settings.learning_rate:g} is too high")
    return Model(settings.y_col_name, center, spread, *best)


def start_weights(indices, latent_dim, uniform):
    """Returns columns of weights with effects 0 and small random factors, of either sign.

    columns[0]: (effects of cells, effects of drugs), columns[k]: their k-th factors; lists by
    index, whose last entry, 0, stands for the unknown cell line or drug.
    """
    columns = [tuple([0.0] * (len(index) + 1) for index in indices)]
    for _ in range(latent_dim):
        columns.append(tuple([START * (2.0 * uniform() - 1.0) for _ in index] + [0.0]
                             for index in indices))
    return columns


def indexed(responses, indices, center, spread):
    """Returns three lists: cell and drug indices, responses in units of the spread."""
    places = [[index.get(name, len(index)) for name in names]
              for index, names in zip(indices, (responses.cells, responses.drugs))]
    return (*places, [(value - center) / (spread or 1.0) for value in responses.values])


def shuffled(rows, uniform):
    """Returns the three lists in one random order; Random.shuffle differs between Pythons."""
    order = list(range(len(rows[0])))
    for last in range(len(order) - 1, 0, -1):
        other = int(uniform() * (last + 1))
        order[last], order[other] = order[other], order[last]
    return [list(map(values.__getitem__, order)) for values in rows]


def train_batch(columns, cells, drugs, values, settings):
    """Moves each weight of a batch by a step times the mean of its gradient over its rows.

    All gradients are taken at the weights before the batch. The lists are processed as wholes (map
    of built-in functions), which is what makes pure Python fast enough.
    """
    errors, gathered = errors_of(columns, cells, drugs, values)
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


def errors_of(columns, cells, drugs, values):
    """Returns values minus predictions, and the weights they were made of, all by row."""
    gathered = [(list(map(of_cells.__getitem__, cells)), list(map(of_drugs.__getitem__, drugs)))
                for of_cells, of_drugs in columns]
    errors = map(sub, map(sub, values, gathered[0][0]), gathered[0][1])
    for of_cells, of_drugs in gathered[1:]:
        errors = map(sub, errors, map(mul, of_cells, of_drugs))
    return list(errors), gathered


def main(argv=None):
    parser = parser_of("baseline_train_improve", "Train the baseline model.",
                       input_dir="output of preprocess", output_dir="where to write")
    for name, (default, text) in SETTINGS.items():
        parser.add_argument(f"--{name}", type=type(default), default=default, metavar="N",
                            help=f"{text} (default: %(default)s)")
    return run(parser, train, argv)


if __name__ == "__main__":
    sys.exit(main())
