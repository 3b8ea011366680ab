/* SPDX-License-Identifier: MIT */
/* cli/doctor/listening.h - the listening TCP sockets of this machine and their queues, as the
 * kernel tells them over netlink: /proc/net/tcp does not know how long a queue may become. */
#pragma once

#include "net/addr.h"

struct listening {
        struct addr addr;
        uint64_t inode;
        uint32_t queue, queue_max; /* waiting for accept(), and how many may */
        uint32_t dropped;          /* since it was opened; only when it can be known */
        bool knows_dropped;
};

/* New array, which the caller frees. 0; -ENOMEM; -EPROTONOSUPPORT, -ENOENT, ...: the kernel has no
 * sock_diag(7). */
int listening_all(struct listening **ret, size_t *ret_n);
