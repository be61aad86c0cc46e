#!/usr/bin/env bash
#
# run_model.sh: activates one environment, runs tasks in it, leaves a verdict beside their outputs.
#
# Usage: bash run_model.sh ENV SCRIPT ARGS...             runs one stage script
#        bash run_model.sh --task FILE INDEX [COUNT]...   runs line INDEX+1 of FILE, COUNT-1 more
#        bash run_model.sh --judge ENV SCRIPT ARGS...     judges outputs of another program
#
#   A line of FILE is ENV SCRIPT ARGS..., quoted for a shell; an empty line is no task.
#   ENV is the environment whose python runs the script:
#     none                      WORKFLOW_PYTHON, else python3
#     venv:DIR                  a virtual environment
#     conda:NAME_OR_PREFIX      a conda environment; a bare NAME_OR_PREFIX is one, too
#     module:NAME[,NAME]        environment modules
#     apptainer:IMAGE.sif       a container (singularity if there is no apptainer)
#   The script runs in its own folder; --output_dir and --input_...dir are relative to yours.
# Files in --output_dir: log.txt, the output of the stage; stage_status.json, the verdict
# Settings (environment variables, all optional):
#   LATENCY_WAIT        seconds to wait for an input's status      (60)
#   ALWAYS_EXIT_ZERO    1: exit 0 once the verdict is written      (off)
#   TASK_CORES          cores of this task                         (SLURM_CPUS_PER_TASK)
# Exit code: the stage's own; 1 if its files are missing or an input is not done; 143 after a
# signal; 2 for a malformed call. With COUNT > 1: 0 once every task has its verdict.

# shellcheck disable=SC1090,SC1091  # activation scripts are the site's
set -euo pipefail
RUN_STAGE=${BASH_SOURCE[0]}
if [[ $RUN_STAGE != /* ]]; then RUN_STAGE=$PWD/$RUN_STAGE; fi
RUN_STAGE=${RUN_STAGE%/*}/stages/run_stage.py
PYTHON=("${WORKFLOW_PYTHON:-python3}")   # the command that starts python, once ENV is active
PYTHONS=(python python3)                 # candidates for its last word
CONTAINER=()                             # the words before it

# Activates ENV and chooses its python -> PYTHON. The output goes to the task's log.
activate() {  # ENV, then the arguments of the call
  local kind=${1%%:*} place=${1#*:} exits=
  # An activation script that calls exit would end the runner, too.
  exit() { exits=yes; (( BASH_SUBSHELL == 0 )) || builtin exit "$@"; }
  unset PYTHONHOME    # it is another python's
  # ---- EDIT: a site adds its own kinds of environment here ------------------
  case $kind in
    # spack)   spack load "$place" ;;   # whatever puts python or python3 on PATH
    none)      PYTHONS=("${PYTHON[@]}") ;;
    venv)      activate_venv "$place" ;;
    conda)     activate_conda "$place" ;;
    module)    load_modules "$place" ;;
    apptainer) use_container "$place" "${@:2}" ;;
    *)         activate_conda "$place" ;;   # IMPROVE's INI files name conda environments so
  esac && choose_python && [[ -z $exits ]]
  # ---- end of the part that a site edits ------------------------------------
}

absolute() { if [[ $1 == /* ]]; then printf '%s' "$1"; else printf '%s' "$PWD/$1"; fi; }

activate_venv() {  # DIR
  local folder
  folder=$(absolute "${1%/}")
  [[ -r $folder/bin/activate ]] || { printf 'there is no %s/bin/activate\n' "$1"; return 1; }
  source "$folder/bin/activate"
  # The script of an environment that was moved or copied names its old folder.
  export VIRTUAL_ENV=$folder PATH=$folder/bin:$PATH
  find_python "$folder/bin"
}

activate_conda() {  # NAME_OR_PREFIX
  local base prefix=${1%/} root script
  if [[ $prefix == */* ]]; then prefix=$(absolute "$prefix"); fi
  base=$(readlink -f -- "${CONDA_EXE:-$(type -P conda)}")
  base=${base%/*/conda}   # the program is in bin/ or condabin/
  # Else conda puts it on PATH in the place of the one that was active at submission, or nowhere.
  unset CONDA_PREFIX CONDA_DEFAULT_ENV CONDA_SHLVL
  if [[ -r $base/etc/profile.d/conda.sh ]]; then
    source "$base/etc/profile.d/conda.sh"
    conda activate "$prefix"    # returns what the last activation script does
  else    # without conda itself: micromamba, a copied prefix
    for root in "$base" "$HOME/.conda" "${MAMBA_ROOT_PREFIX:-$HOME/micromamba}"; do
      if [[ $1 != */* && -d $root/envs/$1/conda-meta ]]; then prefix=$root/envs/$1; fi
    done
    [[ -d $prefix/conda-meta ]] ||
      { printf 'there is no environment %s, and no conda (CONDA_EXE, PATH)\n' "$1"; return 1; }
    export CONDA_PREFIX=$prefix
    for script in "$prefix"/etc/conda/activate.d/*.sh; do [[ -r $script ]] && source "$script"; done
  fi
  [[ -n ${CONDA_PREFIX:-} && ( $prefix == */* || ${CONDA_DEFAULT_ENV:-} == "$1" ) ]] || return 1
  export PATH=$CONDA_PREFIX/bin:$PATH PYTHONNOUSERSITE=1   # ~/.local would hide its packages
  find_python "$CONDA_PREFIX/bin"
}

load_modules() {  # NAME[,NAME]
  local init name loaded path=:$PATH: folder folders new=()
  for init in "${LMOD_PKG:-}/init/bash" "${MODULESHOME:-}/init/bash" /etc/profile.d/lmod.sh \
              /etc/profile.d/modules.sh /usr/share/{lmod/lmod,modules}/init/bash; do
    if ! type module >/dev/null 2>&1 && [[ -r $init ]]; then source "$init"; fi
  done
  for name in ${1//,/ }; do
    module unload "$name" 2>/dev/null   # else it stays behind what was put in front of it since
    loaded=${LOADEDMODULES:-}
    module load "$name" || return 1
    # Old module systems return 0 after a failure, too; a loaded module is in the list.
    if [[ ${LOADEDMODULES:-} == "$loaded" && :$loaded: != *:"$name"[:/]* ]]; then return 1; fi
  done
  IFS=: read -r -a folders < <(printf '%s\n' "$PATH")
  for folder in "${folders[@]}"; do [[ $path == *:"$folder":* ]] || new+=("$folder"); done
  # Python from the modules' own folders, even behind others on PATH; else the first one on PATH
  find_python "${new[@]}" "${folders[@]}" || return 1
  if [[ $path != *:"${PYTHONS[0]%/*}":* ]]; then PATH=${PYTHONS[0]%/*}:$PATH; fi
}

use_container() {  # IMAGE, then the arguments of the call
  local program folder
  program=$(type -P apptainer || type -P singularity) || { echo 'there is no apptainer'; return 1; }
  if [[ ! -e $1 ]]; then printf 'there is no %s\n' "$1"; return 1; fi
  CONTAINER=("$program" exec)
  if [[ -n ${CUDA_VISIBLE_DEVICES:-} || -e /dev/nvidia0 ]]; then CONTAINER+=(--nv); fi
  while IFS= read -r folder; do CONTAINER+=(--bind "$folder"); done \
    < <("${PYTHON[@]}" -I -S "$RUN_STAGE" --paths "${@:2}")
  CONTAINER+=("$(absolute "$1")")
  export PYTHONNOUSERSITE=1   # ~/.local is the login node's
}

# python and python3 of the first folder that has one of them -> PYTHONS
find_python() {  # FOLDER...
  local folder
  for folder; do
    PYTHONS=("$folder"/python "$folder"/python3)
    if [[ -x ${PYTHONS[0]} || -x ${PYTHONS[1]} ]]; then return 0; fi
  done
  printf 'there is no python in %s\n' "$*"; return 1
}

# The first of PYTHONS that can run stages -> PYTHON. The last line that it prints says why not.
choose_python() {
  for STAGE_PYTHON in "${PYTHONS[@]}"; do
    if [[ ${#PYTHONS[@]} == 2 && $STAGE_PYTHON == /* && ! -x $STAGE_PYTHON ]]; then continue; fi
    PYTHON=("${CONTAINER[@]}" "$STAGE_PYTHON")
    if "${PYTHON[@]}" -E -S -c 'import sys
sys.exit(sys.version_info < (3, 6) and "its python is %s, stages need 3.6 or newer"
         % sys.version.split()[0])'; then return 0; fi
  done
  return 1
}

main() {
  local environment=${1:-} host_path=$PATH host_python line plain="^([^[:space:]'\"]+) " log output
  case ${1:-} in
    ''|-h|--help) sed -n '3,/^$/ { s/^# \{0,1\}//; p }' "${BASH_SOURCE[0]}"; exit 0 ;;
    --check_env)    # ENV [SCRIPT ARGS...], for launchers: does ENV work, what does SCRIPT print?
      set +eu
      activate "${2:-none}" "${@:2}" || builtin exit
      exec "${PYTHON[@]}" "${RUN_STAGE%/*}/stage_help.py" "${@:3}" ;;
    --judge) environment=none ;;
    --task)
      if [[ ${3:-} =~ ^[0-9]{1,18}$ && -r $2 ]]; then mapfile -t -s "$((10#$3))" -n 1 line <"$2"; fi
      if [[ ${line[0]:-} =~ $plain ]]; then environment=${BASH_REMATCH[1]}; else
        # Python reads quotes, and refuses a malformed call
        environment=$("${PYTHON[@]}" -I -S "$RUN_STAGE" --environment "$@") || exit
      fi ;;
  esac
  if [[ -n ${TMPDIR:-} && ! -d $TMPDIR ]]; then unset TMPDIR; fi    # it is another node's
  unset STAGE_PYTHON ACTIVATION_FAILED ACTIVATION_OUTPUT SIGNALLED
  if [[ $environment == none ]] && type -P "${PYTHON[0]}" >/dev/null; then
    exec "${PYTHON[@]}" -I -S "$RUN_STAGE" "$@"
  fi
  log=$(mktemp 2>/dev/null || mktemp -p /dev/shm 2>/dev/null || echo /dev/null)
  set +eu     # activation scripts read unset variables and return what they like
  trap 'export SIGNALLED=15' TERM INT HUP    # for the verdict
  host_python=$(type -P "${PYTHON[0]}" || type -P python3 || type -P python)
  if activate "$environment" "$@" >"$log" 2>&1; then export STAGE_PYTHON; else
    # The verdict is written all the same, by the python that the launcher ran in.
    export ACTIVATION_FAILED=yes PATH=$host_path
    PYTHON=("$host_python")
  fi
  { output=$(<"$log"); } 2>/dev/null
  export ACTIVATION_OUTPUT=${output:+${output::30000}$'\n'}     # a variable holds at most 128 kB
  if [[ -f $log ]]; then PATH=$host_path rm -f "$log"; fi
  exec "${PYTHON[@]}" -I -S "$RUN_STAGE" "$@"
}

main "$@"
