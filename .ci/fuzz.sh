#!/usr/bin/env bash
# Fuzzes every target for some seconds: fuzz.sh [SECONDS each, default 10] [SECONDS in all, default 480] [REGEXP of targets, default all]
# Targets that the total leaves no time for are named, not run.
set -euo pipefail
each=${1:-10} total=${2:-480} only=${3:-}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# One binary per package, made once: `go test -fuzz` would link it again for each target. The fuzzer is guided by what runs of our
# own packages; -fuzz would also compile everything else again to count there.
instrument=-gcflags=$(go list -m)/...=-d=libfuzzer
fuzz() { # folder target
  (cd "$1" && "$tmp/fuzz.test" -test.run '^$' -test.fuzz "^$2\$" -test.fuzztime "${each}s" -test.fuzzminimizetime 10x -test.fuzzcachedir "$tmp/corpus/$1") >"$tmp/log" 2>&1 </dev/null
}

count=0 failed=0 left=()
for folder in $(grep -rl --include='*_test.go' '^func Fuzz' . | xargs -n1 dirname | sort -u); do
  names=$(cat "$folder"/*_test.go | sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' | { grep -E "$only" || true; })
  [ -n "$names" ] || continue
  ((SECONDS + each > total)) || go test -c "$instrument" -o "$tmp/fuzz.test" "$folder"
  for name in $names; do
    if ((SECONDS + each > total)); then
      left+=("$folder.$name")
      continue
    fi
    count=$((count + 1))
    # Go's fuzzer sometimes reports its own time limit as a failure (golang.org/issue/48591): without a failing input, once more.
    if fuzz "$folder" "$name" || { grep -q 'context deadline exceeded' "$tmp/log" && ! grep -q 'Failing input' "$tmp/log" && fuzz "$folder" "$name"; }; then
      echo "ok    $folder $name: $(grep -o 'execs: [0-9]*' "$tmp/log" | tail -1)"
    else
      failed=1
      echo "FAIL  $folder $name"
      cat "$tmp/log"
    fi
  done
done

if ((count == 0)); then
  echo "no fuzz target was found"
  exit 1
fi
((${#left[@]} == 0)) || echo "no time for: ${left[*]}"
exit $failed
