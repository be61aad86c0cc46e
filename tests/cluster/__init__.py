"""cluster: tests on a real Slurm. They mostly wait: each lane has a cluster of its own."""
from tests import lanes

LANES = 6
LONGEST = ("CrossStudyTest", "LostTrialsTest", "NodeFaultsTest", "SiteTest", "ControllerFaultsTest",
           "TaskFaultsTest", "LaunchFaultsTest", "CurvesTest", "FullControllerTest")


def load_tests(loader, tests, pattern):
    return lanes.load_folder(loader, pattern, __name__, LANES, LONGEST)
