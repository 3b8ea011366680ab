#!/bin/bash
# SPDX-License-Identifier: MIT
# tests/bench/build.sh - installs what the benches need, and builds bal and their tools in build-bench/
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
build=$here/../../build-bench
log=$build.log

"$here"/../packages.sh build bench
if [[ ! -e $build/build.ninja ]]; then
    rm -rf "$build"
    if ! meson setup "$build" "$here/../.." --buildtype=release -Dtests=enabled >"$log" 2>&1; then
        cat "$log" >&2
        exit 1
    fi
fi
if ! ninja -C "$build" src/cli/bal tests/bench/tools/{hold,bulk} >"$log" 2>&1; then
    cat "$log" >&2
    exit 1
fi
rm -f "$log"
