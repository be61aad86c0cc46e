"""run_stage: runs tasks, one after another, and leaves each verdict beside its outputs.

    ENV SCRIPT ARGS... -> claim -> inputs -> stage script -> verdict -> stage_status.json

run_model.sh starts it in the model's environment (`python -I -S`, so only the standard library can
be imported). Who has a task in hand (runner/claim.py), and whether a stage ended well
(runner/verdict.py), is decided here and nowhere else; everybody else reads the verdict.

Usage and settings: see run_model.sh, whose arguments these are; and
    run_stage.py --environment ...      prints the ENV of these tasks
    run_stage.py --paths ...            prints the directories that a container needs

STAGE_PYTHON, ACTIVATION_OUTPUT, ACTIVATION_FAILED and SIGNALLED come from run_model.sh,
TASK_EXECUTOR from the launcher, TASK_TEMPLATE from the batch script.
"""
import os
import sys

if __name__ == "__main__":
    sys.path.insert(0, os.path.abspath(__file__).rsplit("/", 2)[0])
    from core.signals import Signals
    # before the rest is imported: a signal in that time counts, as does one that came while
    # run_model.sh activated an environment
    signals = Signals(int(os.environ.pop("SIGNALLED", 0)))
    from stages.runner.main import main
    # a signal that comes while Python ends would change the exit code
    os._exit(main(sys.argv[1:], signals))
