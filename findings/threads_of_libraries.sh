#!/usr/bin/env bash
# threads_of_libraries.sh: which variable holds a library of the field to a number of threads.
#
# Usage: bash findings/threads_of_libraries.sh [PYTHON]     (Python >= 3.11, 150 MB of packages)
#
# polars 2.1.0, numba 0.68.1, joblib 1.6.0 and numexpr 2.14.2, on two cores or more: the first
# three ignore OMP_NUM_THREADS and follow a variable of their own alone. joblib's number is what
# scikit-learn's n_jobs=-1 starts. Output on 2 cores:
#
#     library  alone  OMP_NUM_THREADS=1  its own=1
#     polars   2      2                  1          POLARS_MAX_THREADS
#     numba    2      2                  1          NUMBA_NUM_THREADS
#     joblib   2      2                  1          LOKY_MAX_CPU_COUNT
#     numexpr  2      1                  1          NUMEXPR_NUM_THREADS
#
# Exit code: 0 if it is so, 1 if a library behaves otherwise, 2 if this cannot be tried here.
set -euo pipefail

cores=$(env -u OMP_NUM_THREADS nproc)
if (( cores < 2 )); then echo 'one core: every library starts one thread'; exit 2; fi
folder=$(mktemp -d)
trap 'rm -rf -- "$folder"' EXIT
"${1:-python3}" -m venv "$folder/e"
"$folder/e/bin/pip" install --quiet --only-binary=:all: polars==2.1.0 numba==0.68.1 joblib==1.6.0 \
  numexpr==2.14.2 >"$folder/log" 2>&1 || { tail -n 3 "$folder/log"; exit 2; }

count() {  # PYTHON EXPRESSION, then VARIABLE=VALUE...
  env -u OMP_NUM_THREADS -u POLARS_MAX_THREADS -u NUMBA_NUM_THREADS -u LOKY_MAX_CPU_COUNT \
      -u NUMEXPR_NUM_THREADS "${@:2}" "$folder/e/bin/python" -c "$1"
}

code=0
show() {  # LIBRARY, VARIABLE, does it follow OMP_NUM_THREADS (the number expected), EXPRESSION
  local found
  found="$(count "$4") $(count "$4" OMP_NUM_THREADS=1) $(count "$4" "$2=1")"
  # shellcheck disable=SC2086  # three columns
  printf '%-8s %-6s %-18s %-10s %s\n' "$1" $found "$2"
  if [[ $found != "$cores $3 1" ]]; then code=1; fi
}

printf '%-8s %-6s %-18s %s\n' library alone OMP_NUM_THREADS=1 its\ own=1
show polars POLARS_MAX_THREADS "$cores" 'import polars; print(polars.thread_pool_size())'
show numba NUMBA_NUM_THREADS "$cores" 'import numba; print(numba.config.NUMBA_NUM_THREADS)'
show joblib LOKY_MAX_CPU_COUNT "$cores" 'import joblib; print(joblib.cpu_count())'
show numexpr NUMEXPR_NUM_THREADS 1 'import numexpr; print(numexpr.nthreads)'
exit "$code"
