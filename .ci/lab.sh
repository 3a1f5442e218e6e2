#!/usr/bin/env bash
# JupyterLab from npm, with our kernel: lab.sh PICTURES NOTEBOOK...
# The bundle is kept in CI_CACHE (else in the user's cache folder), some 40 MB. Does nothing where npm's registry cannot be reached.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
core=@jupyterlab/core-meta@4.6.4 # lists the extensions of that JupyterLab, and their versions

cache=${CI_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/gopherlens-ci}/lab-$({ echo "$core"; cat "$here/lab/build.mjs"; } | sha256sum | cut -c1-16)
if [ ! -e "$cache/lab/static/index.html" ]; then
  if ! command -v npm >/dev/null || ! command -v node >/dev/null; then
    echo "skipped: JupyterLab is built with node and npm, and they are not installed"
    exit 0
  fi
  if ! timeout 60 npm view "$core" version --fetch-retries=1 --fetch-timeout=15000 >/dev/null 2>&1; then
    echo "skipped: npm's registry does not answer, and JupyterLab is built from it"
    exit 0
  fi
  mkdir -p "$(dirname "$cache")"
  work=$(mktemp -d "$cache.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  (
    cd "$work"
    tar xzf "$(npm pack --silent "$core")"
    node "$here/lab/build.mjs" manifest
    npm install --no-audit --no-fund --ignore-scripts --loglevel=error
    node "$here/lab/build.mjs"
    rm -rf node_modules
  )
  mv -T "$work" "$cache" 2>/dev/null || test -e "$cache/lab/static/index.html" # unless another run was first
fi
exec timeout 300 /usr/bin/python3 "$here/lab/lab.py" "$cache/lab" "$@"
