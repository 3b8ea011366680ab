/* SPDX-License-Identifier: MIT */
/*
 * A real crew between clients that hold their connections and a listener that answers nobody. The
 * tests are its control thread.
 */
#pragma once

/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
/* clang-format on */

#include "proxy/crew.h"
#include "upstream/upstream.h"

struct worker;

#define SESSIONS 120
#define WORKERS  2
#define PATIENCE 10000 /* ms: this long a test waits before it fails */

struct stage {
        int backend_fd;
        struct addr backend;
        struct crew *crew;
        struct upstream *u;
        int clients[SESSIONS + 8];
        unsigned n_clients, n_done;
};

void turn(struct stage *s, int ms); /* a while of the control thread's life */
struct crew_totals sum(const struct stage *s);
struct endpoint *endpoint(const struct stage *s);
uint64_t connected(const struct stage *s);

void stage_init(struct stage *s, bool close_on_marked_down);
/* With more keys of the frontend and of the server: "" or ", key: value". */
void stage_init_with(struct stage *s, const char *frontend, const char *server);
struct upstream *stage_generation(struct stage *s, const char *frontend, const char *server);
/* The whole configuration is the test's, backends and all. */
struct upstream *stage_load(struct stage *s, const char *text, const struct upstream_names *names);
void stage_init_text(struct stage *s, const char *text, const struct upstream_names *names);
void stage_adopt(struct stage *s, struct upstream *u, const struct crew_listen *l, size_t n);
/* All workers have turned once more: what they wrote before may be read here. */
void stage_ping(struct stage *s);
void stage_give_to(struct stage *s, struct worker *w);
void stage_give(struct stage *s, unsigned worker); /* a client, to that worker */
int backend_accept(struct stage *s);               /* the oldest connection to the backend */
int listen_somewhere(struct addr *ret);            /* a listening socket; where it listens */
void stage_open(struct stage *s, unsigned n);      /* n more sessions, all connected */
void stage_done(struct stage *s);
void wait_for_sessions(struct stage *s, uint32_t n);
