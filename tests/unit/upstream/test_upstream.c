/* SPDX-License-Identifier: MIT */
#include "rig.h"

#include <pthread.h>

#define THREADS 4
#define ROUNDS  20000

#define HEAD                                                                                       \
        "frontends:\n"                                                                             \
        "  - { name: web, listen: \"127.0.0.1:9295\", backend: a, max_connections: 5 }\n"          \
        "  - { name: db, listen: \"127.0.0.1:9296\", backend: b }\n"                               \
        "backends:\n"

static const char before[] = HEAD "  - name: a\n"
                                  "    servers:\n"
                                  "      - { address: \"10.0.0.1:80\", weight: 1 }\n"
                                  "      - { address: \"10.0.0.2:80\", weight: 2 }\n"
                                  "      - { address: \"10.0.0.3:80\", max_connections: 7 }\n"
                                  "  - name: b\n"
                                  "    servers:\n"
                                  "      - { address: \"10.0.0.1:80\" }\n";

/* 2 and 3 stay with other numbers and in another order, 1 goes, 4 comes; the pools are turned. */
static const char after[] = HEAD "  - name: b\n"
                                 "    servers:\n"
                                 "      - { address: \"10.0.0.9:80\" }\n"
                                 "      - { address: \"10.0.0.1:80\" }\n"
                                 "  - name: a\n"
                                 "    servers:\n"
                                 "      - { address: \"10.0.0.3:80\" }\n"
                                 "      - { address: \"10.0.0.4:80\" }\n"
                                 "      - { address: \"10.0.0.2:80\", weight: 9 }\n";

static struct upstream_endpoint *find(const struct upstream *u,
                                      const char *pool,
                                      const char *name) {
        for (size_t i = 0; i < u->config->n_pools; i++)
                for (size_t j = 0; j < u->pools[i].n_endpoints; j++)
                        if (strcmp(u->pools[i].config->name, pool) == 0 &&
                            strcmp(u->pools[i].endpoints[j].config->name, name) == 0)
                                return &u->pools[i].endpoints[j];
        return NULL;
}

static struct endpoint *endpoint(const struct upstream *u, const char *pool, const char *name) {
        struct upstream_endpoint *e = find(u, pool, name);

        assert_non_null(e);
        assert_string_equal(e->endpoint->pool, pool);
        assert_string_equal(e->endpoint->name, name);
        return e->endpoint;
}

static size_t n_addrs(const struct upstream_endpoint *e) {
        struct upstream_addrs *a = upstream_addrs_get(e);
        size_t n = a ? a->n : 0;

        assert_int_equal(upstream_has_addrs(e), n > 0);
        upstream_addrs_unref(a);
        return n;
}

static void test_first_generation(void **state) {
        struct upstream *u = generation(before, NULL, NULL, 2);
        char text[ADDR_TEXT_MAX];

        (void)state;
        assert_int_equal(u->number, 1);
        assert_int_equal(u->max_endpoints, 3);
        assert_string_equal(u->frontends[0].frontend->name, "web");
        assert_ptr_equal(u->frontends[0].targets[0].pool, &u->pools[0]);
        assert_ptr_equal(u->frontends[1].targets[0].pool, &u->pools[1]);
        assert_null(u->all->name);
        for (size_t i = 0; i < 3; i++) {
                const struct upstream_endpoint *e = &u->pools[0].endpoints[i];

                assert_int_equal(n_addrs(e), 1);
                assert_string_equal(addr_text(&e->addrs->at[0], text), e->config->name);
        }
        /* two pools with the same server are two endpoints */
        assert_ptr_not_equal(endpoint(u, "a", "10.0.0.1:80"), endpoint(u, "b", "10.0.0.1:80"));
        upstream_unref(u);
}

static void test_what_stays(void **state) {
        struct upstream *old = generation(before, NULL, NULL, 2), *next;
        struct endpoint *two = endpoint(old, "a", "10.0.0.2:80");
        struct frontend *web = old->frontends[0].frontend, *all = old->all;

        (void)state;
        COUNTER_ADD(two->per_worker[1].sessions_total, 42);
        two->streak = 3;
        two->cool_until_ms = 12345;
        two->good_addr = 0;
        assert_true(gate_enter(&two->gate));
        assert_true(gate_enter(&web->gate));
        COUNTER_ADD(web->per_worker[0].rejected[REJECT_MAX_CONNECTIONS], 6);

        next = generation(after, NULL, old, 2);
        assert_int_equal(next->number, 2);
        assert_ptr_equal(endpoint(next, "a", "10.0.0.2:80"), two);
        assert_ptr_equal(endpoint(next, "a", "10.0.0.3:80"), endpoint(old, "a", "10.0.0.3:80"));
        assert_ptr_equal(endpoint(next, "b", "10.0.0.1:80"), endpoint(old, "b", "10.0.0.1:80"));
        assert_ptr_not_equal(endpoint(next, "b", "10.0.0.1:80"), endpoint(old, "a", "10.0.0.1:80"));
        assert_null(find(next, "a", "10.0.0.1:80"));
        assert_int_equal(endpoint(next, "a", "10.0.0.4:80")->streak, 0);
        assert_ptr_equal(next->frontends[0].frontend, web);
        assert_ptr_equal(next->all, all);

        upstream_unref(old);
        assert_int_equal(two->per_worker[1].sessions_total, 42);
        assert_int_equal(two->streak, 3);
        assert_int_equal(two->cool_until_ms, 12345);
        assert_int_equal(gate_now(&two->gate), 1);
        assert_int_equal(gate_now(&web->gate), 1);
        assert_int_equal(web->per_worker[0].rejected[REJECT_MAX_CONNECTIONS], 6);
        upstream_unref(next);
}

/* A session keeps what it needs of its own generation. */
static void test_old_ones_live_as_long_as_needed(void **state) {
        struct upstream *old = generation(before, NULL, NULL, 1), *next;
        struct endpoint *one = endpoint(old, "a", "10.0.0.1:80");

        (void)state;
        upstream_ref(old);
        next = generation(after, NULL, old, 1);
        upstream_unref(old);
        assert_string_equal(one->name, "10.0.0.1:80");
        assert_string_equal(old->frontends[0].config->name, "web");
        upstream_unref(next);
        assert_string_equal(one->name, "10.0.0.1:80");
        upstream_unref(old);
        assert_null(upstream_unref(NULL));
}

static void test_publish(void **state) {
        struct upstream *old = generation(before, NULL, NULL, 1), *next;
        struct endpoint *two = endpoint(old, "a", "10.0.0.2:80");
        struct endpoint *three = endpoint(old, "a", "10.0.0.3:80");
        struct config *c = load(after);
        const struct upstream_names none = { 0 };

        (void)state;
        assert_int_equal(old->all->gate.max, 100);
        assert_int_equal(old->frontends[0].frontend->gate.max, 5);
        assert_int_equal(old->frontends[1].frontend->gate.max, 0);
        assert_int_equal(two->weight, 2);
        assert_int_equal(three->gate.max, 7);

        /* building alone changes nothing: it may still be given up */
        assert_int_equal(upstream_new(&next, c, &none, old, 1), 0);
        config_unref(c);
        assert_int_equal(two->weight, 2);
        assert_int_equal(three->gate.max, 7);
        upstream_publish(next, 33);
        assert_int_equal(old->all->gate.max, 33);
        assert_int_equal(two->weight, 9);
        assert_int_equal(three->gate.max, 0);
        upstream_publish(old, 100); /* and back, as when the workers could not adopt it */
        assert_int_equal(two->weight, 2);
        assert_int_equal(three->gate.max, 7);
        upstream_unref(next);
        upstream_unref(old);
}

/* A weight that somebody has set holds until the file says something else than it did. */
static void test_live_weights(void **state) {
        struct upstream *u = generation(before, NULL, NULL, 1), *next;
        struct endpoint *two = endpoint(u, "a", "10.0.0.2:80");
        struct endpoint *three = endpoint(u, "a", "10.0.0.3:80");

        (void)state;
        two->weight = 77;
        three->weight = 0;
        next = generation(before, NULL, u, 1);
        upstream_unref(u);
        assert_int_equal(two->weight, 77);
        assert_int_equal(two->file_weight, 2);
        assert_int_equal(three->weight, 0);

        u = generation(after, NULL, next, 1); /* 2 -> 9; 3 has no weight there, as before */
        upstream_unref(next);
        assert_int_equal(two->weight, 9);
        assert_int_equal(two->file_weight, 9);
        assert_int_equal(three->weight, 0);

        two->weight = 5;
        next = generation(after, NULL, u, 1);
        upstream_unref(u);
        assert_int_equal(two->weight, 5);
        upstream_unref(next);
}

/* Marks, protection and what was counted outlive the generation. */
static void test_marks_stay(void **state) {
        struct upstream *old = generation(before, NULL, NULL, 2), *next;
        struct endpoint *two = endpoint(old, "a", "10.0.0.2:80");
        struct pool *a = old->pools[0].pool, *b = old->pools[1].pool;

        (void)state;
        assert_ptr_not_equal(a, b);
        assert_string_equal(a->name, "a");
        assert_false(pool_protected(a));
        assert_int_equal((uintptr_t)&a->per_worker[1] % 64, 0);
        a->protection = PROTECTION_STORM;
        COUNTER_ADD(a->per_worker[0].unavailable, 3);
        COUNTER_ADD(a->per_worker[1].unavailable, 4);
        endpoint_mark_down(two, -ETIMEDOUT, 1000);
        endpoint_set_admin(two, ADMIN_DRAIN, 99000, 1000);

        next = generation(after, NULL, old, 2);
        upstream_unref(old);
        assert_ptr_equal(next->pools[1].pool, a); /* by name, not by place */
        assert_ptr_equal(next->pools[0].pool, b);
        assert_true(pool_protected(a));
        assert_false(pool_protected(b));
        assert_int_equal(pool_unavailable(a), 7);
        assert_int_equal(pool_unavailable(b), 0);
        assert_true(two->down);
        assert_int_equal(two->admin, ADMIN_DRAIN);
        assert_int_equal(two->deadline_ms, 99000);
        upstream_unref(next);
}

static void test_protection_words(void **state) {
        (void)state;
        assert_null(protection_reason_word(PROTECTION_OFF));
        assert_string_equal(protection_reason_word(PROTECTION_STORM), "timeout_or_refused_storm");
        assert_string_equal(protection_reason_word(PROTECTION_UNAVAILABLE),
                            "all_backends_unavailable");
}

static void parse(struct addr *ret, const char *host) {
        assert_int_equal(addr_parse_host(ret, host, 0), 0);
}

static void test_names(void **state) {
        const char *text = "backends:\n  - { host: b.example, port: 81 }\n"
                           "  - { host: a.example, port: 82 }\n  - { host: c.example, port: 83 }\n"
                           "  - { host: \"10.0.0.1\", port: 84 }\n";
        struct addr addrs[3];
        const struct upstream_names first[] = { { "a.example", &addrs[0], 1 },
                                                { "b.example", &addrs[1], 2 },
                                                { "c.example", NULL, 0 },
                                                { 0 } };
        const struct upstream_names second[] = { { "b.example", &addrs[0], 1 }, { 0 } };
        const struct upstream_names none = { 0 };
        struct upstream *u, *next, *last;
        char buf[ADDR_TEXT_MAX];

        (void)state;
        parse(&addrs[0], "10.0.0.7");
        parse(&addrs[1], "10.0.0.8");
        parse(&addrs[2], "2001:db8::8");
        u = generation(text, first, NULL, 1);
        assert_int_equal(n_addrs(&u->pools[0].endpoints[0]), 2);
        assert_string_equal(addr_text(&u->pools[0].endpoints[0].addrs->at[0], buf), "10.0.0.8:81");
        assert_string_equal(addr_text(&u->pools[0].endpoints[0].addrs->at[1], buf),
                            "[2001:db8::8]:81");
        assert_string_equal(addr_text(&u->pools[0].endpoints[1].addrs->at[0], buf), "10.0.0.7:82");
        assert_int_equal(n_addrs(&u->pools[0].endpoints[2]), 0);
        assert_int_equal(n_addrs(&u->pools[0].endpoints[3]), 1);
        assert_int_equal(addr_port(&addrs[0]), 0); /* the resolver's answer is not ours to change */

        /* the same endpoint under other addresses; the old generation keeps its own */
        next = generation(text, second, u, 1);
        assert_ptr_equal(next->pools[0].endpoints[0].endpoint, u->pools[0].endpoints[0].endpoint);
        assert_string_equal(addr_text(&next->pools[0].endpoints[0].addrs->at[0], buf),
                            "10.0.0.7:81");
        assert_int_equal(n_addrs(&next->pools[0].endpoints[0]), 1);
        assert_int_equal(n_addrs(&next->pools[0].endpoints[1]), 0);
        assert_int_equal(n_addrs(&u->pools[0].endpoints[0]), 2);

        last = generation(text, &none, next, 1); /* no answers at all: it starts nevertheless */
        assert_int_equal(n_addrs(&last->pools[0].endpoints[0]), 0);
        assert_int_equal(n_addrs(&last->pools[0].endpoints[3]), 1);
        upstream_unref(u);
        upstream_unref(next);
        upstream_unref(last);
}

/* New answers for a generation in force: who dials by the old ones keeps them. */
static void test_moves(void **state) {
        const char *text =
                "backends:\n  - { host: a.example, port: 81 }\n"
                "  - { host: b.example, port: 82 }\n  - { host: c.example, port: 83 }\n"
                "  - { host: \"10.0.0.1\", port: 84 }\n  - { host: a.example, port: 85 }\n";
        struct addr addrs[3];
        const struct upstream_names first[] = { { "a.example", &addrs[0], 2 },
                                                { "b.example", &addrs[0], 1 },
                                                { "c.example", NULL, 0 },
                                                { 0 } };
        const struct upstream_names second[] = { { "a.example", &addrs[1], 2 },
                                                 { "b.example", &addrs[0], 1 },
                                                 { "c.example", &addrs[2], 1 },
                                                 { 0 } };
        const struct upstream_names third[] = { { "a.example", &addrs[2], 1 }, { 0 } };
        struct upstream_addrs *held, *of_b, *fixed;
        struct upstream_endpoint *e;
        struct upstream_moves moves;
        struct upstream *u;
        char buf[ADDR_TEXT_MAX];

        (void)state;
        parse(&addrs[0], "10.0.0.7");
        parse(&addrs[1], "10.0.0.8");
        parse(&addrs[2], "2001:db8::8");
        u = generation(text, first, NULL, 1);
        e = u->pools[0].endpoints;
        held = upstream_addrs_get(&e[0]);
        of_b = e[1].addrs;
        fixed = e[3].addrs;
        atomic_store(&e[0].endpoint->good_addr, 1);
        atomic_store(&e[4].endpoint->good_addr, 0);
        assert_int_equal(upstream_move(u, first, &moves), 0); /* the same again */
        assert_int_equal(moves.n, 0);
        assert_null(moves.retired);
        assert_ptr_equal(e[0].addrs, held);

        assert_int_equal(upstream_move(u, second, &moves), 0);
        assert_int_equal(moves.n, 3); /* both of a, and c, which had none */
        assert_non_null(moves.retired);
        assert_string_equal(addr_text(&e[0].addrs->at[0], buf), "10.0.0.8:81");
        assert_string_equal(addr_text(&e[4].addrs->at[1], buf), "[2001:db8::8]:85");
        assert_string_equal(addr_text(&e[2].addrs->at[0], buf), "[2001:db8::8]:83");
        assert_ptr_equal(e[1].addrs, of_b);
        assert_ptr_equal(e[3].addrs, fixed);
        assert_int_equal(atomic_load(&e[0].endpoint->good_addr), 0); /* where .8 is now */
        assert_int_equal(atomic_load(&e[4].endpoint->good_addr), 0);
        assert_true(e[0].addrs->serial != held->serial && e[4].addrs->serial != e[0].addrs->serial);
        upstream_retired_free(moves.retired);
        assert_string_equal(addr_text(&held->at[1], buf), "10.0.0.8:81"); /* as it was */
        assert_null(upstream_addrs_unref(held));

        assert_int_equal(upstream_move(u, third, &moves), 0); /* of the others nothing is known */
        assert_int_equal(moves.n, 2);
        assert_int_equal(n_addrs(&e[0]), 1);
        assert_int_equal(n_addrs(&e[2]), 1);
        upstream_retired_free(moves.retired);
        assert_null(upstream_addrs_unref(NULL));
        upstream_unref(u);
}

/* Thousands of backends and hundreds of generations: the look-up is no square, nothing is left. */
static void test_large(void **state) {
        static char text[4096 * 48];
        size_t n = (size_t)snprintf(text, sizeof(text), "backends:\n");
        struct upstream *u = NULL;
        struct endpoint *last;

        (void)state;
        for (unsigned i = 0; i < 4096; i++)
                n += (size_t)snprintf(text + n, sizeof(text) - n,
                                      "  - { host: \"10.0.%u.%u\", port: 80 }\n", i / 256, i % 256);
        u = generation(text, NULL, NULL, 2);
        last = u->pools[0].endpoints[4095].endpoint;
        for (int i = 0; i < 5; i++) {
                struct upstream *next = generation(text, NULL, u, 2);

                upstream_unref(u);
                u = next;
        }
        assert_int_equal(u->number, 6);
        assert_int_equal(u->max_endpoints, 4096);
        assert_ptr_equal(u->pools[0].endpoints[4095].endpoint, last);
        assert_int_equal(last->refs, 1);
        upstream_unref(u);
}

static void *holder(void *arg) {
        for (int i = 0; i < ROUNDS; i++)
                upstream_unref(upstream_ref(arg));
        upstream_unref(arg);
        return NULL;
}

/* Whoever lets go last frees it, in whichever thread. */
static void test_many_threads(void **state) {
        struct upstream *u = generation(before, NULL, NULL, THREADS);
        pthread_t threads[THREADS];

        (void)state;
        for (int i = 0; i < THREADS; i++)
                assert_int_equal(pthread_create(&threads[i], NULL, holder, upstream_ref(u)), 0);
        upstream_unref(u);
        for (int i = 0; i < THREADS; i++)
                pthread_join(threads[i], NULL);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_moves),
                cmocka_unit_test(test_first_generation),
                cmocka_unit_test(test_what_stays),
                cmocka_unit_test(test_old_ones_live_as_long_as_needed),
                cmocka_unit_test(test_publish),
                cmocka_unit_test(test_live_weights),
                cmocka_unit_test(test_marks_stay),
                cmocka_unit_test(test_protection_words),
                cmocka_unit_test(test_names),
                cmocka_unit_test(test_large),
                cmocka_unit_test(test_many_threads),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
