"""learning_curves: how far the fitted law misses at 2, 4 and 8 times the data, and what bands hold.

    made curves, published curves -> fit without the largest sizes -> misses, coverage

Examples:
    python3 tests/benchmarks/learning_curves.py                     # made curves alone
    python3 tests/benchmarks/learning_curves.py --lcdb              # every third curve of LCDB, too

Fits see sizes up to a half, a quarter, an eighth of where they are asked. The truth of a made curve
is its shape times the median level of its splits; that of a published curve the median measured at
its largest size. LCDB 1.0 (Mohr et al., ECML PKDD 2022; 68 MB from the package index, in a
temporary folder): error rates of (data set, learner) pairs with 2,000 rows and a falling error, at
sizes with at least five repeats. Every other data set has calibrated DRIFT, the others are a test.
"""
import collections
import csv
import glob
import io
import itertools
import math
import os
import random
import statistics
import subprocess
import sys
import tarfile
import tempfile
from typing import NamedTuple

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
from stages.stats.learning_curve import ENOUGH_SIZES, TIMES, band, fit_power_law  # noqa: E402

SHARES = (0.8, 0.95)
SPLITS = (1, 3, 5, 10, 20)
DESIGNS = ((5, 8), (7, 5), (10, 10), (10, 64), (20, 64), (40, 1000))    # sizes, largest / smallest
CURVES, SEED = 2, 11    # made curves of a shape, number of splits and design
EVERY = 3               # every third published curve
LARGEST = 16000.0
FAR = 1e30      # times the largest size: where a curve has levelled off


class Curve(NamedTuple):
    """{size: {split: error}} to fit, {times the largest size: error there}."""
    group: str
    sizes: dict
    truth: dict
    asymptote: float = math.nan


class Asked(NamedTuple):
    """One prediction: |log(predicted / true)|, and what its 80 % and 95 % bands are worth."""
    group: str
    times: int
    miss: float
    held: tuple         # is the truth in the band?
    widths: tuple       # log(high / low)


# ---- made curves; x = 1 at the largest size fitted, where the error is 1

def power(generator, span):
    """(1 - g) x**-b + g: the law itself."""
    b = generator.uniform(0.1, 0.9)
    g = generator.choice((0.0, generator.uniform(0, 0.9), generator.uniform(0, 0.9)))
    return lambda x: (1 - g) * x ** -b + g


def plateau(generator, span):
    """Flat, or falling at a fifth of the law's pace, up to an early size; then the law."""
    law, corner = power(generator, span), span ** -generator.uniform(0.5, 0.95)
    sharp = generator.uniform(2, 8)
    if generator.random() < 0.5:    # a kink
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
    """g + (1 - g) (1 + q) / (1 + q x**d): a sigmoid in log(x) (Morgan-Mercer-Flodin)."""
    g, d = generator.uniform(0, 0.8), generator.uniform(0.3, 1.2)
    q = span ** (d * generator.uniform(0.2, 1))
    return lambda x: g + (1 - g) * (1 + q) / (1 + q * x ** d)


SHAPES = {"power": power, "plateau": plateau, "log": logarithm, "pow4": pow4, "mmf4": mmf4}


def made_curves(count, seed):
    """Yields Curves of every shape, number of splits and design."""
    for shape, splits, design, i in itertools.product(SHAPES, SPLITS, DESIGNS, range(count)):
        generator = random.Random(f"{seed} {shape} {splits} {design} {i}")
        yield made_curve(shape, splits, design, generator)


def made_curve(shape, splits, design, generator):
    """A level per split, noise that shrinks with size and is correlated between nested subsets."""
    count, span = design
    curve = SHAPES[shape](generator, span)
    xs = [span ** (i / (count - 1) - 1) for i in range(count)] + list(map(float, TIMES))
    noise, level = 10 ** generator.uniform(-2.5, -1.7), generator.uniform(0.01, 0.05)
    pace, memory = generator.uniform(0.1, 0.4), generator.uniform(0.1, 2)
    white = generator.uniform(0.2, 1)
    levels, rows = [], []
    for _ in range(splits):
        levels.append(level * generator.gauss(0, 1))
        drift = correlated(xs, memory, generator)
        rows.append([levels[-1] + min(0.15, noise * x ** -pace)
                     * (math.sqrt(white) * generator.gauss(0, 1) + math.sqrt(1 - white) * state)
                     for x, state in zip(xs, drift)])
    sizes = {round(x * LARGEST, 3): {split: curve(x) * math.exp(row[i])
                                     for split, row in enumerate(rows)}
             for i, x in enumerate(xs[:count])}
    middle = math.exp(statistics.median(levels))
    return Curve(shape, sizes, {times: curve(times) * middle for times in TIMES},
                 max(0.0, curve(FAR)) * middle)


def correlated(xs, memory, generator):
    """Standard normal states at xs; correlation falls by 1 / e for each `memory` in log(x)."""
    states = [generator.gauss(0, 1)]
    for before, x in zip(xs, xs[1:]):
        kept = math.exp(-math.log(x / before) / memory)
        states.append(kept * states[-1] + math.sqrt(1 - kept ** 2) * generator.gauss(0, 1))
    return states


# ---- published curves

def published_curves():
    """Yields the Curves of LCDB 1.0, three a pair; group: 'calibration' or 'other half'."""
    pairs = collections.defaultdict(lambda: collections.defaultdict(dict))
    with tempfile.TemporaryDirectory() as folder:
        subprocess.check_call([sys.executable, "-m", "pip", "download", "--no-deps", "--quiet",
                               "--dest", folder, "lcdb==0.1.0"])
        with tarfile.open(glob.glob(os.path.join(folder, "lcdb-*"))[0]) as archive:
            name = next(name for name in archive.getnames() if name.endswith("-accuracy.csv"))
            for row in csv.DictReader(io.TextIOWrapper(archive.extractfile(name), "utf-8")):
                if row["score_test"]:
                    pair, repeat = (int(row["openmlid"]), row["learner"]), (row["outer_seed"],
                                                                            row["inner_seed"])
                    pairs[pair][int(row["size_train"])][repeat] = 1 - float(row["score_test"])
    halves = {data: ("calibration", "other half")[i % 2]
              for i, data in enumerate(sorted({data for data, _ in pairs}))}
    used = []
    for (data, _), sizes in sorted(pairs.items()):
        sizes = {size: found for size, found in sorted(sizes.items()) if len(found) >= 5}
        if is_used(sizes):
            used.append((halves[data], sizes))
    for half, sizes in used[::EVERY]:
        yield from parts_of(half, sizes)


def is_used(sizes):
    """sizes: {size: {repeat: error}}, from the smallest on"""
    if not sizes or max(sizes) < 2000:
        return False
    first, last = (statistics.median(sizes[size].values()) for size in (min(sizes), max(sizes)))
    return 0 < last < first


def parts_of(group, sizes):
    """Yields the curve up to a half, a quarter, an eighth of its largest size."""
    largest = max(sizes)
    truth = statistics.median(sizes[largest].values())
    for times in TIMES:
        seen = {size: errors for size, errors in sizes.items() if size <= largest / times}
        if len(seen) >= ENOUGH_SIZES:
            yield Curve(group, seen, {times: truth, "size": largest})


# ---- misses and coverage

def asked(curve, fit):
    """Yields what is Asked of the fit of a curve."""
    for times in (times for times in TIMES if times in curve.truth):
        size, truth = curve.truth.get("size", times * fit.full_size), curve.truth[times]
        bands = [band(fit, size, share) for share in SHARES]
        yield Asked(curve.group, times, abs(math.log(fit.law.at(size) / truth)),
                    tuple(low <= truth <= high for low, high in bands),
                    tuple(math.log(high / low) for low, high in bands))


def table(found):
    """Returns lines: misses, coverage and widths by group, at 2, 4, 8 times."""
    lines = ["| | predictions | miss: median / worst, % | in 80 % band, % | in 95 % band, % "
             "| width 80 %, % | width 95 %, % |", "| --- " * 7 + "|"]
    groups = sorted({one.group for one in found})
    for group in ["all"] * (len(groups) > 1) + groups:
        rows = [[one for one in found if one.times == times and group in ("all", one.group)]
                for times in TIMES]
        cells = [[f"{percent(statistics.median(one.miss for one in row)):.2f} / "
                  f"{percent(max(one.miss for one in row)):.0f}" for row in rows]]
        cells += [[f"{100 * statistics.mean(one.held[place] for one in row):.1f}" for row in rows]
                  for place in range(2)]
        cells += [[f"{percent(statistics.median(one.widths[place] for one in row)):.0f}"
                   for row in rows] for place in range(2)]
        lines.append(f"| {group} | {sum(map(len, rows))} | " + " | ".join(
            map(", ".join, cells)) + " |")
    return lines


def percent(logarithm):
    return 100 * (math.exp(logarithm) - 1)


def asymptote_line(fitted):
    named = [(curve, fit) for curve, fit in fitted if fit.asymptote_identified]
    held = sum(fit.asymptote_low <= curve.asymptote <= fit.asymptote_high for curve, fit in named)
    return (f"Asymptote identified for {len(named)} of {len(fitted)} curves; the truth lies in the "
            f"limits of {held} of these.")


def usable(curves):
    """Returns [(Curve, Fit)] of the curves that get a fit, and says how many do not."""
    fitted = [(curve, fit_power_law(curve.sizes)) for curve in curves]
    print(f"{sum(not fit.usable for _, fit in fitted)} of {len(fitted)} curves get no fit")
    return [(curve, fit) for curve, fit in fitted if fit.usable]


def main(argv):
    print("Made curves")
    fitted = usable(made_curves(CURVES, SEED))
    print(*table([one for pair in fitted for one in asked(*pair)]), asymptote_line(fitted),
          sep="\n")
    if argv == ["--lcdb"]:
        print("\nPublished curves")
        print(*table([one for pair in usable(published_curves()) for one in asked(*pair)]),
              sep="\n")


if __name__ == "__main__":
    main(sys.argv[1:])
