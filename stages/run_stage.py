"""run_stage: runs tasks, one after another, and leaves each verdict beside its outputs.

    ENV SCRIPT ARGS... -> claim -> inputs -> stage script -> verdict -> stage_status.json

run_model.sh hands over to this file inside the model's environment (`python -I -S`, so only the
standard library can be imported). Who has a task in hand (runner/claim.py), and whether a stage
ended well (runner/verdict.py), is decided here and nowhere else; everybody else reads the verdict.

Usage: run_stage.py --task FILE INDEX [COUNT]      lines of a .tasks file, or of several
       run_stage.py ENV SCRIPT ARGS...             one task
       run_stage.py --judge ENV SCRIPT ARGS...     judges the outputs of another program
       run_stage.py --environment ...              prints the ENV of these tasks
       run_stage.py --paths ...                    prints the directories that a container needs

Files, in the task's --output_dir:
    log.txt             output of activation and stage, a header line per attempt
    stage_status.json   the verdict: whole or absent; docs/files.md explains each key
    .claim.N            who runs the task; the highest N holds it (runner/claim.py)

Settings (environment variables): RETRIES, LATENCY_WAIT, ALWAYS_EXIT_ZERO, TASK_CORES, as
run_model.sh --help says. STAGE_PYTHON, ACTIVATION_OUTPUT and ACTIVATION_FAILED come from
run_model.sh, TASK_EXECUTOR from the launcher, TASK_TEMPLATE from the batch script.
"""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from stages.runner.signals import Signals  # noqa: E402

if __name__ == "__main__":
    signals = Signals()     # before the rest is imported: a signal in that time counts
    from stages.runner.main import main
    code = main(sys.argv[1:], signals)
    sys.stdout.flush()
    os._exit(code)      # a signal that comes while Python ends would change the exit code
