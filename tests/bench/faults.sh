#!/bin/bash
# SPDX-License-Identifier: MIT
# tests/bench/faults.sh - what clients notice of a fault behind bal, HAProxy and nginx; --help lists the options
#
# About 13 minutes. Each case is a fault: packets that are lost, backends that restart, hang, reset or crash,
# limits that are reached, clients that leave. Run it as root: most cases need a network namespace, and say
# that they are skipped without. The last lines are a table, the versions, and where bal is worse.
#
# Installs what is missing and builds bal as a release in build-bench/, as run.sh does.
#
#   HAPROXY, BENCH_HAPROXY, BENCH_NGINX, BENCH_BAL   other programs, by path
#
# With BENCH_BAL or --bal nothing is installed or built.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
export BENCH_HAPROXY=${BENCH_HAPROXY:-${HAPROXY:-}} PYTHONDONTWRITEBYTECODE=1

case " $* " in
*' --help '* | *' -h '* | *' --list '* | *' --bal'*) ;;
*)
    if [[ -z ${BENCH_BAL:-} ]]; then
        "$here"/build.sh
        export BENCH_BAL=$here/../../build-bench/src/cli/bal
    fi
    ;;
esac
exec python3 "$here/faults.py" "$@"
