"""launcher: what the workflow_*.py scripts share, on the login node.

    parse -> check -> plan -> render -> write -> submit

launch       the verbs above in their order: read this first        announce     what they print
surroundings which machine, environment and options can work        cancel       --cancel
options      the command line that the launchers have in common      config_file, hyperparameters   IMPROVE's files
benchmark    which studies and splits the data holds                 demo_data    data if there is none
subsets      training sets of growing size                           study        what a search's trials have in common
tasks        a task is one line; tasks are put into arrays           improve_stages   preprocess, train, infer as tasks
results_tree launches and statuses of an OUT, each read once         needs_run    which tasks run, and why
fingerprints files outside OUT that have changed                     replacement  finished results are not replaced unasked
templates    batch scripts from slurm_templates/                     launch_directory   OUT/launches: plan_file, whole_file
conflicts    tasks that somebody runs right now                      slurm        sbatch, squeue, scancel
planning     from the benchmark to arrays                            progress     what a local run says of itself
submit       gives a launch to Slurm                                 local        runs it on this machine
survey       what became of every task                               status       --status; story: of one task
wait         --wait                                                  terminal     what is printed, whatever became of it

checking/    --check                                                 resources/   time and memory: asked, used, raised
"""

__version__ = "2.0"
