#!/usr/bin/env bash
# Builds etc/container/Containerfile of the current directory with buildah, and runs the image as its config says: as its
# user, with a read-only root, as process 1 of its own namespaces. Needs root, a network for apt, and buildah.
# usage: container.sh BASE BUILD_BASE CCACHE_DIR
#   BASE, BUILD_BASE   root file systems: the base of the image, and one in which the build dependencies are installed
#   CCACHE_DIR         the cache of ccache, which is used if ccache is installed in BUILD_BASE
set -euo pipefail
base=$1
build_base=$2
compiled=$3
work=$(mktemp -d)
passed=0

store=(--root "$work/storage" --runroot "$work/run" --storage-driver overlay)
cleanup() {
    [ -z "${runner:-}" ] || kill -KILL "$runner" 2>/dev/null || true
    buildah "${store[@]}" umount --all >/dev/null 2>&1 || true
    buildah "${store[@]}" rm --all >/dev/null 2>&1 || true
    umount "$work/storage/overlay" 2>/dev/null || true
    rm -rf --one-file-system "$work"
}
trap cleanup EXIT

fail() {
    echo "container.sh: $*" >&2
    exit 1
}

# ok WHAT COMMAND...: the command has to succeed.
ok() {
    local what=$1
    shift
    "$@" >"$work/log" 2>&1 || {
        tail -n 40 "$work/log" >&2
        fail "$what"
    }
    echo "ok    $what"
    passed=$((passed + 1))
}

not() {
    ! "$@"
}

# image NAME ROOT: makes an image of a root file system, without caches.
image() {
    local container
    container=$(buildah "${store[@]}" from scratch)
    tar --one-file-system --exclude=./var/cache --exclude=./root/greenroom -C "$2" -c . |
        tar -x -C "$(buildah "${store[@]}" mount "$container")"
    buildah "${store[@]}" umount "$container"
    [ "$1" != build-base ] || buildah "${store[@]}" config --env PATH=/usr/lib/ccache:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
        --env CCACHE_DIR=/var/cache/ccache "$container"
    buildah "${store[@]}" commit "$container" "$1"
    buildah "${store[@]}" rm "$container"
}

# The isolation "chroot" also works where a container runtime finds no cgroups that it supports.
build() {
    buildah "${store[@]}" build -v "$compiled:/var/cache/ccache" --isolation chroot --format docker --build-arg BASE=localhost/base \
        --build-arg BUILD_BASE=localhost/build-base -f etc/container/Containerfile -t greenroom .
}

config() {
    buildah "${store[@]}" inspect --type image greenroom | jq -c ".Docker.config.$1"
}

# is NAME VALUE: whether the config of the image has this value under this name.
is() {
    [ "$(config "$1")" = "$2" ] || fail "$1 of the image is $(config "$1"), not $2"
    passed=$((passed + 1))
}

# inside COMMAND...: runs a command in the running container, with the user and the variables of the image.
inside() {
    nsenter --target "$first" --mount --pid --net --ipc \
        chroot --userspec=10001:10001 "$root" env -i "${variables[@]}" "$@"
}

ready() {
    local left=200
    while [ $((left--)) -gt 0 ]; do
        ! inside "${health[@]}" || return 0
        kill -0 "$runner" 2>/dev/null || break
        sleep 0.05 # between two questions, at most 200 of them
    done
    cat "$work/gateway.log"
    return 1
}

ok "the base is an image" image base "$base"
ok "the base with the build dependencies is an image" image build-base "$build_base"
began=$SECONDS
ok "the Containerfile builds" build
echo "      $((SECONDS - began)) s"

is User '"10001:10001"'
is Entrypoint '["greenroom"]'
is StopSignal '"SIGTERM"'
is Volumes '{"/var/lib/greenroom":{}}'
mapfile -t variables < <(config Env | jq -r '.[]')
mapfile -t health < <(config Healthcheck.Test | jq -r '.[1:][]')
[ "${health[*]}" = "greenroom health" ] || fail "the health check of the image is '${health[*]}'"

container=$(buildah "${store[@]}" from greenroom)
root=$(buildah "${store[@]}" mount "$container")
ok "the image has no compiler" not test -e "$root/usr/bin/gcc"
ok "the user owns only its state" test \
    "$(find "$root" -xdev -user 10001 -printf '%P\n' | sort)" = var/lib/greenroom

# It has its own namespaces, a tmpfs on its volume as in the documented command, and cannot gain privileges.
# shellcheck disable=SC2016
unshare --mount --pid --fork --kill-child --net --ipc --uts bash -euc '
    root=$1
    shift
    ip link set lo up
    mount --bind "$root" "$root"
    mount -o remount,bind,ro "$root"
    mount -t proc proc "$root/proc"
    mount -t tmpfs -o mode=0700,uid=10001,gid=10001 tmpfs "$root/var/lib/greenroom"
    exec chroot --userspec=10001:10001 "$root" setpriv --no-new-privs env -i "$@" greenroom' \
    bash "$root" "${variables[@]}" >"$work/gateway.log" 2>&1 &
runner=$!
until first=$(cat "/proc/$runner/task/$runner/children" 2>/dev/null) && [ -n "${first// /}" ]; do
    kill -0 "$runner" || fail "unshare ended: $(cat "$work/gateway.log")"
done
first=${first// /}
ok "the health check passes" ready
ok "it is process 1" grep -qE '^NSpid:.*\s1$' "/proc/$first/status"
ok "it runs as the user of the image" grep -qE '^Uid:\s10001\s10001\s10001\s10001$' "/proc/$first/status"
ok "it has no capabilities" grep -qE '^CapEff:\s0+$' "/proc/$first/status"
ok "the root cannot be written" not inside touch /etc/greenroom/greenroom.json /tmp/file
ok "greenroom status" inside greenroom status
ok "SIGTERM reaches it" kill -TERM "$first"
status=0
wait "$runner" || status=$?
runner=
[ $status -eq 0 ] || fail "it ended with status $status: $(cat "$work/gateway.log")"
ok "it stopped by itself, with status 0" grep -q '"message":"stopped"' "$work/gateway.log"
echo "$passed checks passed"
