"""launcher: what the three workflow_*.py scripts share, on the login node.

    parse -> check -> plan -> render -> write -> submit

options    the command line that the launchers have in common
benchmark  which studies and splits the data holds      demo_data  data where there is none
config_file, hyperparameters   IMPROVE's files           subsets    training sets of growing size
tasks      a task is one line; tasks stand in arrays     resume     which tasks are done already
templates  batch scripts from slurm_templates/           launches   OUT/launches: plans and job ids
slurm      sbatch, squeue, scancel                       local      the same tasks without Slurm
live       tasks that another launch runs right now      status     where things stand
writing    fills a launch directory                      starting   submits it or runs it here
launch     the verbs above in their order: read this first
"""

__version__ = "1.0"
