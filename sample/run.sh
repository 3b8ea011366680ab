#!/bin/bash
# SPDX-License-Identifier: MIT
# sample/run.sh - builds bal and runs it in front of two small servers, until Ctrl-C
#
#   --port PORT              bal's own port (9295)
#   --backend-ports ONE,TWO  of the two servers (9000,9001)
#   --build DIR              a build that is there already; nothing is installed or built
#
# On a bare Debian 12 it installs what the build needs; that takes root.
set -euo pipefail
root=$(dirname "$(dirname "$(readlink -f "$0")")")
usage="usage: $0 [--port PORT] [--backend-ports PORT,PORT] [--build DIR]"
port=9295 one=9000 two=9001 build=

die() {
    echo "sample/run.sh: $*" >&2
    exit 1
}

while (($#)); do
    case $1 in
    --port) port=${2:?$usage} ;;
    --backend-ports) one=${2%,*} two=${2#*,} ;;
    --build) build=$(readlink -f "${2:?$usage}") ;;
    -h | --help)
        echo "$usage"
        exit 0
        ;;
    *)
        echo "$usage" >&2
        exit 64
        ;;
    esac
    shift 2 || die "$usage"
done
for number in "$port" "$one" "$two"; do
    [[ $number =~ ^[0-9]{1,5}$ ]] || die "not a port: $number"
done

owner_of() { # of a listening port: "pid 12 (nginx)", or nothing when the port is free
    local inode link pid
    inode=$(awk -v hex="$(printf ':%04X' "$1")" '$4 == "0A" && substr($2, length($2) - 4) == hex { print $10; exit }' \
        /proc/net/tcp /proc/net/tcp6 2>/dev/null)
    [[ -n $inode ]] || return 0
    for link in /proc/[0-9]*/fd/*; do
        if [[ $(readlink "$link" 2>/dev/null) == "socket:[$inode]" ]]; then
            pid=${link#/proc/}
            pid=${pid%%/*}
            echo "pid $pid ($(cat "/proc/$pid/comm"))"
            return 0
        fi
    done
    echo "a process of another user"
}

for number in "$port" "$one" "$two"; do
    owner=$(owner_of "$number")
    [[ -z $owner ]] || die "port $number is taken by $owner; end it, or choose other ports ($0 --help)"
done

if [[ -z $build ]]; then
    build=$root/build
    "$root/tests/packages.sh" build
    if [[ ! -e $build/build.ninja ]]; then
        meson setup "$build" "$root" --buildtype=release || die "meson setup failed"
    fi
    meson compile -C "$build" bal sample-backend || die "the build failed"
fi
bal=$build/src/cli/bal

run=$(mktemp -d "${TMPDIR:-/tmp}/bal-sample.XXXXXX")
pids=()
# shellcheck disable=SC2317 # it is a trap
finish() {
    local status=$?
    trap - EXIT INT TERM HUP
    if ((${#pids[@]})); then
        kill "${pids[@]}" 2>/dev/null || true
        wait "${pids[@]}" 2>/dev/null || true
    fi
    rm -rf "$run"
    exit "$status"
}
trap finish EXIT
trap 'exit 0' INT TERM HUP

config=$root/sample/config.yaml
if [[ $port,$one,$two != 9295,9000,9001 ]]; then
    sed -e "s/\b9295\b/$port/; s/\b9000\b/$one/; s/\b9001\b/$two/" "$config" >"$run/config.yaml"
    config=$run/config.yaml
fi
"$build/sample/sample-backend" --listen "127.0.0.1:$one" --name one >"$run/one.log" &
pids+=($!)
"$build/sample/sample-backend" --listen "127.0.0.1:$two" --name two >"$run/two.log" &
pids+=($!)
export RUNTIME_DIRECTORY=$run
"$bal" start -c "$config" 2>"$run/bal.log" &
pids+=($!)
balancer=$!

for _ in {1..200}; do
    kill -0 "$balancer" 2>/dev/null || break
    if [[ $("$bal" status --brief 2>/dev/null) == [OW]* ]]; then # OK or WARN
        ready=1
        break
    fi
    sleep 0.05
done
if [[ -z ${ready-} ]]; then
    cat "$run"/*.log >&2
    die "bal did not start"
fi

cat <<TEXT

bal balances http://localhost:$port/ over two servers, 127.0.0.1:$one and 127.0.0.1:$two. Try:

    curl -s http://localhost:$port/                     # several times: they answer in turn
    export RUNTIME_DIRECTORY=$run
    $bal status
    $bal backend drain 127.0.0.1:$one --yes             # the other one answers alone; enable brings it back
    $bal doctor
    tail -f $run/bal.log
    $bal stop

Ctrl-C ends all of it.
TEXT
status=0
wait -n -p ended "${pids[@]}" || status=$?
if [[ $ended != "$balancer" ]]; then
    die "a server has ended: $(cat "$run/one.log" "$run/two.log")"
fi
if ((status)); then
    cat "$run/bal.log" >&2
    die "bal ended with status $status"
fi
echo "bal was stopped."
