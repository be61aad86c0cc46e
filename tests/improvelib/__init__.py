"""improvelib: a model that uses IMPROVE's library, in an environment of its own."""
from tests import lanes


def load_tests(loader, tests, pattern):
    return lanes.load_folder(loader, pattern, __name__, 1)
