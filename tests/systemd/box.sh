#!/bin/bash
# SPDX-License-Identifier: MIT
# tests/systemd/box.sh - boots a real, throw-away systemd with journal and D-Bus, runs a command in it
#
#   box.sh [-i TREE] [-b PATH]... [-j FILE] COMMAND [ARG...]
#   box.sh --can      says on standard output why there can be no box here, and exits with 77
#
#   -i TREE  is copied onto the box's / before it boots: what a package would install
#   -b PATH  is there as on the host, read-write; the rest of the host's root file system is there
#            too, but copy on write: what the box writes is gone afterwards. /tmp, /run, /dev and
#            /etc/systemd/system are fresh, and so is the network: a loopback and nothing else
#   -j FILE  the box's journal is saved there
#
# COMMAND runs as root, in this directory, with this environment, standard input and output, and SDBOX=1. The
# exit status is its own; 125: the box did not come up, and standard error says why.
#
# How: an overlay of / in new namespaces of every kind but the user's; systemd is PID 1 of them, in a
# cgroup of its own. A supervisor outside waits, ends it, and leaves nothing behind.
set -euo pipefail

die() {
    echo "box.sh: $*" >&2
    exit 125
}

cannot() { # the first reason, on standard output
    local program
    ((EUID == 0)) || { echo "it takes root to boot a systemd"; return; }
    for program in unshare nsenter setpriv mount tar systemctl journalctl systemd-sysusers dbus-daemon; do
        command -v "$program" >/dev/null || { echo "$program is not installed"; return; }
    done
    [[ -x /lib/systemd/systemd ]] || { echo "systemd is not installed"; return; }
    unshare --mount --pid --net --ipc --uts --cgroup --fork --propagation private true 2>/dev/null ||
        { echo "no right to make namespaces"; return; }
    # shellcheck disable=SC2016
    unshare --mount --propagation private bash -c '
        d=$(mktemp -d) && mount -t tmpfs box "$d" && mkdir "$d"/{up,work,root,cgroup} &&
            mount -t overlay -o "lowerdir=/,upperdir=$d/up,workdir=$d/work" box "$d/root" || exit 1
        mount -t cgroup2 cgroup2 "$d/cgroup" && mkdir "$d/cgroup/balbox.$$" && rmdir "$d/cgroup/balbox.$$" || exit 2
        umount -R "$d" && rmdir "$d"' 2>/dev/null
    case $? in
    0) ;;
    2) echo "no cgroup2 to be had here" ;;
    *) echo "no overlay file system to be had here" ;;
    esac
}

# ---- in the new namespaces; becomes PID 1 ----

mask=(
    systemd-{sysctl,modules-load,sysusers,remount-fs,tmpfiles-setup-dev,update-utmp}.service
    systemd-{journal-flush,udevd,timesyncd,random-seed,binfmt}.service systemd-initctl.socket
    systemd-journald-audit.socket systemd-ask-password-{console,wall}.path tmp.mount
    systemd-tmpfiles-clean.timer dev-{hugepages,mqueue}.mount sys-fs-fuse-connections.mount
    sys-kernel-{debug,tracing,config}.mount proc-sys-fs-binfmt_misc.automount
)

mount_kernel() { # what is not namespaced is read-only: /sys, and /proc/sys but for the network's
    local R=$1 n
    mount -t proc -o nosuid,nodev,noexec proc "$R/proc"
    mount --bind "$R/proc/sys" "$R/proc/sys"
    mount --bind "$R/proc/sys/net" "$R/proc/sys/net"
    mount -o remount,bind,ro "$R/proc/sys"
    mount -t sysfs -o nosuid,nodev,noexec,ro sysfs "$R/sys"
    mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 "$R/sys/fs/cgroup"
    mount -t tmpfs -o nosuid,mode=755,size=1m tmpfs "$R/dev"
    mkdir "$R"/dev/{pts,shm,mqueue}
    for n in null zero full random urandom tty; do
        : >"$R/dev/$n"
        mount --bind "/dev/$n" "$R/dev/$n"
    done
    mount -t devpts -o nosuid,noexec,newinstance,ptmxmode=0666,mode=620,gid=5 devpts "$R/dev/pts"
    mount -t tmpfs -o nosuid,nodev,mode=1777 tmpfs "$R/dev/shm"
    mount -t mqueue -o nosuid,nodev,noexec mqueue "$R/dev/mqueue"
    ln -s pts/ptmx "$R/dev/ptmx"
    ln -s /proc/self/fd "$R/dev/fd"
    ln -s fd/0 "$R/dev/stdin"
    ln -s fd/1 "$R/dev/stdout"
    ln -s fd/2 "$R/dev/stderr"
}

configure() { # what the box boots, and what it must not touch
    local R=$1 E=$1/etc/systemd u
    mount -t tmpfs -o mode=755 tmpfs "$E/system"
    mkdir -p "$E/system/systemd-tmpfiles-setup.service.d" "$E"/{system,journald}.conf.d
    printf '[Unit]\nRequires=basic.target\nAfter=basic.target\n' >"$E/system/box.target"
    for u in "${mask[@]}"; do
        ln -s /dev/null "$E/system/$u"
    done
    # with --remove it would go for the contents of /tmp, and a directory of the host may be there
    printf '[Service]\nExecStart=\nExecStart=systemd-tmpfiles --create --boot --exclude-prefix=/dev\n' \
        >"$E/system/systemd-tmpfiles-setup.service.d/box.conf"
    printf '[Manager]\nDefaultTimeoutStartSec=30s\nDefaultTimeoutStopSec=15s\n' >"$E/system.conf.d/box.conf"
    printf '[Journal]\n%s\n' Storage=volatile RateLimitIntervalSec=0 ReadKMsg=no Audit=no \
        ForwardToSyslog=no ForwardToWall=no >"$E/journald.conf.d/box.conf"
    : >"$R/etc/fstab"
    rm -f "$R/etc/machine-id"
    tr -d - </proc/sys/kernel/random/uuid >"$R/etc/machine-id"
}

become_init() {
    local pid B=$BOX_DIR/mnt R=$BOX_DIR/mnt/root path
    read -r pid _ </proc/self/stat # /proc is still the host's: our number out there
    mount -t tmpfs -o mode=755,size=50% box "$B"
    mkdir "$B/up" "$B/work" "$R"
    mount -t overlay -o "lowerdir=/,upperdir=$B/up,workdir=$B/work" box "$R"
    mount_kernel "$R"
    mount -t tmpfs -o nosuid,nodev,mode=755 tmpfs "$R/run"
    mount -t tmpfs -o nosuid,nodev,mode=1777 tmpfs "$R/tmp"
    configure "$R"
    if [[ $BOX_TREE ]]; then
        # into directories that are symbolic links, as /lib may be one
        tar -C "$BOX_TREE" -c . | tar -C "$R" -x --no-same-owner --no-overwrite-dir --keep-directory-symlink
        systemd-sysusers --root="$R" 2>/dev/null
    fi
    while IFS= read -r path; do
        [[ $path ]] || continue
        if [[ -d $path ]]; then
            mkdir -p "$R$path"
        else
            mkdir -p "$R${path%/*}"
            : >>"$R$path"
        fi
        mount --bind "$path" "$R$path"
    done <<<"$BOX_BINDS"
    echo "$pid" >"$BOX_DIR/pid.new"
    mv "$BOX_DIR/pid.new" "$BOX_DIR/pid"
    until [[ -e $BOX_DIR/go ]]; do sleep 0.01; done
    : >"$R/run/${BOX_DIR##*/}" # tells this root from the host's
    mkdir "$R/run/host"
    cd "$R"
    pivot_root . run/host
    umount -l /run/host
    rmdir /run/host
    mount --make-rshared / # as on a real system
    exec env -i container=balbox LANG=C.UTF-8 PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
        setpriv --bounding-set=-sys_module,-sys_rawio,-sys_time,-syslog,-mac_admin,-mac_override,-wake_alarm,-block_suspend,-audit_control,-audit_read \
        /lib/systemd/systemd --system --unit=box.target
}

case ${BOX_STAGE-} in
init) become_init ;;
'')
    if [[ ${1-} == --can ]]; then
        why=$(set +e; cannot)
        [[ $why ]] || exit 0
        echo "$why"
        exit 77
    fi
    ((EUID == 0)) || die "must be root"
    BOX_STAGE=outer exec unshare --mount --propagation private bash "$0" "$@"
    ;;
esac
unset BOX_STAGE

# ---- the supervisor, in a mount namespace of its own ----

usage="usage: $0 [-i TREE] [-b PATH]... [-j FILE] COMMAND [ARG...]"
tree='' binds='' journal=''
while getopts i:b:j: o; do
    case $o in
    i) tree=$(realpath -e "$OPTARG") || die "no such directory: $OPTARG" ;;
    b) binds+=$(realpath -e "$OPTARG")$'\n' || die "no such path: $OPTARG" ;;
    j) journal=$(realpath -m "$OPTARG") ;;
    *) die "$usage" ;;
    esac
done
shift $((OPTIND - 1))
(($#)) || die "$usage"

D=$(mktemp -d "${TMPDIR:-/tmp}/balbox.$$.XXXXXX")
mkdir "$D/mnt" "$D/cgroup"
mount -t cgroup2 cgroup2 "$D/cgroup" || die "no cgroup2"
for old in "$D"/cgroup/balbox.* "${TMPDIR:-/tmp}"/balbox.*; do # of a supervisor that was killed
    owner=${old##*/balbox.}
    owner=${owner%%.*}
    if [[ ! -d $old ]] || kill -0 "$owner" 2>/dev/null; then
        continue
    fi
    case $old in
    "$D"/cgroup/*)
        echo 1 >"$old/cgroup.kill" || :
        find "$old" -depth -type d -exec rmdir {} + 2>/dev/null || :
        ;;
    *)
        rm -f "$old"/{pid,pid.new,go}
        rmdir "$old"/{mnt,cgroup} "$old" 2>/dev/null || :
        ;;
    esac
done
C=$D/cgroup/balbox.$$
mkdir "$C" "$C/command"
box='' pid=''

# shellcheck disable=SC2317
clean_up() {
    local i
    trap '' INT TERM HUP
    trap - EXIT
    if [[ $pid ]] && kill -s RTMIN+4 "$pid" 2>/dev/null; then # = start poweroff.target
        for ((i = 0; i < 2000; i++)); do
            kill -0 "$pid" 2>/dev/null || break
            sleep 0.01
        done
    fi
    echo 1 >"$C/cgroup.kill" # whatever is still there, at once
    [[ ! $box ]] || wait "$box" 2>/dev/null || :
    for ((i = 0; i < 500; i++)); do
        find "$C" -depth -type d -exec rmdir {} + 2>/dev/null && break
        sleep 0.01
    done
    umount "$D/cgroup" && rm -f "$D"/{pid,pid.new,go} && rmdir "$D/cgroup" "$D/mnt" "$D" ||
        echo "box.sh: something is left in $D" >&2
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP

failed() { # shows what the box has said
    [[ ! $pid ]] || journalctl -D "/proc/$pid/root/run/log/journal" -o short-precise --no-pager 2>/dev/null |
        tail -40 >&2 || :
    die "$*"
}

inbox() ( # runs something in the box
    echo "$BASHPID" >"$C/command/cgroup.procs"
    exec nsenter -t "$pid" --mount --uts --ipc --net --pid --cgroup -- env --default-signal "$@"
)

(
    echo "$BASHPID" >"$C/cgroup.procs"
    export BOX_STAGE=init BOX_DIR=$D BOX_TREE=$tree BOX_BINDS=$binds
    exec setpriv --pdeathsig KILL unshare --cgroup --uts --ipc --net --mount --pid --fork --kill-child=KILL \
        --propagation private bash "$0"
) </dev/null &
box=$!
for ((i = 0; i < 3000; i++)); do
    [[ ! -s $D/pid ]] || break
    kill -0 "$box" 2>/dev/null || die "the box could not be set up"
    sleep 0.01
done
[[ -s $D/pid ]] || die "the box was not set up within 30 s"
pid=$(<"$D/pid")
echo "$box" >"$C/command/cgroup.procs" # systemd wants its root cgroup for itself
: >"$D/go"
for ((i = 0; i < 3000; i++)); do
    [[ ! -S /proc/$pid/root/run/systemd/private || ! -e /proc/$pid/root/run/${D##*/} ]] || break
    kill -0 "$pid" 2>/dev/null || failed "systemd died while it booted"
    sleep 0.01
done
state=$(inbox timeout 60 systemctl is-system-running --wait) || :
if [[ $state != running ]]; then
    inbox systemctl --failed --no-legend >&2 || :
    failed "systemd is '$state'"
fi
[[ -d /proc/$pid/root$PWD ]] || die "$PWD does not exist in the box: -b"

rc=0
inbox -C "$PWD" SDBOX=1 "$@" <&0 & # in the background: so traps run at once
wait $! || rc=$?
[[ ! $journal ]] || inbox journalctl -b --no-pager -o short-precise >"$journal" || :
exit "$rc"
