#!/usr/bin/env bash
# Fuzzes every target for some seconds: fuzz.sh [SECONDS each, default 10] [SECONDS in all, default 480] [PACKAGES, default ./...]
# Targets that the total leaves no time for are named, not run.
set -euo pipefail
each=${1:-10} total=${2:-480} packages=${3:-./...}
log=$(mktemp)
trap 'rm -f "$log"' EXIT

fuzz() { # package target
  go test -run '^$' -fuzz "^$2\$" -fuzztime "${each}s" -fuzzminimizetime 10x "$1" >"$log" 2>&1 </dev/null
}

names=() count=0 failed=0 left=()
while read -r first second _; do
  case $first in
    FAIL)
      echo "FAIL  the targets of $second cannot be listed"
      failed=1
      names=()
      ;;
    Fuzz*) names+=("$first") ;;
    ok)
      for name in ${names[@]+"${names[@]}"}; do
        if ((SECONDS + each > total)); then
          left+=("$second.$name")
          continue
        fi
        count=$((count + 1))
        # Go's fuzzer sometimes reports its own time limit as a failure (golang.org/issue/48591): without a failing input, once more.
        if fuzz "$second" "$name" || { grep -q 'context deadline exceeded' "$log" && ! grep -q 'Failing input' "$log" && fuzz "$second" "$name"; }; then
          echo "ok    $second $name: $(grep -o 'execs: [0-9]*' "$log" | tail -1)"
        else
          failed=1
          echo "FAIL  $second $name"
          cat "$log"
        fi
      done
      names=()
      ;;
  esac
done < <(go test -list '^Fuzz' "$packages" 2>&1)

if ((count == 0)); then
  echo "no fuzz target was found"
  exit 1
fi
((${#left[@]} == 0)) || echo "no time for: ${left[*]}"
exit $failed
