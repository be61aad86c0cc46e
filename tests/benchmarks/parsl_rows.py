"""parsl_rows: the stages of a campaign through Parsl, as its manual says; runs in a Python that has
it.

    rows of STAGES stages, each after the one before it, through four pilot jobs on the Slurm
    cluster, two workers each

Usage: python3 tests/benchmarks/parsl_rows.py ROWS STAGES COMMAND...
"""
import os
import sys

import parsl
from parsl.executors import HighThroughputExecutor
from parsl.launchers import SingleNodeLauncher
from parsl.providers import SlurmProvider

NODES, WORKERS = 4, 2


def run_stage(command, _):
    """The result of the stage before is only waited for."""
    import subprocess   # here, since it runs where this module is not
    subprocess.check_call(command)


def main(rows, stages, *command):
    pilots = SlurmProvider(nodes_per_block=1, cores_per_node=WORKERS, init_blocks=NODES,
                           min_blocks=NODES, max_blocks=NODES, exclusive=False, walltime="01:00:00",
                           launcher=SingleNodeLauncher())
    executor = HighThroughputExecutor(address="127.0.0.1", max_workers_per_node=WORKERS,
                                      provider=pilots)
    with parsl.load(parsl.Config(executors=[executor], strategy="none", usage_tracking=0,
                                 initialize_logging=False)):
        app, futures = parsl.python_app(run_stage), [None] * int(rows)
        for _ in range(int(stages)):
            futures = [app(list(command), future) for future in futures]
        for future in futures:
            future.result()


if __name__ == "__main__":
    # its workers' programs
    os.environ["PATH"] = os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"]
    main(*sys.argv[1:])
