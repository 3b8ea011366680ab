/* SPDX-License-Identifier: MIT */
/* cli/probe.h - can the backends be reached from here? All at once, within one time limit. */
#pragma once

#include "config/config.h"

enum probe_result { PROBE_TIMEOUT, PROBE_OK, PROBE_REFUSED, PROBE_OTHER };

struct probe {
        const struct config_endpoint *endpoint; /* borrowed */
        const char *pool;                       /* borrowed */
        enum probe_result result;
        int error;   /* the -errno of PROBE_OTHER; 0: the name has no address */
        int pending; /* lookups and connects under way; for the prober itself */
};

#define PROBE_MS 1000

/* Connects to every endpoint and closes again; never takes much longer than limit_ms, whatever the
 * network or the name server does. 0, -ENOMEM, or another -errno when there was no way to try. */
int probe_all(struct probe *probes, size_t n, int limit_ms);

const char *probe_text(const struct probe *p); /* "refused"; static, or strerror()'s */
