#!/usr/bin/env bash
#
# run_model.sh: activates one environment and runs tasks in it, the verdict beside their outputs.
#
# Usage: bash run_model.sh ENV SCRIPT ARGS...
#        bash run_model.sh --task FILE INDEX [COUNT]
#        bash run_model.sh --judge ENV SCRIPT ARGS...
#
#   The first form runs these words. The second, which launchers and batch scripts use, looks
#   them up: line INDEX+1 of FILE and the COUNT-1 lines behind it; an empty line is no task.
#   The third runs nothing: it judges the outputs that are there, made by another program.
#
#   ENV is where `python` comes from:
#     none                      WORKFLOW_PYTHON, else python3
#     venv:DIR                  a virtual environment
#     conda:NAME_OR_PREFIX      a conda environment; a bare NAME_OR_PREFIX is one, too
#     module:NAME[,NAME]        environment modules
#     apptainer:IMAGE.sif       a container (singularity if there is no apptainer)
#
#   Of ARGS, --output_dir and the --input_...dir are read; the stage gets all as they are.
# Files, in the task's --output_dir: log.txt, what the stage printed; stage_status.json, the verdict
# Settings (environment variables, all optional):
#   RETRIES             further attempts at a failed task          (0)
#   LATENCY_WAIT        seconds to wait for an input's status      (60)
#   ALWAYS_EXIT_ZERO    1: exit 0 once the verdict is written      (off)
#   STAGE_IN, STAGE_OUT folders on the node's disk: for a copy of the benchmark, for outputs until they are whole  (off)
#   TASK_CORES          cores of this task where Slurm says none   (unset)
#   TASKS_AT_ONCE       of COUNT tasks, so many run side by side   (1)
# Exit code: the stage's own; 1 if its files are not there or an input is not done; 143 after
# a signal; 2 for a call that makes no sense. With COUNT > 1: 0 once every task has its verdict.

# shellcheck disable=SC1090,SC1091  # activation scripts are the site's
set -euo pipefail

RUN_STAGE=${BASH_SOURCE[0]}    # below, beside this file
if [[ $RUN_STAGE != /* ]]; then RUN_STAGE=$PWD/$RUN_STAGE; fi
RUN_STAGE=${RUN_STAGE%/*}/stages/run_stage.py
PYTHON=("${WORKFLOW_PYTHON:-python3}")   # calls the environment's python, once it is active

refuse() { printf 'run_model: error: %s\n  try: %s\n' "$1" "$2" >&2; exit 2; }

# ---------------------------------------------------------------- environments

# Makes PYTHON call the environment's python. What it prints goes to the task's log.
activate() {  # ENV, then the words of the call
  local kind=${1%%:*} place=${1#*:}
  shift
  # ---- EDIT: a site adds its own kinds of environment here ------------------
  case $kind in
    none)      ;;
    venv)      PYTHON=(python); source "$place/bin/activate" ;;
    conda)     PYTHON=(python); activate_conda "$place" ;;
    module)    PYTHON=(python); load_modules "$place" ;;
    apptainer) use_container "$place" "$@" ;;
    *)         PYTHON=(python); activate_conda "$place" ;;   # IMPROVE's INI files name conda environments so
  esac
  # ---- end of the part that a site edits ------------------------------------
}

activate_conda() {  # NAME_OR_PREFIX
  local base prefix=$1 root script
  base=$(conda_base)
  if [[ -r $base/etc/profile.d/conda.sh ]]; then
    source "$base/etc/profile.d/conda.sh"
    conda activate "$1"
    # The exit code is that of the environment's last activation script, which may be anything.
    [[ ${CONDA_DEFAULT_ENV:-} == "$1" || ${CONDA_PREFIX:-} == "${1%/}" ]]
    return
  fi
  # Without conda itself (micromamba, a copied prefix): its programs first, then its activation scripts.
  for root in "${MAMBA_ROOT_PREFIX:-$HOME/micromamba}" "$HOME/.conda" "$base"; do
    if [[ $1 != */* && -d $root/envs/$1/conda-meta ]]; then prefix=$root/envs/$1; break; fi
  done
  if [[ ! -d $prefix/conda-meta ]]; then
    printf 'conda: there is no environment %s, and no conda was found (CONDA_EXE, PATH)\n' "$1"
    return 1
  fi
  export CONDA_PREFIX=$prefix PATH=$prefix/bin:$PATH
  for script in "$prefix"/etc/conda/activate.d/*.sh; do
    if [[ -r $script ]]; then source "$script"; fi
  done
  return 0
}

# Prints the folder that conda is installed in; nothing if there is no conda.
conda_base() {
  local program=${CONDA_EXE:-$(type -P conda)}
  if [[ -n $program ]]; then program=$(readlink -f -- "$program"); fi
  printf '%s' "${program%/*/conda}"   # its conda is in bin/ or condabin/
}

load_modules() {  # NAME[,NAME]
  local init name names before
  if ! type module >/dev/null 2>&1; then
    for init in "${LMOD_PKG:-}/init/bash" "${MODULESHOME:-}/init/bash" /etc/profile.d/lmod.sh /etc/profile.d/modules.sh \
                /usr/share/lmod/lmod/init/bash /usr/share/modules/init/bash; do
      if [[ -r $init ]]; then source "$init"; break; fi
    done
  fi
  IFS=, read -r -a names <<<"$1"
  for name in "${names[@]}"; do
    before=${LOADEDMODULES:-}
    module load "$name" || return 1
    # Old module systems return 0 after a failure, too; a loaded module changes the list or is in it.
    if [[ ${LOADEDMODULES:-} == "$before" && :$before: != *:"$name"[:/]* ]]; then return 1; fi
  done
}

use_container() {  # IMAGE, then the words of the call
  local image=$1 program directory
  shift
  program=$(type -P apptainer || type -P singularity) || { echo 'neither apptainer nor singularity was found'; return 1; }
  if [[ ! -e $image ]]; then printf 'there is no %s\n' "$image"; return 1; fi
  local call=("$program" exec)
  if [[ -n ${CUDA_VISIBLE_DEVICES:-} || -e /dev/nvidia0 ]]; then call+=(--nv); fi
  while IFS= read -r directory; do call+=(--bind "$directory"); done < <("${PYTHON[@]}" -I -S "$RUN_STAGE" --paths "$@")
  PYTHON=("${call[@]}" "$image" python)
}

# Whether the environment's python can run stages; it says so itself if not.
check_python() {
  "${PYTHON[@]}" -E -S -c 'import sys
if sys.version_info < (3, 6): sys.exit("its python is %s, stages need 3.6 or newer" % sys.version.split()[0])'
}

# Libraries start a thread per core of the node unless they are told otherwise.
set_threads() {
  local cores=${SLURM_CPUS_PER_TASK:-${TASK_CORES:-}} name
  if [[ -z $cores ]]; then return 0; fi
  cores=$(( cores / ${TASKS_AT_ONCE:-1} > 0 ? cores / ${TASKS_AT_ONCE:-1} : 1 ))
  for name in OMP_NUM_THREADS OMP_THREAD_LIMIT MKL_NUM_THREADS OPENBLAS_NUM_THREADS; do
    if [[ -z ${!name:-} ]]; then export "$name=$cores"; fi
  done
}

# ------------------------------------------------------------------------ main

# The first of the words that shlex.quote'd line holds -> ENVIRONMENT. Nothing is evaluated.
environment_of_line() {
  local rest=$1 quote plain
  ENVIRONMENT=''
  while [[ -n $rest && $rest != [[:blank:]]* ]]; do
    quote=${rest:0:1}
    case $quote in
      \'|\") rest=${rest#?} ENVIRONMENT+=${rest%%"$quote"*} rest=${rest#*"$quote"} ;;
      *)     plain=${rest%%[\'\"[:blank:]]*} ENVIRONMENT+=$plain rest=${rest#"$plain"} ;;
    esac
  done
}

# Checks the words of a call -> ENVIRONMENT
read_call() {
  case ${1:-} in
    ''|-h|--help) sed -n '3,/^$/ { s/^# \{0,1\}//; p }' "${BASH_SOURCE[0]}"; exit 0 ;;
    --task)
      if (( $# < 3 || $# > 4 )); then refuse "--task takes FILE INDEX [COUNT]" "bash run_model.sh --help"; fi
      if [[ ! $3${4:-1} =~ ^[0-9]{1,18}$ ]]; then
        refuse "INDEX and COUNT are whole numbers, not '$3' '${4:-1}'" "bash run_model.sh --task FILE 0"
      fi
      if [[ ! -r $2 ]]; then refuse "task file $2 cannot be read" "a .tasks file of OUT/launches"; fi
      local line lines=()
      mapfile -t -s "$((10#$3))" -n "$((10#${4:-1}))" lines <"$2"
      for line in "${lines[@]:-}"; do environment_of_line "$line"; if [[ -n $ENVIRONMENT ]]; then break; fi; done
      ENVIRONMENT=${ENVIRONMENT:-none} ;;
    --judge)
      if (( $# < 3 )); then refuse "--judge takes ENV SCRIPT ARGS..." "bash run_model.sh --help"; fi
      ENVIRONMENT=none ;;
    --check_env)    # ENV [SCRIPT ARGS...], for the launcher: whether ENV becomes active, and what SCRIPT says in it
      set +eu; activate "${2:-none}" "${@:2}" && check_python || exit
      if (( $# > 2 )); then exec "${PYTHON[@]}" "${RUN_STAGE%/*}/stage_help.py" "${@:3}"; fi
      exit ;;
    *)
      if (( $# < 2 )); then refuse "a task is ENV SCRIPT ARGS..." "bash run_model.sh --help"; fi
      ENVIRONMENT=$1 ;;
  esac
}

main() {
  read_call "$@"
  set_threads
  unset STAGE_PYTHON ACTIVATION_LOG ACTIVATION_ERROR
  if [[ $ENVIRONMENT == none ]]; then exec "${PYTHON[@]}" -I -S "$RUN_STAGE" "$@"; fi
  local host_python=("${PYTHON[@]}") host_path=$PATH ok=yes said=${TMPDIR:-/tmp}/run_model.$$.$RANDOM
  # Activation scripts read unset variables and return what they like.
  set +eu
  activate "$ENVIRONMENT" "$@" >"$said" 2>&1 && check_python >>"$said" 2>&1 || ok=''
  set -eu
  export ACTIVATION_LOG=$said
  if [[ -n $ok ]]; then
    export STAGE_PYTHON=python
    exec "${PYTHON[@]}" -I -S "$RUN_STAGE" "$@"
  fi
  # The verdict is written all the same, by the python that the launcher ran in.
  PATH=$host_path ACTIVATION_ERROR=$(tail -n 1 -- "$said")
  if [[ $ENVIRONMENT == module:* ]]; then ACTIVATION_ERROR=$(tr -s '[:space:]' ' ' <"$said"); fi   # Lmod's has ten lines
  export ACTIVATION_ERROR=${ACTIVATION_ERROR:-its activation failed without a word}
  exec "${host_python[@]}" -I -S "$RUN_STAGE" "$@"
}

main "$@"
