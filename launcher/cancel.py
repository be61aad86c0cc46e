"""cancel: --cancel: ends the jobs of this OUT's launches and no others."""
import os
import signal
import sys

from launcher import conflicts, slurm, whole_file
from launcher.refusal import Refusal
from launcher.status import started_tree
from launcher.terminal import counted


def cancel(options):
    """Cancels the jobs of this run's launches and no others, and says which."""
    tree = started_tree(options)
    stopped = cancel_local(tree)
    names = conflicts.job_names(tree)
    try:
        elements = slurm.queue(names) if names else []
        jobs = sorted({element.job_id for launch in tree.launches
                       for element in conflicts.elements_of(launch, elements).values() if element.in_queue}, key=int)
        slurm.cancel(jobs)
    except slurm.SlurmError as error:
        raise Refusal(f"the Slurm controller does not answer ({error})", "give the same command again later")
    if jobs or not stopped:
        print(f"cancelled {counted(len(jobs), 'job')}: {' '.join(jobs)}" if jobs else "nothing to cancel: nothing of this run waits or runs")
    return 0


def cancel_local(tree):
    """Tells a local run in another terminal of this machine to stop; whether there was one."""
    found = False
    for launch in tree.launches:
        if launch.plan.get("executor") == "local" and conflicts.launcher_at_work(launch.directory):
            found, state = True, whole_file.read_json(os.path.join(launch.directory, "state.json"))
            if state.get("host") == os.uname().nodename and state["pid"] != os.getpid():
                os.kill(state["pid"], signal.SIGTERM)
                print(f"stopped the local run of process {state['pid']}")
            else:
                sys.stderr.write(f"a local run goes on on {state.get('host')}: stop it there\n")
    return found
