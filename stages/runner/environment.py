"""environment: what the activation of an environment left, and what a stage gets of it.

    ACTIVATION_OUTPUT, ACTIVATION_FAILED of run_model.sh -> log.txt, a Failure
    variables of this process -> variables of the stage
    Python and its packages -> OUT/launches/LAUNCH/environment.CHECKSUM.json
"""
import json
import os
import re
import sys
import zlib

from core.errors import FileError
from core.files import write_whole
from stages.runner.claim import host
from stages.runner.verdict import Failure, printable

# The runner's own; and PYTHONSAFEPATH: models import from their own folder.
NOT_PASSED_ON = ("STAGE_PYTHON", "ACTIVATION_OUTPUT", "ACTIVATION_FAILED", "TASK_EXECUTOR",
                 "TASK_TEMPLATE", "PYTHONSAFEPATH")
# Libraries start a thread for each core of the node unless one of these tells them how many.
THREADS = ("OMP_NUM_THREADS", "OMP_THREAD_LIMIT", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS",
           "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "POLARS_MAX_THREADS",
           "NUMBA_NUM_THREADS", "LOKY_MAX_CPU_COUNT", "NUMEXPR_NUM_THREADS", "NPROC")
PACKAGES = re.compile(r"/python(\d+\.\d+)/(?:site|dist)-packages")
VERSION = "{}.{}".format(*sys.version_info[:2])
LONGEST_REASON = 500    # characters


# ---- activation

def check_activation(environment):
    """Raises Failure if run_model.sh could not activate the environment."""
    if os.environ.get("ACTIVATION_FAILED"):
        # What Lmod says of an unknown module has ten lines.
        said = printable(" ".join(os.environ["ACTIVATION_OUTPUT"].split())) or "no output"
        raise Failure("environment", f"environment {environment} could not be activated on "
                                     f"{host()}: {said[-LONGEST_REASON:]}")


# ---- variables of the stage

def stage_variables(environment, log):
    """Returns the environment variables of a stage. log: where a change is noted"""
    found = {name: value for name, value in os.environ.items() if name not in NOT_PASSED_ON}
    cores = found.get("TASK_CORES") or found.get("SLURM_CPUS_PER_TASK")
    if cores:
        found.update((name, cores) for name in THREADS if not found.get(name))
    path = found.get("PYTHONPATH", "").split(":")
    foreign = [folder for folder in path if is_foreign(folder, environment)]
    if foreign:
        found["PYTHONPATH"] = ":".join(folder for folder in path if folder not in foreign)
        note = f"run_stage: left out of PYTHONPATH: {':'.join(foreign)}\n"
        os.write(log, note.encode("utf-8", "surrogateescape"))
    return found


def is_foreign(folder, environment):
    """Says whether a folder of PYTHONPATH holds packages of another Python, such as those of a
    module; conda environments and containers take no packages from outside."""
    version = PACKAGES.search(folder)
    is_closed = environment.startswith(("conda:", "apptainer:")) or ":" not in environment != "none"
    return bool(version) and (is_closed or version.group(1) != VERSION)


# ---- identity

def note_environment(call):
    """Writes the identity of the environment, once for each launch and environment."""
    environment = call.task.environment
    name = f"environment.{checksum(environment)}.json"
    path = os.path.join(os.path.dirname(call.tasks_file), name)
    if call.launch and not os.path.exists(path):
        packages = installed_packages()
        record = {"environment": environment, "python": sys.version.split()[0],
                  "packages": len(packages), "packages_checksum": checksum("\n".join(packages))}
        try:
            write_whole(path, json.dumps(record) + "\n")
        except FileError as error:      # the task's own files say whether the disk is full
            sys.stderr.write(f"run_stage: {error}\n")


def checksum(text):
    return f"{zlib.crc32(text.encode('utf-8', 'surrogateescape')):08x}"


def installed_packages():
    """Returns the sorted names of packages: NAME-VERSION.dist-info."""
    # Without `site`, which the runner is started without, sys.prefix is not that of a venv.
    prefix = os.path.dirname(os.path.dirname(os.path.abspath(sys.executable)))
    if not os.path.exists(os.path.join(prefix, "pyvenv.cfg")):
        prefix = sys.prefix
    folder = os.path.join(prefix, "lib", f"python{VERSION}", "site-packages")
    names = os.listdir(folder) if os.path.isdir(folder) else []
    return sorted(name for name in names if name.endswith((".dist-info", ".egg-info")))
