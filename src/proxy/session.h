/* SPDX-License-Identifier: MIT */
/*
 * proxy/session.h - one client connection from accept to close.
 *
 *   accept -> (wait for a place) -> pick -> connect -> relay -> close      protocol tcp
 *   accept -> read a head -> pick -> connect -> exchange -> read ...       protocol http
 *
 * session.c has its birth, places and death, dial.c the way to a backend, tunnel.c the relay, and
 * http_*.c what is between a head and the end of its response.
 *
 * Both sides want EPOLLERR all the time: a reset is noticed even while a lane waits elsewhere.
 */
#pragma once

#include <netinet/in.h>

#include "proxy/server.h"
#include "upstream/upstream.h"

struct accepted;
struct http;
struct view;

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
        X(IDLE, "idle")       /* HTTP: between two requests */                                     \
        X(HEAD, "head")       /* HTTP: a part of a request's head is there */                      \
        X(LINGER, "linger")   /* HTTP: the last response is out; the client may still send */      \
        X(ANSWER, "answer")   /* HTTP: with an answer of bal's own */                              \
        X(CONNECT, "connect") /* to a backend */                                                   \
        X(RELAY, "relay")                                                                          \
        X(EXCHANGE, "exchange") /* HTTP: a request and its response */                             \
        X(FLUSH, "flush")       /* the server has died; what it had sent still goes to the client */

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

/* The same as an address; a Unix socket's has no name. */
struct addr session_peer_addr(const union session_peer *p);

struct session {
        uint64_t id;
        struct link link; /* of the worker */
        struct link wait_link;
        struct worker *worker;                    /* borrowed */
        struct view *view;                        /* keeps the generation */
        const struct upstream_frontend *frontend; /* kept alive by view */
        const struct upstream_target *target;     /* likewise: the pool it goes to */
        const struct upstream_endpoint *endpoint; /* likewise; NULL: none yet */
        struct http *http;                        /* NULL: protocol tcp */
        struct side client;
        struct server *server; /* owned; NULL: none */
        struct lane up, down;  /* client to server, server to client */
        struct timer timer;    /* lazy: activity moves active_ms, the timer looks at it when due */
        uint64_t born_ms, active_ms; /* active_ms: while connecting, when that began */
        uint64_t asked_ms;           /* since then it wants a backend */
        uint64_t chosen_ms;          /* its endpoint was chosen */
        uint64_t *tried;             /* a bit per endpoint of the pool; owned; NULL: none */
        union session_peer peer;
        uint32_t chosen_us;          /* chosen_ms more exactly: the low half of CLOCK_MONOTONIC */
        uint8_t addr, n_addrs_tried; /* of the endpoint: the one in use, how many failed */
        int16_t failure;             /* of these, the last that was the endpoint's own; 0: none */
        uint16_t n_tried;            /* endpoints that failed in this session */
        uint8_t phase;               /* enum session_phase */
        bool has_place : 1;          /* counted in the gates of frontend and daemon */
        bool no_ports : 1;           /* this machine had no source port for some endpoint */
        bool settled : 1;            /* protocol tcp: it lives, see session_settle() */
};

/* Takes a->fd, also on failure. */
void session_accept(struct worker *w, const struct accepted *a);

/* A place may have become free: the oldest ones waiting try again. */
void session_retry_waiting(struct worker *w);

/* Logs, counts, frees, from any half-built state; s is gone. */
void session_close(struct session *s, enum close_reason reason);

/* ---- for the other files of a session ---- */

uint64_t session_now_ms(const struct session *s);
uint64_t session_public_id(const struct session *s); /* the same session has it everywhere */

void session_on_server(struct io *io); /* its server's side has something */

/* No backend serves it: it is closed, or its request gets an answer. s may be gone. */
void session_fail(struct session *s, enum close_reason reason);
/* The pool is full: it waits for a place in it, or fails. s may be gone. */
void session_queue(struct session *s);
/* Bytes have moved along one of its lanes: counted, and a sign of life. */
void session_moved(struct session *s, const struct lane *lane, uint64_t n);

/* dial.c: picks an endpoint and connects, one after the other until one connect is under way; HTTP
 * takes a warm connection where there is one. s may be gone. */
void session_dial(struct session *s);
enum upstream_pick session_pick(struct session *s);
void session_connect_next(struct session *s);  /* the same, with an endpoint chosen or not */
void session_give_up(struct session *s);       /* nobody was usable */
void session_connect_ready(struct session *s); /* the kernel has an answer to its connect */
void session_connect_late(struct session *s);  /* its time is over */
/* Its connection to a backend is closed; its endpoint is given back. Idempotent. */
void session_drop_server(struct session *s);
void session_drop_endpoint(struct session *s);
/* The endpoint in use works again, if it was cooling; or it failed although it connects. */
void session_endpoint_works(struct session *s);
void session_endpoint_broke(struct session *s, int failure);
/* The endpoint in use shall not be chosen again for this request. False: out of memory. */
bool session_mark_tried(struct session *s);
void session_forget_tried(struct session *s);

/* tunnel.c: bytes both ways without a look. */
void session_start_relay(struct session *s);
void session_relay(struct session *s);
/* Its timer has run, and it will be idle at due at the earliest: when to look again. */
uint64_t session_settle(struct session *s, uint64_t due);
void session_flush(struct session *s); /* SESSION_FLUSH: the server has died */
