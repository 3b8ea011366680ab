/* SPDX-License-Identifier: MIT */
#include "rig.h"

#include <pthread.h>

#include "core/hash.h"

#define SERVERS 5
#define THREADS 4
#define ROUNDS  5000

/* Endpoint i is server 10.0.0.i of a pool; what they are like is up to the test. */
static const char *text_of(const char *algorithm, unsigned n, unsigned max_connections) {
        static char text[8192];
        int at = snprintf(text, sizeof(text),
                          "frontends:\n  - { name: f, listen: \"127.0.0.1:9295\", backend: p, "
                          "algorithm: %s }\nbackends:\n  - name: p\n    servers:\n",
                          algorithm);

        for (unsigned i = 0; i < n; i++)
                at += snprintf(text + at, sizeof(text) - (size_t)at,
                               "      - { address: \"10.0.0.%u:80\", max_connections: %u }\n", i,
                               max_connections);
        return text;
}

static struct endpoint *at(const struct upstream *u, size_t i) {
        return u->pools[0].endpoints[i].endpoint;
}

static struct config_endpoint *config_at(const struct upstream *u, size_t i) {
        return (struct config_endpoint *)u->pools[0].endpoints[i].config;
}

enum { FULL = -1, NOBODY = -2, LATER = -3 };

static int ask(struct asker *a) {
        struct upstream_choice *c = &a->choice;
        enum upstream_pick p;

        *c = (struct upstream_choice){ .index = SIZE_MAX, .hope = true };
        p = upstream_pick(&a->ask, c);
        assert_true(p == PICK_LATER ? c->again_ms > a->ask.now_ms : c->again_ms == 0);
        if (p == PICK_ENDPOINT)
                return (int)c->index;
        assert_int_equal(c->index, SIZE_MAX); /* untouched */
        return p == PICK_FULL ? FULL : p == PICK_LATER ? LATER : NOBODY;
}

/* In the ordinary way. */
static int pick(struct asker *a) {
        int k = ask(a);

        assert_true(k < 0 || !a->choice.hope);
        return k;
}

/* Of the last hope. */
static int hope(struct asker *a) {
        int k = ask(a);

        assert_true(k < 0 || a->choice.hope);
        return k;
}

static void try_not(struct asker *a, size_t i) {
        a->tried[i / 64] |= UINT64_C(1) << (i % 64);
}

static void release(const struct upstream *u, int i) {
        upstream_release(&u->pools[0].endpoints[i]);
}

static void cool(struct endpoint *e, uint64_t until_ms) {
        e->streak = 1;
        e->cool_until_ms = until_ms;
}

/* A connect to it has worked. */
static void work(struct endpoint *e, uint64_t now_ms) {
        e->per_worker[0].last_good_ms = now_ms;
        endpoint_worked(e);
}

static void down(struct endpoint *e) {
        endpoint_mark_down(e, -ECONNREFUSED, 500);
}

static uint32_t patience_ms(const struct upstream *u) {
        return u->frontends[0].targets[0].connect_timeout_ms;
}

static void test_limits_are_exact(void **state) {
        struct upstream *u = generation(text_of("round_robin", 2, 2), NULL, NULL, 1);
        unsigned n[2] = { 0 };
        struct asker a;

        (void)state;
        asker_init(&a, u);
        for (int i = 0; i < 4; i++)
                n[pick(&a)]++;
        assert_int_equal(n[0], 2);
        assert_int_equal(n[1], 2);
        assert_int_equal(pick(&a), FULL);
        assert_int_equal(gate_now(&at(u, 0)->gate), 2); /* asking in vain reserves nothing */
        release(u, 1);
        assert_int_equal(pick(&a), 1);
        assert_int_equal(pick(&a), FULL);

        try_not(&a, 0);
        try_not(&a, 1);
        assert_int_equal(pick(&a), NOBODY); /* waiting would not help this session */
        asker_done(&a);
        upstream_unref(u);
}

static void test_weight_zero(void **state) {
        struct upstream *u = generation(text_of("round_robin", 2, 0), NULL, NULL, 1);
        struct asker a;

        (void)state;
        asker_init(&a, u);
        at(u, 0)->weight = 0;
        for (int i = 0; i < 5; i++)
                assert_int_equal(pick(&a), 1);
        at(u, 1)->weight = 0;
        assert_int_equal(pick(&a), NOBODY);
        asker_done(&a);
        upstream_unref(u);
}

static void test_tried(void **state) {
        struct upstream *u = generation(text_of("round_robin", 130, 0), NULL, NULL, 1);
        bool seen[130] = { false };
        struct asker a;

        (void)state;
        asker_init(&a, u);
        for (int i = 0; i < 130; i++) { /* more than one word of bits */
                int k = pick(&a);

                assert_in_range(k, 0, 129);
                assert_false(seen[k]);
                seen[k] = true;
                try_not(&a, (size_t)k);
                release(u, k);
        }
        assert_int_equal(pick(&a), NOBODY);
        a.ask.tried = NULL;
        assert_in_range(pick(&a), 0, 129);
        asker_done(&a);
        upstream_unref(u);
}

/* A rest says which endpoint is tried last, not that none is tried. */
static void test_cooling(void **state) {
        struct upstream *u = generation(text_of("first", 2, 0), NULL, NULL, 1);
        struct asker a;

        (void)state;
        asker_init(&a, u);
        cool(at(u, 0), 1500);
        assert_int_equal(pick(&a), 1);
        a.ask.now_ms = 1499;
        assert_int_equal(pick(&a), 1);
        cool(at(u, 1), 2000);
        assert_int_equal(hope(&a), 0);
        assert_int_equal(hope(&a), 1);
        assert_int_equal(ask(&a), LATER); /* a session tries each of them */
        assert_int_equal(a.choice.again_ms, 1499 + patience_ms(u));
        work(at(u, 1), 1500);
        assert_int_equal(pick(&a), 1);
        assert_int_equal(pick(&a), 1);
        asker_done(&a);
        upstream_unref(u);
}

/* After its rest an endpoint has one session; others go elsewhere, or wait for the outcome. */
static void test_claims(void **state) {
        struct upstream *u = generation(text_of("first", 3, 0), NULL, NULL, 1);
        struct asker a;

        (void)state;
        asker_init(&a, u);
        config_at(u, 2)->backup = true;
        cool(at(u, 0), 900);
        assert_int_equal(pick(&a), 0);
        assert_int_equal(pick(&a), 1); /* the next goes elsewhere */
        assert_int_equal(gate_now(&at(u, 0)->gate), 1);
        a.ask.now_ms += patience_ms(u) - 1;
        assert_int_equal(pick(&a), 1);
        a.ask.now_ms++;
        assert_int_equal(pick(&a), 0); /* the first one has not come back: another tries */

        try_not(&a, 1);
        assert_int_equal(pick(&a), 2); /* a backup that works before a primary that may not */
        try_not(&a, 2);
        assert_int_equal(pick(&a), LATER);
        assert_int_equal(a.choice.again_ms, a.ask.now_ms + patience_ms(u));
        assert_int_equal(gate_now(&at(u, 0)->gate), 2);
        try_not(&a, 0);
        assert_int_equal(pick(&a), NOBODY);
        asker_done(&a);
        upstream_unref(u);
}

/* A failure makes a pause, for all sessions and before the rest is over as well as after it. */
static void test_pauses(void **state) {
        struct upstream *u = generation(text_of("first", 1, 0), NULL, NULL, 1);
        struct asker a;
        unsigned n = 0;

        (void)state;
        asker_init(&a, u);
        for (; a.ask.now_ms < 11000; a.ask.now_ms++) { /* an outage of ten seconds */
                int k = ask(&a);

                if (k == LATER)
                        continue;
                endpoint_failed(at(u, 0), u->pools[0].config, false, a.ask.now_ms, -ECONNREFUSED);
                release(u, k);
                n++;
                assert_int_equal(ask(&a), LATER);
                assert_int_equal(a.choice.again_ms, endpoint_retry_ms(at(u, 0)));
        }
        assert_in_range(n, 100, 140); /* 10 ms apart at first, 250 ms in the end */
        work(at(u, 0), 11000);
        assert_int_equal(pick(&a), 0);
        asker_done(&a);
        upstream_unref(u);
}

/* Of several tries the one that is over first; a full endpoint is in no try. */
static void test_when_to_come_again(void **state) {
        struct upstream *u = generation(text_of("first", 4, 1), NULL, NULL, 1);
        struct asker a;

        (void)state;
        asker_init(&a, u);
        for (size_t i = 0; i < 4; i++)
                cool(at(u, i), i < 2 ? 900 : 5000);
        down(at(u, 3));
        at(u, 0)->claim_until_ms = 1700;
        at(u, 1)->claim_until_ms = 1400;
        at(u, 2)->claim_until_ms = 1300;
        at(u, 3)->claim_until_ms = 1600;
        assert_int_equal(ask(&a), LATER);
        assert_int_equal(a.choice.again_ms, 1300);
        try_not(&a, 2);
        assert_int_equal(ask(&a), LATER);
        assert_int_equal(a.choice.again_ms, 1400);
        try_not(&a, 1);
        at(u, 0)->weight = 0;
        assert_int_equal(ask(&a), LATER);
        assert_int_equal(a.choice.again_ms, 1600);
        at(u, 0)->weight = 1;
        at(u, 3)->gate.now = 1;
        assert_int_equal(ask(&a), LATER);
        assert_int_equal(a.choice.again_ms, 1700);
        at(u, 0)->gate.now = 1;
        assert_int_equal(ask(&a), FULL);
        asker_done(&a);
        upstream_unref(u);
}

/* A session that cannot wait joins the tries of others, where no try is left for itself. */
static void test_insists(void **state) {
        struct upstream *u = generation(text_of("first", 4, 0), NULL, NULL, 1);
        struct asker a;

        (void)state;
        asker_init(&a, u);
        config_at(u, 1)->backup = true;
        cool(at(u, 0), 900);
        cool(at(u, 1), 900);
        cool(at(u, 2), 5000);
        down(at(u, 3));
        a.ask.insists = true;
        assert_int_equal(pick(&a), 0);
        assert_int_equal(pick(&a), 1);
        assert_int_equal(hope(&a), 2);
        assert_int_equal(hope(&a), 3);
        for (size_t i = 0; i < 4; i++)
                assert_int_equal(endpoint_retry_ms(at(u, i)), 1000 + patience_ms(u));

        a.ask.now_ms++;
        assert_int_equal(pick(&a), 0);
        assert_int_equal(endpoint_retry_ms(at(u, 0)), 1000 + patience_ms(u)); /* not prolonged */
        try_not(&a, 0);
        assert_int_equal(pick(&a), 1); /* the order is the same */
        try_not(&a, 1);
        assert_int_equal(hope(&a), 2);
        try_not(&a, 2);
        assert_int_equal(hope(&a), 3);
        try_not(&a, 3);
        assert_int_equal(ask(&a), NOBODY);
        asker_done(&a);
        upstream_unref(u);
}

/* A claim in vain gives its slot back. Joining respects the limit as well. */
static void test_claims_and_limits(void **state) {
        static const uint64_t rest_until_ms[] = { 900, 5000 };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(rest_until_ms); i++) {
                struct upstream *u = generation(text_of("first", 1, 2), NULL, NULL, 1);
                struct asker a;

                asker_init(&a, u);
                cool(at(u, 0), rest_until_ms[i]);
                assert_int_equal(ask(&a), 0);
                assert_int_equal(ask(&a), LATER);
                assert_int_equal(gate_now(&at(u, 0)->gate), 1);
                a.ask.insists = true;
                assert_int_equal(ask(&a), 0);
                assert_int_equal(ask(&a), FULL);
                assert_int_equal(gate_now(&at(u, 0)->gate), 2);
                a.ask.insists = false;
                assert_int_equal(ask(&a), FULL);
                asker_done(&a);
                upstream_unref(u);
        }
}

static void test_backups(void **state) {
        struct upstream *u = generation(text_of("round_robin", 4, 1), NULL, NULL, 1);
        struct asker a;
        int k;

        (void)state;
        asker_init(&a, u);
        config_at(u, 2)->backup = config_at(u, 3)->backup = true;
        for (int i = 0; i < 2; i++)
                assert_in_range(pick(&a), 0, 1);
        k = pick(&a); /* the primaries are full */
        assert_in_range(k, 2, 3);
        release(u, k);
        release(u, 0);
        assert_int_equal(pick(&a), 0); /* back to them as soon as there is one */

        at(u, 0)->weight = 0;
        cool(at(u, 1), 5000);
        k = pick(&a);
        assert_in_range(k, 2, 3);
        try_not(&a, (size_t)k);
        assert_int_equal(pick(&a), 5 - k);
        assert_int_equal(pick(&a), FULL);
        release(u, 1);
        assert_int_equal(hope(&a), 1);
        asker_done(&a);
        upstream_unref(u);
}

/* Drained or in maintenance: never, not even as the last hope. */
static void test_operators_marks(void **state) {
        static const enum endpoint_admin marks[] = { ADMIN_DRAIN, ADMIN_MAINT };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(marks); i++) {
                struct upstream *u = generation(text_of("first", 3, 0), NULL, NULL, 1);
                struct asker a;

                asker_init(&a, u);
                endpoint_set_admin(at(u, 0), marks[i], 0, 900);
                assert_int_equal(pick(&a), 1);
                endpoint_set_admin(at(u, 1), marks[i], 99999, 900);
                down(at(u, 2));
                assert_int_equal(hope(&a), 2); /* marked down, but nobody took it out */
                assert_int_equal(ask(&a), LATER);
                endpoint_set_admin(at(u, 2), marks[i], 0, 900);
                assert_int_equal(ask(&a), NOBODY);
                cool(at(u, 0), 5000);
                a.ask.insists = true;
                assert_int_equal(ask(&a), NOBODY);
                endpoint_set_admin(at(u, 1), ADMIN_READY, 0, 1000);
                assert_int_equal(pick(&a), 1);
                asker_done(&a);
                upstream_unref(u);
        }
}

/* An endpoint that rests or is marked down gets nothing while another one, a backup too, would do.
 * Then those that rest come first, and primaries before backups. A protected pool is no different:
 * a client would have to wait. */
static void test_last_hope(void **state) {
        static const enum protection_reason protection[] = { PROTECTION_OFF, PROTECTION_STORM,
                                                             PROTECTION_UNAVAILABLE };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(protection); i++) {
                struct upstream *u = generation(text_of("first", 6, 0), NULL, NULL, 1);
                struct asker a;

                asker_init(&a, u);
                u->pools[0].pool->protection = protection[i];
                for (size_t k = 0; k < 6; k += 2)
                        config_at(u, k)->backup = true;
                down(at(u, 0));
                down(at(u, 1));
                cool(at(u, 1), 5000); /* marked down is what counts */
                cool(at(u, 2), 5000);
                cool(at(u, 3), 5000);
                for (int k = 0; k < 4; k++)
                        assert_int_equal(pick(&a), 5);
                at(u, 5)->weight = 0;
                for (int k = 0; k < 4; k++)
                        assert_int_equal(pick(&a), 4);
                at(u, 4)->weight = 0;
                assert_int_equal(hope(&a), 3);
                assert_int_equal(hope(&a), 2);
                assert_int_equal(hope(&a), 1);
                assert_int_equal(hope(&a), 0);
                assert_int_equal(ask(&a), LATER);
                endpoint_mark_up(at(u, 0), 1000);
                assert_int_equal(pick(&a), 0);
                assert_int_equal(pick(&a), 0);
                asker_done(&a);
                upstream_unref(u);
        }
}

/* The checks may be wrong: what traffic has reached since they marked it down needs no claim. */
static void test_down_but_it_works(void **state) {
        struct upstream *u = generation(text_of("first", 1, 0), NULL, NULL, 2);
        struct endpoint *e = at(u, 0);
        struct asker a;

        (void)state;
        asker_init(&a, u);
        e->per_worker[1].last_good_ms = 499;
        down(e); /* at 500 */
        assert_int_equal(hope(&a), 0);
        assert_int_equal(ask(&a), LATER);
        e->per_worker[1].last_good_ms = 500; /* of another worker */
        for (int i = 0; i < 4; i++)
                assert_int_equal(hope(&a), 0);

        endpoint_failed(e, u->pools[0].config, false, 1000, -ECONNREFUSED);
        assert_int_equal(ask(&a), LATER);
        a.ask.now_ms = 1000 + ENDPOINT_RETRY_MIN_MS;
        assert_int_equal(hope(&a), 0);
        assert_int_equal(ask(&a), LATER);
        work(e, 1010);
        for (int i = 0; i < 4; i++)
                assert_int_equal(hope(&a), 0);

        endpoint_mark_up(e, 2000);
        assert_int_equal(pick(&a), 0);
        endpoint_mark_down(e, -ETIMEDOUT, 3000);
        a.ask.now_ms = 3000;
        assert_int_equal(hope(&a), 0);
        assert_int_equal(ask(&a), LATER);
        asker_done(&a);
        upstream_unref(u);
}

/* A full endpoint works. A session that may queue waits for it; one that may not has a last hope
 * before it is turned away. */
static void test_full_and_the_last_hope(void **state) {
        struct upstream *u = generation(text_of("first", 3, 1), NULL, NULL, 1);
        struct asker a;

        (void)state;
        asker_init(&a, u);
        cool(at(u, 1), 5000);
        down(at(u, 2));
        assert_int_equal(pick(&a), 0);
        a.ask.queues = true;
        assert_int_equal(ask(&a), FULL);
        a.ask.insists = true;
        assert_int_equal(ask(&a), FULL);
        assert_int_equal(gate_now(&at(u, 1)->gate) + gate_now(&at(u, 2)->gate), 0);
        a.ask.queues = a.ask.insists = false;
        assert_int_equal(hope(&a), 1);
        assert_int_equal(hope(&a), 2);
        assert_int_equal(ask(&a), FULL);
        release(u, 1);
        release(u, 2);
        assert_int_equal(ask(&a), FULL); /* not later, although both are claimed */
        a.ask.insists = true;
        assert_int_equal(ask(&a), FULL); /* nor does it join: a session of the full one may end */

        a.ask.queues = true;
        try_not(&a, 0); /* it has failed for this session: waiting is in vain */
        assert_int_equal(hope(&a), 1);
        a.ask.insists = false;
        assert_int_equal(ask(&a), LATER); /* one is full, one is claimed: its claim ends */
        at(u, 2)->gate.now = 1;
        assert_int_equal(ask(&a), FULL);
        asker_done(&a);
        upstream_unref(u);
}

/* The share of one that has just come back grows from next to nothing to its weight. */
static void test_slow_start(void **state) {
        static const struct {
                uint64_t now_ms;
                unsigned of_110; /* of its own sessions; the other one has weight 1 */
        } rows[] = { { 1000, 1 }, { 2000, 10 }, { 6000, 37 }, { 11000, 55 }, { 99000, 55 } };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                struct upstream *u = generation(text_of("round_robin", 2, 0), NULL, NULL, 1);
                unsigned n[2] = { 0 };
                struct asker a;

                ((struct config_pool *)u->pools[0].config)->slow_start_ms = 10000;
                asker_init(&a, u);
                down(at(u, 0));
                endpoint_mark_up(at(u, 0), 1000);
                a.ask.now_ms = rows[i].now_ms;
                for (int k = 0; k < 110; k++)
                        n[pick(&a)]++;
                assert_in_range(n[0], rows[i].of_110 - 1, rows[i].of_110 + 1);
                asker_done(&a);
                upstream_unref(u);
        }
}

static void test_without_an_address(void **state) {
        const char *text = "backends:\n  - { host: known.example, port: 80 }\n"
                           "  - { host: unknown.example, port: 80 }\n";
        struct addr addr;
        const struct upstream_names names[] = { { "known.example", &addr, 1 },
                                                { "unknown.example", NULL, 0 },
                                                { 0 } };
        struct upstream *u;
        struct asker a;

        (void)state;
        assert_int_equal(addr_parse_host(&addr, "10.0.0.1", 0), 0);
        u = generation(text, names, NULL, 1);
        asker_init(&a, u);
        for (int i = 0; i < 4; i++)
                assert_int_equal(pick(&a), 0);
        try_not(&a, 0);
        assert_int_equal(pick(&a), NOBODY);
        asker_done(&a);
        upstream_unref(u);
}

/* Each algorithm gets what it needs to choose. */
static void test_algorithms_have_their_keys(void **state) {
        struct upstream *u = generation(text_of("ip_hash", SERVERS, 0), NULL, NULL, 2);
        struct asker a;
        int k;

        (void)state;
        asker_init(&a, u);
        a.ask.client_hash = 0x1234;
        k = pick(&a);
        for (uint64_t i = 0; i < 20; i++) {
                a.ask.random = hash_mix(i); /* not the key */
                assert_int_equal(pick(&a), k);
        }
        asker_done(&a);
        upstream_unref(u);

        u = generation(text_of("least_connections", 2, 0), NULL, NULL, 2);
        asker_init(&a, u);
        at(u, 0)->per_worker[0].sessions_now = 1;
        at(u, 0)->per_worker[1].sessions_now = 1; /* of another worker */
        at(u, 1)->per_worker[0].sessions_now = 1;
        for (int i = 0; i < 5; i++)
                assert_int_equal(pick(&a), 1);
        asker_done(&a);
        upstream_unref(u);
}

/* Marked down for what sessions met: one of them tries it when its rest is over, and no other. */
static void test_unserved(void **state) {
        struct upstream *u = generation(text_of("round_robin", 2, 0), NULL, NULL, 1);
        struct asker a;

        (void)state;
        asker_init(&a, u);
        endpoint_failed(at(u, 0), u->pools[0].config, false, 1000, FAILURE_CLOSED);
        endpoint_mark_down(at(u, 0), FAILURE_CLOSED, 1000);
        for (int i = 0; i < 5; i++)
                assert_int_equal(pick(&a), 1);
        a.ask.now_ms = at(u, 0)->cool_until_ms;
        for (int i = 0, n = 0; i < 6; i++) {
                n += pick(&a) == 0;
                assert_in_range(n, i > 0, 1);
        }
        endpoint_leave_to_checks(at(u, 0)); /* they have seen it, too */
        a.ask.now_ms += 10000;
        for (int i = 0; i < 5; i++)
                assert_int_equal(pick(&a), 1);
        asker_done(&a);
        upstream_unref(u);
}

/* ---- all at random, against a model ---- */

/* What an endpoint is for a session. The order of pools: primaries, backups; those that rest; those
 * that are marked down. */
enum { RANKS = 6, FIRST_HOPE = 2 };
enum fitness { UNFIT, FREE, CLAIMED, CROWDED };

struct model {
        enum fitness fitness[SERVERS];
        size_t rank[SERVERS];
        bool needs_claim[SERVERS];
        uint64_t again_ms; /* 0: no claim is in the way */
};

static enum fitness fitness_of(const struct endpoint *e, bool tried, bool needs_claim) {
        if (e->weight == 0 || e->admin != ADMIN_READY || tried)
                return UNFIT;
        if (e->gate.now >= e->gate.max)
                return CROWDED;
        return needs_claim && e->claim_until_ms > 1000 ? CLAIMED : FREE;
}

static struct model model_of(const struct upstream *u, const struct asker *a) {
        struct model m = { 0 };

        for (size_t i = 0; i < SERVERS; i++) {
                struct endpoint *e = at(u, i);
                size_t rank = endpoint_is_out(e) ? 4 : e->cool_until_ms > 1000 ? 2 : 0;
                bool reached = e->per_worker[0].last_good_ms >= e->down_at_ms;

                m.rank[i] = rank + config_at(u, i)->backup;
                m.needs_claim[i] = e->streak > 0 || (endpoint_is_out(e) && !reached);
                m.fitness[i] = fitness_of(e, a->tried[0] >> i & 1, m.needs_claim[i]);
                if (m.fitness[i] == CLAIMED && (m.again_ms == 0 || e->claim_until_ms < m.again_ms))
                        m.again_ms = e->claim_until_ms;
        }
        return m;
}

/* The first rank of some fitness; RANKS: none. */
static size_t rank_of(const struct model *m, enum fitness fitness) {
        size_t rank = RANKS;

        for (size_t i = 0; i < SERVERS; i++)
                if (m->fitness[i] == fitness && m->rank[i] < rank)
                        rank = m->rank[i];
        return rank;
}

/* Returns what pick() shall return; 0: an endpoint, of the fitness and the rank. */
static int verdict_of(const struct model *m,
                      const struct upstream_ask *ask,
                      enum fitness *ret_fitness,
                      size_t *ret_rank) {
        bool full = rank_of(m, CROWDED) < FIRST_HOPE;

        *ret_fitness = FREE;
        *ret_rank = rank_of(m, FREE);
        if (*ret_rank < FIRST_HOPE)
                return 0;
        if (full && ask->queues)
                return FULL;
        if (*ret_rank < RANKS)
                return 0;
        if (full)
                return FULL;
        *ret_fitness = CLAIMED;
        *ret_rank = rank_of(m, CLAIMED);
        if (*ret_rank < RANKS)
                return ask->insists ? 0 : LATER;
        return rank_of(m, CROWDED) < RANKS ? FULL : NOBODY;
}

static void scramble(const struct upstream *u, struct asker *a, uint64_t *seed) {
        a->ask.client_hash = *seed = hash_mix(*seed + 1);
        a->ask.random = *seed = hash_mix(*seed + 1);
        a->ask.queues = *seed / 4 % 2;
        a->ask.insists = *seed / 8 % 3 == 0;
        a->tried[0] = 0;
        u->pools[0].pool->protection = *seed % 3 == 0 ? PROTECTION_STORM : PROTECTION_OFF;
        for (size_t i = 0; i < SERVERS; i++) {
                struct endpoint *e = at(u, i);

                *seed = hash_mix(*seed + 1);
                e->weight = *seed % 4;
                e->gate.max = 2;
                e->gate.now = *seed / 8 % 3;
                e->streak = *seed / 32 % 3 > 0;
                e->cool_until_ms = e->streak ? 999 + *seed / 128 % 3 : 0;
                e->claim_until_ms = *seed / 512 % 2 ? 999 + *seed / 65536 % 4 : 0;
                config_at(u, i)->backup = *seed / 1024 % 3 == 0;
                if (*seed / 4096 % 4 == 0)
                        try_not(a, i);
                e->down = *seed / 16384 % 2;
                e->unserved = e->streak && *seed / 524288 % 2;
                e->down_at_ms = e->down ? 500 : 0;
                e->per_worker[0].last_good_ms = 499 + *seed / 262144 % 3;
                e->admin = *seed / 32768 % 4 == 0 ? ADMIN_DRAIN : ADMIN_READY;
        }
}

static void verify_choice(const struct upstream *u, const struct model *m, size_t k, bool joins) {
        for (size_t i = 0; i < SERVERS; i++)
                if (i != k && m->fitness[i] == FREE && m->needs_claim[i])
                        assert_int_not_equal(endpoint_retry_ms(at(u, i)), 1000 + patience_ms(u));
        assert_in_range(gate_now(&at(u, k)->gate), 1, 2);
        if (!joins && m->needs_claim[k])
                assert_int_equal(endpoint_retry_ms(at(u, k)), 1000 + patience_ms(u));
}

static unsigned sessions_of(const struct upstream *u) {
        unsigned n = 0;

        for (size_t i = 0; i < SERVERS; i++)
                n += gate_now(&at(u, i)->gate);
        return n;
}

static const char *const names[] = {
#define X(name) #name,
        BALANCE_ALGORITHMS(X)
#undef X
};

static void test_against_a_model(void **state) {
        unsigned n[4] = { 0 }, n_hopes = 0, n_joins = 0;
        uint64_t seed = 1;

        (void)state;
        for (size_t nth = 0; nth < ELEMENTS(names); nth++) {
                struct upstream *u = generation(text_of(names[nth], SERVERS, 2), NULL, NULL, 1);
                struct asker a;

                asker_init(&a, u);
                for (int i = 0; i < 20000; i++) {
                        enum fitness fitness;
                        unsigned before;
                        struct model m;
                        size_t rank;
                        int k, want;

                        scramble(u, &a, &seed);
                        m = model_of(u, &a);
                        want = verdict_of(&m, &a.ask, &fitness, &rank);
                        before = sessions_of(u);
                        k = ask(&a);
                        n[k < 0 ? -k : 0]++;
                        assert_int_equal(k < 0 ? k : 0, want);
                        assert_int_equal(sessions_of(u), before + (k >= 0));
                        if (k == LATER)
                                assert_int_equal(a.choice.again_ms, m.again_ms);
                        if (k < 0)
                                continue;
                        assert_int_equal(m.fitness[k], fitness);
                        assert_int_equal(m.rank[k], rank);
                        assert_int_equal(a.choice.hope, rank >= FIRST_HOPE);
                        verify_choice(u, &m, (size_t)k, fitness == CLAIMED);
                        n_hopes += a.choice.hope;
                        n_joins += fitness == CLAIMED;
                }
                asker_done(&a);
                upstream_unref(u);
        }
        for (size_t i = 0; i < ELEMENTS(n); i++)
                assert_true(n[i] > 1000);
        assert_true(n_hopes > 1000 && n_joins > 1000);
}

/* ---- several workers ---- */

struct shared {
        const struct upstream *u;
        _Atomic uint32_t inside[SERVERS];
        _Atomic unsigned n_over, n_served, n_full, n_odd;
};

static void *worker(void *arg) {
        struct shared *s = arg;
        struct asker a;

        asker_init(&a, s->u);
        for (int i = 0; i < ROUNDS; i++) {
                int k[3];

                for (size_t j = 0; j < ELEMENTS(k); j++) {
                        k[j] = pick(&a);
                        if (k[j] >= 0 && atomic_fetch_add(&s->inside[k[j]], 1) >= 2)
                                atomic_fetch_add(&s->n_over, 1);
                        atomic_fetch_add(k[j] >= 0 ? &s->n_served : &s->n_full, 1);
                        if (k[j] < 0 && k[j] != FULL)
                                atomic_fetch_add(&s->n_odd, 1);
                }
                for (size_t j = 0; j < ELEMENTS(k); j++) {
                        if (k[j] < 0)
                                continue;
                        atomic_fetch_sub(&s->inside[k[j]], 1);
                        release(s->u, k[j]);
                }
        }
        asker_done(&a);
        return NULL;
}

/* Twelve sessions want ten places. */
static void test_many_threads(void **state) {
        (void)state;
        for (size_t nth = 0; nth < ELEMENTS(names); nth++) {
                struct upstream *u =
                        generation(text_of(names[nth], SERVERS, 2), NULL, NULL, THREADS);
                struct shared s = { .u = u };
                pthread_t threads[THREADS];

                for (int i = 0; i < THREADS; i++)
                        assert_int_equal(pthread_create(&threads[i], NULL, worker, &s), 0);
                for (int i = 0; i < THREADS; i++)
                        pthread_join(threads[i], NULL);
                assert_int_equal(s.n_over, 0);
                assert_int_equal(s.n_odd, 0); /* who loses a race for the last slot may wait */
                assert_true(s.n_served > 0);
                for (size_t i = 0; i < SERVERS; i++)
                        assert_int_equal(gate_now(&at(u, i)->gate), 0);
                upstream_unref(u);
        }
}

/* ---- several workers meet endpoints that have failed ---- */

struct outage {
        const struct upstream *u;
        pthread_barrier_t barrier;
        _Atomic unsigned n_served, n_later;
};

static void *client(void *arg) {
        struct outage *o = arg;
        uint32_t patience = patience_ms(o->u);
        struct asker a;

        asker_init(&a, o->u);
        for (int i = 0; i < ROUNDS; i++) {
                int k[3];

                pthread_barrier_wait(&o->barrier);
                for (size_t j = 0; j < ELEMENTS(k); j++) {
                        k[j] = hope(&a);
                        atomic_fetch_add(k[j] >= 0 ? &o->n_served : &o->n_later, 1);
                        if (k[j] < 0 &&
                            (k[j] != LATER || a.choice.again_ms != a.ask.now_ms + patience))
                                fail_msg("%d, %lu", k[j], (unsigned long)a.choice.again_ms);
                }
                for (size_t j = 0; j < ELEMENTS(k); j++)
                        if (k[j] >= 0)
                                release(o->u, k[j]);
                a.ask.now_ms += patience;
                pthread_barrier_wait(&o->barrier);
        }
        asker_done(&a);
        return NULL;
}

/* Each endpoint is tried by one session at a time, whichever worker it is of; the others come again
 * when its time is over. */
static void test_one_try_at_a_time(void **state) {
        (void)state;
        for (size_t k = 0; k < ELEMENTS(names); k++) {
                struct upstream *u = generation(text_of(names[k], SERVERS, 0), NULL, NULL, THREADS);
                struct outage o = { .u = u };
                pthread_t threads[THREADS];

                for (size_t i = 0; i < SERVERS; i++)
                        if (i % 2)
                                down(at(u, i));
                        else
                                cool(at(u, i), UINT64_MAX);
                pthread_barrier_init(&o.barrier, NULL, THREADS);
                for (int i = 0; i < THREADS; i++)
                        assert_int_equal(pthread_create(&threads[i], NULL, client, &o), 0);
                for (int i = 0; i < THREADS; i++)
                        pthread_join(threads[i], NULL);
                pthread_barrier_destroy(&o.barrier);
                assert_int_equal(o.n_served, ROUNDS * SERVERS);
                assert_int_equal(o.n_later, ROUNDS * (3 * THREADS - SERVERS));
                for (size_t i = 0; i < SERVERS; i++)
                        assert_int_equal(gate_now(&at(u, i)->gate), 0);
                upstream_unref(u);
        }
}

/* ---- several workers want one endpoint ---- */

struct race {
        const struct upstream *u;
        int lost; /* what a session gets that was not quick enough */
        _Atomic unsigned n_odd;
};

static void *racer(void *arg) {
        struct race *r = arg;
        struct asker a;

        asker_init(&a, r->u);
        for (int i = 0; i < 40 * ROUNDS; i++) {
                int k = ask(&a);

                if (k == 0)
                        release(r->u, k);
                else if (k != r->lost)
                        atomic_fetch_add(&r->n_odd, 1);
                if (k == 0 && r->lost == LATER) /* it has failed, and the pause is over */
                        at(r->u, 0)->claim_until_ms = 0;
        }
        asker_done(&a);
        return NULL;
}

/* The last slot is taken, or a claim begins and ends, while a session looks: it waits all the same,
 * rather than hear that there is no backend. */
static void test_lost_races(void **state) {
        static const int lost[] = { FULL, LATER };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(lost); i++) {
                struct upstream *u =
                        generation(text_of("first", 1, lost[i] == FULL), NULL, NULL, THREADS);
                struct race r = { .u = u, .lost = lost[i] };
                pthread_t threads[THREADS];

                if (lost[i] == LATER)
                        cool(at(u, 0), UINT64_MAX);
                for (int k = 0; k < THREADS; k++)
                        assert_int_equal(pthread_create(&threads[k], NULL, racer, &r), 0);
                for (int k = 0; k < THREADS; k++)
                        pthread_join(threads[k], NULL);
                assert_int_equal(r.n_odd, 0);
                assert_int_equal(gate_now(&at(u, 0)->gate), 0);
                upstream_unref(u);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_limits_are_exact),
                cmocka_unit_test(test_weight_zero),
                cmocka_unit_test(test_tried),
                cmocka_unit_test(test_cooling),
                cmocka_unit_test(test_claims),
                cmocka_unit_test(test_pauses),
                cmocka_unit_test(test_when_to_come_again),
                cmocka_unit_test(test_insists),
                cmocka_unit_test(test_claims_and_limits),
                cmocka_unit_test(test_backups),
                cmocka_unit_test(test_operators_marks),
                cmocka_unit_test(test_last_hope),
                cmocka_unit_test(test_down_but_it_works),
                cmocka_unit_test(test_full_and_the_last_hope),
                cmocka_unit_test(test_slow_start),
                cmocka_unit_test(test_without_an_address),
                cmocka_unit_test(test_algorithms_have_their_keys),
                cmocka_unit_test(test_unserved),
                cmocka_unit_test(test_against_a_model),
                cmocka_unit_test(test_many_threads),
                cmocka_unit_test(test_one_try_at_a_time),
                cmocka_unit_test(test_lost_races),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
