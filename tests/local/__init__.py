"""local: the commands as a user types them, and the processes they start, on this machine; one class a core at a time."""
from tests import lanes


def load_tests(loader, tests, pattern):
    return lanes.load_folder(loader, pattern, __name__)
