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

static int pick(struct asker *a) {
        struct upstream_choice choice = { .index = SIZE_MAX };
        enum upstream_pick p = upstream_pick(&a->ask, &choice);

        if (p == PICK_ENDPOINT)
                return (int)choice.index;
        return p == PICK_FULL ? -1 : p == PICK_LATER ? -3 : -2;
}
enum { FULL = -1, NOBODY = -2, LATER = -3 };

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
        assert_int_equal(pick(&a), NOBODY);
        a.ask.now_ms = 1500;
        assert_int_equal(pick(&a), 0); /* the first one after the cooldown tries it */
        asker_done(&a);
        upstream_unref(u);
}

/* Fresh out of its cooldown an endpoint has one session; others come only if there is no other. */
static void test_claims(void **state) {
        struct upstream *u = generation(text_of("first", 3, 0), NULL, NULL, 1);
        uint32_t patience_ms = u->frontends[0].config->connect_timeout_ms;
        struct asker a;

        (void)state;
        asker_init(&a, u);
        config_at(u, 2)->backup = true;
        cool(at(u, 0), 900);
        assert_int_equal(pick(&a), 0);
        assert_int_equal(pick(&a), 1); /* the next goes elsewhere */
        assert_int_equal(gate_now(&at(u, 0)->gate), 1);
        a.ask.now_ms += patience_ms - 1;
        assert_int_equal(pick(&a), 1);
        a.ask.now_ms++;
        assert_int_equal(pick(&a), 0); /* the first one has not come back: another tries */

        try_not(&a, 1);
        assert_int_equal(pick(&a), 2); /* a backup that works before a primary that may not */
        try_not(&a, 2);
        assert_int_equal(pick(&a), 0); /* nobody else: it joins */
        assert_int_equal(pick(&a), 0);
        assert_int_equal(gate_now(&at(u, 0)->gate), 4);
        try_not(&a, 0);
        assert_int_equal(pick(&a), NOBODY);
        asker_done(&a);
        upstream_unref(u);
}

/* Joining respects the limit as well, and a claim in vain gives its place back. */
static void test_claims_and_limits(void **state) {
        struct upstream *u = generation(text_of("first", 1, 2), NULL, NULL, 1);
        struct asker a;

        (void)state;
        asker_init(&a, u);
        cool(at(u, 0), 900);
        assert_int_equal(pick(&a), 0);
        assert_int_equal(pick(&a), 0);
        assert_int_equal(pick(&a), FULL);
        assert_int_equal(gate_now(&at(u, 0)->gate), 2);
        asker_done(&a);
        upstream_unref(u);
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
        asker_done(&a);
        upstream_unref(u);
}

static void down(struct endpoint *e) {
        endpoint_mark_down(e, -ECONNREFUSED, 500);
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
                assert_int_equal(pick(&a), 2); /* marked down, but nobody took it out */
                endpoint_set_admin(at(u, 2), marks[i], 0, 900);
                assert_int_equal(pick(&a), NOBODY);
                endpoint_set_admin(at(u, 1), ADMIN_READY, 0, 1000);
                assert_int_equal(pick(&a), 1);
                asker_done(&a);
                upstream_unref(u);
        }
}

/* Whoever is marked down gets nothing while another one, a backup too, would do. */
static void test_last_hope(void **state) {
        struct upstream *u = generation(text_of("first", 4, 0), NULL, NULL, 1);
        struct asker a;

        (void)state;
        asker_init(&a, u);
        config_at(u, 2)->backup = config_at(u, 3)->backup = true;
        down(at(u, 0));
        for (int i = 0; i < 4; i++)
                assert_int_equal(pick(&a), 1);
        down(at(u, 1));
        for (int i = 0; i < 4; i++)
                assert_int_equal(pick(&a), 2);
        try_not(&a, 2);
        assert_int_equal(pick(&a), 3);
        try_not(&a, 3);
        assert_int_equal(pick(&a), 0); /* primaries first, here too */
        assert_int_equal(pick(&a), 0); /* nobody needs to be alone with it */
        cool(at(u, 0), 1500);          /* a last hope has just failed there */
        assert_int_equal(pick(&a), 1);
        try_not(&a, 1);
        assert_int_equal(pick(&a), NOBODY);
        a.ask.now_ms = 1500;
        assert_int_equal(pick(&a), 0);
        asker_done(&a);
        upstream_unref(u);
}

static void test_no_hope_in_a_protected_pool(void **state) {
        struct upstream *u = generation(text_of("first", 3, 0), NULL, NULL, 1);
        struct pool *pool = u->pools[0].pool;
        struct asker a;

        (void)state;
        asker_init(&a, u);
        down(at(u, 0));
        down(at(u, 1));
        pool->protection = PROTECTION_STORM;
        assert_int_equal(pick(&a), 2); /* who is up is served all the same */
        down(at(u, 2));
        assert_int_equal(pick(&a), NOBODY);
        pool->protection = PROTECTION_UNAVAILABLE;
        assert_int_equal(pick(&a), NOBODY);
        endpoint_mark_up(at(u, 1), 1000);
        assert_int_equal(pick(&a), 1);
        endpoint_mark_down(at(u, 1), -ETIMEDOUT, 1000);
        pool->protection = PROTECTION_OFF;
        assert_int_equal(pick(&a), 0);
        asker_done(&a);
        upstream_unref(u);
}

/* One that works and is full is worth waiting for; one that is marked down is no way around it. */
static void test_full_before_the_last_hope(void **state) {
        struct upstream *u = generation(text_of("first", 2, 1), NULL, NULL, 1);
        struct asker a;

        (void)state;
        asker_init(&a, u);
        down(at(u, 1));
        assert_int_equal(pick(&a), 0);
        assert_int_equal(pick(&a), FULL);
        assert_int_equal(gate_now(&at(u, 1)->gate), 0);
        try_not(&a, 0); /* it has failed for this session: waiting is in vain */
        assert_int_equal(pick(&a), 1);
        assert_int_equal(pick(&a), FULL);
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

struct model {
        bool usable[2][SERVERS]; /* primaries, backups */
        bool hope[2][SERVERS];   /* the same of those that are marked down */
        bool full, full_hope;
};

static struct model model_of(const struct upstream *u, const struct asker *a) {
        struct model m = { 0 };

        for (size_t i = 0; i < SERVERS; i++) {
                struct endpoint *e = at(u, i);
                bool good = e->weight > 0 && e->cool_until_ms <= a->ask.now_ms &&
                            e->admin == ADMIN_READY && !(a->tried[0] >> i & 1);
                bool full = e->gate.now >= e->gate.max;

                if (!good || (endpoint_is_out(e) && pool_protected(u->pools[0].pool)))
                        continue;
                if (full)
                        *(endpoint_is_out(e) ? &m.full_hope : &m.full) = true;
                else
                        (endpoint_is_out(e) ? m.hope : m.usable)[config_at(u, i)->backup][i] = true;
        }
        return m;
}

static bool any(const bool usable[static SERVERS]) {
        for (size_t i = 0; i < SERVERS; i++)
                if (usable[i])
                        return true;
        return false;
}

static void scramble(const struct upstream *u, struct asker *a, uint64_t *seed) {
        a->ask.client_hash = *seed = hash_mix(*seed + 1);
        a->ask.random = *seed = hash_mix(*seed + 1);
        a->tried[0] = 0;
        u->pools[0].pool->protection = *seed % 3 == 0 ? PROTECTION_STORM : PROTECTION_OFF;
        for (size_t i = 0; i < SERVERS; i++) {
                struct endpoint *e = at(u, i);

                *seed = hash_mix(*seed + 1);
                e->weight = *seed % 4;
                e->gate.max = 2;
                e->gate.now = *seed / 8 % 3;
                e->streak = *seed / 32 % 3 == 0;
                e->cool_until_ms = e->streak ? 999 + *seed / 128 % 3 : 0;
                e->claim_until_ms = e->streak && *seed / 512 % 2 ? 2000 : 0;
                config_at(u, i)->backup = *seed / 1024 % 3 == 0;
                if (*seed / 4096 % 4 == 0)
                        try_not(a, i);
                e->down = *seed / 16384 % 2;
                e->unserved = e->streak && *seed / 262144 % 2;
                e->admin = *seed / 32768 % 4 == 0 ? ADMIN_DRAIN : ADMIN_READY;
        }
}

static void test_against_a_model(void **state) {
        uint64_t seed = 1;

        (void)state;
        for (const char *const *name = balance_names(); *name; name++) {
                struct upstream *u = generation(text_of(*name, SERVERS, 2), NULL, NULL, 1);
                struct asker a;

                asker_init(&a, u);
                for (int i = 0; i < 20000; i++) {
                        struct model m;
                        int k;

                        scramble(u, &a, &seed);
                        m = model_of(u, &a);
                        k = pick(&a);
                        if (k < 0) {
                                assert_false(any(m.usable[0]) || any(m.usable[1]));
                                assert_false(!m.full && (any(m.hope[0]) || any(m.hope[1])));
                                assert_int_equal(k, m.full || m.full_hope ? FULL : NOBODY);
                        } else if (endpoint_is_out(at(u, (size_t)k))) {
                                bool backup = config_at(u, (size_t)k)->backup;

                                assert_true(m.hope[backup][k]);
                                assert_false(any(m.usable[0]) || any(m.usable[1]) || m.full);
                                assert_false(backup && any(m.hope[0]));
                        } else {
                                struct endpoint *e = at(u, (size_t)k);
                                bool backup = config_at(u, (size_t)k)->backup;

                                assert_true(m.usable[backup][k]);
                                assert_in_range(e->gate.now, 1, 2);
                                /* before a backup: no primary, or one that others try */
                                for (size_t p = 0; backup && p < SERVERS; p++)
                                        assert_false(m.usable[0][p] &&
                                                     at(u, p)->claim_until_ms <= 1000);
                        }
                }
                asker_done(&a);
                upstream_unref(u);
        }
}

/* ---- several workers ---- */

struct shared {
        const struct upstream *u;
        _Atomic uint32_t inside[SERVERS];
        _Atomic unsigned n_over, n_served, n_full;
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
        for (const char *const *name = balance_names(); *name; name++) {
                struct upstream *u = generation(text_of(*name, SERVERS, 2), NULL, NULL, THREADS);
                struct shared s = { .u = u };
                pthread_t threads[THREADS];

                for (int i = 0; i < THREADS; i++)
                        assert_int_equal(pthread_create(&threads[i], NULL, worker, &s), 0);
                for (int i = 0; i < THREADS; i++)
                        pthread_join(threads[i], NULL);
                assert_int_equal(s.n_over, 0);
                assert_true(s.n_served > 0);
                for (size_t i = 0; i < SERVERS; i++)
                        assert_int_equal(gate_now(&at(u, i)->gate), 0);
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
                cmocka_unit_test(test_claims_and_limits),
                cmocka_unit_test(test_backups),
                cmocka_unit_test(test_operators_marks),
                cmocka_unit_test(test_last_hope),
                cmocka_unit_test(test_no_hope_in_a_protected_pool),
                cmocka_unit_test(test_full_before_the_last_hope),
                cmocka_unit_test(test_slow_start),
                cmocka_unit_test(test_without_an_address),
                cmocka_unit_test(test_algorithms_have_their_keys),
                cmocka_unit_test(test_unserved),
                cmocka_unit_test(test_against_a_model),
                cmocka_unit_test(test_many_threads),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
