#!/usr/bin/env bash
# Runs scripts/test with a stand-in for ctest, in which one test fails and passes when it is repeated. The output must name
# the test, and with --strict it must count as failed.
set -euo pipefail
scripts=$(cd "$(dirname "$0")/../../scripts" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/scripts" "$work/bin"
cp "$scripts/test" "$scripts/lib.sh" "$work/scripts"
printf '#!/bin/sh\n' >"$work/bin/cmake"
cat >"$work/bin/ctest" <<'END'
#!/bin/sh
case "$*" in
*"--repeat until-pass:2"*) ;;
*) exit 2 ;;
esac
while [ "$1" != --output-junit ]; do shift; done
cat >"$2" <<'XML'
<testcase name="unit.calm" classname="unit.calm" time="1" status="run"/>
<testcase name="unit.hasty" classname="unit.hasty" time="1" status="run"/>
XML
echo '1/2 Test #1: unit.calm ........   Passed    0.01 sec'
echo '2/2 Test #2: unit.hasty .......***Failed    0.01 sec'
echo '    Test #2: unit.hasty .......   Passed    0.01 sec'
END
chmod +x "$work/bin/cmake" "$work/bin/ctest"

# expect STATUS COUNTS OPTION...
expect() {
    local status=0 wanted=$1 counts=$2
    shift 2
    PATH=$work/bin:$PATH "$work/scripts/test" --quick "$@" >"$work/log" 2>&1 || status=$?
    if [ "$status" -ne "$wanted" ] || [ "$(tail -n 1 "$work/log")" != "$counts" ] ||
        ! grep -qxF 'flaky: test: unit.hasty failed once and passed when it was run again' "$work/log"; then
        echo "flaky: scripts/test --quick $*: status $status"
        cat "$work/log"
        exit 1
    fi
}

expect 0 '2 passed, 0 failed'
expect 1 '1 passed, 1 failed' --strict
grep -qE '^exec scripts/test .*--strict' "$scripts/../.ci/run" || {
    echo "flaky: .ci/run does not say --strict"
    exit 1
}
