"""test_hpo_search: what the search proposes, and the Gaussian process behind it."""
import json
import math
import unittest
from itertools import combinations, product

from stages.search.gaussian_process import GaussianProcess, loss, pair_squares
from stages.search.optimizer import log_improvement, suggest
from stages.search.space import normalise_space, space_size, to_units
from stages.search.trials import Trial, best_trial, with_best

MIXED, SMALL, TENS, LINE, CONSTANTS = map(normalise_space, json.loads('''[
[{"name": "learning_rate", "type": "float", "min": 1e-6, "max": 1e-1, "default": 0.001,
  "log_uniform": true},
 {"name": "batch_size", "type": "int", "min": 8, "max": 512, "default": 64, "log_uniform": true},
 {"name": "optimizer", "type": "categorical", "choices": ["adam", "sgd", "rmsprop"],
  "default": "sgd"}],
[{"name": "layers", "type": "int", "min": 1, "max": 3},
 {"name": "dropout", "type": "ordered", "choices": [0.0, 0.2, 0.4]},
 {"name": "norm", "type": "categorical", "choices": [false, true]}],
[{"name": "a", "type": "int", "min": 0, "max": 9},
 {"name": "b", "type": "int", "min": 0, "max": 9},
 {"name": "c", "type": "int", "min": 0, "max": 9},
 {"name": "d", "type": "int", "min": 0, "max": 9}],
[{"name": "x", "type": "float", "min": -1, "max": 1}],
[{"name": "epochs", "type": "constant", "value": 5}]]'''))


SEARCHES = ("auto", "random")


def valley(params):
    """A valley in learning rate and batch size, best at 1e-3, 64, rmsprop with 0."""
    return ((math.log10(params["learning_rate"]) + 3) ** 2
            + 0.1 * (math.log2(params["batch_size"]) - 6) ** 2
            + (params["optimizer"] != "rmsprop"))


def searched(space, function, count, seed=1, search="auto"):
    """Returns the history after so many trials, one at a time."""
    history = []
    for trial in range(count):
        params = suggest(space, history, seed, trial, search)
        history.append((params, function(params)))
    return history


def lowest(history):
    return min(value for _, value in history if value == value)


def different(history):
    """Returns how many points differ."""
    return len({str(sorted(params.items())) for params, _ in history})


class ProposalTest(unittest.TestCase):
    def test_a_search_starts_with_the_defaults_and_depends_on_its_seed_alone(self):
        for search in SEARCHES:
            one, again, other = (searched(MIXED, valley, 14, seed, search) for seed in (3, 3, 4))
            self.assertEqual(one[0][0],
                             {"learning_rate": 0.001, "batch_size": 64, "optimizer": "sgd"})
            self.assertEqual(one, again)
            self.assertNotEqual(one[1:4], other[1:4])

    def test_trials_that_start_together_get_points_that_fill_the_space(self):
        points = [suggest(MIXED, [], 7, trial) for trial in range(8)]
        self.assertEqual({point["optimizer"] for point in points}, {"adam", "sgd", "rmsprop"})
        rates = sorted(math.log10(point["learning_rate"]) for point in points)
        gaps = [b - a for a, b in zip(rates, rates[1:])]
        self.assertTrue(0 < min(gaps) and max(gaps) < 2, gaps)

    def test_a_valley_is_found_inside_the_space_ten_times_better_than_by_random_search(self):
        found, at_random = (searched(MIXED, valley, 30, 1, search) for search in SEARCHES)
        self.assertLess(lowest(found), min(0.02, lowest(at_random) / 10))
        self.assertLess(lowest(searched(LINE, lambda params: (params["x"] - 0.3) ** 2, 16)), 1e-4)
        self.assertEqual(lowest(searched(TENS, lambda params: sum(params.values()), 40)), 0)

    def test_the_search_keeps_away_from_running_trials(self):
        history = searched(MIXED, valley, 14, 2)
        for trial in range(14, 19):
            history.append((suggest(MIXED, history, 2, trial), None))
        points = [to_units(MIXED, params) for params, _ in history[14:]]
        for one, other in combinations(points, 2):
            self.assertGreater(max(abs(a - b) for a, b in zip(one, other)), 0.1)

    def test_a_failed_trial_counts_as_the_worst(self):
        history = searched(MIXED, lambda params: valley(params) if params["learning_rate"] < 1e-3
                           else math.nan, 35, 2)
        self.assertLess(lowest(history), 0.1)
        worst = max(value for _, value in history if value == value)
        proposals = [suggest(MIXED, [(params, failed if value != value else value)
                                     for params, value in history], 2, 35)
                     for failed in (math.nan, math.inf, worst)]
        self.assertEqual(proposals, proposals[:1] * 3)

    def test_no_value_and_no_trial_of_another_space_stops_a_search(self):
        for size in (math.nan, math.inf, 0.0, 1e300, -1e-300, 1e-200, 1e150):
            for function in (lambda params: size, lambda params: size * valley(params)):
                self.assertEqual(different(searched(MIXED, function, 15)), 15)
        default = suggest(MIXED, [], 3, 0)
        for others in ([{}, {"optimizer": "adagrad"}], [dict(default, learning_rate=rate)
                                                        for rate in (0, -1, 1e9)] * 5):
            history = [*searched(MIXED, valley, 12, 3), *((params, 1.0) for params in others)]
            self.assertEqual(set(suggest(MIXED, history, 3, 20)), set(default))

    def test_every_point_of_a_discrete_space_is_proposed_once_and_then_the_search_ends(self):
        for (space, size), value, search in product(
                ((SMALL, 18), (SMALL[2:], 2), (CONSTANTS, 1)), (1.0, None), SEARCHES):
            self.assertEqual(space_size(space), size)
            history = searched(space, lambda params: value, size, 6, search)
            self.assertEqual(different(history), size)
            self.assertRaises(ValueError, suggest, space, history, 6, size, search)


class GaussianProcessTest(unittest.TestCase):
    points = [(0.1, 0.25), (0.4, 0.75), (0.8, 0.25), (0.55, 0.25), (0.9, 0.75)]
    values = [1.0, -0.5, 0.3, -0.9, 0.1]
    model = GaussianProcess(points, values, [False, True], [0.5, 1.5], 0.01)

    def test_means_deviations_and_improvements_equal_the_references(self):
        """Points that still run change neither a mean nor the amplitude."""
        believer = self.model.believe([(0.32, 0.25)])
        self.assertEqual(believer.amplitude, self.model.amplitude)
        for point, (mean, deviation) in NUMPY.items():
            for one, other in zip((believer.mean(point), *self.model.predict(point)),
                                  (mean, mean, deviation)):
                self.assertAlmostEqual(one, other, places=9)
        for z, reference in SCIPY.items():
            self.assertAlmostEqual(log_improvement(z), reference, places=4)

    def test_the_gradient_of_the_loss_is_that_of_its_differences(self):
        squares = pair_squares(self.points, [False, True])
        logs = [-0.5, 0.2, -3.0]
        for index, slope in enumerate(loss(logs, squares, self.values)[1]):
            low, high = (loss([log + step * (index == i) for i, log in enumerate(logs)],
                              squares, self.values)[0] for step in (-1e-5, 1e-5))
            self.assertAlmostEqual((high - low) / 2e-5, slope, places=5)


class TrialsTest(unittest.TestCase):
    def test_the_best_trial_is_the_lowest_or_highest_and_the_earliest_of_equals(self):
        for metric, best, so_far in (("gain:lower", 2, 0.2), ("acc", 1, 0.5)):
            made = [Trial("A", number, "done", {}, value, metric=metric)
                    for number, value in enumerate((None, 0.5, 0.2, 0.2))]
            self.assertEqual(best_trial(made).number, best)
            self.assertEqual([trial.best for trial in with_best(made)],
                             [None, 0.5, so_far, so_far])
            self.assertIsNone(best_trial(made[:1]))


# numpy 2.4: k' (K + 0.01 I)^-1 y and the deviation, amplitude y' (K + 0.01 I)^-1 y / 5.
NUMPY = {(0.3, 0.25): (-0.0927714061392982, 0.35557341562845673),
         (0.3, 0.75): (-0.04811583088446002, 0.26029366437606477),
         (0.1, 0.25): (0.9685824596949949, 0.15460741785550283)}
# scipy 1.17: the log of the integral of t phi(t - z) over t > 0.
SCIPY = {2.0: 0.6973835457882283, 0.0: -0.9189385332046727, -3.0: -7.869686059603028,
         -8.0: -37.12236426169263, -20.0: -206.9178385094251, -21.0: -227.51473292810908}
