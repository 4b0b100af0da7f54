#!/usr/bin/env bash
# Runs scripts/clean-root as a test, which is skipped, with the reason, where it cannot run.
# usage: roots.sh SUITE ACTION
set -euo pipefail

skip() {
    echo "skipped: $*"
    exit 77
}

[ -n "${GR_ROOTS:-}" ] || skip "it takes minutes and a network; scripts/test -L roots runs it"
[ "$(id -u)" -eq 0 ] || skip "only root can make and enter a root file system"
programs=(debootstrap ip unshare)
[ "$2" != container ] || programs+=(buildah jq)
for program in "${programs[@]}"; do
    command -v "$program" >/dev/null || skip "$program is not installed"
done
mirror=${GR_DEBIAN_MIRROR:-http://deb.debian.org/debian}
curl -fsS -o /dev/null --max-time 20 "$mirror/dists/$1/Release" || skip "$mirror does not answer"
exec scripts/clean-root "$@"
