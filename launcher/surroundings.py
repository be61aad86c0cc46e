"""surroundings: where the tasks run, and what can be refused before any data is read.

    options -> options.executor; Refusal for scripts, options and environments that cannot work here
"""
import os

from launcher import paths, slurm
from launcher.paths import HERE
from launcher.refusal import Refusal
from launcher.tasks import task_line


def check(workflow, options):
    """What can be refused before any data is read; settles where the tasks run."""
    for stage in workflow.stages:
        if stage in ("preprocess", "train", "infer"):
            paths.model_script(options, stage)
    refuse_own_options(options)
    paths.check_output_dir(options.output_dir)
    task_line([options.output_dir, options.model_dir, options.input_dir])
    choose_executor(options)
    check_environment(options)


def check_environment(options):
    """Activates the model's environment once on this machine, if what it takes is here: a mistake costs a
    second and not a night in the queue."""
    kind = options.env.partition(":")[0]
    is_here = {"none": False, "module": "MODULESHOME" in os.environ or "LMOD_PKG" in os.environ, "apptainer": False,
               "venv": True, "conda": "CONDA_EXE" in os.environ or paths.is_program("conda")}.get(kind, False)
    runs_here = options.executor == "local" and not options.dry_run
    if is_here or runs_here and kind not in ("none", "apptainer"):
        import subprocess   # here, since --env none starts sooner without it
        done = subprocess.run(["bash", os.path.join(HERE, "run_model.sh"), "--check_env", options.env], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, universal_newlines=True)
        if done.returncode != 0:
            lines = [" ".join(done.stdout.split())] if kind == "module" else done.stdout.strip().splitlines()   # Lmod says it in ten
            said = (lines or ["it says nothing"])[-1]
            raise Refusal(f"--env {options.env} cannot be activated on this machine: {said}", "name an environment that exists")
    elif kind not in ("none", "apptainer"):
        options.notes.append(f"--env {options.env} cannot be checked on this machine: the first task will tell")


# The workflow sets these itself; --config_file would replace the model's whole parameters file.
OWN_OPTIONS = ("--output_dir", "--input_dir", "--input_data_dir", "--input_model_dir", "--train_split_file",
               "--val_split_file", "--test_split_file", "--y_col_name", "--config_file")


def refuse_own_options(options):
    for stage in ("preprocess", "train", "infer"):
        word = next((word for word in getattr(options, f"{stage}_args") if word.partition("=")[0] in OWN_OPTIONS), None)
        if word:
            raise Refusal(f"--{stage}_args holds {word}, which the workflow sets itself",
                          "leave it out; --output_dir, --input_dir and --y_col_name are options of the workflow")


def choose_executor(options):
    """Sets options.executor to slurm or local. A workstation may have Slurm's programs and no cluster."""
    there = paths.is_program("sbatch")
    if options.executor == "slurm" and not there and not options.dry_run:
        raise Refusal("--executor slurm, but there is no sbatch on this machine",
                      "log in to the cluster's login node, or add --executor local")
    if options.executor == "auto":
        options.executor = "slurm" if there and slurm.is_set_up() else "local"
        if there and options.executor == "local":
            options.notes.append("sbatch is here, but no cluster is set up for it: the tasks run on this machine")
    if options.executor == "local" and options.tasks_per_gpu > 1 and not options.gpus:
        raise Refusal("--tasks_per_gpu is given without --gpus", "name the GPUs of this machine: --gpus 0,1")
    if options.executor == "slurm" and options.gpus:
        raise Refusal("--gpus is for local runs; on Slurm each job asks for its GPU in the template",
                      "switch on --gres=gpu:1 in slurm_templates, or add --executor local")
