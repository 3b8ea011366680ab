/* SPDX-License-Identifier: MIT */
/*
 * health/probe.h - one attempt to find out whether a backend serves: a connect, or a GET.
 *
 * The head of a response is read by the codec that traffic goes through, within the same limits, so
 * a backend whose responses a client would not get is not taken for well. Its body is not read.
 *
 * All addresses of a name are tried in turn, and the first that does is enough. Each gets its share
 * of the time to connect; the answer to a request may take all that is left.
 *
 * With linger_ms a connect is no good yet: the backend must not close the connection in that time.
 * One that says something, or nothing, does.
 *
 * A connection that was made is closed with a reset, so that thousands of checks a second leave
 * nothing behind in TIME_WAIT. The handshake is complete all the same: the backend has to have room
 * in its queue, as for a client.
 */
#pragma once

#include "config/config.h"
#include "http/head.h"
#include "net/loop.h"

struct probe;

enum probe_verdict {
        PROBE_GOOD,
        PROBE_BAD,
        PROBE_UNABLE /* short of descriptors, ports or memory: says nothing about the backend */
};

/* p is stopped already, and may be freed. failure: upstream/failure.h; when unable, an errno. */
typedef void (*probe_fn)(struct probe *p, enum probe_verdict verdict, int failure);

struct probe_target { /* all borrowed, until the probe has ended */
        const struct config_endpoint *endpoint;
        const struct config_check *check;
        const struct addr *addrs;
        size_t n_addrs;     /* 1 or more */
        uint32_t linger_ms; /* only if no response is asked for; 0: not at all */
};

#define PROBE_LINGER_MS 150 /* a server that closes each connection does it sooner */

struct probe { /* embedded in its owner; get back with container_of() */
        struct probe_target target;
        struct loop *loop;
        probe_fn fn;
        uint64_t start_ms, until_ms;
        size_t first, n_tried; /* of the addresses */
        bool first_timed_out;  /* so somebody else shall be the first next time */
        /* of the address in use */
        struct io io;
        struct timer timer;
        int fd; /* owned; -EBADF: none */
        enum probe_stage { PROBE_WAIT, PROBE_CONNECT, PROBE_SEND, PROBE_READ, PROBE_LINGER } stage;
        size_t n_sent;
        struct http_scan scan; /* of the response */
        unsigned n_interim;
        char *head; /* as far as it has come; owned; NULL: nothing of it is kept */
        size_t n_head, room;
        int failure, unable; /* of the addresses so far */
};

void probe_init(struct probe *p); /* so that probe_stop() may be called */

/* first: index of the address to begin with. fn may be called before this returns. */
void probe_start(struct probe *p,
                 struct loop *loop,
                 const struct probe_target *target,
                 size_t first,
                 probe_fn fn);
void probe_stop(struct probe *p); /* idempotent; fn is not called any more */

/* Index of the address in use; of the one that did, when the verdict is good. */
size_t probe_addr(const struct probe *p);

/* Does a failed connect say something about this machine only? */
bool probe_is_local(int failure);

/* The request, for a test to compare. Returns its length. */
#define PROBE_REQUEST_MAX 2048
size_t probe_request(const struct probe_target *target, char buf[static PROBE_REQUEST_MAX]);
