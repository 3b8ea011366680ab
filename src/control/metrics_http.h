/* SPDX-License-Identifier: MIT */
/*
 * control/metrics_http.h - one page over HTTP, for whoever scrapes it: GET and HEAD of one path,
 * everything else is refused. In the control thread's event loop, behind all that is urgent;
 * nothing blocks, and no client can hold more than it may.
 *
 * The protocol is libmicrohttpd's, which is loaded when the first client comes: as it stands on
 * GnuTLS, linking with it would cost every `bal status` 4 ms and 4 MiB, and every bal whose metrics
 * nobody asks for 3 MiB.
 */
#pragma once

#include <systemd/sd-event.h>

#include "control/exposition.h"

/* Connections at a time, and how long one may take from its accept to the last byte. Where one more
 * comes, the oldest has to go: somebody who sends nothing, or reads nothing, shall not lock out who
 * does. */
#define METRICS_CLIENTS_MAX 16
#define METRICS_CLIENT_MS   10000
/* Who asks within so many milliseconds gets the page that is there, the same memory too. */
#define METRICS_FRESH_MS    100
/* Descriptors: its clients, some that are on their way out, and its own. */
#define METRICS_FDS         (METRICS_CLIENTS_MAX + 16)

struct metrics_http;

struct metrics_http_hooks {
        /* The page. 0, or a negative errno. */
        int (*page)(struct exposition *ret, enum exposition_format f, void *userdata);
        /* The first client came, and cannot be served, nor can any other: -ELIBACC, -ENOMEM. Comes
         * from the event loop, never from within, and has to free the metrics_http. */
        void (*failed)(int error, void *userdata);
        void *userdata;
};

/* Takes listen_fd, also on failure; path and hooks are copied. -ENOSYS: this bal was built without
 * libmicrohttpd; -ELIBACC: it is not installed, metrics_http_library() says more. */
int metrics_http_new(struct metrics_http **ret,
                     sd_event *event,
                     int listen_fd,
                     const char *path,
                     const struct metrics_http_hooks *hooks);
struct metrics_http *metrics_http_free(struct metrics_http *h);
DEFINE_CLEANUP(struct metrics_http *, metrics_http_free)

int metrics_http_set_path(struct metrics_http *h, const char *path); /* -ENOMEM: it stays */
void metrics_http_tick(struct metrics_http *h);                      /* once a second */
const char *metrics_http_library(void); /* what is wrong with it, after -ELIBACC */
