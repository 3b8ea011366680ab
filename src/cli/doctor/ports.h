/* SPDX-License-Identifier: MIT */
/* cli/doctor/ports.h - how many source ports each backend address takes: the counting. Pure. */
#pragma once

#include "cli/doctor/finding.h"
#include "net/addr.h"

struct port_use {
        struct addr addr; /* of a backend */
        size_t used;
};

size_t ports_prepare(struct port_use *uses, size_t n); /* sorts, drops doubles; how many are left */
/* One line of /proc/net/tcp or tcp6; own ports from first to last count. */
void ports_count(struct port_use *uses, size_t n, const char *line, unsigned first, unsigned last);
void ports_judge(struct finding *f, const struct port_use *uses, size_t n, unsigned range);

void conntrack_judge(struct finding *f, uint64_t count, uint64_t max); /* check_conntrack.c */
