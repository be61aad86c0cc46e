"""unit: tests of functions, which start no campaign; one class a core at a time."""
from tests import lanes


def load_tests(loader, tests, pattern):
    return lanes.load_folder(loader, pattern, __name__)
