"""submit: gives a launch that is written to Slurm, parents first.

    batch scripts -> sbatch --test-only each -> sbatch each, its job id written down at once
"""
import os
import sys

from launcher import launch_directory, slurm, whole_file
from launcher.refusal import Refusal

FEWER = "give the same command later; if one array is more than your job limit, add --max_array N"


def test_scripts(arrays, directory):
    """Asks Slurm about every script before the first is submitted: a wrong template submits nothing."""
    for array in {(array.template, array.needs): array for array in arrays}.values():
        script = os.path.join(directory, f"{array.name}.sbatch")
        try:
            slurm.test_only(script)
        except slurm.SlurmError as error:
            if error.kind != "refused":
                raise
            line = refused_line(script)
            raise Refusal(f"Slurm does not take {array.template}{': ' + line if line else ''}; nothing is submitted ({error})",
                          "edit that line, there or in site.sbatch beside it" if line
                          else "edit its #SBATCH lines, or give the same command again if nodes are down")


def refused_line(script):
    """The #SBATCH line without which Slurm would take a script; '' if no single one is to blame."""
    with open(script, encoding="utf-8") as file:
        lines = file.read().split("\n")
    trial = script + ".trial"
    try:
        for at, line in enumerate(lines):
            if line.startswith("#SBATCH"):
                whole_file.write_whole(trial, "\n".join(lines[:at] + lines[at + 1:]))
                if slurm.takes(trial):
                    return line.partition("#SBATCH")[2].partition("# ")[0].strip()
        return ""
    finally:
        if os.path.exists(trial):
            os.unlink(trial)


def submit(workflow, arrays, directory):
    """Submits the arrays, and what can still go if one is refused.

    Returns ({array: job id}, the first error or None). Nothing is submitted whose
    parents are not, so no element waits for one that never comes; the collector takes
    what there is.
    """
    jobs, errors = {}, []
    for array in arrays:
        if not can_go(array, jobs):
            continue
        try:
            launch_directory.write_state(directory, "submitting")
            jobs[array.name] = submit_array(workflow, array, jobs, directory)
            launch_directory.add_job(directory, array.name, jobs[array.name])
        except (slurm.SlurmError, Refusal) as error:
            errors.append(error)
            if isinstance(error, Refusal) or slurm.may_have_been_submitted(error):
                break  # a full disk or a silent controller: the next one would fare no better
    launch_directory.note_state(directory, "submitted")
    return jobs, (errors or [None])[0]


def can_go(array, jobs):
    there = [parent in jobs for parent in array.parents]
    return any(there) or not there if array.stage == "collect" else all(there)


def submit_array(workflow, array, jobs, directory):
    """One sbatch call; returns the job id, raises SlurmError."""
    return slurm.submit(os.path.join(directory, f"{array.name}.sbatch"), dependency_of(array, jobs),
                        launch_directory.job_name(workflow, directory, array.name))


def dependency_of(array, jobs):
    """'aftercorr:1:2,afterany:3', or '' for an array that waits for none of the jobs {array: id}."""
    ids = [jobs[parent] for parent in array.parents if parent in jobs]
    parts = [":".join([array.dependency, *ids])] if ids else []
    return ",".join(parts + ([f"afterany:{jobs[array.after]}"] if array.after in jobs else []))


def print_jobs(arrays, jobs):
    width = max(len(array.name) for array in arrays)
    print(f"{'array':<{width}}  {'job':>9}  tasks" + ("  jobs" if any(array.count > 1 for array in arrays) else ""))
    for array in arrays:
        if array.name in jobs:
            more = f"  {len(array.elements)}" if array.count > 1 else ""
            print(f"{array.name:<{width}}  {jobs[array.name]:>9}  {len(array.tasks)}{more}")


def print_not_submitted(arrays, jobs, error, workflow):
    """What was not submitted, why, and how it goes on."""
    missing = [array for array in arrays if array.name not in jobs]
    sys.stderr.write(
        f"workflow_{workflow}: error: not everything is submitted ({error}); {len(jobs)} arrays are, "
        f"{sum(len(array.tasks) for array in missing)} tasks are not: {', '.join(array.name for array in missing)}\n"
        f"  try: --cancel, or, when those have ended, {FEWER}\n")
