/* SPDX-License-Identifier: MIT */

#include "proxy/survey.h"

#include <linux/sockios.h>
#include <linux/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "proxy/worker.h"

#define SLICE 256 /* sessions looked at in one turn: two TCP_INFO each are some 200 us */

static const char *const sort_words[] = {
#define X(id, word, help) word,
        SURVEY_SORTS(X)
#undef X
};

int survey_sort_find(const char *word) {
        for (int i = 0; i < SURVEY_SORTS_COUNT; i++)
                if (strcmp(sort_words[i], word) == 0)
                        return i;
        return -ENOENT;
}

void survey_query_done(struct survey_query *q) {
        free(q->frontend);
        free(q->pool);
        free(q->backend);
        free(q->client);
        *q = (struct survey_query){ 0 };
}

static void record_done(struct survey_record *r) {
        r->upstream = upstream_unref(r->upstream);
}

void survey_done(struct survey *s) {
        for (size_t i = 0; i < s->n_records; i++)
                record_done(&s->records[i]);
        free(s->records);
        *s = (struct survey){ 0 };
}

/* ---- does it match ---- */

static bool is_client(const struct session *s, const char *wanted) {
        struct addr peer = session_peer_addr(&s->peer);
        char text[ADDR_TEXT_MAX];

        return strcmp(addr_text(&peer, text), wanted) == 0 ||
               strcmp(addr_text_host(&peer, text), wanted) == 0;
}

static bool is_named(const char *wanted, const char *name) {
        return !wanted || (name && strcmp(wanted, name) == 0);
}

static bool matches(const struct session *s, const struct survey_query *q, uint64_t now_ms) {
        return is_named(q->frontend, s->frontend->config->name) &&
               is_named(q->pool, s->target->pool->config->name) &&
               is_named(q->backend, s->endpoint ? s->endpoint->config->name : NULL) &&
               (q->id == 0 || q->id == session_public_id(s)) &&
               now_ms - s->born_ms >= q->min_age_ms && now_ms - s->active_ms >= q->min_idle_ms &&
               (!q->client || is_client(s, q->client));
}

/* ---- what is told ---- */

static void leg_look(struct survey_leg *ret, const struct side *side) {
        struct tcp_info info = { 0 };
        socklen_t n = sizeof(info);

        *ret = (struct survey_leg){ 0 };
        if (side->fd < 0 || side->is_unix ||
            getsockopt(side->fd, IPPROTO_TCP, TCP_INFO, &info, &n) < 0)
                return;
        *ret = (struct survey_leg){ .known = true,
                                    .rtt_us = info.tcpi_rtt,
                                    .rtt_var_us = info.tcpi_rttvar,
                                    .retransmits = info.tcpi_total_retrans,
                                    .unacked = info.tcpi_unacked,
                                    .unsent_bytes = info.tcpi_notsent_bytes };
}

static uint32_t larger(uint32_t a, uint32_t b) {
        return a > b ? a : b;
}

static bool needs_legs(enum survey_sort sort) {
        return sort == SURVEY_RTT || sort == SURVEY_RETRANSMITS;
}

static void legs_look(struct survey_record *r, const struct session *s) {
        leg_look(&r->client, &s->client);
        if (s->server)
                leg_look(&r->server, &s->server->side);
}

static uint64_t key_of(const struct survey_record *r, enum survey_sort sort) {
        switch (sort) {
        case SURVEY_IDLE:
                return r->idle_ms;
        case SURVEY_BYTES:
                return r->bytes_in + r->bytes_out;
        case SURVEY_RTT:
                return larger(r->client.rtt_us, r->server.rtt_us);
        case SURVEY_RETRANSMITS:
                return larger(r->client.retransmits, r->server.retransmits);
        default:
                return r->age_ms;
        }
}

static void record_fill(struct survey_record *r, const struct session *s, uint64_t now_ms) {
        *r = (struct survey_record){ .upstream = s->view->upstream,
                                     .frontend = s->frontend,
                                     .endpoint = s->endpoint,
                                     .pool = s->target->pool,
                                     .id = session_public_id(s),
                                     .age_ms = now_ms - s->born_ms,
                                     .idle_ms = now_ms - s->active_ms,
                                     .bytes_in = s->up.bytes,
                                     .bytes_out = s->down.bytes,
                                     .phase = s->phase,
                                     .client_slow = s->down.held > 0,
                                     .server_slow = s->up.held > 0,
                                     .peer = s->peer };
}

/* ---- the foremost: a heap whose top is the last of them ---- */

static void swap(struct survey_record *a, struct survey_record *b) {
        struct survey_record t = *a;

        *a = *b;
        *b = t;
}

static void sift_down(struct survey_record *heap, size_t n, size_t i) {
        for (;;) {
                size_t least = i, left = 2 * i + 1, right = left + 1;

                if (left < n && heap[left].key < heap[least].key)
                        least = left;
                if (right < n && heap[right].key < heap[least].key)
                        least = right;
                if (least == i)
                        return;
                swap(&heap[i], &heap[least]);
                i = least;
        }
}

static void sift_up(struct survey_record *heap, size_t i) {
        for (; i > 0 && heap[i].key < heap[(i - 1) / 2].key; i = (i - 1) / 2)
                swap(&heap[i], &heap[(i - 1) / 2]);
}

/* r is not referenced yet. */
static void keep(struct survey *part, const struct survey_record *r, uint32_t limit) {
        if (part->n_records < limit) {
                part->records[part->n_records] = *r;
                upstream_ref(r->upstream);
                sift_up(part->records, part->n_records++);
        } else if (r->key > part->records[0].key) {
                upstream_ref(r->upstream);
                record_done(&part->records[0]);
                part->records[0] = *r;
                sift_down(part->records, part->n_records, 0);
        }
}

static void tell(struct survey *part,
                 const struct survey_query *q,
                 const struct session *s,
                 uint64_t now_ms) {
        struct survey_record r;

        if (!part->records)
                return;
        record_fill(&r, s, now_ms);
        if (needs_legs(q->sort))
                legs_look(&r, s);
        r.key = key_of(&r, q->sort);
        if (part->n_records == q->limit && r.key <= part->records[0].key)
                return;
        if (!needs_legs(q->sort))
                legs_look(&r, s);
        keep(part, &r, q->limit);
}

bool survey_step(struct survey *part, const struct survey_query *q, struct worker *w) {
        uint64_t now_ms = loop_now_ms(w->loop);
        unsigned n = 0;

        if (!part->records && !q->close)
                part->records = calloc(q->limit, sizeof(*part->records));

        /* The list is in the order of the ids. */
        for (struct link *l = w->sessions.next, *next; l != &w->sessions; l = next) {
                struct session *s = container_of(l, struct session, link);

                next = l->next;
                if (s->id < part->from_id)
                        continue;
                if (n++ == SLICE)
                        return true;
                part->from_id = s->id + 1;
                part->n_looked++;
                if (!matches(s, q, now_ms))
                        continue;
                part->n_matched++;
                if (q->close)
                        session_close(s, CLOSE_ADMIN);
                else
                        tell(part, q, s, now_ms);
        }
        return false;
}

static int foremost_first(const void *a, const void *b) {
        const struct survey_record *x = a, *y = b;

        if (x->key != y->key)
                return x->key > y->key ? -1 : 1;
        return x->id < y->id ? -1 : x->id > y->id;
}

void survey_merge(struct survey *ret, struct survey *parts, size_t n, uint32_t limit) {
        size_t all = 0;

        *ret = (struct survey){ 0 };
        for (size_t i = 0; i < n; i++) {
                all += parts[i].n_records;
                ret->n_matched += parts[i].n_matched;
                ret->n_looked += parts[i].n_looked;
        }
        ret->records = calloc(all + 1, sizeof(*ret->records));
        for (size_t i = 0; i < n && ret->records; i++) {
                if (parts[i].n_records > 0)
                        memcpy(ret->records + ret->n_records, parts[i].records,
                               parts[i].n_records * sizeof(*ret->records));
                ret->n_records += parts[i].n_records;
                parts[i].n_records = 0;
        }
        for (size_t i = 0; i < n; i++)
                survey_done(&parts[i]);
        if (!ret->records)
                return;

        qsort(ret->records, ret->n_records, sizeof(*ret->records), foremost_first);
        while (ret->n_records > limit)
                record_done(&ret->records[--ret->n_records]);
}
