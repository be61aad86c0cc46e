"""peers: the stages of a campaign through Parsl, submitit or Snakemake, as their manuals say. Runs in the Python that has them.

    rows of STAGES stages: preprocess, train, then preprocess and infer of each further target
        Parsl      four pilot jobs on the Slurm cluster, two workers each; a stage waits for those it is made from
        submitit   one job array on the Slurm cluster, an element runs a row
        Snakemake  two cores of this machine; a stage waits for those it is made from

Usage: python3 tests/benchmarks/peers.py parsl|submitit|snakemake ROWS STAGES COMMAND...

COMMAND is what every stage calls. benchmark.py starts this in an empty directory and measures it from start to end.
"""
import os
import subprocess
import sys

PLACES = 2      # stages that run at a time on a node
NODES = 4


def parents(stage):
    """The stages of its row that a stage is made from: 0, 2, 4... preprocess, 1 trains, 3, 5... infer."""
    return [] if stage % 2 == 0 else [0] if stage == 1 else [1, stage - 1]


def run_stage(command, *_):
    """What an app or a job calls; the results of its parents are only waited for."""
    import subprocess   # here, since it runs where this module is not
    subprocess.check_call(command)


def with_parsl(rows, stages, command):
    """IMPROVE's own engine for CSA: pilot jobs, tasks as futures."""
    import parsl
    from parsl.executors import HighThroughputExecutor
    from parsl.launchers import SingleNodeLauncher
    from parsl.providers import SlurmProvider
    blocks = SlurmProvider(nodes_per_block=1, cores_per_node=PLACES, init_blocks=NODES, min_blocks=NODES, max_blocks=NODES,
                           exclusive=False, walltime="01:00:00", launcher=SingleNodeLauncher())
    executor = HighThroughputExecutor(address="127.0.0.1", max_workers_per_node=PLACES, provider=blocks)
    with parsl.load(parsl.Config(executors=[executor], strategy="none", usage_tracking=0, initialize_logging=False)):
        app = parsl.python_app(run_stage)
        for future in [future for _ in range(rows) for future in futures_of_row(app, stages, command)]:
            future.result()


def futures_of_row(app, stages, command):
    futures = []
    for stage in range(stages):
        futures.append(app(command, *[futures[parent] for parent in parents(stage)]))
    return futures


def with_submitit(rows, stages, command):
    import submitit
    executor = submitit.SlurmExecutor("submitit")
    executor.update_parameters(time=60, use_srun=False)
    for job in executor.map_array(run_row, [command] * rows, [stages] * rows):
        job.wait()
        job.result()


def run_row(command, stages):
    for _ in range(stages):
        subprocess.check_call(command)


SNAKEFILE = """\
rule all:
    input: expand("{{row}}_{{stage}}", row=range({rows}), stage=range({stages}))

rule stage:
    output: touch("{{row,[0-9]+}}_{{stage,[0-9]+}}")
    input: lambda wildcards: [wildcards.row + "_" + str(parent) for parent in PARENTS[int(wildcards.stage)]]
    shell: "{command}"
"""


def with_snakemake(rows, stages, command):
    with open("Snakefile", "w") as file:
        file.write(f"PARENTS = {[parents(stage) for stage in range(stages)]!r}\n\n")
        file.write(SNAKEFILE.format(rows=rows, stages=stages, command=" ".join(command)))
    subprocess.check_call([sys.executable, "-m", "snakemake", "--cores", "2", "--quiet", "all"])


def main(argv):
    peer, rows, stages, *command = argv
    {"parsl": with_parsl, "submitit": with_submitit, "snakemake": with_snakemake}[peer](int(rows), int(stages), command)
    return 0


if __name__ == "__main__":
    # Workers and jobs look for programs of the same environment.
    os.environ["PATH"] = os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"]
    sys.exit(main(sys.argv[1:]))
