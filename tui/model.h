/* SPDX-License-Identifier: MIT */
/*
 * tui/model.h - what the daemon says, as bal-top shows it. Pure: JSON goes in, and whoever calls
 * says what time it is. The lists of all backends come as text, as bal_client_receive_list() has
 * them. After a failure (-EBADMSG: not the document it should be; -ENOMEM) the
 * model is as it was before.
 */
#pragma once

#include <jansson.h>

#include "cli/states.h"
#include "core/base.h"
#include "varlink/scan.h"

#define STRIP_CELLS    24  /* of five seconds */
#define STRIP_LONG     120 /* of one backend, on its own page */
#define EVENTS_KEPT    512
#define SESSIONS_ASKED 200

struct strip { /* the last minutes, the newest last */
        size_t n;
        int64_t active[STRIP_LONG]; /* -1: it was down */
};

struct short_strip {
        size_t n;
        int32_t active[STRIP_CELLS]; /* -1: it was down */
};

struct check {
        char type[8], result[16]; /* as documents have it; "" if there is none */
        int64_t duration_ms, interval_ms, failed_in_a_row, fall, passed_in_a_row, rise;
        uint64_t last_s;
};

struct backend {
        char *pool, *name, *reason, *text; /* owned; reason and text may be "" */
        enum state state;
        uint64_t since_s; /* 0: unknown */
        int64_t weight, weight_configured;
        int64_t slow_start_percent, retry_in_ms, deadline_in_ms, oldest_s; /* -1: none */
        int64_t max_connections;
        bool backup, tagged;
        struct check check;
        double new_per_s, failed_per_s;
        double in_per_s, out_per_s; /* -1: not known yet */
        int64_t active, peak, total, bytes_in, bytes_out;
        int64_t timeout, refused, other, closed;
        int64_t state_changes;
        struct short_strip strip;
};

struct pool {
        char *name, *reason; /* owned */
        int64_t total, reachable, unavailable_total;
        bool protected;
        uint64_t since_s;
        int64_t failures, trigger, window_ms, successes, stable, activations;
        int64_t last_ms;   /* -1: never on, or on now */
        int64_t peak_cell; /* the highest of its backends' strips */
};

struct frontend {
        char *name, *listen, *protocol, *method, *pool; /* owned */
        int64_t active, max, waiting, total, rejected;
        double new_per_s, rejected_per_s; /* -1: not known yet */
};

struct session {
        int64_t id, age_ms, idle_ms, bytes_in, bytes_out;
        char *client, *frontend, *backend, *state; /* owned; backend is POOL/NAME */
        char slow[8];
        int64_t rtt_us[2], retransmits[2], unsent[2]; /* client, server; -1: no TCP */
};

struct event {
        int64_t number;
        uint64_t real_s;
        char level;                  /* E, W, I */
        bool state;                  /* a change of state of a backend */
        char *pool, *backend, *text; /* owned; "" for what is about none */
};

struct model {
        bool valid;                             /* there has been a snapshot */
        uint64_t mono_ms, real_s;               /* when the last one came */
        char *version, *hostname, *config_path; /* owned */
        int64_t pid, uptime_s, config_number;
        uint64_t config_s;
        bool draining, restarting, log_failed;
        int64_t active, max, total, rejected;
        int64_t held, queued; /* clients that wait: no backend can take them; for a slot */
        double new_per_s, rejected_per_s, timeout_per_s, refused_per_s, other_per_s;
        double in_per_s, out_per_s; /* -1: not known yet */
        size_t count[STATES_COUNT];
        struct backend *backends;
        size_t n_backends;
        struct pool *pools;
        size_t n_pools;
        struct frontend *frontends;
        size_t n_frontends;
        struct strip all; /* all backends together */
        int64_t peak;     /* the most connections of all that it or we have seen */
        int64_t cell_ms;
        struct event *events; /* the oldest first */
        size_t n_events;
        struct session *sessions;
        size_t n_sessions;
        int64_t sessions_matched, sessions_total;
};

void model_done(struct model *m);
int model_snapshot(struct model *m,
                   const json_t *doc,
                   struct scan_text backends,
                   uint64_t mono_ms,
                   uint64_t real_s);
int model_history(struct model *m, const json_t *doc, struct scan_text backends);
int model_events(struct model *m, const json_t *doc, bool first); /* first: of a new stream */
int model_sessions(struct model *m, const json_t *doc);
/* Of one backend, from GetHistory with its name; -ENOENT: it is not in there. */
int model_strip(struct strip *ret, struct scan_text backends, const char *pool, const char *name);

struct backend *model_find(const struct model *m, const char *pool, const char *name); /* NULL */
const struct pool *model_pool(const struct model *m, const char *name);                /* NULL */
const struct pool *model_worst_pool(const struct model *m); /* by its protection; NULL: no pool */
/* As the daemon counts when it is about to take one away. */
bool backend_in_use(const struct backend *b);
/* The newest event about it; NULL. */
const struct event *model_event_of(const struct model *m, const struct backend *b);
