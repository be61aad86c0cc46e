"""run_stage: runs tasks, one after another, and leaves each verdict beside its outputs.

    words of a task -> claim -> inputs -> stage script -> verdict -> stage_status.json

run_model.sh hands over to this file inside the model's environment (`python -I -S`, so
nothing but the standard library can be imported). Who has a task in hand (runner/claim.py),
and whether a stage ended well (runner/verdict.py), is decided here and nowhere else;
everybody else reads the verdict.

Usage: run_stage.py --task FILE INDEX [COUNT]      lines of a .tasks file
       run_stage.py ENV SCRIPT ARGS...             these words
       run_stage.py --judge ENV SCRIPT ARGS...     the verdict on outputs that another program left
       run_stage.py --paths ...                    prints the directories that a container has to see

Files, in the task's --output_dir:
    log.txt             what activation and stage said, a header line per attempt
    stage_status.json   the verdict: whole or absent; docs/files.md explains each key
    .claim.N            who runs the task; the highest N holds it (runner/claim.py)

Settings (environment variables): RETRIES, LATENCY_WAIT, ALWAYS_EXIT_ZERO, as run_model.sh --help
says. STAGE_PYTHON, ACTIVATION_LOG and ACTIVATION_ERROR come from run_model.sh itself,
TASK_EXECUTOR from the launcher.
"""
import os
import sys

# -I leaves this folder out. Modules, unlike this file, are kept compiled: so it holds nothing more.
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from runner.command import main  # noqa: E402

if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.stdout.flush()
    os._exit(code)      # to take the interpreter apart would take as long as all that ran before the stage started
