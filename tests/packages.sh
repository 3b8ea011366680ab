#!/bin/bash
# SPDX-License-Identifier: MIT
# tests/packages.sh build|test|bench ... - installs what packages.txt lists for that and is not there yet
#
# Without a network it succeeds if nothing is missing. What apt says does not count, only whether the
# things are there afterwards: a package of somebody else's that is broken must not be in the way.
set -euo pipefail
list=$(dirname "$(readlink -f "$0")")/packages.txt

present() {
    local path
    case $1 in
    cmd:*) PATH=$PATH:/usr/sbin:/sbin command -v "${1#cmd:}" >/dev/null ;;
    pc:*) pkg-config --exists "${1#pc:}" 2>/dev/null ;;
    file:*)
        for path in ${1#file:}; do # a pattern
            [[ -e $path ]] && return 0
        done
        return 1
        ;;
    *)
        echo "packages.txt: what is $1?" >&2
        return 1
        ;;
    esac
}

missing() { # the packages of the groups named that are not there
    local package sign group wanted
    while read -r package sign group; do
        [[ $package == \#* || -z $package ]] && continue
        for wanted in "$@"; do
            if [[ ,$group, == *,$wanted,* ]] && ! present "$sign"; then
                echo "$package"
            fi
        done
    done <"$list"
}

install() { # what is installed is not to start as a service: it would take ports
    local policy=/usr/sbin/policy-rc.d made=
    if [[ ! -e $policy ]]; then
        printf '#!/bin/sh\nexit 101\n' >$policy
        chmod +x $policy
        made=$policy
    fi
    DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@" </dev/null || true
    [[ -z $made ]] || rm -f "$made"
}

read -ra need <<<"$(missing "$@" | tr '\n' ' ')"
if ((${#need[@]} == 0)); then
    exit 0
fi
if ((EUID != 0)) || ! command -v apt-get >/dev/null; then
    echo "missing: ${need[*]}" >&2
    echo "install them as root: apt-get install --no-install-recommends ${need[*]}" >&2
    exit 1
fi
echo "installing: ${need[*]}"
install "${need[@]}"
read -ra need <<<"$(missing "$@" | tr '\n' ' ')"
if ((${#need[@]})); then # the lists are old, or there are none
    apt-get update || true
    install "${need[@]}"
fi
read -ra need <<<"$(missing "$@" | tr '\n' ' ')"
for package in "${need[@]}"; do # one that cannot be had shall not hold up the others
    install "$package"
done
read -ra need <<<"$(missing "$@" | tr '\n' ' ')"
if ((${#need[@]})); then
    echo "could not be installed: ${need[*]}" >&2
    exit 1
fi
