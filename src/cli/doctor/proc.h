/* SPDX-License-Identifier: MIT */
/* cli/doctor/proc.h - what the kernel tells as text. Reading it, and understanding it: pure. */
#pragma once

#include <sys/types.h>

#include "net/addr.h"

/* The start of a small file, NUL-ended. Bytes; a negative errno. */
ssize_t proc_read(const char *path, char *buf, size_t size);
ssize_t proc_read_of(pid_t pid, const char *name, char *buf, size_t size); /* /proc/PID/NAME */
int proc_number(uint64_t *ret, const char *path); /* a file that is one number */

/* Pure from here on: false or -EINVAL where the text is not what it should be. */

struct proc_limits {
        uint64_t soft, hard; /* UINT64_MAX: unlimited */
};
bool proc_nofile(struct proc_limits *ret, const char *limits); /* /proc/PID/limits */

/* The unit of systemd that a process belongs to: "nginx.service". /proc/PID/cgroup, v1 or v2. */
#define PROC_UNIT_MAX 128
bool proc_unit(char ret[static PROC_UNIT_MAX], const char *cgroup);

char proc_state(const char *stat);                                           /* 'T'; 0 */
bool proc_port_range(unsigned *ret_first, unsigned *ret_last, const char *); /* both inclusive */
bool proc_kernel(unsigned *ret_major, unsigned *ret_minor, const char *release);
/* TCP sockets of this network, those in TIME_WAIT too. /proc/net/sockstat */
bool proc_sockets(uint64_t *ret, const char *sockstat);
/* How full, in per cent; a maximum of 0: there is none. */
unsigned proc_percent(uint64_t used, uint64_t max);

/* One line of /proc/net/tcp or tcp6 that is a connection: who is on the other side of which own
 * port. IPv4 mapped into IPv6 is IPv4. False: it listens, or it is no row. */
bool proc_connection(uint16_t *ret_port, struct addr *ret_remote, const char *line);
