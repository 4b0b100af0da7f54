#!/usr/bin/env bash
# The installed files alone, as the author of a plugin has them. Installs into a staging directory, makes a plugin with
# the installed tool, builds it in both ways, and checks that a second install keeps an edited file.
# usage: install.sh CMAKE BUILD_DIR
set -euo pipefail
cmake=$1
build=$2

# Uses the generator of the build tree, because CMake's default is make, which may be missing.
export CMAKE_GENERATOR=Ninja
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root

fail() {
    echo "install: $*" >&2
    exit 1
}

exports() {
    nm -D --defined-only "$1" | awk '{ print $NF }' | xargs
}

install_to_root() {
    DESTDIR=$root "$cmake" --install "$build" --prefix /opt/greenroom >"$work/log" 2>&1 || {
        cat "$work/log"
        fail "cmake --install failed"
    }
}

install_to_root
prefix=$root/opt/greenroom
program=$prefix/bin/greenroom

# The program finds its config and its plugins relative to its own place, whatever prefix was configured. No group is
# enabled at first, and every group can be enabled. Usage: installed [NAME=VALUE...] PROGRAM ARGUMENT...
installed() {
    (cd / && env -i "$@") >"$work/log" 2>&1
}
if [ -x "$program" ]; then
    secrets=(APP_ACCESS_KEY=key APP_SECRET=secret)
    installed "$program" check || fail "the installed config does not check: $(cat "$work/log")"
    grep -qF "$prefix/etc/greenroom: fine: 0 plugins" "$work/log" || fail "check says '$(cat "$work/log")'"
    installed "$program" plugins enable rooms || fail "a group cannot be switched on: $(cat "$work/log")"
    installed "${secrets[@]}" "$program" check || fail "a group does not check: $(cat "$work/log")"
    grep -qF "fine: 1 plugin," "$work/log" || fail "check says '$(cat "$work/log")'"
    # The config of an enabled group uses the credential, so it has to be set.
    ! installed "$program" check || fail "a missing credential was not told of"
    installed "$program" plugins disable rooms || fail "$(cat "$work/log")"
fi

# With the prefix /usr, the config is in /etc, and the systemd unit starts the program that was installed.
DESTDIR=$work/usr "$cmake" --install "$build" --prefix /usr >/dev/null
[ -f "$work/usr/etc/greenroom/greenroom.json" ] || fail "--prefix /usr has no /etc/greenroom/greenroom.json"
[ ! -e "$work/usr/usr/etc" ] || fail "--prefix /usr puts files into /usr/etc"
unit=$work/usr/usr/lib/systemd/system/greenroom.service
grep -qxF "ExecStart=/usr/bin/greenroom -c /etc/greenroom" "$unit" || fail "the unit says $(grep ExecStart "$unit")"
[ "$(PKG_CONFIG_PATH=$(dirname "$(find "$work/usr" -name greenroom.pc)") pkg-config --variable=confdir greenroom)" = \
    /etc/greenroom ] || fail "greenroom.pc does not say /etc/greenroom"
for file in include/greenroom/version.h bin/greenroom-new-plugin; do
    [ -f "$prefix/$file" ] || fail "'$file' was not installed"
done
if [ -x "$build/greenroom" ]; then
    [ -x "$prefix/bin/greenroom" ] || fail "the binary was not installed"
fi

PKG_CONFIG_PATH=$(dirname "$(find "$prefix" -name greenroom.pc)")
export PKG_CONFIG_PATH
plugindir=$(pkg-config --variable=plugindir greenroom)
for plugin in "$build"/plugins/*.so; do
    [ ! -e "$plugin" ] || [ -f "$plugindir/${plugin##*/}" ] || fail "'${plugin##*/}' was not installed"
done

# Builds the plugin from the installed files alone, with nothing in the environment. The build finds the prefix in which
# the installed tool is.
cd "$work"
unset PKG_CONFIG_PATH
"$prefix/bin/greenroom-new-plugin" sample >/dev/null
sample/build.sh
[ "$(exports sample/sample.so)" = gr_plugin_entry ] || fail "sample.so exports '$(exports sample/sample.so)'"
if "$prefix/bin/greenroom-new-plugin" sample 2>/dev/null; then
    fail "greenroom-new-plugin overwrote a plugin"
fi
"$prefix/bin/greenroom-new-plugin" --from profiles lookup >/dev/null
lookup/build.sh
if [ -x "$program" ]; then
    for plugin in sample lookup; do
        "$program" plugin inspect "$plugin/$plugin.so" >"$work/log" || fail "$(cat "$work/log")"
        "$program" plugin test "$plugin/$plugin.so" "$plugin/cases.json" >"$work/log" || fail "$(cat "$work/log")"
        (cd "$plugin" && "$program" -c etc check >"$work/log" 2>&1) || fail "$(cat "$work/log")"
    done
fi

# Builds it again after the whole prefix was moved. The prefix is found by $GREENROOM_PREFIX, and by the program on the PATH.
mv "$root" "$work/moved"
prefix=$work/moved/opt/greenroom
rm sample/sample.so
GREENROOM_PREFIX=$prefix sample/build.sh || fail "GREENROOM_PREFIX was not used"
if [ -x "$prefix/bin/greenroom" ]; then
    PATH=$prefix/bin:$PATH sample/build.sh || fail "the greenroom on the PATH was not used"
fi
mv "$work/moved" "$root"
prefix=$root/opt/greenroom

# Builds it with CMake, which finds the prefix as well, and installs it beside the bundled plugins.
"$cmake" -S sample -B sample/out >"$work/log" 2>&1 || {
    cat "$work/log"
    fail "find_package(greenroom) failed"
}
"$cmake" --build sample/out >"$work/log" 2>&1 || {
    cat "$work/log"
    fail "the plugin does not build"
}
"$cmake" --install sample/out >/dev/null
[ "$(exports "$plugindir/sample.so")" = gr_plugin_entry ] || fail "sample.so was not installed to $plugindir"

# A file that an operator has edited is kept by an upgrade.
confdir=$(PKG_CONFIG_PATH=$(dirname "$(find "$prefix" -name greenroom.pc)") pkg-config --variable=confdir greenroom)
if [ -f "$confdir/greenroom.json" ]; then
    echo '{"edited": true}' >"$confdir/greenroom.json"
    install_to_root
    grep -q edited "$confdir/greenroom.json" || fail "a second install overwrote greenroom.json"
fi
