/* SPDX-License-Identifier: MIT */
/* control/limits.h - how many sessions the descriptors of this process carry. */
#pragma once

#include "config/config.h"

struct limits {
        uint32_t nofile;       /* RLIMIT_NOFILE in force */
        uint32_t reserve;      /* descriptors that are neither for sessions nor for clients */
        uint32_t max_sessions; /* what is enforced: the file's, or less */
        uint32_t max_clients;  /* descriptors of clients and resting connections, at most */
        uint32_t needed;       /* the RLIMIT_NOFILE that would carry the file's */
        unsigned max_pipes;    /* per worker, see proxy/stock.h */
};

/* Raises the soft limit to the hard one, once at start. setrlimit(2) */
void limits_raise(void);

/* What the limit carries: two descriptors a session, some for clients that wait in a queue or are
 * turned away, and a reserve for listeners, workers, pipes, clients of the control sockets and
 * health checks. Sessions and clients leave the reserve alone: max_sessions + max_clients + reserve
 * is at most nofile, unless that is too small to work at all. nofile: 0 asks the process. */
void limits_plan(struct limits *ret, const struct config *c, uint32_t nofile);

/* The hard limit: what limits_raise() would reach. */
uint32_t limits_hard(void);
