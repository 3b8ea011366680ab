/* SPDX-License-Identifier: MIT */
/*
 * proxy/session.h - one client connection from accept to close. Read session.c from top to bottom:
 * accept -> (wait for a place) -> pick -> connect -> relay -> close.
 *
 * Both sides want EPOLLERR all the time: a reset is noticed even while a lane waits elsewhere.
 */
#pragma once

#include <netinet/in.h>

#include "proxy/relay.h"

struct accepted;
struct upstream_endpoint;
struct upstream_frontend;
struct view;
struct worker;

enum close_reason {
#define REASON(id, word, text) id,
#include "proxy/reasons.h"
        CLOSE_REASONS
};
const char *close_reason_word(enum close_reason r);

/* Clients of one frontend that may wait for a place (overload_policy: queue); more are turned
 * away. */
#define SESSION_WAITING_MAX 1024

/* X(enum, word) */
#define SESSION_PHASES(X)                                                                          \
        X(WAIT, "wait")       /* for a place: overload_policy: queue */                            \
        X(CONNECT, "connect") /* to a backend */                                                   \
        X(RELAY, "relay")                                                                          \
        X(FLUSH, "flush") /* the server has died; what it had sent still goes to the client */

enum session_phase {
#define X(id, word) SESSION_##id,
        SESSION_PHASES(X)
#undef X
};
const char *session_phase_word(enum session_phase p);

union session_peer { /* the client's address, without the bulk of a Unix path */
        struct sockaddr sa;
        struct sockaddr_in in4;
        struct sockaddr_in6 in6;
};

struct session {
        uint64_t id;
        struct link link; /* of the worker */
        struct link wait_link;
        struct worker *worker;                    /* borrowed */
        struct view *view;                        /* keeps the generation */
        const struct upstream_frontend *frontend; /* kept alive by view */
        const struct upstream_endpoint *endpoint; /* likewise; NULL: none yet */
        struct side client, server;
        struct lane up, down; /* client to server, server to client */
        struct timer timer;   /* lazy: activity moves active_ms, the timer looks at it when due */
        uint64_t born_ms, active_ms; /* active_ms: while connecting, when that began */
        uint64_t *tried;             /* a bit per endpoint of the pool; owned; NULL: none */
        union session_peer peer;
        uint32_t chosen_ms;          /* from born_ms until its endpoint was chosen */
        uint8_t addr, n_addrs_tried; /* of the endpoint: the one in use, how many failed */
        int16_t failure;             /* of these, the last that was the endpoint's own; 0: none */
        uint16_t n_tried;            /* endpoints that failed in this session */
        uint8_t phase;               /* enum session_phase */
        bool has_place : 1;          /* counted in the gates of frontend and daemon */
        bool no_ports : 1;           /* this machine had no source port for some endpoint */
};

/* Takes a->fd, also on failure. */
void session_accept(struct worker *w, const struct accepted *a);

/* A place may have become free: the oldest ones waiting try again. */
void session_retry_waiting(struct worker *w);

/* Logs, counts, frees, from any half-built state; s is gone. */
void session_close(struct session *s, enum close_reason reason);
