/* SPDX-License-Identifier: MIT */
/* control/process.h - what the kernel says of this process: getrlimit(2), proc(5). */
#pragma once

#include "core/base.h"

struct process_facts {
        uint64_t cpu_us; /* of all threads, in user and kernel mode */
        uint64_t resident_bytes;
        uint64_t open_fds, max_fds;
};

/* What cannot be learnt is 0. Since Linux 6.2 the descriptors need not be listed to be counted;
 * before, where there are many, their number may be PROCESS_FDS_MS old. */
#define PROCESS_FDS_MS 10000
void process_look(struct process_facts *ret);
