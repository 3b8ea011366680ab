/* SPDX-License-Identifier: MIT */
/*
 * control/listeners.h - the listening sockets, and how one set becomes the next without losing a
 * connection: what stays is kept open, what is new is opened first, what goes is retired last.
 */
#pragma once

#include <systemd/sd-event.h>

#include "config/config.h"
#include "control/passed.h"
#include "proxy/crew.h"
#include "upstream/upstream.h"

struct listeners {
        struct listener_socket {
                struct addr addr;
                int fd;          /* owned, unless kept */
                size_t frontend; /* index in the configuration of the set */
                dev_t dev;       /* of a Unix socket's file */
                ino_t ino;
                bool kept;   /* it is also in the set before, which owns it until the commit */
                bool passed; /* systemd's (control/passed.h): never closed here, nor unlinked */
        } * sockets;         /* owned */
        size_t n;
};

struct listeners_problem { /* why an address cannot be listened on */
        struct addr addr;
        const char *frontend; /* borrowed from the configuration */
        int error;            /* negative errno */
};

/* All sockets of config; those that current (which may be NULL) has as well are only borrowed from
 * it, and those that systemd has passed (NULL: none) take the place of own ones. -errno:
 * *ret_problem says which one; nothing has changed. */
int listeners_plan(struct listeners **ret,
                   const struct config *config,
                   const struct listeners *current,
                   const struct passed *passed,
                   struct listeners_problem *ret_problem);
/* Would listeners_plan() succeed? The same, but nothing is opened for clients, told in the log, or
 * left behind. */
int listeners_try(const struct config *config,
                  const struct listeners *current,
                  const struct passed *passed,
                  struct listeners_problem *ret_problem);
/* Undoes a plan that was not committed, and closes a set for good. */
struct listeners *listeners_free(struct listeners *l);
DEFINE_CLEANUP(struct listeners *, listeners_free);

/* The nth address that a frontend is listened on, which systemd may have chosen; NULL: no more. l
 * may be NULL. */
const struct addr *listeners_addr(const struct listeners *l, size_t frontend, size_t nth);

/* For crew_prepare(): as many as l->n; the caller frees. NULL: out of memory. */
struct crew_listen *listeners_for_crew(const struct listeners *l);

/* The workers have adopted next. Kept sockets become its own; the rest of current is retired:
 * hidden from new connects, read until handshakes under way are over (LISTENERS_LINGER_MS), then
 * closed. What it still yields becomes sessions of u, the generation it was opened for. Frees
 * current. */
#define LISTENERS_LINGER_MS 500

void listeners_commit(struct listeners *next,
                      struct listeners *current,
                      sd_event *event,
                      struct crew *crew,
                      struct upstream *u);

/* Sets what a reload may have changed: the length of queues, and what accepted sockets inherit. */
void listeners_tune(const struct listeners *l, const struct config *config);

/* For the end: takes what waits in the queues, closes. Frees l. What waits at a socket of systemd's
 * is left for who comes next. */
void listeners_close(struct listeners *l, struct crew *crew, struct upstream *u);
void listeners_retire_all_now(void);
