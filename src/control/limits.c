/* SPDX-License-Identifier: MIT */

#include "control/limits.h"

#include <sys/resource.h>

#include "bal/protocol.h"
#include "control/metrics_http.h"
#include "health/health.h"
#include "proxy/session.h"

#define BASE_FDS   32  /* standard streams, epoll, events, signals, log, configuration */
#define WORKER_FDS 4   /* epoll and mailbox, with some air */
#define PIPES_MAX  128 /* per worker */
#define REFUSED    256 /* clients that are turned away: their connections end a moment later */

/* Where descriptors are short, sessions come first: the rest gets no more than this share each, and
 * clients that are turned away half of it. */
#define SHARE 8

static uint32_t min_u32(uint32_t a, uint32_t b) {
        return a < b ? a : b;
}

static uint32_t clamp(rlim_t limit) {
        return limit > INT32_MAX ? INT32_MAX : (uint32_t)limit;
}

static struct rlimit limit_of_process(void) {
        struct rlimit limit = { 1024, 1024 };

        getrlimit(RLIMIT_NOFILE, &limit); /* cannot fail with these arguments, getrlimit(2) */
        return limit;
}

uint32_t limits_hard(void) {
        return clamp(limit_of_process().rlim_max);
}

void limits_raise(void) {
        struct rlimit limit = limit_of_process();

        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit); /* if it fails, the plan works with what there is */
}

/* What is neither of clients nor a pipe. */
static uint32_t fixed_fds(const struct config *c, uint32_t nofile) {
        uint32_t clients = 2 * BAL_CLIENTS_MAX, listens = 0;

        for (size_t i = 0; i < c->n_frontends; i++)
                listens += 2 * (uint32_t)c->frontends[i].n_listen; /* old and new in a reload */
        return BASE_FDS + (c->metrics ? METRICS_FDS : 0) + c->workers * WORKER_FDS + listens +
               min_u32(clients, nofile / SHARE) +
               min_u32((uint32_t)health_descriptors(c), nofile / SHARE);
}

/* For clients without a session that is served. */
static uint32_t other_fds(const struct config *c, uint32_t nofile) {
        uint32_t waiting = 0;

        for (size_t i = 0; i < c->n_frontends; i++)
                if (c->frontends[i].overload == CONFIG_QUEUE)
                        waiting += SESSION_WAITING_MAX;
        return min_u32(waiting, nofile / SHARE) + min_u32(REFUSED, nofile / SHARE / 2);
}

void limits_plan(struct limits *ret, const struct config *c, uint32_t nofile) {
        uint32_t carried, pipes, kept;

        if (nofile == 0)
                nofile = clamp(limit_of_process().rlim_cur);
        pipes = min_u32(PIPES_MAX, nofile / SHARE / 2 / c->workers);

        *ret = (struct limits){ .nofile = nofile, .max_pipes = pipes };
        ret->reserve = fixed_fds(c, nofile) + 2 * pipes * c->workers;
        kept = ret->reserve + other_fds(c, nofile);
        /* at least one: 0 would be no limit at all */
        carried = nofile > kept + 1 ? (nofile - kept) / 2 : 1;
        ret->max_sessions = min_u32(c->max_connections, carried);
        ret->max_clients = nofile > ret->reserve + ret->max_sessions
                                   ? nofile - ret->reserve - ret->max_sessions
                                   : 1;
        ret->needed = 2 * c->max_connections + fixed_fds(c, INT32_MAX) + other_fds(c, INT32_MAX) +
                      2 * PIPES_MAX * c->workers;
}
