"""local: the commands as a user types them, and the processes they start, on this machine."""
from tests import lanes


def load_tests(loader, tests, pattern):
    return lanes.load_folder(loader, pattern, __name__)
