"""look: --status and --cancel, for a run that is there already.

    OUT/launches + status files + one squeue (+ sacct, where it answers) -> text or JSON
"""
import json
import os
import signal
import sys

from launcher import launches, live, slurm, status
from launcher.refusal import Refusal


def show_status(workflow, options, again):
    """Prints where every task stands; returns 0 all done, 1 something failed, 3 it runs."""
    require_launches(options)
    for path in launches.broken_plans(options.output_dir):
        sys.stderr.write(f"{path!r} cannot be read: what that launch started is not known here\n")
    elements, silence = ask_queue(options.output_dir)
    states = with_accounting(status.survey(options.output_dir, elements), options.output_dir)
    if options.json:
        print(json.dumps({"workflow": workflow, "output_dir": options.output_dir, "queue": silence or "answered",
                          "exit_code": status.exit_code(states),
                          "tasks": [dict(state._asdict(), log_tail=log_tail(state)) for state in states]}, indent=1))
        return status.exit_code(states)
    print(f"{options.output_dir}\n{status.table(states)}")
    if silence:
        print(f"the queue could not be asked ({silence}): running and queued are as the files say")
    print("".join(f"\n{text}" for text in [status.problems(states)] if text), end="")
    print("\n" + advice(states, options.output_dir, again))
    return status.exit_code(states)


def log_tail(state):
    return status.tail(state.log) if state.state in ("failed", "lost") else []


def advice(states, out, again):
    code = status.exit_code(states)
    if code == 3:
        return f"it runs; to end it: {again} --cancel"
    if code == 0:
        return "all done"
    commands = status.commands_for(out, {state.name for state in states if state.state != "done"})
    return "to run what is not done:" + "".join(f"\n  {command}" for command in commands)


def require_launches(options):
    if not launches.read_launches(options.output_dir):
        raise Refusal(f"there is no launch in {options.output_dir}", "the --output_dir of a run, or start one")


def uses_slurm(out):
    return any(plan.get("executor") == "slurm" for _, plan in launches.read_launches(out))


def ask_queue(out):
    """(elements, None), or (None, why) where the queue does not answer; nobody is asked about a local run."""
    if not uses_slurm(out):
        return [], None
    try:
        return slurm.queue(), None
    except slurm.SlurmError as error:
        return None, str(error)


def with_accounting(states, out):
    """Reasons from sacct for tasks that ended without a word, where sacct answers."""
    jobs = status.jobs_of(out)
    dark = {jobs[state.name]: state.name for state in states if state.state == "lost" and state.name in jobs}
    if not dark:
        return states
    ends = {dark[key]: status.ENDS[end] for key, end in slurm.accounted_ends(list(dark)).items() if end in status.ENDS}
    return [state._replace(reason=ends.get(state.name, state.reason)) for state in states]


def cancel(workflow, options):
    """Cancels the jobs of this run's launches and no others, and says which."""
    require_launches(options)
    cancel_local(options.output_dir)
    if not uses_slurm(options.output_dir):
        return 0
    try:
        elements = slurm.queue()
        jobs = sorted({element.job_id for directory, plan in launches.read_launches(options.output_dir)
                       for element in live.elements_of(directory, plan, elements).values() if element.in_queue}, key=int)
        slurm.cancel(jobs)
    except slurm.SlurmError as error:
        raise Refusal(f"the Slurm controller does not answer ({error})", "the same command again later")
    print(f"cancelled {len(jobs)} jobs: {' '.join(jobs)}" if jobs else "no job of this run is in the queue")
    return 0


def cancel_local(out):
    """A local run that goes on in another terminal of this machine is told to stop."""
    for directory, plan in launches.read_launches(out):
        state = launches.read_json(os.path.join(directory, "state.json"))
        if plan.get("executor") == "local" and live.launcher_at_work(directory):
            if state.get("host") == os.uname().nodename and state["pid"] != os.getpid():
                os.kill(state["pid"], signal.SIGTERM)
                print(f"stopped the local run of process {state['pid']}")
            else:
                sys.stderr.write(f"a local run goes on on {state.get('host')}: stop it there\n")
