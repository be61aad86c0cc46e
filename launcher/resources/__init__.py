"""resources: time and memory of tasks: what was asked for, what was used, and what to do if it was too little.

asked        what a batch script asks Slurm for                   measured     what tasks took: show_usage (--status --resources),
recovery     what the same command does about failed tasks                     advise (--advise), cost (before a launch)
changed_since  whether an error would come again                  partition    what a partition allows
"""
