#!/bin/bash
# SPDX-License-Identifier: MIT
# tests/bench/run.sh - bal beside HAProxy and nginx on this machine; --help lists the options
#
# Installs what is missing (as tests/run.sh does) and builds bal as a release in build-bench/.
#
#   BENCH_BAL, BENCH_HAPROXY, BENCH_NGINX, BENCH_WRK   other programs, by path
#   BENCH_TOOLS                                        a folder with hold and bulk of tests/bench/tools
#
# With both BENCH_BAL and BENCH_TOOLS nothing is installed or built.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
build=$here/../../build-bench

prepare() {
    "$here"/build.sh
    : "${BENCH_BAL:=$build/src/cli/bal}" "${BENCH_TOOLS:=$build/tests/bench/tools}"
    export BENCH_BAL BENCH_TOOLS
}

export PYTHONDONTWRITEBYTECODE=1
case " $* " in
*' --help '* | *' -h '* | *' --list '*) ;;
*) [[ -n ${BENCH_BAL:-} && -n ${BENCH_TOOLS:-} ]] || prepare ;;
esac
exec python3 "$here/bench.py" "$@"
