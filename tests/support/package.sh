#!/usr/bin/env bash
# Installs the packages of a directory, starts the gateway, upgrades the packages, and purges them. Needs a root file system
# that can be thrown away, such as that of scripts/clean-root SUITE package, the user root, and a network for apt.
# usage: package.sh DIR
set -euo pipefail
packages=$(cd "$1" && pwd)
cd / # where no other config is found than the installed one
export DEBIAN_FRONTEND=noninteractive
began=$SECONDS
passed=0
gateway=
declare -A took # seconds, by the name of the check

fail() {
    echo "package.sh: $*" >&2
    exit 1
}

# ok WHAT COMMAND...: the command has to succeed. Its time is kept.
ok() {
    local what=$1 us
    shift
    us=${EPOCHREALTIME/[.,]/}
    "$@" >/tmp/package.log 2>&1 || {
        tail -n 40 /tmp/package.log >&2
        fail "$what"
    }
    us=$((${EPOCHREALTIME/[.,]/} - us))
    took[$what]=$(printf '%d.%02d' $((us / 1000000)) $((us / 10000 % 100)))
    echo "ok    $what"
    passed=$((passed + 1))
}

# The times that an operator waits. They have no limits, because they depend on the machine and the network.
print_times() {
    local what
    for what in "apt-get update" "apt install ./greenroom_*.deb" "it starts" "greenroom status"; do
        printf 'time  %-32s %7s s\n' "$what" "${took[$what]}"
    done
}

not() {
    ! "$@"
}

one() {
    local files=("$packages"/"$1"_*.deb)
    [ -f "${files[0]}" ] || fail "no package $1 in $packages"
    echo "${files[0]}"
}

# The ones that it always needs and does not link. libhiredis is only suggested.
depends_on_loaded() {
    dpkg-deb -f "$(one greenroom)" Depends | grep -E '\blibcurl4(t64)? \(.*\blibpq5 \('
}

# Runs the command of the unit as the user in it, since there is no service manager in the root.
start() {
    local unit=/lib/systemd/system/greenroom.service command
    [ -f $unit ] || unit=/usr/lib/systemd/system/greenroom.service
    command=$(sed -n 's/^ExecStart=//p' $unit)
    [ -n "$command" ] || fail "the unit runs nothing"
    [ "$(sed -n 's/^User=//p' $unit)" = greenroom ] || fail "the unit does not name the user greenroom"
    # shellcheck disable=SC2086 # the words of the unit
    STATE_DIRECTORY=/var/lib/greenroom setpriv --reuid greenroom --regid greenroom --init-groups --no-new-privs \
        $command >/tmp/gateway.log 2>&1 &
    gateway=$!
}

ready() {
    local left=200
    while [ $((left--)) -gt 0 ]; do
        ! greenroom health >/dev/null 2>&1 || return 0
        kill -0 "$gateway" 2>/dev/null || break
        sleep 0.05 # between two questions, at most 200 of them
    done
    cat /tmp/gateway.log >&2
    return 1
}

stop() {
    kill "$gateway"
    wait "$gateway"
}

answers() {
    exec 3<>/dev/tcp/127.0.0.1/8080
    printf 'GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' >&3
    grep -q '^HTTP/1.1 200' <&3
}

# Whether the gateway has listeners, all of them on addresses that no other machine can reach.
loopback_only() {
    awk 'FILENAME == "-" { own[$1]; next }
        $4 == "0A" && ($10 in own) {
            found = 1
            if ($2 !~ /^(0100007F|00000000000000000000000001000000):/) { print; other = 1 }
        }
        END { exit !found || other }' - /proc/net/tcp /proc/net/tcp6 < <(
        find "/proc/$gateway/fd" -lname 'socket:*' -printf '%l\n' | tr -dc '0-9\n'
    )
}

no_group_serves() {
    greenroom status | grep -q '^groups.* none is on'
}

# Makes the packages again with a later version and with another default in a conffile.
later() {
    local name tree
    mkdir /tmp/later
    for name in greenroom greenroom-sandbox greenroom-dev; do
        tree=/tmp/later/$name
        dpkg-deb -R "$(one $name)" "$tree"
        sed -i -e 's/^Version: .*/&+later/' -e 's/greenroom (= [^)]*/&+later/' "$tree/DEBIAN/control"
        [ $name != greenroom ] || printf '\n' >>"$tree/etc/greenroom/greenroom.json"
        (cd "$tree" && find . -type f ! -path './DEBIAN/*' -printf '%P\0' | xargs -0 md5sum >DEBIAN/md5sums)
        dpkg-deb -b "$tree" "/tmp/later/$name.deb"
    done
}

# Runs greenroom dev of the installed packages on free ports until it has printed its example.
dev() {
    local pid left=400 status=0
    PORT=18080 ADMIN_PORT=19090 SANDBOX_PORT=18100 greenroom dev >/tmp/dev.out 2>/tmp/dev.err &
    pid=$!
    until grep -q '^Ctrl-C' /tmp/dev.out; do
        if ! kill -0 $pid || [ $((left--)) -eq 0 ]; then
            cat /tmp/dev.out /tmp/dev.err
            return 1
        fi
        sleep 0.05 # between two looks, at most 400 of them
    done
    exec 3<>/dev/tcp/127.0.0.1/18080
    printf 'GET /rooms HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' >&3
    grep -q '^HTTP/1.1 200' <&3 || status=1
    kill -INT $pid
    wait $pid && return $status
}

ok "apt-get update" apt-get update -qq
ok "apt install ./greenroom_*.deb" apt-get install -y -qq "$(one greenroom)"
ok "the user greenroom exists" id greenroom
ok "it owns its state directory" test "$(stat -c '%U %a' /var/lib/greenroom)" = "greenroom 700"
ok "only root can read secrets" test "$(stat -c '%U %a' /etc/greenroom/environment)" = "root 640"
ok "the unit is enabled" test -L /etc/systemd/system/multi-user.target.wants/greenroom.service
ok "it depends on the libraries that it loads" depends_on_loaded
ok "the config checks, and libcurl can be loaded" greenroom check
ok "the audit finds nothing" greenroom audit
ok "completion is installed" test -s /usr/share/bash-completion/completions/greenroom
start
ok "it starts" ready
ok "greenroom status" greenroom status
print_times
ok "no group serves yet" no_group_serves
ok "it answers" answers
ok "it listens only on the loopback interface" loopback_only

ok "apt install greenroom-sandbox and greenroom-dev" apt-get install -y -qq "$(one greenroom-sandbox)" "$(one greenroom-dev)"
ok "greenroom dev" dev

echo '// kept' >>/etc/greenroom/greenroom.json
ok "packages of a later version are made" later
ok "they are installed over the old ones" apt-get install -y -qq -o Dpkg::Options::=--force-confold /tmp/later/*.deb
ok "the changed config was kept" grep -q '^// kept' /etc/greenroom/greenroom.json
ok "the gateway still runs" greenroom health
ok "it stops with status 0" stop
start
ok "it starts with the kept config" ready
ok "it stops again" stop

ok "the headers and greenroom-new-plugin are installed" test -x /usr/bin/greenroom-new-plugin -a -f /usr/include/greenroom/plugin.h
ok "apt purge" apt-get purge -y -qq greenroom greenroom-sandbox greenroom-dev
ok "nothing is left in /etc" not test -e /etc/greenroom
ok "nothing is left in /var/lib" not test -e /var/lib/greenroom
ok "the unit is gone" not test -e /etc/systemd/system/multi-user.target.wants/greenroom.service
echo "$passed checks passed in $((SECONDS - began)) s"
