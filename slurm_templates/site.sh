# site.sh: what every job does on its node before its task. It is put in at the line @@site.sh@@ of each template.
# module load NAME                   # EDIT: what all tasks need before their own environment (apptainer, cuda...)
# export APPTAINER_BIND=/data,/scratch   # EDIT: folders that a container needs besides inputs, outputs and scripts
# export TMPDIR=/scratch/$USER       # EDIT: node-local scratch for temporary files; it has to exist
# export ALWAYS_EXIT_ZERO=1          # EDIT: children of a failed task start, see why, and end at once
# export STAGE_IN=/scratch/$USER      # copy the benchmark to this node's disk, once a node and launch, and read it there:
#                                      a folder that all jobs of a node share; one that a job has of its own, such as
#                                      /lscratch/$SLURM_JOB_ID, makes sense with --fuse or --tasks_per_job
# export STAGE_OUT=/scratch/$USER     # stages write on this node's disk, and what is whole is moved back: any folder there
