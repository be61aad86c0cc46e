"""learning_curves: how far learning-curve fits miss at 2, 4 and 8 times the data, and how often their bands hold it.

    made curve (shape, design, splits) --> values of nested subsets --> each method --> misses and coverages --> tables

Usage: python3 tests/benchmarks/learning_curves.py [--curves N] [--seed S]

Examples:
    python3 tests/benchmarks/learning_curves.py                     # the tables of docs/learning_curves.md
    python3 tests/benchmarks/learning_curves.py --curves 1          # half of that

Fits see sizes up to a half, a quarter, an eighth of where they are asked for. The truth there is the shape times the
median level of the splits at hand: what these would give but for the noise of single trainings. Nothing here was taken
from published curves, and the bands were set with other seeds (0 to 9) than the default.
"""
import argparse
import math
import os
import random
import statistics
import sys
import time
from typing import NamedTuple

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), "stages"))
from stats import significance  # noqa: E402
from stats.learning_curve import fit_power_law  # noqa: E402
from stats.power_law import error_at, fit_curve, median, part, points_of  # noqa: E402

TIMES = (2, 4, 8)
SPLITS = (1, 3, 5, 10, 20)
DESIGNS = ((5, 8), (7, 5), (10, 10), (10, 64), (20, 64), (40, 1000))  # sizes, largest / smallest of those fitted
LARGEST = 16000.0


FAR = 1e30  # times the largest size: where a curve has leveled off


class Made(NamedTuple):
    """A made curve: the sizes to fit, values[i][k] of split k there, the truth per factor, and where it levels off."""
    sizes: list
    values: list
    truth: dict
    asymptote: float


def power(generator, span):
    """(1 - g) x**-b + g: the law itself; x = 1 at the largest size fitted, where the error is 1."""
    b, g = generator.uniform(0.1, 0.9), generator.choice((0.0, generator.uniform(0, 0.9), generator.uniform(0, 0.9)))
    return lambda x: (1 - g) * x ** -b + g


def plateau(generator, span):
    """Flat, or falling at a fifth of the law's pace, up to a size early in the data; then the law."""
    law, corner, sharp = power(generator, span), span ** -generator.uniform(0.5, 0.95), generator.uniform(2, 8)
    if generator.random() < 0.5:  # a kink
        return lambda x: law(x) if x > corner else law(corner) * (law(x) / law(corner)) ** 0.2
    return lambda x: (law(corner) ** -sharp + law(x) ** -sharp) ** (-1 / sharp)


def logarithm(generator, span):
    """1 - s log(x): falls by the same amount at every doubling."""
    s = generator.uniform(0.02, 0.12)
    return lambda x: 1 - s * math.log(x)


def pow4(generator, span):
    """(1 - g) ((x + d) / (1 + d))**-b + g: a soft start."""
    law, d = power(generator, span), span ** -generator.uniform(0.3, 1)
    return lambda x: law((x + d) / (1 + d))


def mmf4(generator, span):
    """g + (1 - g) (1 + q) / (1 + q x**d): from one level to another, a sigmoid in log(x) (Morgan-Mercer-Flodin)."""
    g, d = generator.uniform(0, 0.8), generator.uniform(0.3, 1.2)
    q = span ** (d * generator.uniform(0.2, 1))
    return lambda x: g + (1 - g) * (1 + q) / (1 + q * x ** d)


SHAPES = {"power": power, "plateau": plateau, "log": logarithm, "pow4": pow4, "mmf4": mmf4}


def made_curve(shape, splits, design, generator):
    """One Made curve: a level per split, noise that shrinks with size and is correlated between nested subsets."""
    count, span = design
    curve = SHAPES[shape](generator, span)
    xs = [span ** (i / (count - 1) - 1) for i in range(count)] + list(map(float, TIMES))
    noise, level = 10 ** generator.uniform(-2.5, -1.7), generator.uniform(0.01, 0.05)  # at the largest size: .3 to 2 %
    pace, memory, white = generator.uniform(0.1, 0.4), generator.uniform(0.1, 2), generator.uniform(0.2, 1)
    levels, rows = [], []
    for _ in range(splits):
        levels.append(level * generator.gauss(0, 1))
        drift = correlated(xs, memory, generator)
        rows.append([levels[-1] + min(0.15, noise * x ** -pace) * (math.sqrt(white) * generator.gauss(0, 1)
                                                                  + math.sqrt(1 - white) * state)
                     for x, state in zip(xs, drift)])
    values = [[curve(x) * math.exp(row[i]) for row in rows] for i, x in enumerate(xs[:count])]
    middle = math.exp(statistics.median(levels))
    return Made([round(x * LARGEST, 3) for x in xs[:count]], values, {t: curve(t) * middle for t in TIMES},
                max(0.0, curve(FAR)) * middle)


def correlated(xs, memory, generator):
    """Standard normal states at xs; the correlation falls by 1 / e for every `memory` in log(x)."""
    states = [generator.gauss(0, 1)]
    for before, x in zip(xs, xs[1:]):
        kept = math.exp(-math.log(x / before) / memory)
        states.append(kept * states[-1] + math.sqrt(1 - kept ** 2) * generator.gauss(0, 1))
    return states


# Methods: each gives an error per factor of TIMES, or None

def last_value(made):
    return [median(made.values[-1])] * len(TIMES)


def plain_law(made):
    """pow3 to all sizes."""
    return law_ahead(fit_curve(raw_points(made)))


def old_rule(made):
    """pow3 less the small sizes that deviate by more than the raw spread between splits, as it was until now."""
    points = raw_points(made)
    for first in range(max(1, len(points.sizes) - 4)):
        used = raw_part(points, first)
        curve = fit_curve(used)
        if lack_of_fit_p(curve, used) > 0.01:
            break
    return law_ahead(curve)


def raw_points(made):
    """Points whose medians are those of the values as they are."""
    return raw_part(points_of(made.sizes, made.values), 0)


def raw_part(points, first):
    return part(points, first)._replace(medians=[median(row) for row in points.values[first:]])


def lack_of_fit_p(curve, points):
    """F test against pure error, the spread between splits taken for it (Draper and Smith, 1998, section 2.1)."""
    rows = [[value / middle for value in row] for row, middle in zip(points.values, points.medians)]
    freedom, pure_freedom = len(rows) - 3, sum(len(row) - 1 for row in rows)
    if freedom < 1 or pure_freedom < 1:
        return 1.0
    noise = max(sum((v - statistics.mean(row)) ** 2 for row in rows for v in row) / pure_freedom, 1e-8)
    deviations = sum(len(row) / (math.pi / 2) * (y / error_at(curve, size) - 1) ** 2
                     for row, y, size in zip(points.values, points.medians, points.sizes))
    return significance.f_test_p(deviations / freedom / noise, freedom, pure_freedom)


def law_ahead(curve):
    return [error_at(curve, times * LARGEST) for times in TIMES]


# Tables

class Case(NamedTuple):
    shape: str
    splits: int
    made: Made
    fit: object
    rivals: dict  # errors per factor by method


RIVALS = {"last value": last_value, "plain pow3": plain_law, "old rule": old_rule}


def cases(count, seed):
    """Every shape with every number of splits and every design, `count` times."""
    for shape in SHAPES:
        for splits in SPLITS:
            for design in DESIGNS:
                for i in range(count):
                    made = made_curve(shape, splits, design, random.Random(f"{seed} {shape} {splits} {design} {i}"))
                    fit = fit_power_law(made.sizes, made.values)
                    rivals = {name: method(made) for name, method in RIVALS.items()}
                    if fit.usable:
                        rivals["its law alone"] = [fit.alpha * (times * LARGEST) ** fit.beta + fit.gamma for times in TIMES]
                    yield Case(shape, splits, made, fit, rivals)


def groups(found):
    """[(label, its cases)]: all, by shape, by splits."""
    return [("all", found), *((shape, [c for c in found if c.shape == shape]) for shape in SHAPES),
            *((f"{splits} split{'s' * (splits > 1)}", [c for c in found if c.splits == splits]) for splits in SPLITS)]


def percent_off(case, place, method):
    error = case.fit.ahead[place].error if method is None else case.rivals[method][place]
    return 100 * abs(error / case.made.truth[TIMES[place]] - 1)


def errors_table(found):
    """Median / worst error in percent of each method at 2, 4, 8 times."""
    methods = list(found[0].rivals)
    lines = ["| | " + " | ".join(["this method", *methods]) + " |", "| --- " * (2 + len(methods)) + "|"]
    for label, chosen in groups(found):
        cells = [", ".join("{:.2f} / {:.0f}".format(statistics.median(off), max(off)) for off in (
            [percent_off(case, place, method) for case in chosen] for place in range(len(TIMES))))
            for method in (None, *methods)]
        lines.append(f"| {label} | " + " | ".join(cells) + " |")
    return lines


def coverage_table(found):
    """How many percent of the truths lie in the 80 % and the 95 % band at 2, 4, 8 times, and how wide the bands are."""
    lines = ["| | curves | 80 % band | 95 % band | width of the 80 % band, % |", "| --- | --- | --- | --- | --- |"]
    for label, chosen in groups(found):
        cells = [", ".join("{:.0f}".format(100 * statistics.mean(
            getattr(case.fit.ahead[i], name)[0] <= case.made.truth[times] <= getattr(case.fit.ahead[i], name)[1]
            for case in chosen)) for i, times in enumerate(TIMES)) for name in ("band_80", "band_95")]
        widths = ", ".join("{:.1f}".format(100 * statistics.median(
            case.fit.ahead[i].band_80[1] / case.fit.ahead[i].band_80[0] - 1 for case in chosen)) for i in range(len(TIMES)))
        lines.append(f"| {label} | {len(chosen)} | {cells[0]} | {cells[1]} | {widths} |")
    return lines


def asymptote_line(found):
    told = [case for case in found if case.fit.asymptote_identified]
    held = sum(case.fit.asymptote[0] <= case.made.asymptote <= case.fit.asymptote[1] for case in told)
    return (f"Asymptote identified for {len(told)} of {len(found)} curves; the truth lies in the limits given for {held} of "
            "these.")


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--curves", type=int, default=2, help="curves per shape, splits and design (2)")
    parser.add_argument("--seed", type=int, default=11, help="of the curves (11)")
    options = parser.parse_args(argv)
    started = time.time()
    every = list(cases(options.curves, options.seed))
    found = [case for case in every if case.fit.usable]
    print(*errors_table(found), "", *coverage_table(found), "", asymptote_line(found), sep="\n")
    print(f"{len(every) - len(found)} of {len(every)} curves get no fit, all of them falling; {time.time() - started:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
