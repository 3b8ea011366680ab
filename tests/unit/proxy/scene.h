/* SPDX-License-Identifier: MIT */
/*
 * A lone worker between clients and backends that the test plays itself, line by line. The worker
 * takes the place of the crew's worker 0, so that a slot that becomes free wakes it.
 *
 * The program is linked with --wrap for crew_worker() and for sock_connect(), see meson.build.
 */
#pragma once

#include "lone.h"

#define DOORS      3
#define PEERS_MAX  1200
#define PEER_TEXT  2048
#define DIALS_MAX  64
#define SOURCES_IP "127.0.0." /* of the addresses of a name: .1, .2 and so on, at one port */

struct plan {
        bool http;
        const char *frontend, *keys; /* more of the frontend, and of its http: ", key: value" */
        const char *pool;            /* likewise; there are no checks */
        const char *server[DOORS];
        unsigned n;       /* servers; 0: one */
        bool named;       /* instead, one server: a name with the addresses of all doors */
        const char *more; /* further lines of the file: frontends, see scene.c */
        const char *more_pools;
};

struct door { /* where a backend listens, or not; its port is kept all the time */
        struct addr addr;
        int keep, fd, fill;
};

struct peer { /* a connection, as its other end sees it */
        int fd;
        uint64_t id; /* of a client: its session */
        bool eof;
        int error;
        size_t n;
        char text[PEER_TEXT]; /* what has come, as far as it fits */
};

struct scene {
        struct lone l;
        struct door doors[DOORS];
        unsigned n_doors;
        int entrance;
        struct addr where; /* clients come from here */
        struct peer *peers[PEERS_MAX];
        unsigned n_peers, n_fds;
        bool reloaded;
        /* connects, in order: which door, and with what outcome if it is not the real one */
        unsigned n_dials;
        int dials[DIALS_MAX], fate[DIALS_MAX];
};

void scene_init(struct scene *sc, const struct plan *plan);
/* Closes everything, and whatever a test did: no descriptor, slot, waiting session or buffer is
 * left. */
void scene_done(struct scene *sc);
void scene_check_empty(struct scene *sc); /* the sessions have gone */
/* The next generation is in force in the worker. The doors are the same. */
void scene_reload(struct scene *sc, const struct plan *plan);

void door_open(struct door *d);      /* from the start all doors are */
void door_close(struct door *d);     /* it refuses connects, and has dropped its queue */
void door_fill(struct door *d);      /* it does not answer: its queue is full */
void door_clear(struct door *d);     /* it does again, to the kernel's next SYN */
bool door_has(const struct door *d); /* a connection waits in its queue */
struct peer *door_take(struct scene *sc, struct door *d); /* that connection */

/* A client of frontend 0 comes, by TCP. */
struct peer *scene_client(struct scene *sc);
struct peer *scene_client_at(struct scene *sc, size_t frontend);
struct session *session_of(const struct scene *sc, const struct peer *p); /* NULL: it has ended */
int phase_of(const struct scene *sc, const struct peer *p);               /* -1: likewise */
struct endpoint *endpoint_of(const struct scene *sc, unsigned server);
struct endpoint_counters *counted(const struct scene *sc, unsigned server);
uint64_t closed(const struct scene *sc, unsigned reason); /* sessions that ended so */

void peer_say(struct peer *p, const char *text);
bool peer_has(struct peer *p, const char *text); /* by now; reads what is there */
bool peer_ended(struct peer *p);                 /* EOF or a reset has come */
void peer_clear(struct peer *p);                 /* forgets what has come */
void peer_finish(struct peer *p);
void peer_close(struct peer *p);
void peer_reset(struct peer *p);

void scene_fire(struct scene *sc, struct session *s); /* its timer is due, and runs */
void scene_turns(struct scene *sc, unsigned n);       /* so that nothing is left to do */
#define until(sc, condition) lone_until(&(sc)->l, condition)
