/* SPDX-License-Identifier: MIT */
/*
 * proxy/survey.h - looking at sessions, or closing some: what crew_survey() asks of each worker.
 *
 * A worker goes through its sessions in slices, one a turn of its loop, so that thousands of them
 * hold nobody up. It keeps the `limit` foremost that match; the control thread puts the workers'
 * answers together. A session that ends meanwhile may be in the answer or not.
 */
#pragma once

#include "proxy/session.h"

/* X(enum, word, help): the foremost first. */
#define SURVEY_SORTS(X)                                                                            \
        X(AGE, "age", "the oldest first")                                                          \
        X(IDLE, "idle", "without a byte for longest first")                                        \
        X(BYTES, "bytes", "the most bytes, both ways, first")                                      \
        X(RTT, "rtt", "the longest round trip of either leg first")                                \
        X(RETRANSMITS, "retransmits", "the most repeated segments of either leg first")

enum survey_sort {
#define X(id, word, help) SURVEY_##id,
        SURVEY_SORTS(X)
#undef X
                SURVEY_SORTS_COUNT
};
int survey_sort_find(const char *word); /* -ENOENT */

#define SURVEY_LIMIT_MAX 1000 /* records of an answer */

struct survey_query {                    /* NULL, 0: any */
        char *frontend, *pool, *backend; /* owned */
        char *client;                    /* owned; the address, with the port or without */
        uint64_t id;
        uint64_t min_age_ms, min_idle_ms;
        enum survey_sort sort;
        uint32_t limit; /* 1..SURVEY_LIMIT_MAX */
        bool close;     /* closes those that match, instead of telling of them */
};
void survey_query_done(struct survey_query *q);

struct survey_leg { /* TCP_INFO, tcp(7); known false: a Unix socket, or not connected yet */
        bool known;
        uint32_t rtt_us, rtt_var_us, retransmits, unacked, unsent_bytes;
};

struct survey_record {
        uint64_t key;              /* of the sort */
        struct upstream *upstream; /* referenced; keeps the two below */
        const struct upstream_frontend *frontend;
        const struct upstream_endpoint *endpoint; /* NULL: none yet */
        const struct upstream_pool *pool;
        uint64_t id, age_ms, idle_ms, bytes_in, bytes_out;
        enum session_phase phase;
        bool client_slow, server_slow; /* bytes wait because this side does not take them */
        union session_peer peer;
        struct survey_leg client, server;
};

struct survey { /* one worker's part, or the whole answer */
        struct survey_record
                *records; /* owned; in no order in a part, foremost first in an answer */
        size_t n_records;
        uint64_t n_matched; /* also those beyond the limit; or closed */
        uint64_t n_looked;
        uint64_t from_id; /* a part: how far it has come */
};
void survey_done(struct survey *s);

/* In a worker's thread: the next slice. True: there is more. -ENOMEM is told as an answer that is
 * cut: n_matched is right all the same. */
bool survey_step(struct survey *part, const struct survey_query *q, struct worker *w);

/* Puts parts together; takes their records. */
void survey_merge(struct survey *ret, struct survey *parts, size_t n, uint32_t limit);
