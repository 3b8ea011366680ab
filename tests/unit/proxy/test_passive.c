/* SPDX-License-Identifier: MIT */
#include "proxy/passive.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct upstream *u;

static int setup(void **state) {
        static const char text[] = "port: 9295\nbackends:\n"
                                   "  - { host: 10.0.0.1, port: 80 }\n"
                                   "  - { host: 10.0.0.2, port: 80 }\n"
                                   "  - { host: 10.0.0.3, port: 80, backup: true }\n";
        const struct upstream_names none = { 0 };
        struct config *c = NULL;
        struct diags d;

        (void)state;
        diags_init(&d);
        assert_int_equal(config_load_text(&c, "t.yaml", text, sizeof(text) - 1, &d), 0);
        diags_done(&d);
        assert_int_equal(upstream_new(&u, c, &none, NULL, 2), 0);
        config_unref(c);
        upstream_publish(u, 100);
        return 0;
}

static int teardown(void **state) {
        (void)state;
        u = upstream_unref(u);
        return 0;
}

static struct endpoint *at(size_t i) {
        return u->pools[0].endpoints[i].endpoint;
}

static bool let_down(size_t i) {
        return passive_let_down(at(i), &u->pools[0], 1000);
}

/* So many in a row that do not take it out. */
static void let_down_times(size_t i, unsigned n) {
        for (unsigned k = 0; k < n; k++)
                assert_false(let_down(i));
}

static void test_signs(void **state) {
        static const struct {
                struct passive_close c;
                bool is_sign;
                const char *why;
        } rows[] = {
                { { .n_said = 0 }, true, "at once" },
                { { .quiet_ms = 999 }, true, "within a second of the connect, or of the client" },
                { { .quiet_ms = 1000 }, false, "it may have waited for the client" },
                { { .n_said = 1 }, false, "it has said something" },
                { { .client_first = true }, false, "the client has closed, or half of it" },
                { { .settled = true }, false, "it was served for a while" },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(rows); i++)
                if (passive_is_sign(&rows[i].c) != rows[i].is_sign)
                        fail_msg("%s", rows[i].why);
}

static void test_a_row(void **state) {
        (void)state;
        assert_false(passive_served(at(0))); /* nothing to tell */
        let_down_times(0, PASSIVE_ROW - 1);
        assert_true(passive_served(at(0)));
        assert_false(passive_served(at(0)));
        let_down_times(0, PASSIVE_ROW - 1);
        assert_true(let_down(0));
        assert_true(let_down(0)); /* one more of the same row */

        at(0)->cool_until_ms = 1001; /* it is out: nothing new */
        let_down_times(0, 3);
        at(0)->cool_until_ms = 1000;
        assert_true(let_down(0)); /* the session that tried it */
}

/* Whoever is as bad, or cannot take over, is none to change to. */
static void test_others(void **state) {
        (void)state;
        let_down_times(0, PASSIVE_ROW - 1);
        assert_false(let_down(1));
        assert_true(let_down(0)); /* the backup is hoped to be better */
        assert_false(let_down(2));
        let_down_times(0, 10);
        let_down_times(1, 10);
        let_down_times(2, 10);
        assert_true(passive_served(at(1)));
        assert_true(let_down(0));
        assert_true(let_down(2));

        at(1)->weight = 0;
        assert_false(let_down(0));
        at(1)->weight = 1;
        at(1)->admin = ADMIN_DRAIN;
        assert_false(let_down(0));
        at(1)->admin = ADMIN_READY;
        at(1)->down = true;
        assert_false(let_down(0));
        at(1)->down = false;
        at(1)->streak = 1;
        assert_false(let_down(0));
        at(1)->streak = 0;
        assert_true(let_down(0));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_signs),
                TEST(test_a_row),
                TEST(test_others),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
