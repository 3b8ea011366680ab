/* SPDX-License-Identifier: MIT */
/* Backends that the next generation does not have, and those that come back. */
#include "control/leaving.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/log.h"

#define MANY 3000

static struct upstream *now;

static struct config *config_of(const char *text) {
        struct config *c = NULL;
        struct diags d;

        diags_init(&d);
        assert_int_equal(config_load_text(&c, "t.yaml", text, strlen(text), &d), 0);
        diags_done(&d);
        return c;
}

/* The next generation. */
static void adopt(const char *text) {
        struct config *c = config_of(text);
        struct upstream *next = NULL;

        assert_int_equal(upstream_new(&next, c, NULL, now, 2), 0);
        upstream_publish(next, 100);
        config_unref(c);
        upstream_unref(now);
        now = next;
}

static struct endpoint *endpoint(size_t pool, size_t i) {
        return now->pools[pool].endpoints[i].endpoint;
}

static int setup(void **state) {
        (void)state;
        return log_thread_init();
}

static unsigned n_lines[LOG_EVENTS_COUNT];

static bool count_record(const struct log_record *record, void *userdata) {
        (void)userdata;
        n_lines[record->site->event]++;
        return true;
}

static unsigned logged(enum log_event e) {
        memset(n_lines, 0, sizeof(n_lines));
        while (log_drain(count_record, NULL) > 0)
                ;
        return n_lines[e];
}

static int teardown(void **state) {
        (void)state;
        now = upstream_unref(now);
        log_thread_done();
        logged(EVENT_config_change);
        return 0;
}

#define BEFORE                                                                                     \
        "frontends:\n"                                                                             \
        "  - { name: f, listen: \"127.0.0.1:81\", backend: a }\n"                                  \
        "  - { name: g, listen: \"127.0.0.1:82\", backend: b }\n"                                  \
        "backends:\n"                                                                              \
        "  - { name: a, servers: [ { address: \"10.0.0.1:80\", weight: 2 },\n"                     \
        "      { address: \"10.0.0.2:80\" }, { address: \"10.0.0.3:80\" } ] }\n"                   \
        "  - { name: b, servers: [ { address: \"10.0.0.1:80\" }, { address: \"10.0.0.4:80\" } ] }\n"
#define AFTER                                                                                        \
        "frontends:\n"                                                                               \
        "  - { name: f, listen: \"127.0.0.1:81\", backend: a }\n"                                    \
        "  - { name: g, listen: \"127.0.0.1:82\", backend: c }\n"                                    \
        "backends:\n"                                                                                \
        "  - { name: c, servers: [ { address: \"10.0.0.7:80\" }, { address: \"10.0.0.8:80\" } ] }\n" \
        "  - { name: a, servers: [ { address: \"10.0.0.9:80\" },\n"                                  \
        "      { address: \"10.0.0.3:80\" }, { address: \"10.0.0.1:80\", weight: 5 } ] }\n"

static char *many(unsigned from, unsigned weight) {
        size_t size = MANY * 64, n = 0;
        char *text = malloc(size);

        assert_non_null(text);
        n += (size_t)snprintf(text, size, "backends:\n");
        for (unsigned i = 0; i < MANY; i++)
                n += (size_t)snprintf(text + n, size - n,
                                      "  - { host: 10.1.%u.%u, port: 80, weight: %u }\n",
                                      (from + i) / 250, (from + i) % 250, weight);
        return text;
}

static json_t *shown(const struct leaving *l) {
        struct jsontext t;
        json_t *doc;

        jsontext_init(&t, 1 << 20);
        leaving_describe(l, &t, NULL);
        assert_int_equal(t.out.error, 0);
        doc = json_loadb(t.out.bytes, t.out.n, 0, NULL);
        jsontext_done(&t);
        assert_non_null(doc);
        return doc;
}

static void assert_shown(const struct leaving *l, size_t n, const char *pool, const char *name) {
        json_t *doc = shown(l), *first = json_array_get(doc, 0);

        assert_int_equal(json_array_size(doc), n);
        if (n > 0) {
                assert_string_equal(json_string_value(json_object_get(first, "pool")), pool);
                assert_string_equal(json_string_value(json_object_get(first, "name")), name);
        }
        json_decref(doc);
}

static void test_leaving(void **state) {
        uint64_t failed[CONNECT_FAILURES_COUNT] = { 0 };
        struct upstream *before;
        struct endpoint *gone;
        struct leaving l;

        (void)state;
        leaving_init(&l);
        adopt(BEFORE);
        leaving_note(&l, NULL, now);
        assert_true(link_idle(&l.list));
        gone = endpoint(0, 1);
        atomic_store(&gone->per_worker[0].sessions_now, 2);
        atomic_store(&endpoint(1, 1)->per_worker[0].failed[CONNECT_REFUSED], 6);

        before = upstream_ref(now); /* a session still has it */
        adopt(AFTER);
        leaving_note(&l, before, now);
        assert_int_equal(logged(EVENT_backend_leaving), 1); /* of three, one has sessions */
        assert_shown(&l, 1, "a", "10.0.0.2:80");
        leaving_failed(&l, failed);
        assert_int_equal(failed[CONNECT_REFUSED], 6);

        leaving_tick(&l);
        assert_int_equal(logged(EVENT_backend_left), 0);
        atomic_store(&gone->per_worker[0].sessions_now, 0);
        leaving_tick(&l);
        leaving_tick(&l);
        assert_int_equal(logged(EVENT_backend_left), 1); /* once */
        assert_shown(&l, 0, NULL, NULL);
        assert_false(link_idle(&l.list)); /* the generation may still choose it: */
        atomic_store(&gone->per_worker[0].sessions_now, 1);
        atomic_store(&gone->per_worker[0].failed[CONNECT_REFUSED], 1);
        leaving_tick(&l);
        assert_shown(&l, 1, "a", "10.0.0.2:80");
        atomic_store(&gone->per_worker[0].sessions_now, 0);

        upstream_unref(before);
        leaving_tick(&l);
        assert_int_equal(logged(EVENT_backend_left), 1);
        assert_true(link_idle(&l.list));
        memset(failed, 0, sizeof(failed));
        leaving_failed(&l, failed); /* what they counted stays in the sum */
        assert_int_equal(failed[CONNECT_REFUSED], 7);
        leaving_done(&l);
}

/* Removed by mistake, and put back while a session still runs: it is the same one. */
static void test_comes_back(void **state) {
        uint64_t failed[CONNECT_FAILURES_COUNT] = { 0 };
        struct config *c = config_of(BEFORE);
        struct upstream *first, *second, *third = NULL;
        struct endpoint *gone, *other;
        struct leaving l;

        (void)state;
        leaving_init(&l);
        adopt(BEFORE);
        leaving_note(&l, NULL, now);
        gone = endpoint(0, 1);
        atomic_store(&gone->per_worker[0].sessions_now, 2);
        atomic_store(&gone->per_worker[0].sessions_total, 1000);
        atomic_store(&gone->per_worker[0].failed[CONNECT_OTHER], 3);
        atomic_store(&gone->admin, ADMIN_DRAIN);
        endpoint_mark_down(gone, -ECONNREFUSED, 1);
        other = endpoint(0, 2);

        first = upstream_ref(now);
        adopt(AFTER);
        second = upstream_ref(now);
        leaving_note(&l, first, now);
        assert_shown(&l, 1, "a", "10.0.0.2:80");

        assert_int_equal(upstream_new(&third, c, NULL, now, 2), 0);
        assert_ptr_not_equal(third->pools[0].endpoints[1].endpoint, gone);
        leaving_take_back(&l, third);
        assert_ptr_equal(third->pools[0].endpoints[1].endpoint, gone);
        assert_ptr_equal(third->pools[0].endpoints[2].endpoint, other); /* never away */
        assert_int_equal(gone->samples[5].sessions, 1000); /* no rate comes from the time away */
        assert_int_equal(gone->samples[5].failed, 3);
        assert_false(atomic_load(&gone->down));
        assert_int_equal(endpoint_state(gone), ENDPOINT_DRAIN);
        assert_shown(&l, 1, "a", "10.0.0.2:80"); /* until it is in force */
        upstream_publish(third, 100);
        leaving_note(&l, second, third);
        assert_shown(&l, 0, NULL, NULL); /* of the others that left nobody has sessions */
        leaving_failed(&l, failed);
        assert_int_equal(failed[CONNECT_OTHER], 0); /* it counts with those in force again */

        upstream_unref(first);
        upstream_unref(second);
        leaving_tick(&l);
        leaving_done(&l);
        upstream_unref(now);
        now = third;
        config_unref(c);
}

static void test_many_leave(void **state) {
        char *before_text = many(0, 1), *after_text = many(MANY, 1);
        struct upstream *before;
        struct leaving l;
        unsigned n_left = 0;

        (void)state;
        leaving_init(&l);
        adopt(before_text);
        leaving_note(&l, NULL, now);
        for (size_t i = 0; i < MANY; i++)
                atomic_store(&endpoint(0, i)->per_worker[0].sessions_now, 1);
        before = upstream_ref(now);
        adopt(after_text);
        leaving_note(&l, before, now);
        assert_int_equal(logged(EVENT_backend_leaving), 51);
        assert_shown(&l, LEAVING_SHOWN_MAX, "main", "10.1.0.0:80");

        for (size_t i = 0; i < MANY; i++)
                atomic_store(&before->pools[0].endpoints[i].endpoint->per_worker[0].sessions_now,
                             0);
        upstream_unref(before);
        for (unsigned ticks = 0; !link_idle(&l.list); ticks++) {
                unsigned n;

                assert_true(ticks < 100);
                leaving_tick(&l);
                n = logged(EVENT_backend_left);
                assert_true(n <= 50);
                n_left += n;
        }
        assert_int_equal(n_left, MANY);
        leaving_done(&l);
        free(before_text);
        free(after_text);
}

/* Each pool has its own one of that name. */
static void test_comes_back_to_its_pool(void **state) {
        static const char both[] =
                "frontends:\n"
                "  - { name: f, listen: \"127.0.0.1:81\", backend: a }\n"
                "  - { name: g, listen: \"127.0.0.1:82\", backend: b }\n"
                "backends:\n"
                "  - { name: a, servers: [ { address: \"10.0.0.9:80\" }, { address: \"10.0.0.1:80\" } ] }\n"
                "  - { name: b, servers: [ { address: \"10.0.0.1:80\" }, { address: \"10.0.0.2:80\" } ] }\n";
        static const char none[] = "frontends:\n"
                                   "  - { name: f, listen: \"127.0.0.1:81\", backend: a }\n"
                                   "  - { name: g, listen: \"127.0.0.1:82\", backend: b }\n"
                                   "backends:\n"
                                   "  - { name: a, servers: [ { address: \"10.0.0.9:80\" } ] }\n"
                                   "  - { name: b, servers: [ { address: \"10.0.0.2:80\" } ] }\n";
        struct config *c = config_of(both);
        struct upstream *first, *next = NULL;
        struct endpoint *of_a, *of_b;
        struct leaving l;

        (void)state;
        leaving_init(&l);
        adopt(both);
        leaving_note(&l, NULL, now);
        of_a = endpoint(0, 1);
        of_b = endpoint(1, 0);
        first = upstream_ref(now);
        adopt(none);
        leaving_note(&l, first, now);
        assert_int_equal(upstream_new(&next, c, NULL, now, 2), 0);
        leaving_take_back(&l, next);
        assert_ptr_equal(next->pools[0].endpoints[1].endpoint, of_a);
        assert_ptr_equal(next->pools[1].endpoints[0].endpoint, of_b);
        upstream_unref(next); /* it was given up: they are still on their way out */
        leaving_tick(&l);
        assert_false(link_idle(&l.list));
        upstream_unref(first);
        leaving_tick(&l);
        assert_true(link_idle(&l.list));
        leaving_done(&l);
        config_unref(c);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        const struct CMUnitTest tests[] = {
                TEST(test_leaving),
                TEST(test_comes_back),
                TEST(test_comes_back_to_its_pool),
                TEST(test_many_leave),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
