/* SPDX-License-Identifier: MIT */
/* Two generations side by side: what a reload changes. */
#include "control/review.h"

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

static void test_review(void **state) {
        struct config *next = config_of(AFTER);
        struct review r;

        (void)state;
        adopt(BEFORE);
        atomic_store(&endpoint(0, 1)->per_worker[0].sessions_now, 3);   /* a/10.0.0.2 goes */
        atomic_store(&endpoint(0, 2)->per_worker[0].sessions_now, 100); /* a/10.0.0.3 stays */
        atomic_store(&endpoint(1, 0)->per_worker[1].sessions_now, 4);   /* all of b goes */
        atomic_store(&endpoint(1, 1)->per_worker[0].sessions_now, 5);

        assert_int_equal(review_make(&r, now, next), 0);
        assert_int_equal(r.backends.added, 3);
        assert_int_equal(r.backends.removed, 3);
        assert_int_equal(r.backends.changed, 1);
        assert_int_equal(r.draining, 12);
        assert_int_equal(r.n_changes, json_array_size(r.changes));
        assert_int_equal(json_array_size(r.notes), 0);
        review_log(&r);
        assert_int_equal(logged(EVENT_config_change), r.n_changes);
        review_done(&r);
        review_done(&r);

        assert_int_equal(review_make(&r, now, now->config), 0);
        assert_int_equal(r.n_changes, 0);
        assert_int_equal(r.draining, 0);
        review_done(&r);
        config_unref(next);
}

/* A weight that was set live is told when the file takes it away, and only then. */
static void test_notes(void **state) {
        struct config *next = config_of(AFTER), *same = config_of(BEFORE);
        struct review r;

        (void)state;
        adopt(BEFORE);
        atomic_store(&endpoint(0, 0)->weight, 7);
        atomic_store(&endpoint(0, 2)->weight, 9); /* the file does not change this one */
        assert_int_equal(review_make(&r, now, next), 0);
        assert_int_equal(json_array_size(r.notes), 1);
        assert_string_equal(json_string_value(json_array_get(r.notes, 0)),
                            "a/10.0.0.1:80: the weight 7 that was set live gives way to the 5 of "
                            "the file");
        review_done(&r);
        assert_int_equal(review_make(&r, now, same), 0);
        assert_int_equal(json_array_size(r.notes), 0);
        review_done(&r);
        atomic_store(&endpoint(0, 0)->weight, 5); /* as the file will say: nothing is lost */
        assert_int_equal(review_make(&r, now, next), 0);
        assert_int_equal(json_array_size(r.notes), 0);
        review_done(&r);
        config_unref(next);
        config_unref(same);
}

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

static void test_many(void **state) {
        char *before = many(0, 1), *after = many(MANY / 2, 2);
        struct config *next = config_of(after);
        struct review r;

        (void)state;
        adopt(before);
        for (size_t i = 0; i < MANY; i++) {
                atomic_store(&endpoint(0, i)->per_worker[0].sessions_now, 1);
                atomic_store(&endpoint(0, i)->weight, 3);
        }
        assert_int_equal(review_make(&r, now, next), 0);
        assert_int_equal(r.n_changes, MANY / 2 * 3);
        assert_int_equal(json_array_size(r.changes), REVIEW_CHANGES_MAX);
        assert_int_equal(r.backends.added, MANY / 2);
        assert_int_equal(r.backends.removed, MANY / 2);
        assert_int_equal(r.backends.changed, MANY / 2);
        assert_int_equal(r.draining, MANY / 2);
        assert_int_equal(json_array_size(r.notes), REVIEW_NOTES_MAX + 1);
        review_log(&r);
        assert_int_equal(logged(EVENT_config_change), REVIEW_LINES_MAX + 1 + REVIEW_NOTES_MAX + 1);
        review_done(&r);
        config_unref(next);
        free(before);
        free(after);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        const struct CMUnitTest tests[] = {
                TEST(test_review),
                TEST(test_notes),
                TEST(test_many),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
