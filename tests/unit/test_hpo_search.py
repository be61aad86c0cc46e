"""test_hpo_search: what the search proposes, and the Gaussian process behind it."""

import math
import os
import random
import tempfile
import unittest

import tests  # noqa: F401  (puts stages/ on the path)
from tests.benchmarks import benchmark_hpo

from search import gaussian_process
from search import imported
from search import optimizer

MIXED = [
    {"name": "learning_rate", "type": "float", "min": 1e-6, "max": 1e-1, "default": 0.001, "log_uniform": True},
    {"name": "batch_size", "type": "int", "min": 8, "max": 512, "default": 64, "log_uniform": True},
    {"name": "optimizer", "type": "categorical", "choices": ["adam", "sgd", "rmsprop"], "default": "sgd"},
]
SMALL = [
    {"name": "layers", "type": "int", "min": 1, "max": 3, "default": 2},
    {"name": "dropout", "type": "categorical", "choices": [0.0, 0.2, 0.4, 0.6], "default": 0.2},
    {"name": "norm", "type": "logical"},
]


def valley(params):
    """A valley in learning rate and batch size, best at 1e-3, 64, rmsprop with 0."""
    return ((math.log10(params["learning_rate"]) + 3) ** 2 + 0.1 * (math.log2(params["batch_size"]) - 6) ** 2
            + (params["optimizer"] != "rmsprop"))


def searched(space, function, trials, seed, search=optimizer.suggest):
    """Return the history after so many trials, one at a time."""
    history = []
    for _ in range(trials):
        params = search(space, history, seed)
        history.append((params, function(params)))
    return history


def text(params):
    return str(sorted(params.items()))


class Start(unittest.TestCase):
    def test_trial_0_is_the_defaults(self):
        self.assertEqual(optimizer.suggest(MIXED, [], 5), {"learning_rate": 0.001, "batch_size": 64, "optimizer": "sgd"})
        self.assertEqual(optimizer.random_point(MIXED, [], 5), {"learning_rate": 0.001, "batch_size": 64, "optimizer": "sgd"})

    def test_eight_trials_of_the_same_second_get_different_spread_points(self):
        points = [optimizer.suggest(MIXED, [], (7, trial)) for trial in range(8)]
        self.assertEqual(len({text(point) for point in points}), 8)
        self.assertEqual({point["optimizer"] for point in points}, {"adam", "sgd", "rmsprop"})
        rates = sorted(math.log10(point["learning_rate"]) for point in points)
        self.assertLess(max(b - a for a, b in zip(rates, rates[1:])), 2.0)

    def test_trials_of_the_same_second_differ_in_a_small_space_too(self):
        points = [optimizer.suggest(SMALL, [], (7, trial)) for trial in range(24)]
        self.assertEqual(len({text(point) for point in points}), 24)

    def test_trials_of_the_same_second_differ_once_the_model_is_there(self):
        history = searched(MIXED, valley, 14, 3)
        points = [optimizer.suggest(MIXED, history, (3, trial)) for trial in range(14, 20)]
        self.assertEqual(len({text(point) for point in points}), 6)

    def test_a_seed_gives_a_search_of_its_own(self):
        self.assertNotEqual(searched(MIXED, valley, 4, 1), searched(MIXED, valley, 4, 2))


class Model(unittest.TestCase):
    def test_the_same_arguments_give_the_same_answer(self):
        history = searched(MIXED, valley, 12, 3)
        kept = [(dict(params), value) for params, value in history]
        self.assertEqual(optimizer.suggest(MIXED, history, 3), optimizer.suggest(MIXED, history, 3))
        self.assertEqual(history, kept)

    def test_the_valley_is_found(self):
        best = min(value for _, value in searched(MIXED, valley, 30, 1))
        self.assertLess(best, 0.02)
        self.assertLess(10 * best, min(value for _, value in searched(MIXED, valley, 30, 1, optimizer.random_point)))

    def test_every_proposal_lies_in_the_space(self):
        for params, _ in searched(MIXED, lambda params: -params["learning_rate"], 20, 4):
            self.assertTrue(1e-6 <= params["learning_rate"] <= 1e-1)
            self.assertTrue(8 <= params["batch_size"] <= 512 and isinstance(params["batch_size"], int))
            self.assertIn(params["optimizer"], ("adam", "sgd", "rmsprop"))

    def test_running_trials_are_kept_away_from(self):
        history = searched(MIXED, valley, 14, 3)
        first = optimizer.suggest(MIXED, history, 3)
        second = optimizer.suggest(MIXED, history + [(first, None)], 3)
        self.assertNotEqual(text(first), text(second))

    def test_failed_trials_count_as_the_worst(self):
        def diverges(params):
            return valley(params) if params["learning_rate"] < 1e-3 else float("nan")
        history = searched(MIXED, diverges, 35, 2)
        self.assertLess(min(value for _, value in history if value == value), 0.1)
        worst = [(params, 1e9 if value != value else value) for params, value in history]
        proposed = optimizer.suggest(MIXED, history, 2)
        self.assertEqual(proposed, optimizer.suggest(
            MIXED, [(params, float("inf") if value != value else value) for params, value in history], 2))
        self.assertEqual(set(proposed), set(optimizer.suggest(MIXED, worst, 2)))

    def test_a_search_goes_on_where_everything_failed_or_is_equal(self):
        for value in (float("nan"), float("inf"), 0.0, 1e300, -1e-300):
            history = searched(MIXED, lambda params: value, 15, 2)
            self.assertEqual(len({text(params) for params, _ in history}), 15)

    def test_values_of_any_size_do_not_break_it(self):
        for size in (1e-200, 1e150):
            history = searched(MIXED, lambda params: size * valley(params), 14, 2)
            self.assertEqual(len({text(params) for params, _ in history}), 14)

    def test_trials_of_another_space_are_passed_over(self):
        history = [({"optimizer": "adagrad"}, 1.0), ({}, 2.0)] + searched(MIXED, valley, 12, 3)
        self.assertEqual(set(optimizer.suggest(MIXED, history, 3)), {"learning_rate", "batch_size", "optimizer"})

    def test_one_parameter_is_enough(self):
        space = [{"name": "x", "type": "float", "min": -1, "max": 1}]
        self.assertLess(min(value for _, value in searched(space, lambda p: (p["x"] - 0.3) ** 2, 16, 1)), 1e-4)

    def test_many_parameters_are_searched(self):
        space = [{"name": "x%d" % i, "type": "float", "min": 0, "max": 1} for i in range(20)]
        self.assertEqual(len(searched(space, lambda p: sum(p.values()), 10, 1)), 10)


class KnownTrials(unittest.TestCase):
    def test_known_points_are_not_proposed_again(self):
        known = [(params, 1.0) for params in list(optimizer.grid_points(SMALL))[:20]]
        for search in (optimizer.suggest, optimizer.random_point, optimizer.grid_point):
            history = []
            for trial in range(4):
                history.append((search(SMALL, history, (1, trial), known), 0.5))
            self.assertEqual(len({text(params) for params, _ in known + history}), 24)
            self.assertRaises(optimizer.SpaceExhausted, search, SMALL, history, (1, 4), known)

    def test_the_defaults_go_first_unless_they_are_known(self):
        known = searched(MIXED, valley, 13, 1, optimizer.random_point)
        self.assertNotEqual(text(optimizer.suggest(MIXED, [], (1, 0), known)), text(known[0][0]))
        self.assertEqual(text(optimizer.suggest(MIXED, [], (1, 0), known[1:])), text(known[0][0]))

    def test_a_search_that_knows_13_trials_of_deephyper_is_better_after_20_of_its_own(self):
        plain, informed = [], []
        for name in benchmark_hpo.TABLES:
            objective = benchmark_hpo.table_objective(name)
            known = imported_trials(objective, searched(objective.space, objective.true, 13, 100, optimizer.random_point))
            self.assertEqual(len(known), 13)
            for found, knows in ((plain, []), (informed, known)):
                history = []
                for trial in range(20):
                    params = optimizer.suggest(objective.space, history, (0, trial), knows)
                    history.append((params, objective.true(params)))
                self.assertEqual(len({text(params) for params, _ in knows + history}), len(knows) + 20)
                found.append(objective.regret(min(value for _, value in history)))
        self.assertLess(sum(informed), sum(plain), (informed, plain))


def imported_trials(objective, history):
    """What is read from a history that is written as DeepHyper writes one."""
    names = [entry["name"] for entry in objective.space]
    rows = [",".join(["p:" + name for name in names] + ["objective", "job_id"])]
    rows += [",".join([str(params[name]) for name in names] + [repr(-value), str(job)]) for job, (params, value) in enumerate(history)]
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "hpo_results.csv")
        with open(path, "w", encoding="utf-8") as file:
            file.write("\n".join(rows) + "\n")
        trials, _ = imported.read_trials([path], "A", objective.space, "mse")
    return [(trial["params"], trial["objective"]) for trial in trials]


class Prior(unittest.TestCase):
    def mean_distance(self, points):
        """Mean distance of the learning rates from the default, in widths of the cube."""
        return sum(abs(math.log10(point["learning_rate"]) + 3) / 5 for point in points) / len(points)

    def test_every_third_trial_of_the_start_is_drawn_around_the_defaults(self):
        near, far = ([optimizer.suggest(MIXED, [], (7, trial), prior=prior) for trial in range(12)] for prior in (True, False))
        self.assertEqual((near[:3], near[4:6]), (far[:3], far[4:6]))
        self.assertEqual(len({text(point) for point in near}), 12)
        self.assertLess(self.mean_distance(near[3::3]), 0.6 * self.mean_distance(far[3::3]))

    def test_the_prior_fades_as_trials_end(self):
        def weight(trials):
            history = [(params, 1.0) for params, _ in searched(MIXED, valley, trials, 1, optimizer.random_point)]
            study = optimizer.Study(MIXED, history, 1, prior=True)
            return study.prior_weight((0.1, 0.1, 0.1)), study.prior_weight(study.default)
        (early, at_default), (late, _) = weight(5), weight(50)
        self.assertEqual(at_default, 0.0)
        self.assertLess(early, 0.0)
        self.assertAlmostEqual(late, early / 10)

    def test_defaults_that_turn_out_to_be_poor_are_believed_no_more(self):
        history = searched(MIXED, valley, 6, 1, optimizer.random_point)
        for value, believed in ((min(value for _, value in history), True), (max(value for _, value in history), False)):
            study = optimizer.Study(MIXED, [(history[0][0], value)] + history[1:], 1, prior=True)
            self.assertEqual(study.prior, believed)

    def test_without_a_prior_nothing_is_weighted(self):
        study = optimizer.Study(MIXED, searched(MIXED, valley, 5, 1), 1)
        self.assertEqual(study.prior_weight((0.0, 0.0, 0.1)), 0.0)

    def test_the_model_proposes_nearer_to_the_defaults_with_a_prior(self):
        values = random.Random(3)
        history = searched(MIXED, lambda params: values.random(), 14, 3, optimizer.random_point)
        history[0] = (history[0][0], 0.4)      # fair, as many others are
        near, far = ([optimizer.suggest(MIXED, history, (seed, 14), prior=prior) for seed in range(8)] for prior in (True, False))
        self.assertLess(self.mean_distance(near), self.mean_distance(far))

    def test_the_shares_of_a_prior_are_its_quantiles(self):
        entry = {"name": "x", "type": "float", "min": 0.0, "max": 1.0, "log_uniform": False, "default": 0.5}
        for share, wanted in NORMAL_QUANTILES:
            self.assertAlmostEqual(optimizer.prior_quantile(entry, 0.5, share), wanted, delta=0.002)
        choice = {"name": "c", "type": "categorical", "choices": ["a", "b"], "default": "a"}
        self.assertEqual([optimizer.prior_quantile(choice, 0.25, share) < 0.5 for share in (0.7, 0.75)], [True, False])


class DiscreteSpaces(unittest.TestCase):
    def test_every_point_is_proposed_once_and_then_it_stops(self):
        for search in (optimizer.suggest, optimizer.random_point):
            history = searched(SMALL, lambda params: params["layers"], 24, 6, search)
            self.assertEqual(len({text(params) for params, _ in history}), 24)
            with self.assertRaises(optimizer.SpaceExhausted) as caught:
                search(SMALL, history, 6)
            self.assertEqual(str(caught.exception), "all 24 points of the search space have been tried")

    def test_running_trials_use_a_discrete_space_up_too(self):
        history = [({"norm": False}, None), ({"norm": True}, 1.0)]
        self.assertRaises(optimizer.SpaceExhausted, optimizer.suggest, [{"name": "norm", "type": "logical"}], history, 1)

    def test_constants_alone_are_one_point(self):
        space = [{"name": "epochs", "type": "constant", "value": 5}, {"name": "x", "type": "float", "min": 2, "max": 2}]
        self.assertEqual(optimizer.suggest(space, [], 1), {"epochs": 5, "x": 2.0})
        self.assertRaises(optimizer.SpaceExhausted, optimizer.suggest, space, [({"epochs": 5, "x": 2.0}, 1.0)], 1)

    def test_large_discrete_spaces_are_not_repeated(self):
        space = [{"name": "i%d" % i, "type": "int", "min": 0, "max": 9} for i in range(4)]
        history = searched(space, lambda params: sum(params.values()), 40, 1)
        self.assertEqual(len({text(params) for params, _ in history}), 40)
        self.assertEqual(min(value for _, value in history), 0)


class Grid(unittest.TestCase):
    def test_a_grid_goes_through_all_choices_and_five_values_of_a_range(self):
        points = list(optimizer.grid_points(MIXED))
        self.assertEqual(len({text(point) for point in points}), 5 * 5 * 3)
        self.assertEqual(sorted({point["learning_rate"] for point in points}), [1e-6, 1.77828e-5, 3.16228e-4, 5.62341e-3, 0.1])
        self.assertEqual([point["optimizer"] for point in points[:4]], ["adam", "sgd", "rmsprop", "adam"])

    def test_trial_k_is_point_k_and_the_end_is_said(self):
        points = list(optimizer.grid_points(SMALL))
        self.assertEqual(len(points), 24)
        self.assertEqual([optimizer.grid_point(SMALL, [], (1, trial)) for trial in range(24)], points)
        self.assertRaises(optimizer.SpaceExhausted, optimizer.grid_point, SMALL, [(points[0], 1.0)] * 24, 1)


class GaussianProcess(unittest.TestCase):
    points = [(0.1, 0.25), (0.4, 0.75), (0.8, 0.25), (0.55, 0.25), (0.9, 0.75)]
    values = [1.0, -0.5, 0.3, -0.9, 0.1]

    def model(self):
        return gaussian_process.GaussianProcess(self.points, self.values, [False, True], [0.5, 1.5], 0.01)

    def test_means_and_deviations_equal_the_reference(self):
        means, deviations = self.model().predict([(0.3, 0.25), (0.3, 0.75), (0.1, 0.25)])
        for got, wanted in zip(means + deviations, REFERENCE):
            self.assertAlmostEqual(got, wanted, places=9)

    def test_a_believer_lowers_the_deviation_and_leaves_the_means(self):
        model, others = self.model(), [(0.3, 0.25), (0.7, 0.75)]
        means, deviations = model.predict(others)
        model.believe((0.32, 0.25))
        new_means, new_deviations = model.predict(others)
        for one, other in zip(means, new_means):
            self.assertAlmostEqual(one, other, places=9)
        self.assertLess(new_deviations[0], 0.5 * deviations[0])

    def test_the_gradient_of_the_loss_is_that_of_its_differences(self):
        squares, logs = gaussian_process.pair_squares(self.points, [False, True]), [-0.5, 0.2, -3.0]
        _, gradient = gaussian_process.loss(logs, squares, self.values)
        for index in range(3):
            ends = []
            for step in (1e-5, -1e-5):
                moved = [log + step * (index == i) for i, log in enumerate(logs)]
                ends.append(gaussian_process.loss(moved, squares, self.values)[0])
            self.assertAlmostEqual((ends[0] - ends[1]) / 2e-5, gradient[index], places=5)

    def test_a_dimension_without_effect_gets_a_long_scale(self):
        generator = random.Random(1)
        points = [(generator.random(), generator.random()) for _ in range(30)]
        scales, noise = gaussian_process.fit_scales(points, [math.sin(6 * point[0]) for point in points], [False, False])
        self.assertGreater(scales[1], 3 * scales[0])
        self.assertLess(noise, 0.01)

    def test_log_improvement_equals_the_reference(self):
        for z, wanted in LOG_IMPROVEMENT:
            self.assertAlmostEqual(optimizer.log_improvement(z), wanted, delta=1e-4)


# numpy 2.4: k' (K + 0.01 I)^-1 y and the deviation, amplitude y' (K + 0.01 I)^-1 y / 5.
REFERENCE = [-0.0927714061392982, -0.04811583088446002, 0.9685824596949949, 0.35557341562845673,
             0.26029366437606477, 0.15460741785550283]
# By bisection of math.erf: quantiles of a normal distribution about 0.5 of deviation 0.2, cut off at 0 and 1.
NORMAL_QUANTILES = [(0.1, 0.24925), (0.25, 0.36705), (0.5, 0.5), (0.9, 0.75075)]
# scipy 1.17: the log of the integral of t phi(t - z) over t > 0.
LOG_IMPROVEMENT = [(2.0, 0.6973835457882283), (0.0, -0.9189385332046727), (-3.0, -7.869686059603028),
                   (-8.0, -37.12236426169263), (-20.0, -206.9178385094251), (-21.0, -227.51473292810908)]


if __name__ == "__main__":
    unittest.main()
