/* SPDX-License-Identifier: MIT */
/*
 * proxy/passive.h - what sessions meet behind the connect says of a backend's health.
 *
 * A server that closes each connection before it has said a byte, or never answers a request with
 * HTTP, is as dead as one that refuses, though each check that only connects is content. A row of
 * such sessions takes the backend out as a failed connect does, if another backend of the pool
 * serves: what goes wrong on all of them is the fault of what clients ask for, or of nobody here.
 * It stays out until a session is served (endpoint_unserved()); one tries it alone now and then.
 */
#pragma once

#include "upstream/upstream.h"

struct session;

#define PASSIVE_ROW     5    /* sessions in a row that were let down, over all workers */
#define PASSIVE_SOON_MS 1000 /* a server that closes later may have been waiting for its client */

/* Of protocol tcp: how a server's end of a session came about. */
struct passive_close {
        uint64_t n_said;   /* bytes of the server */
        uint64_t quiet_ms; /* since the connect, or since the newest byte of the client */
        bool client_first; /* the client had closed, or half of it, before */
        bool settled;      /* the session had lasted for some seconds */
};
bool passive_is_sign(const struct passive_close *c);

/* A session was served: true if its backend had let down some before, and is to be told of. */
bool passive_served(struct endpoint *e);
/* One was let down: true if the backend is to be taken out. */
bool passive_let_down(struct endpoint *e, const struct upstream_pool *pool, uint64_t now_ms);

/* The same for the endpoint that the session has, with all that follows. */
void passive_session_served(struct session *s);
void passive_session_let_down(struct session *s, int failure);

/* tunnel.c: the lane of the server has run. before: its bytes until then; open: no EOF until then.
 */
void passive_heard(struct session *s, uint64_t before, bool open);
void passive_reset(struct session *s);   /* the server is dead, and what it had sent is through */
void passive_settled(struct session *s); /* it has lasted for some seconds */
