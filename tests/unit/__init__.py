"""unit: tests of functions, which start no campaign."""
from tests import lanes


def load_tests(loader, tests, pattern):
    return lanes.load_folder(loader, pattern, __name__)
