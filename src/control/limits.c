/* SPDX-License-Identifier: MIT */

#include "control/limits.h"

#include <sys/resource.h>

#include "bal/protocol.h"
#include "proxy/session.h"

#define BASE_FDS   64 /* standard streams, epoll, events, signals, log, configuration */
#define WORKER_FDS 4  /* epoll and mailbox, with some air */
#define PIPES_MAX  128

static uint32_t min_u32(uint32_t a, uint32_t b) {
        return a < b ? a : b;
}

static uint32_t hard_limit(void) {
        struct rlimit limit;

        if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
                return 1024;
        return limit.rlim_cur > INT32_MAX ? INT32_MAX : (uint32_t)limit.rlim_cur;
}

void limits_raise(void) {
        struct rlimit limit;

        if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == limit.rlim_max)
                return;
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit); /* if it fails, the plan works with what there is */
}

static uint32_t fixed_fds(const struct config *c) {
        uint32_t n = BASE_FDS + 2 * BAL_CLIENTS_MAX + c->workers * WORKER_FDS;

        for (size_t i = 0; i < c->n_frontends; i++) {
                n += 2 * (uint32_t)c->frontends[i].n_listen; /* old and new ones during a reload */
                if (c->frontends[i].overload == CONFIG_QUEUE)
                        n += SESSION_WAITING_MAX;
        }
        return n;
}

void limits_plan(struct limits *ret, const struct config *c, uint32_t nofile) {
        uint32_t fixed = fixed_fds(c), carried, pipes;

        if (nofile == 0)
                nofile = hard_limit();
        pipes = min_u32(PIPES_MAX, nofile / 32 / c->workers);

        *ret = (struct limits){ .nofile = nofile, .max_pipes = pipes };
        ret->reserve = fixed + 2 * pipes * c->workers;
        carried = nofile > ret->reserve ? (nofile - ret->reserve) / 2 : 1;
        ret->max_sessions = min_u32(c->max_connections, carried);
        ret->needed = 2 * c->max_connections + fixed + 2 * PIPES_MAX * c->workers;
        ret->max_buffers = 2 * ret->max_sessions; /* a lane holds one at most */
}
