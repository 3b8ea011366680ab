/* SPDX-License-Identifier: MIT */
/*
 * proxy/session.h - one client connection from accept to close.
 *
 *   enter -> pick -> dial -> connect -> relay -> close                     protocol tcp
 *   enter -> idle -> head -> pick -> dial -> connect -> exchange -> idle   protocol http
 *
 * A session is a state machine. Its phase says what it does now; session_step() takes it one phase
 * on and says what is next: STEP_AGAIN, another step; STEP_WAIT, nothing before the next event;
 * STEP_GONE, it ends. One driver, session_go_on() in session.c, makes the steps and is the only
 * place where a session that has ended in a step is closed. So no function that returns a step
 * frees its session, and no function calls the driver of another one: a slot that becomes free, a
 * backend that works again, is posted to the worker's loop, which wakes the sessions that wait.
 *
 * session.c has birth, slots, waiting and death, dial.c the way to a backend, tunnel.c the relay,
 * and http_*.c all between the head of a request and the end of its response.
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

/* Clients of one frontend that may wait for a slot or for a backend; more are turned away. */
#define SESSION_WAITING_MAX 1024

/* X(enum, word) */
#define SESSION_PHASES(X)                                                                          \
        X(ENTER, "wait")      /* wants a slot of its frontend; waits for one in a list */          \
        X(IDLE, "idle")       /* HTTP: between two requests */                                     \
        X(HEAD, "head")       /* HTTP: a part of a request's head is there */                      \
        X(LINGER, "linger")   /* HTTP: the last response is out; the client may still send */      \
        X(ANSWER, "answer")   /* HTTP: with an answer of bal's own */                              \
        X(PICK, "wait")       /* wants a backend; waits in a list for a full one */                \
        X(HOLD, "hold")       /* waits for a backend that can take it */                           \
        X(DIAL, "connect")    /* an endpoint is chosen */                                          \
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

enum session_step {
        STEP_AGAIN, /* the phase has changed, or has more to do: another step */
        STEP_WAIT,  /* until a socket, the timer or a wake-up */
        STEP_GONE   /* session_end() was called: the driver closes it */
};

union session_peer { /* the client's address, without the bulk of a Unix path */
        struct sockaddr sa;
        struct sockaddr_in in4;
        struct sockaddr_in6 in6;
};

/* The same as an address; a Unix socket's has no name. */
struct addr session_peer_addr(const union session_peer *p);

/* A connect that takes long goes on while the session turns to another backend, or waits. Whichever
 * answers first is used. */
struct late {
        struct server *server;                    /* owned; NULL: none */
        const struct upstream_endpoint *endpoint; /* with a slot of its gate */
        struct upstream_addrs *addrs;             /* referenced */
        uint64_t chosen_ms;
        uint32_t chosen_us;
        uint8_t addr;
        bool counted; /* its endpoint was told of the time-out */
};

struct session {
        uint64_t id;
        struct link link;                         /* of the worker */
        struct link wait_link;                    /* of a list of the view, see session_wait() */
        struct worker *worker;                    /* borrowed */
        struct view *view;                        /* keeps the generation */
        const struct upstream_frontend *frontend; /* kept alive by view */
        const struct upstream_target *target;     /* likewise: the pool it goes to */
        const struct upstream_endpoint *endpoint; /* likewise; NULL: none yet */
        struct upstream_addrs
                *addrs;    /* referenced; of the endpoint when it was chosen; NULL: none yet */
        struct http *http; /* NULL: protocol tcp */
        struct side client;
        struct server *server; /* owned; NULL: none */
        struct late late;
        struct lane up, down; /* client to server, server to client */
        struct timer timer;   /* lazy: activity moves active_ms, the timer looks at it when due */
        uint64_t born_ms, active_ms; /* active_ms: while connecting, when that began */
        uint64_t asked_ms;  /* since then it wants a slot or a backend: its age in a list */
        uint64_t wanted_ms; /* since then it wants a backend, and has its slot */
        uint64_t chosen_ms; /* its endpoint was chosen */
        uint64_t retry_ms;  /* what was tried may be tried again from then on */
        uint64_t *tried;    /* a bit per endpoint of the pool; owned; NULL: none */
        union session_peer peer;
        uint32_t chosen_us;          /* chosen_ms more exactly: the low half of CLOCK_MONOTONIC */
        uint8_t addr, n_addrs_tried; /* of addrs: the one in use, how many failed */
        int16_t failure;             /* of these, what says most of the endpoint; 0: none */
        uint16_t n_tried;            /* endpoints that failed in this session */
        uint8_t phase;               /* enum session_phase */
        uint8_t reason;              /* enum close_reason: STEP_GONE, or if no backend comes back */
        uint8_t waits_for;           /* enum wait_kind, while it is in a list */
        uint32_t waited_ms;          /* since asked_ms, as of leaving a list; 0: it has a backend */
        bool has_slot : 1;           /* counted in the gates of frontend and daemon */
        bool enters : 1;             /* waits in the frontend's list, not in its pool's */
        bool waited : 1;             /* it was in a list, and has no backend yet */
        bool held : 1;               /* likewise, and counted in its pool's holding */
        bool hopes : 1;              /* the endpoint is a last hope */
        bool insisted : 1;           /* without a hold it had one of these whatever the claims */
        bool short_here : 1;         /* this machine lacked a port, a descriptor or memory */
        bool no_port : 1;            /* of these a port */
        bool settled : 1;            /* protocol tcp: it lives, see session_settle() */
};

/* Takes a->fd, also on failure. */
void session_accept(struct worker *w, const struct accepted *a);

/* A slot may have become free, or a backend works again: the oldest ones waiting try again. From
 * the loop only, never from a step. */
void session_retry_waiting(struct worker *w);
void session_on_admit_timer(struct timer *t); /* of the worker: more than one turn's worth waits */

/* Logs, counts, frees, from any half-built state; s is gone. From the loop only: a step ends its
 * session with session_end(). */
void session_close(struct session *s, enum close_reason reason);

/* ---- for the other files of a session ---- */

uint64_t session_now_ms(const struct session *s);
uint64_t session_public_id(const struct session *s); /* the same session has it everywhere */

enum session_step session_end(struct session *s, enum close_reason reason); /* STEP_GONE */

void session_on_server(struct io *io); /* its server's side has something */

/* Moves it to the newest generation, if that has its frontend, and the pool among those that the
 * frontend sends to; NULL: any pool. It does not wait any more then. Not while it has an endpoint.
 * False: it stays, and waits on if it waits. */
bool session_renew(struct session *s, const struct pool *pool);

/* No backend serves it: it ends, or its request gets an answer. */
enum session_step session_fail(struct session *s, enum close_reason reason);
/* Its pool is full: it waits for a slot there, or fails, as overload_policy says. */
enum session_step session_queue(struct session *s);
/* Others wait for a slot in its pool, and could use any: it must not overtake them. */
bool session_others_queue(const struct session *s);
/* Can it wait for a backend that comes back? */
bool session_may_hold(const struct session *s);
bool session_hold_is_over(const struct session *s); /* the time for it is */
/* It waits, and looks by itself at look_ms; 0: no particular time. reason: of its end, if none
 * comes back. */
enum session_step session_hold(struct session *s, uint64_t look_ms, enum close_reason reason);
void session_stop_waiting(struct session *s); /* idempotent */
/* It has what it waited for, or it is given up: the wait is counted, if there was one. */
void session_served(struct session *s);
void session_unserved(struct session *s, enum close_reason reason);
/* Bytes have moved along one of its lanes: counted, and a sign of life. */
void session_moved(struct session *s, const struct lane *lane, uint64_t n);

/* dial.c: the phases on the way to a backend. */
enum session_step session_pick(struct session *s);          /* SESSION_PICK */
enum session_step session_dial(struct session *s);          /* SESSION_DIAL */
enum session_step session_connect_ready(struct session *s); /* the kernel has an answer */
enum session_step session_connect_late(struct session *s);  /* its time is over */
enum session_step session_late_ready(struct session *s);    /* as connect_ready, for s->late */
/* Its connection to a backend is closed; its endpoint is given back; the late connect is given up.
 * Idempotent. */
void session_drop_server(struct session *s);
void session_drop_endpoint(struct session *s);
void session_drop_late(struct session *s);
/* It ends before its connect does: another session may try the endpoint. */
void session_unclaim(struct session *s);
/* The endpoint in use works again, if it was cooling; or it failed although it connects. */
void session_endpoint_works(struct session *s);
void session_endpoint_broke(struct session *s, int failure);
/* The endpoint in use shall not be chosen again for this request. False: out of memory. */
bool session_mark_tried(struct session *s);
void session_forget_tried(struct session *s);

/* tunnel.c: bytes both ways without a look. */
enum session_step session_start_relay(struct session *s);
enum session_step session_relay(struct session *s); /* SESSION_RELAY */
enum session_step session_flush(struct session *s); /* SESSION_FLUSH: the server has died */
/* Its timer has run, and it will be idle at due at the earliest: when to look again. */
uint64_t session_settle(struct session *s, uint64_t due);
