"""side_by_side: several tasks of one element at a time, each in a process of its own: small models share a GPU.

    tasks, how many at a time -> a verdict each
"""
import os
import sys

from runner.course import run_task


def run_side_by_side(tasks, at_once, signals):
    """Runs the tasks in their order, at most `at_once` at a time. After a signal, which is passed on, no more are
    started; returns when those that ran have ended."""
    waiting = list(tasks)
    while signals.children or waiting and not signals.number:
        if waiting and len(signals.children) < at_once and not signals.number:
            signals.children.append(start(waiting.pop(0), signals))
            if signals.number:      # it came while the process was started
                signals.pass_on()
        else:
            ended, _ = os.wait()
            signals.children.remove(ended)


def start(task, signals):
    """Starts a process that runs the task; returns its number. The process itself never returns."""
    number = os.fork()
    if number:
        return number
    signals.children = []
    try:
        os._exit(run_task(task, signals))
    except BaseException:
        import traceback    # here, since with re and enum it takes longer to import than all of a runner
        traceback.print_exc(file=sys.stderr)
    os._exit(1)
