/* SPDX-License-Identifier: MIT */
/*
 * The minder looks after sessions whose endpoint was marked: at the deadline of a drain or of
 * maintenance it closes them, evenly over MIND_SPREAD_MS so that their clients do not come back all
 * in one moment; in a pool with on_marked_down: close it closes them when checks mark the endpoint
 * down; and it knows the age of the oldest one that is left. It runs while there is such a session,
 * once a second, or ten times while it closes.
 *
 * It remembers nothing between two rounds but what stands in the endpoints, so a mark that is taken
 * back or a deadline that moves needs no word to it.
 */

#include "proxy/worker.h"

#define LOAD(x)     atomic_load_explicit(&(x), memory_order_relaxed)
#define STORE(x, v) atomic_store_explicit(&(x), (v), memory_order_relaxed)

#define MIND_MS        1000  /* between two rounds while nothing is to be closed */
#define MIND_STEP_MS   100   /* while something is */
#define MIND_SPREAD_MS 10000 /* from the deadline to the last session's end */
#define MIND_BATCH     500   /* closed in one go where there is no spreading; others want a turn */

struct round {
        uint64_t now_ms;
        uint64_t next_ms; /* of the next round; UINT64_MAX: none is needed */
        unsigned n_closed;
};

static void round_sooner(struct round *r, uint64_t at_ms) {
        if (at_ms < r->next_ms)
                r->next_ms = at_ms;
}

static bool has_left_service(const struct endpoint *e) {
        return LOAD(e->admin) != ADMIN_READY;
}

/* Sessions that had it before the mark; later ones are a last hope. Those that still connect may
 * find another endpoint by themselves. An endpoint that lets down new ones may serve the old. */
static bool was_marked_down(const struct session *s) {
        const struct endpoint *e = s->endpoint->endpoint;

        return s->phase >= SESSION_RELAY && s->target->pool->config->close_on_marked_down &&
               endpoint_is_out(e) && s->chosen_ms <= LOAD(e->down_at_ms);
}

/* Counts the sessions of endpoints that have left service, oldest first as the list is. */
static void count(struct worker *w, struct round *r) {
        w->mind_round++;
        list_for_each(l, &w->sessions) {
                const struct session *s = container_of(l, struct session, link);
                struct endpoint_counters *c;

                if (!s->endpoint || !has_left_service(s->endpoint->endpoint))
                        continue;
                c = &s->endpoint->endpoint->per_worker[w->index];
                if (c->round != w->mind_round) {
                        c->round = w->mind_round;
                        c->left = 0;
                        STORE(c->oldest_ms, s->born_ms);
                        round_sooner(r, r->now_ms + MIND_MS);
                }
                c->left++;
        }
}

/* How many of an endpoint's sessions end in this round, so that the last ends in time: those that
 * are left, over the rounds that are left, and for the rest of that division a dice. */
static uint32_t quota_of(struct worker *w,
                         const struct endpoint *e,
                         uint32_t left,
                         struct round *r) {
        uint64_t deadline = LOAD(e->deadline_ms), end = deadline + MIND_SPREAD_MS, rounds;

        if (deadline == 0)
                return 0;
        if (r->now_ms < deadline) {
                round_sooner(r, deadline);
                return 0;
        }
        round_sooner(r, r->now_ms + MIND_STEP_MS);
        rounds = end > r->now_ms ? (end - r->now_ms) / MIND_STEP_MS + 1 : 1;
        return (uint32_t)(left / rounds + (worker_random(w) % rounds < left % rounds));
}

static void close_due(struct worker *w, struct round *r) {
        for (struct link *l = w->sessions.next, *next; l != &w->sessions; l = next) {
                struct session *s = container_of(l, struct session, link);
                struct endpoint_counters *c;
                struct endpoint *e;

                next = l->next;
                if (!s->endpoint)
                        continue;
                if (was_marked_down(s)) {
                        if (++r->n_closed > MIND_BATCH) {
                                round_sooner(r, r->now_ms + 1);
                                return;
                        }
                        session_close(s, CLOSE_MARKED_DOWN);
                        continue;
                }

                e = s->endpoint->endpoint;
                c = &e->per_worker[w->index];
                if (!has_left_service(e) || c->round != w->mind_round)
                        continue;
                if (c->left > 0) { /* the first of this endpoint */
                        c->quota = quota_of(w, e, c->left, r);
                        c->left = 0;
                }
                if (c->quota == 0 || s->phase < SESSION_RELAY)
                        continue;
                c->quota--;
                session_close(s, CLOSE_DRAINED);
        }
}

void worker_mind(struct worker *w) {
        struct round r = { .now_ms = loop_now_ms(w->loop), .next_ms = UINT64_MAX };

        warm_sweep(w, false);
        count(w, &r);
        close_due(w, &r);
        if (r.next_ms != UINT64_MAX)
                timer_set(w->loop, &w->mind_timer, r.next_ms);
}

void worker_on_mind_timer(struct timer *t) {
        worker_mind(container_of(t, struct worker, mind_timer));
}
