#!/bin/bash
# SPDX-License-Identifier: MIT
# tests/run.sh - installs what is needed, builds bal in every way, runs every test in each build
#
#   --full    the long versions of the flow tests
#   --only B  one build alone: gcc, clang, address or thread
#
# The last line is "N passed, N failed" over all builds; the status is 0 when nothing failed. The
# builds stay in build-tests/, so a second run is quick.
#
# Many tests hold bal to times that a busy machine cannot keep. One that fails runs once more, with
# the machine to itself: it counts as failed if it fails again, and is listed as unsteady if not.
# What a sanitizer finds is no matter of time, so such a test has failed for good.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."
only=
while (($#)); do
    case $1 in
    --full) export FLOW_FULL=1 ;;
    --only)
        only=${2:?--only gcc, clang, address or thread}
        shift
        ;;
    *)
        echo "usage: $0 [--full] [--only gcc|clang|address|thread]" >&2
        exit 64
        ;;
    esac
    shift
done

tests/packages.sh build test

top=build-tests
passed=0 failed=0
summary=()

say() {
    printf '\n===== %s\n' "$*"
}

count() { # a check that is no meson test: what, status
    if (($2)); then
        failed=$((failed + 1))
        summary+=("FAILED   $1")
    else
        passed=$((passed + 1))
    fi
}

build() { # name, then options of meson setup; CC is in the environment
    local dir=$top/$1 status=0
    say "build: $*"
    if [[ -e $dir/build.ninja ]]; then
        meson configure "$dir" "${@:2}" >/dev/null || status=$?
    else
        rm -rf "$dir"
        meson setup "$dir" "${@:2}" -Dtests=enabled >"$top/$1.setup" 2>&1 || status=$?
        ((status == 0)) || cat "$top/$1.setup"
    fi
    ((status)) || ninja -C "$dir" >"$top/$1.ninja" 2>&1 || status=$?
    if ((status)) && [[ -e $top/$1.ninja ]]; then
        grep -v '^\[' "$top/$1.ninja" | tail -60
    fi
    count "$1: the build" "$status"
    return "$status"
}

failures() { # file of results: the names of those that failed, but for what a sanitizer found
    jq -r 'select(.result == "FAIL" or .result == "TIMEOUT")
        | select((.stdout // "") + (.stderr // "")
            | test("(Address|Leak|Thread)Sanitizer|runtime error:") | not)
        | .name | split(" / ")[-1]' "$1"
}

again() { # name, file of results, what to call meson by: those that failed run once more, alone
    local dir=$top/$1 names second=$top/$1.second
    mapfile -t names < <(failures "$2")
    if ((${#names[@]} == 0 || ${#names[@]} > 10)); then
        return # more than a few are no accident
    fi
    say "once more: $1: ${names[*]}"
    ${3} meson test -C "$dir" --no-rebuild --print-errorlogs --num-processes 1 --logbase again \
        "${names[@]}" || true
    jq -r 'select(.result == "OK") | .name' "$dir/meson-logs/again.json" >"$second" || true
    mapfile -t names <"$second"
    if ((${#names[@]})); then
        summary+=("${names[@]/#/unsteady  ($1): }")
        jq -c --rawfile passed "$second" '($passed | split("\n")) as $ok
            | if .name as $n | $ok | index([$n]) then .result = "OK" else . end' "$2" >"$2.new"
        mv "$2.new" "$2"
    fi
}

suites() { # name, what to call meson by, then its options: runs tests and adds up what they say
    local name=$1 dir=$top/$1 result=$top/$1/meson-logs/testlog.json ok bad lines
    say "tests: $name"
    rm -f "$result"
    ${2} meson test -C "$dir" --no-rebuild --print-errorlogs --num-processes "$jobs" "${@:3}" || true
    if [[ ! -s $result ]]; then
        count "$name: meson test" 1
        return
    fi
    cp "$result" "$top/$name.json"
    result=$top/$name.json
    again "$name" "$result" "$2"
    ok=$(grep -cE '"result": ?"(OK|EXPECTEDFAIL)"' "$result" || true)
    bad=$(grep -cE '"result": ?"(FAIL|TIMEOUT|ERROR|INTERRUPT|UNEXPECTEDPASS)"' "$result" || true)
    passed=$((passed + ok))
    failed=$((failed + bad))
    mapfile -t lines < <(jq -r --arg build "$name" \
        'select(.result != "OK" and .result != "EXPECTEDFAIL") | "\(.result)  \($build): \(.name)" +
            if .result == "SKIP" then "  \((.stdout // "") | split("\n")[0])" else "" end' "$result")
    summary+=("${lines[@]}")
    # a flow test that skips a part of itself is still OK for meson
    mapfile -t lines < <(jq -r --arg build "$name" '. as $t | ((.stdout // "") + (.stderr // "")) | split("\n")[]
        | select(test("\\.\\.\\. skipped")) | "skipped  \($build): \($t.name): \(.)"' "$result")
    summary+=("${lines[@]}")
    if ((ok + bad == 0)); then
        count "$name: no test ran" 1
    fi
}

wanted() {
    [[ -z $only || $only == "$1" ]]
}

jobs=$((3 * $(nproc))) # most of what a test does is waiting
mkdir -p "$top"
export ASAN_OPTIONS=halt_on_error=1:detect_leaks=1:print_summary=1
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
export TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1

if wanted gcc && CC=gcc build gcc -Dwerror=true; then
    suites gcc ''
fi
if wanted clang; then # the other compiler's warnings; none of them needs -O
    CC=clang build clang -Dwerror=true -Db_lundef=false -Doptimization=0 -Ddebug=false || true
fi
# -Og: -O2 would optimise for longer what sanitizers add than all that comes after it saves by that
if wanted address && CC=gcc build address -Db_sanitize=address,undefined -Doptimization=g; then
    suites address '' --no-suite lint
fi
if wanted thread && CC=gcc build thread -Db_sanitize=thread -Doptimization=g; then
    # gcc 12's ThreadSanitizer cannot live with as much address randomisation as newer kernels make
    tame=
    if (($(cat /proc/sys/vm/mmap_rnd_bits 2>/dev/null || echo 28) > 28)); then
        tame='setarch -R'
    fi
    suites thread "$tame" --no-suite lint --no-suite screen
fi

say "${SECONDS} s"
((${#summary[@]} == 0)) || printf '%s\n' "${summary[@]}"
echo "$passed passed, $failed failed"
((failed == 0))
