#!/usr/bin/env bash
# Runs a PostgreSQL server for tests, on a free port of loopback, with a random password, as an unprivileged user.
set -euo pipefail

usage() {
    cat <<'END'
usage: postgres.sh start DIR | stop DIR | restart DIR | halt DIR | resume DIR
       postgres.sh with DIR -- COMMAND...   runs COMMAND against the server of DIR
       postgres.sh run -- COMMAND...        the same with a server for this one command
DIR keeps what is known about the server. COMMAND sees GR_TEST_POSTGRES (the URL) and GR_TEST_POSTGRES_CONTROL
(this script; "$GR_TEST_POSTGRES_CONTROL restart $GR_TEST_POSTGRES_DIR"). Without the package: exit 77, skipped.
END
}

die() {
    echo "postgres.sh: $*" >&2
    exit 1
}

self=$(readlink -f "$0")

# The newest installed server. Debian does not put its programs on the PATH.
find_bin() {
    local dir
    for dir in $(printf '%s\n' /usr/lib/postgresql/*/bin | sort -rV); do
        if [ -x "$dir/initdb" ]; then
            echo "$dir"
            return
        fi
    done
    echo "SKIPPED: PostgreSQL is not installed (Debian package: postgresql)" >&2
    exit 77
}

# initdb refuses to be root.
as_server() {
    if [ "$(id -u)" -eq 0 ]; then
        (cd / && runuser -u postgres -- "$@")
    else
        "$@"
    fi
}

# A port that stays free while the server restarts: one below those that the system gives to sockets that ask for none.
free_port() {
    /usr/bin/python3 - <<'PYTHON'
import random
import socket

with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as file:
    first = int(file.read().split()[0])
while True:
    port = random.randrange(first // 2, first)
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            continue
    print(port)
    break
PYTHON
}

control() {
    local bin=$1 data=$2
    shift 2
    as_server "$bin/pg_ctl" -s -w -t 60 -D "$data" -l "$data/log" "$@" </dev/null >/dev/null
}

start() {
    local dir=$1 bin data password port attempt
    bin=$(find_bin)
    if [ -f "$dir/data" ]; then
        stop "$dir"
    fi
    mkdir -p "$dir"
    data=$(mktemp -d "${TMPDIR:-/tmp}/greenroom-postgres.XXXXXX")
    password=$(od -An -N12 -tx1 /dev/urandom | tr -d ' \n')
    printf '%s\n' "$password" >"$data.password"
    if [ "$(id -u)" -eq 0 ]; then
        chown postgres: "$data" "$data.password"
    fi
    as_server "$bin/initdb" -D "$data" -U greenroom -A scram-sha-256 --pwfile="$data.password" -E UTF8 \
        --locale=C -N >/dev/null
    rm -f "$data.password"
    # Data can be lost only when the machine crashes, which does not matter for a test; a restart of the server loses none.
    as_server tee -a "$data/postgresql.conf" >/dev/null <<END
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
fsync = off
full_page_writes = off
max_connections = 80
shared_buffers = 32MB
END
    for attempt in 1 2 3 4 5; do
        port=$(free_port)
        if control "$bin" "$data" -o "-p $port" start; then
            echo "$data" >"$dir/data"
            echo "$bin" >"$dir/bin"
            echo "postgres://greenroom:$password@127.0.0.1:$port/postgres" >"$dir/url"
            return
        fi
    done
    cat "$data/log" >&2
    rm -rf "$data"
    die "the server did not start in $attempt attempts"
}

stop() {
    local dir=$1 data
    [ -f "$dir/data" ] || return 0
    data=$(cat "$dir/data")
    control "$(cat "$dir/bin")" "$data" -m immediate stop || true
    case $data in
    */greenroom-postgres.*) rm -rf "$data" ;;
    esac
    rm -f "$dir/data" "$dir/bin" "$dir/url"
}

with() {
    local dir=$1
    shift
    [ -f "$dir/url" ] || {
        echo "SKIPPED: no PostgreSQL server in $dir" >&2
        exit 77
    }
    GR_TEST_POSTGRES=$(cat "$dir/url") GR_TEST_POSTGRES_DIR=$dir GR_TEST_POSTGRES_CONTROL=$self "$@"
}

[ $# -ge 2 ] || {
    usage >&2
    exit 2
}
verb=$1
shift
case $verb in
start) start "$1" ;;
stop) stop "$1" ;;
# Ends its sessions at once. pg_ctl remembers the -o of the start.
restart) control "$(cat "$1/bin")" "$(cat "$1/data")" -m fast restart ;;
halt) control "$(cat "$1/bin")" "$(cat "$1/data")" -m fast stop ;;
resume)
    port=$(sed 's/.*:\([0-9]*\)\/.*/\1/' "$1/url")
    control "$(cat "$1/bin")" "$(cat "$1/data")" -o "-p $port" start
    ;;
with)
    dir=$1
    [ "$2" = -- ] || die "expected -- before the command"
    shift 2
    with "$dir" "$@"
    ;;
run)
    [ "$1" = -- ] || die "expected -- before the command"
    shift
    dir=$(mktemp -d "${TMPDIR:-/tmp}/greenroom-postgres-dir.XXXXXX")
    trap 'stop "$dir"; rm -rf "$dir"' EXIT
    start "$dir"
    with "$dir" "$@"
    ;;
*)
    usage >&2
    exit 2
    ;;
esac
