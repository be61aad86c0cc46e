#!/usr/bin/env bash
#
# run_model.sh: runs one stage script inside its model's environment and leaves
# the verdict beside its outputs.
#
# Usage: bash run_model.sh ENV SCRIPT ARGS...
#        bash run_model.sh --task FILE INDEX [COUNT]
#        bash run_model.sh --judge ENV SCRIPT ARGS...
#
#   The first form runs these words. The second looks the words up: line INDEX+1
#   of FILE and the COUNT-1 lines behind it, all in one bash. Every launcher and
#   every batch script uses the second form; by hand, both do the same. The third
#   runs nothing: it judges the outputs that stand there, made by other programs.
#
#   ENV is where `python` comes from:
#     none                      the interpreter in WORKFLOW_PYTHON, else python3
#     venv:DIR                  a virtual environment
#     conda:NAME_OR_PREFIX      a conda environment
#     module:NAME[,NAME]        environment modules
#     apptainer:IMAGE.sif       a container (singularity where there is no apptainer)
#
#   Of ARGS it reads --output_dir, --input_dir, --input_data_dir and
#   --input_model_dir; the stage script gets all of them, as they are.
#
# Files, in the task's --output_dir:
#   log.txt             output and errors of the stage, a header line per attempt
#   stage_status.json   the verdict: whole or absent, one key a line
#
# Settings (environment variables, all optional):
#   RETRIES             further attempts at a failed task          (0)
#   LATENCY_WAIT        seconds to wait for an input's status      (60)
#   ALWAYS_EXIT_ZERO    1: exit 0 once the verdict is written      (off)
#   TASK_CORES          cores of this task where Slurm says none   (unset)
#   RUN_MODEL_DEBUG     1: trace every line                        (off)
#
# Exit code: the stage's own; 1 where it ended well but its files are not there,
# or an input is not done; 143 after a signal; 2 for a call that makes no sense.
# With COUNT > 1: 0 once every task has its verdict.

# shellcheck disable=SC1090,SC1091  # activation scripts are the site's
set -euo pipefail
if [[ ${RUN_MODEL_DEBUG:-} == 1 ]]; then
  PS4='+ ${BASH_SOURCE##*/}:${LINENO}: '
  set -x
fi

HERE=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
HOST=${HOSTNAME:-$(uname -n)}
if [[ -n ${SLURMD_NODENAME:-} ]]; then HOST=$SLURMD_NODENAME; fi
ACTIVE_ENV=''       # the environment that is active in this bash
RUN_PYTHON=()       # how its python is called
CHILD=''            # process id of the running stage
SIGNAL=''           # the signal that ended this runner, if any

usage() { sed -n '3,/^$/ { s/^# \{0,1\}//; p }' "${BASH_SOURCE[0]}"; }

refuse() { printf 'run_model: error: %s\n  try: %s\n' "$1" "$2" >&2; exit 2; }

# ---------------------------------------------------------------- environments

# Makes RUN_PYTHON call the environment's python. Returns 1 with REASON set.
activate() {
  local spec=$1 kind=${1%%:*} where=${1#*:}
  if [[ $spec == "$ACTIVE_ENV" ]]; then return 0; fi
  RUN_PYTHON=(python)
  # Activation scripts read unset variables and return what they like.
  set +eu
  # ---- EDIT: a site adds its own kinds here --------------------------------
  case $kind in
    none)      RUN_PYTHON=("${WORKFLOW_PYTHON:-python3}") ;;
    venv)      source "$where/bin/activate" ;;
    conda)     activate_conda "$where" ;;
    module)    load_modules "$where" ;;
    apptainer) use_container "$where" ;;
    *)         false ;;
  esac
  # ---- end of the part that a site edits -----------------------------------
  local code=$?
  set -eu
  if (( code != 0 )) || ! type "${RUN_PYTHON[0]}" >/dev/null 2>&1; then
    REASON="environment $spec could not be activated on $HOST"
    return 1
  fi
  ACTIVE_ENV=$spec
}

activate_conda() {
  local base
  if [[ ! -d $1/conda-meta ]] || command -v conda >/dev/null; then
    base=$(conda info --base 2>/dev/null || printf '%s' "${CONDA_EXE%/bin/conda}")
    if [[ -r $base/etc/profile.d/conda.sh ]]; then
      source "$base/etc/profile.d/conda.sh" && conda activate "$1"
      return
    fi
  fi
  # A prefix works without conda itself: its programs come first.
  if [[ ! -d $1/conda-meta ]]; then return 1; fi
  export CONDA_PREFIX=$1 PATH=$1/bin:$PATH
}

load_modules() {
  local init
  if ! type module >/dev/null 2>&1; then
    for init in /etc/profile.d/lmod.sh /etc/profile.d/modules.sh /usr/share/lmod/lmod/init/bash; do
      if [[ -r $init ]]; then source "$init"; break; fi
    done
  fi
  local name
  while IFS= read -r -d, name; do
    module load "$name" || return 1
  done <<<"$1,"
  # `module load` may return 0 after a failure, but it lists what is loaded.
  case ":${LOADEDMODULES:-}:" in *":${name}"*) ;; *) return 1 ;; esac
}

use_container() {
  local program directory
  program=$(command -v apptainer || command -v singularity) || return 1
  if [[ ! -e $1 ]]; then return 1; fi
  RUN_PYTHON=("$program" exec)
  if [[ -n ${CUDA_VISIBLE_DEVICES:-} || -e /dev/nvidia0 ]]; then RUN_PYTHON+=(--nv); fi
  for directory in "$OUTPUT_DIR" "$ROOT" "$MODEL_DIR" "${SCRIPT%/*}" ${INPUTS[@]+"${INPUTS[@]}"}; do
    RUN_PYTHON+=(--bind "$directory")
  done
  RUN_PYTHON+=("$1" python)
  CONTAINER=yes
}

# Libraries start a thread per core of the node unless they are told otherwise.
set_threads() {
  local cores=${SLURM_CPUS_PER_TASK:-${TASK_CORES:-}} name
  if [[ -z $cores ]]; then return 0; fi
  for name in OMP_NUM_THREADS OMP_THREAD_LIMIT MKL_NUM_THREADS OPENBLAS_NUM_THREADS; do
    if [[ -z ${!name:-} ]]; then export "$name=$cores"; fi
  done
}

# ------------------------------------------------------------ words of a task

# Line INDEX+1 of FILE, taken apart as shlex.quote put it together -> WORDS.
# Nothing is evaluated: quotes are removed and that is all.
words_of_line() {
  local file=$1 index=$2 line='' rest word='' started='' LC_ALL=C
  line=$(sed -n "$((index + 1))p" -- "$file")
  rest=$line WORDS=()
  while [[ -n $rest ]]; do
    case $rest in
      \'*) rest=${rest#\'}; if [[ $rest != *\'* ]]; then return 1; fi
           word+=${rest%%\'*} rest=${rest#*\'} started=yes ;;
      \"*) rest=${rest#\"}; if [[ $rest != *\"* ]]; then return 1; fi
           word+=${rest%%\"*} rest=${rest#*\"} started=yes ;;
      [[:blank:]]*)
           if [[ -n $started ]]; then WORDS+=("$word"); fi
           word='' started='' rest=${rest#?} ;;
      *)   local plain=${rest%%[\'\"[:blank:]]*}
           word+=$plain rest=${rest#"$plain"} started=yes ;;
    esac
  done
  if [[ -n $started ]]; then WORDS+=("$word"); fi
  (( ${#WORDS[@]} >= 2 ))
}

absolute() { case $1 in /*) ABSOLUTE=$1 ;; *) ABSOLUTE=$PWD/$1 ;; esac; }

# WORDS -> ENVIRONMENT SCRIPT ARGS OUTPUT_DIR INPUTS STAGE ROOT, paths absolute:
# the stage runs in a directory of its own, since a file that bears a split's
# name shadows the one in splits/.
read_words() {
  local at
  absolute "${WORDS[1]}"
  SCRIPT=$ABSOLUTE WORDS[1]=$ABSOLUTE OUTPUT_DIR='' INPUTS=() MODEL_DIR=$HERE/stages
  case ${WORDS[0]} in
    venv:*|apptainer:*) absolute "${WORDS[0]#*:}"; WORDS[0]=${WORDS[0]%%:*}:$ABSOLUTE ;;
  esac
  for (( at = 2; at + 1 < ${#WORDS[@]}; at++ )); do
    absolute "${WORDS[at + 1]}"
    case ${WORDS[at]} in
      --output_dir) OUTPUT_DIR=$ABSOLUTE WORDS[at + 1]=$ABSOLUTE ;;
      --train_script) MODEL_DIR=${ABSOLUTE%/*} ;;   # of a trial
      --input_dir|--input_data_dir|--input_model_dir) INPUTS+=("$ABSOLUTE"); WORDS[at + 1]=$ABSOLUTE ;;
    esac
  done
  if [[ -z $OUTPUT_DIR ]]; then
    refuse "the task has no --output_dir: ${WORDS[*]}" "bash run_model.sh --help"
  fi
  ENVIRONMENT=${WORDS[0]} ARGS=("${WORDS[@]:2}")
  know_stage "${SCRIPT##*/}"
  find_root
}

# SCRIPT's name -> STAGE; EXPECTED, the files without which it is not done;
# LEFT, what it also leaves. Old ones are removed before an attempt.
know_stage() {
  STAGE=other EXPECTED=() LEFT=()
  case $1 in
    *_preprocess_improve.py) STAGE=preprocess EXPECTED=(train_y_data.csv val_y_data.csv test_y_data.csv) ;;
    *_train_improve.py)      STAGE=train EXPECTED=(val_scores.json) LEFT=(val_y_data_predicted.csv) ;;
    *_infer_improve.py)      STAGE=infer LEFT=(test_y_data_predicted.csv)
                             # Scores are made only where they are asked for.
                             if [[ " ${ARGS[*]-} " == *' --calc_infer_scores '[Tt]rue' '* ]]
                             then EXPECTED=(test_scores.json); else EXPECTED=("${LEFT[@]}"); fi ;;
    hpo_trial.py)            STAGE=trial EXPECTED=(trial.json) ;;
  esac
}

# The results tree that OUTPUT_DIR belongs to: where launches are kept, else (a
# tree made by hand) the directory above ml_data, models, infer, trials -> ROOT.
find_root() {
  local part
  ROOT=$OUTPUT_DIR
  while ROOT=${ROOT%/*}; [[ -n $ROOT ]]; do
    for part in "$ROOT"/launches/*/*plan.json; do
      if [[ -e $part ]]; then return; fi
    done
  done
  for part in ml_data models infer trials; do
    if [[ $OUTPUT_DIR == */$part/* ]]; then ROOT=${OUTPUT_DIR%/"$part"/*}; return; fi
  done
  ROOT=${OUTPUT_DIR%/*}
}

# ------------------------------------------------------------------- statuses

json_string() {  # TEXT -> JSON
  # shellcheck disable=SC1003
  local text=$1 backslash='\\' quote='\"'
  text=${text//\\/"$backslash"}
  text=${text//\"/"$quote"}
  text=${text//[[:cntrl:]]/?}
  JSON="\"$text\""
}

json_list() {  # WORD... -> JSON
  local word list=''
  for word in "$@"; do json_string "$word"; list+=", $JSON"; done
  JSON="[${list#, }]"
}

status_value() {  # DIRECTORY KEY -> VALUE, as it stands in the file
  local line
  VALUE=''
  if [[ ! -f $1/stage_status.json || ! -r $1/stage_status.json ]]; then return 1; fi
  while IFS= read -r line; do
    if [[ $line == *"\"$2\": "* && ${line%%\":*} == *"\"$2" ]]; then
      VALUE=${line#*: } VALUE=${VALUE%,} VALUE=${VALUE%\}}
      return 0
    fi
  done <"$1/stage_status.json"
  return 1
}

now() { date -u '+%Y-%m-%dT%H:%M:%SZ %s %N'; }

begin_attempt() {  # -> ATTEMPT STARTED STAMP
  local seconds nanoseconds
  ATTEMPT=1
  if status_value "$OUTPUT_DIR" attempt && [[ $VALUE =~ ^[0-9]{1,9}$ ]]; then ATTEMPT=$((10#$VALUE + 1)); fi
  read -r STARTED seconds nanoseconds < <(now)
  STARTED_MS=$((seconds * 1000 + 10#${nanoseconds:0:3}))
  STAMPED=''           # until a status with this stamp stands there
  STAMP=$STARTED.${nanoseconds:0:6}.$HOST.$$
}

# Whether the status that stands there is this attempt's. A node that was given up may
# still run one while the next has begun elsewhere: then the verdict is the next one's.
still_ours() {
  if [[ -z $STAMPED ]] || ! status_value "$OUTPUT_DIR" stamp; then return 0; fi
  json_string "$STAMP"
  [[ $VALUE == "$JSON" ]]
}

# Writes the status whole: a reader sees the old one or the new one.
write_status() {  # STATE REASON EXIT_CODE
  local state=$1 reason=$2 code=$3 ended='' seconds_now=0 nanoseconds=0 elapsed=0 job
  if [[ $state != running ]]; then
    read -r ended seconds_now nanoseconds < <(now)
    elapsed=$((seconds_now * 1000 + 10#${nanoseconds:0:3} - STARTED_MS))
    if (( elapsed < 0 )); then elapsed=0; fi
  fi
  job=${SLURM_JOB_ID:-}
  if [[ -n ${SLURM_ARRAY_JOB_ID:-} ]]; then job=${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID}; fi
  local words temporary=$OUTPUT_DIR/.stage_status.$HOST.$$ text
  json_list "${WORDS[@]}"; words=$JSON
  json_string "$state";    text="{\"state\": $JSON,"
  json_string "$reason";   text+=$'\n'" \"reason\": $JSON,"
  text+=$'\n'" \"exit_code\": $code,"$'\n'" \"attempt\": $ATTEMPT,"
  text+=$'\n'" \"started\": \"$STARTED\","$'\n'" \"ended\": \"$ended\","
  printf -v elapsed '%d.%03d' $((elapsed / 1000)) $((elapsed % 1000))
  text+=$'\n'" \"seconds\": $elapsed,"
  json_string "$HOST";     text+=$'\n'" \"host\": $JSON,"$'\n'" \"pid\": $$,"
  text+=$'\n'" \"slurm_job\": \"$job\","
  json_string "$STAMP";    text+=$'\n'" \"stamp\": $JSON,"$'\n'" \"words\": $words,"
  text+=$'\n'" \"made_from\": {$MADE_FROM},"$'\n'" \"files\": {$FILES}}"
  # One write, and only a whole file gets the name.
  if printf '%s\n' "$text" 2>/dev/null >"$temporary" && mv -f -- "$temporary" "$OUTPUT_DIR/stage_status.json"; then
    return 0
  fi
  rm -f -- "$temporary"
  printf 'run_model: error: %s/stage_status.json could not be written (%s)\n' "$OUTPUT_DIR" "$reason" >&2
  return 1
}

# --------------------------------------------------------------------- inputs

# Waits for each input, and notes which run of it this task is made from.
# Returns 1 with REASON set where one is missing or not done.
check_inputs() {
  local input deadline=$((SECONDS + ${LATENCY_WAIT:-60}))
  MADE_FROM=''
  for input in ${INPUTS[@]+"${INPUTS[@]}"}; do
    if [[ $STAGE == preprocess || $input/ != "$ROOT"/* ]]; then
      if [[ ! -e $input ]]; then REASON="input $input is not there"; return 1; fi
      continue
    fi
    # An NFS client may show a file late, or an old state of it, until its
    # cache is a minute old; listing the directory above makes it look again.
    while state_of "$input"; [[ $STATE == absent || $STATE == running ]]; do
      if (( SECONDS >= deadline )) || [[ -n $SIGNAL ]]; then break; fi
      ls -- "${input%/*}" >/dev/null 2>&1 || true
      sleep 1
    done
    if [[ $STATE != "done" ]]; then
      REASON="parent failed: ${input#"$ROOT"/} is ${STATE/absent/without a status}"
      return 1
    fi
    add_made_from "$input"
  done
}

state_of() {  # DIRECTORY -> STATE
  STATE=absent
  if status_value "$1" state; then VALUE=${VALUE#\"} STATE=${VALUE%\"}; fi
}

add_made_from() {
  local stamp words
  status_value "$1" stamp; stamp=$VALUE
  status_value "$1" words; words=$VALUE
  json_string "${1#"$ROOT"/}"
  MADE_FROM+="${MADE_FROM:+, }$JSON: {\"stamp\": $stamp, \"words\": $words}"
}

# -------------------------------------------------------------------- verdict

# The one place where a stage is judged. Returns 1 with REASON set.
judge() {  # EXIT_CODE
  local code=$1 name
  FILES=''
  if (( code != 0 )); then reason_of_exit "$code"; return 1; fi
  for name in ${EXPECTED[@]+"${EXPECTED[@]}"}; do
    if [[ ! -s $OUTPUT_DIR/$name ]]; then REASON="exit code 0, but $name is missing"; return 1; fi
    if [[ $name == *_scores.json ]] && ! finite_score "$OUTPUT_DIR/$name"; then
      REASON="exit code 0, but $name holds no finite score"; return 1
    fi
  done
  for name in ${EXPECTED[@]+"${EXPECTED[@]}"} ${LEFT[@]+"${LEFT[@]}"}; do
    if [[ -e $OUTPUT_DIR/$name ]]; then
      FILES+="${FILES:+, }\"$name\": $(wc -c <"$OUTPUT_DIR/$name")"
    fi
  done
}

# mse, or the first metric where there is no mse; a correlation may be NaN.
finite_score() {
  local text number='^-?[0-9]+(\.[0-9]*)?([eE][-+]?[0-9]+)?$'
  text=$(tr -d '[:space:]' <"$1" | head -c 100000)
  if [[ $text != \{*\} ]]; then return 1; fi
  if [[ $text == *'"mse":'* ]]; then text=${text#*\"mse\":}; else text=${text#*\":}; fi
  text=${text%%[,\}]*}
  [[ $text =~ $number ]]
}

reason_of_exit() {  # EXIT_CODE -> REASON
  local code=$1 known
  if (( code > 128 && code < 165 )); then
    REASON="killed by signal $(kill -l $((code - 128)))"
    if (( code == 137 )); then REASON+=" (out of memory?)"; fi
  else
    REASON="exit code $code"
  fi
  # The verdict stands; these say why, in the words of the operating system.
  for known in 'No space left on device' 'Disk quota exceeded' 'Read-only file system'; do
    if tail -n 50 -- "$LOG" 2>/dev/null | grep -qF -- "$known"; then REASON+=": $known"; fi
  done
}

# -------------------------------------------------------------------- running

# A signal may be the time limit, scancel, preemption or a requeue: the runner
# cannot tell, so it says `interrupted` at once (SIGKILL follows) and no more.
# shellcheck disable=SC2317  # called by the traps
on_signal() {
  SIGNAL=$1
  if [[ -n $CHILD ]]; then kill -TERM "$CHILD" 2>/dev/null || true; fi
}
trap 'on_signal TERM' TERM
trap 'on_signal INT' INT
trap 'on_signal HUP' HUP

call_stage() {  # -> CODE
  "${RUN_PYTHON[@]}" "$SCRIPT" ${ARGS[@]+"${ARGS[@]}"} >>"$LOG" 2>&1 </dev/null &
  CHILD=$!
  if [[ -n $SIGNAL ]]; then kill -TERM "$CHILD" 2>/dev/null || true; fi
  CODE=0
  wait "$CHILD" || CODE=$?
  if [[ -n $SIGNAL ]]; then
    if still_ours; then write_status interrupted "signal $SIGNAL" 143 || true; fi
    # The first wait ended with the trap; this one ends with the stage.
    wait "$CHILD" 2>/dev/null || true
  fi
  CHILD=''
}

log_header() {
  printf '=== attempt %s at %s on %s%s\n=== ' "$ATTEMPT" "$STARTED" "$HOST" "${SLURM_JOB_ID:+, job $SLURM_JOB_ID}"
  printf ' %q' "${WORDS[@]}"
  printf '\n'
}

attempt_once() {  # -> CODE
  local name
  FILES='' REASON=''
  begin_attempt
  for name in ${EXPECTED[@]+"${EXPECTED[@]}"} ${LEFT[@]+"${LEFT[@]}"}; do rm -f -- "$OUTPUT_DIR/$name"; done
  if ! log_header >>"$LOG"; then REASON="log.txt could not be written"; CODE=1; return; fi
  if ! write_status running '' null; then REASON='status could not be written' CODE=1; return; fi
  STAMPED=yes
  if [[ ! -r $SCRIPT ]]; then REASON="stage script $SCRIPT is not there"; CODE=1
  elif ! check_inputs; then CODE=1
  elif ! activate "$ENVIRONMENT"; then CODE=1
  else
    call_stage
    if [[ -z $SIGNAL ]] && ! judge "$CODE" && (( CODE == 0 )); then CODE=1; fi
    if (( CODE != 0 )) && [[ -z $REASON ]]; then reason_of_exit "$CODE"; fi
    RETRY=yes
  fi
}

# Runs WORDS to a verdict -> CODE
run_task() {
  local tries=0
  read_words
  CODE=1 REASON='' MADE_FROM='' FILES='' ATTEMPT=1 STARTED='' STARTED_MS=0 STAMP='' STAMPED='' CONTAINER=''
  LOG=$OUTPUT_DIR/log.txt
  if ! mkdir -p -- "$OUTPUT_DIR"; then return 0; fi
  set_threads
  cd -- "$OUTPUT_DIR"
  while :; do
    RETRY=''
    attempt_once
    if [[ -n $SIGNAL ]] || ! still_ours; then break; fi
    if (( CODE == 0 )); then write_status 'done' '' 0 || CODE=1
    else write_status failed "$REASON" "$CODE" || true; fi
    if (( CODE == 0 || tries >= ${RETRIES:-0} )) || [[ -z $RETRY ]]; then break; fi
    tries=$((tries + 1))
  done
  if [[ -n $CONTAINER ]]; then ACTIVE_ENV=''; fi   # binds are per task
  if [[ -n $SIGNAL ]]; then
    if still_ours; then write_status interrupted "signal $SIGNAL" 143 || true; fi
    printf 'interrupted by %s: %s\n' "$SIGNAL" "$OUTPUT_DIR"
    exit 143
  fi
  if (( CODE == 0 )); then printf 'done: %s\n' "$OUTPUT_DIR"
  else printf 'failed: %s: %s; see %s\n' "$OUTPUT_DIR" "$REASON" "$LOG" >&2; fi
}

# Writes the verdict on outputs that another program left -> CODE
judge_task() {
  local input
  read_words
  MADE_FROM='' FILES='' REASON='' CODE=0 LOG=$OUTPUT_DIR/log.txt
  begin_attempt
  for input in ${INPUTS[@]+"${INPUTS[@]}"}; do
    if [[ -r $input/stage_status.json ]]; then add_made_from "$input"; fi
  done
  if judge 0; then write_status 'done' 'adopted' 0 || CODE=1
  else CODE=1; write_status failed "adopted, but ${REASON#exit code 0, but }" 1 || true; fi
}

run_tasks_of_file() {  # FILE INDEX COUNT
  local file=$1 first=$2 count=$3 index
  if [[ ! -r $file ]]; then refuse "task file $file cannot be read" "a .tasks file of OUT/launches"; fi
  if [[ ! $first$count =~ ^[0-9]+$ ]]; then refuse "INDEX and COUNT are whole numbers, not '$first' '$count'" "bash run_model.sh --task FILE 0"; fi
  absolute "$file"; file=$ABSOLUTE
  for (( index = first; index < first + count; index++ )); do
    words_of_line "$file" "$index" || refuse "line $((index + 1)) of $file is not a task" "an index from 0 to $(($(wc -l <"$file") - 1))"
    run_task
  done
  if (( count > 1 )); then CODE=0; fi
}

main() {
  case ${1:-} in
    ''|-h|--help) usage; exit 0 ;;
    --task)
      if (( $# < 3 || $# > 4 )); then refuse "--task takes FILE INDEX [COUNT]" "bash run_model.sh --help"; fi
      run_tasks_of_file "$2" "$3" "${4:-1}" ;;
    --judge)
      if (( $# < 3 )); then refuse "--judge takes ENV SCRIPT ARGS..." "bash run_model.sh --help"; fi
      WORDS=("${@:2}")
      judge_task ;;
    *)
      if (( $# < 2 )); then refuse "a task is ENV SCRIPT ARGS..." "bash run_model.sh --help"; fi
      WORDS=("$@")
      run_task ;;
  esac
  if [[ ${ALWAYS_EXIT_ZERO:-} == 1 ]]; then exit 0; fi
  exit "$CODE"
}

main "$@"
