#!/usr/bin/env bash
# Installs what the slow stages of .ci/run need, from Debian. Does nothing when it is all there.
set -euo pipefail

packages=(
  jupyter-notebook jupyter-nbconvert jupyter-client python3-nbclient python3-nbformat python3-jupyter-kernel-test
  python3-ipykernel jupyter-console jupyter-server python3-nbclassic python3-jupyterlab-server python3-pexpect python3-selenium chromium chromium-driver gcc libc6-dev qemu-user-static
  python3-numpy zstd curl
)
command -v npm >/dev/null || packages+=(nodejs npm) # elsewhere Node.js is often from its makers, and brings npm

missing=()
for p in "${packages[@]}"; do
  dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null | grep -qx installed || missing+=("$p")
done
if [ ${#missing[@]} -eq 0 ]; then
  echo "all ${#packages[@]} packages are installed"
  exit 0
fi
echo "installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
apt=(apt-get -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 -qq)
"${apt[@]}" update
"${apt[@]}" install -y --no-install-recommends "${missing[@]}" </dev/null >/dev/null
