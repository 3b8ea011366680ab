/* SPDX-License-Identifier: MIT */
/* control/server_parts.h - what server.c, server_peer.c and server_call.c share, and nobody
 * else. */
#pragma once

#include "control/server.h"
#include "core/list.h"
#include "varlink/message.h"
#include "varlink/reader.h"
#include "varlink/writer.h"

/* Behind signals, the watchdog and health checks. */
#define SERVER_PRIORITY (SD_EVENT_PRIORITY_NORMAL + 10)

struct server {
        sd_event *event; /* referenced */
        server_fn fns[BAL_METHODS_COUNT];
        void *userdata;
        struct link listeners;
        struct link peers;
        size_t n_peers[BAL_SOCKETS_COUNT];
};

struct server_text {
        unsigned refs;
        struct varlink_text text;
};

struct peer {
        struct link link; /* in server->peers */
        struct server *server;
        enum bal_socket which;
        int fd;
        uid_t uid;
        pid_t pid;
        sd_event_source *io, *turn, *deadline;
        struct varlink_reader reader;
        struct server_call *call;   /* unanswered; borrowed, it belongs to who answers */
        struct varlink_text out;    /* owned, unless it is that of shared */
        struct server_text *shared; /* referenced; NULL: out is its own */
        size_t sent;
        uint64_t used_ms; /* CLOCK_MONOTONIC; it said something, or had read all, last */
        bool eof;         /* it sends no more, but may wait for the reply */
        bool ending;      /* close it when out is written */
};

struct server_call {
        struct peer *peer;           /* NULL: has gone */
        struct varlink_call message; /* owns what parameters of the server_fn point into */
        enum bal_method method;
        uid_t uid;
        pid_t pid;
        server_gone_fn gone; /* NULL: nobody wants to know */
        void *gone_arg;
};

/* server_peer.c */

int peer_new(struct server *s, enum bal_socket which, int fd); /* takes fd; it joins s->peers */
struct peer *peer_free(struct peer *p);
void peer_last_words(struct peer *p); /* sends what the socket takes of an answer, right now */
/* Of those on one socket that neither wait for an answer nor read what comes, the one that has said
 * or read something least lately; NULL: all are busy. */
struct peer *peer_idlest(const struct server *s, enum bal_socket which);
void peer_turn_out(struct peer *p); /* frees it; says TooManyClients, if it can */
void peer_turn_away(int fd);        /* takes fd; says TooManyClients */

/* What peer_run() sends next; both take parameters, and act in a turn of the event loop. */
void peer_say(struct peer *p, json_t *parameters);
void peer_say_text(struct peer *p, const struct varlink_text *parameters); /* does not take */
void peer_say_error(struct peer *p, enum bal_error e, json_t *parameters);
int peer_say_more(struct peer *p, json_t *parameters); /* as server_reply_more(); does not take */
void peer_say_shared(struct peer *p, struct server_text *t); /* takes a reference of its own */
void peer_wants_turn(struct peer *p);

/* server_call.c */

void call_start(struct peer *p, struct varlink_call *message); /* takes message */
