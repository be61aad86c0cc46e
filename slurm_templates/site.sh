# site.sh: what every job does on its node before its task. @@site.sh@@ in a template includes it.
# module load NAME                   # EDIT: what all tasks need besides their environment (cuda)
# export APPTAINER_BIND=/data        # EDIT: folders that containers need besides their arguments
# export TMPDIR=/scratch/$USER       # EDIT: the node's own disk for temporary files; it must exist
# export ALWAYS_EXIT_ZERO=1          # EDIT: children of a failed task start, read why, and end
