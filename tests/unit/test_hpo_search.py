"""test_hpo_search: what the search proposes, and the Gaussian process behind it."""
import json
import math
import unittest

from stages.search import gaussian_process, trials
from stages.search.optimizer import SpaceExhausted, log_improvement, suggest
from stages.search.space import normalise_space

MIXED, SMALL, TENS, LINE, CONSTANTS, NORM = map(normalise_space, json.loads('''[
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
[{"name": "epochs", "type": "constant", "value": 5}],
[{"name": "norm", "type": "categorical", "choices": [false, true]}]]'''))


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
        for space, count in ((MIXED, 8), (SMALL, 18)):
            points = [(suggest(space, [], 7, trial), None) for trial in range(count)]
            self.assertEqual(different(points), count)
        points = [suggest(MIXED, [], 7, trial) for trial in range(8)]
        self.assertEqual({point["optimizer"] for point in points}, {"adam", "sgd", "rmsprop"})
        rates = sorted(math.log10(point["learning_rate"]) for point in points)
        self.assertLess(max(b - a for a, b in zip(rates, rates[1:])), 2.0)

    def test_a_valley_is_found_inside_the_space_ten_times_better_than_by_random_search(self):
        found, at_random = (searched(MIXED, valley, 30, 1, search) for search in SEARCHES)
        self.assertLess(lowest(found), min(0.02, lowest(at_random) / 10))
        self.assertLess(lowest(searched(LINE, lambda params: (params["x"] - 0.3) ** 2, 16)), 1e-4)
        self.assertEqual(lowest(searched(TENS, lambda params: sum(params.values()), 40)), 0)
        for params, _ in searched(MIXED, lambda params: -params["learning_rate"], 20):
            self.assertTrue(1e-6 <= params["learning_rate"] <= 1e-1, params)

    def test_the_search_keeps_away_from_running_trials(self):
        history = searched(MIXED, valley, 14, 3)
        for trial in range(14, 19):
            history.append((suggest(MIXED, history, 3, trial), None))
        self.assertEqual(different(history), 19)

    def test_a_failed_trial_counts_as_the_worst(self):
        history = searched(MIXED, lambda params: valley(params) if params["learning_rate"] < 1e-3
                           else math.nan, 35, 2)
        self.assertLess(lowest(history), 0.1)
        worst = max(value for _, value in history if value == value)
        proposals = [suggest(MIXED, [(params, failed if value != value else value)
                                     for params, value in history], 2, 35)
                     for failed in (math.nan, math.inf, worst)]
        self.assertEqual(proposals, proposals[:1] * 3)

    def test_values_of_any_size_failures_alone_and_equal_values_do_not_stop_a_search(self):
        for value in (math.nan, math.inf, 0.0, 1e300, -1e-300):
            self.assertEqual(different(searched(MIXED, lambda params: value, 15)), 15)
        for size in (1e-200, 1e150):
            self.assertEqual(different(searched(MIXED, lambda params: size * valley(params), 15)),
                             15)

    def test_trials_of_another_space_are_ignored(self):
        history = searched(MIXED, valley, 12, 3)
        for other in ({"optimizer": "adagrad"}, {}):
            self.assertEqual(set(suggest(MIXED, [(other, 1.0), *history], 3, 13)),
                             {"learning_rate", "batch_size", "optimizer"})

    def test_a_trial_outside_the_range_does_not_stop_a_search(self):
        outside = [({"learning_rate": rate, "batch_size": 64, "optimizer": "sgd"}, 1.0)
                   for rate in (0, -1, 1e9)]
        self.assertEqual(set(suggest(MIXED, outside * 5, 1, 20)), set(outside[0][0]))

    def test_every_point_of_a_discrete_space_is_proposed_once_and_then_the_search_ends(self):
        for space, size in ((SMALL, 18), (CONSTANTS, 1), (NORM, 2)):
            for value in (1.0, None):
                for search in SEARCHES:
                    history = searched(space, lambda params: value, size, 6, search)
                    self.assertEqual(different(history), size)
                    self.assertRaises(SpaceExhausted, suggest, space, history, 6, size, search)


class GaussianProcessTest(unittest.TestCase):
    points = [(0.1, 0.25), (0.4, 0.75), (0.8, 0.25), (0.55, 0.25), (0.9, 0.75)]
    values = [1.0, -0.5, 0.3, -0.9, 0.1]

    def setUp(self):
        self.model = gaussian_process.GaussianProcess(self.points, self.values, [False, True],
                                                      [0.5, 1.5], 0.01)

    def assert_close(self, found, wanted, places):
        for one, other in zip(found, wanted):
            self.assertAlmostEqual(one, other, places=places)

    def test_means_deviations_and_improvements_equal_the_references(self):
        for point, reference in NUMPY.items():
            self.assert_close(self.model.predict(point), reference, 9)
        self.assert_close(map(log_improvement, SCIPY), SCIPY.values(), 4)

    def test_a_believer_lowers_the_deviation_and_leaves_the_means(self):
        believer = self.model.believe([(0.32, 0.25)])
        for point, most in (((0.3, 0.25), 0.5), ((0.7, 0.75), 1.0)):
            mean, deviation = self.model.predict(point)
            self.assertAlmostEqual(believer.mean(point), mean, places=9)
            self.assertLess(believer.predict(point)[1], most * deviation)

    def test_the_gradient_of_the_loss_is_that_of_its_differences(self):
        squares = gaussian_process.pair_squares(self.points, [False, True])
        logs = [-0.5, 0.2, -3.0]
        _, gradient = gaussian_process.loss(logs, squares, self.values)
        for index, slope in enumerate(gradient):
            low, high = (gaussian_process.loss([log + step * (index == i) for i, log in
                                                enumerate(logs)], squares, self.values)[0]
                         for step in (-1e-5, 1e-5))
            self.assertAlmostEqual((high - low) / 2e-5, slope, places=5)


class TrialsTest(unittest.TestCase):
    def test_the_best_trial_is_the_lowest_or_highest_and_the_earliest_of_equals(self):
        for metric, best, so_far in (("gain:lower", 2, [None, 0.5, 0.2, 0.2]),
                                     ("acc", 1, [None, 0.5, 0.5, 0.5])):
            made = [trials.Trial("A", number, "done", {}, value, metric=metric)
                    for number, value in enumerate((None, 0.5, 0.2, 0.2))]
            self.assertEqual(trials.best_trial(made).number, best)
            self.assertEqual([trial.best for trial in trials.with_best(made)], so_far)
            self.assertIsNone(trials.best_trial(made[:1]))


# numpy 2.4: k' (K + 0.01 I)^-1 y and the deviation, amplitude y' (K + 0.01 I)^-1 y / 5.
NUMPY = {(0.3, 0.25): (-0.0927714061392982, 0.35557341562845673),
         (0.3, 0.75): (-0.04811583088446002, 0.26029366437606477),
         (0.1, 0.25): (0.9685824596949949, 0.15460741785550283)}
# scipy 1.17: the log of the integral of t phi(t - z) over t > 0.
SCIPY = {2.0: 0.6973835457882283, 0.0: -0.9189385332046727, -3.0: -7.869686059603028,
         -8.0: -37.12236426169263, -20.0: -206.9178385094251, -21.0: -227.51473292810908}


if __name__ == "__main__":
    unittest.main()
