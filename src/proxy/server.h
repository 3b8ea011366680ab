/* SPDX-License-Identifier: MIT */
/* proxy/server.h - one connection to a backend, of a session or warm. */
#pragma once

#include "net/wheel.h"
#include "proxy/relay.h"

struct endpoint;
struct session;
struct upstream_addrs;
struct upstream_endpoint;
struct worker;

struct server {
        struct side side;
        struct session *session; /* whose it is; NULL: warm */
};

/* Of HTTP sessions: it outlives its session, and waits for the next one. */
struct warm {
        struct server server;
        struct worker *worker;     /* borrowed */
        struct link link;          /* of the endpoint's own ones in this worker, newest first */
        struct link all_link;      /* of the worker's, oldest first */
        struct timer timer;        /* the end of its rest */
        struct endpoint *endpoint; /* referenced while it is warm; NULL: it is in use */
        uint64_t since_ms;         /* it rests since then */
        uint64_t serial;           /* of the addresses that it was last compared with */
        uint32_t limit_ms;         /* the backend has said how long it keeps it; 0: it did not */
        uint8_t addr;              /* of these: which it is connected to */
};

/* The server of a warm-able connection. */
static inline struct warm *warm_of(struct server *server) {
        return container_of(server, struct warm, server);
}

void warm_init(struct warm *warm, struct worker *w);

/* The newest connection to e, at one of addrs, that rests and may be used, or NULL. careful: it
 * must not fail, since the request cannot be sent twice; then it has rested for a moment only and
 * was looked at. It is no longer warm; its server.session is to be set. */
struct warm *warm_take(struct worker *w,
                       const struct upstream_endpoint *e,
                       const struct upstream_addrs *addrs,
                       bool careful);

/* A request is over and the connection sound: it rests for at most rest_ms. Closes it when there
 * are enough. */
void warm_put(struct worker *w,
              struct warm *warm,
              const struct upstream_endpoint *e,
              uint32_t rest_ms);

/* A session of w that is counted at e is about to connect. Resting connections with which that
 * would exceed max_connections are closed first, those of w at once. False: another worker was
 * asked to close one of its own; call again. */
bool warm_make_room(struct worker *w, struct endpoint *e);
/* Closes those of w that exceed the limit of their endpoint, the oldest first. */
void warm_trim(struct worker *w);

/* Short of descriptors: closes the oldest one. False: there is none. */
bool warm_relieve(struct worker *w);
/* Closes those whose endpoint shall get nothing any more, or all. */
void warm_sweep(struct worker *w, bool all);
