/* SPDX-License-Identifier: MIT */
/* The real getaddrinfo(3), and only names that need no name server, or that none may know. */
#include "control/resolver.h"

#include <netdb.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/clock.h"

#define PATIENCE_MS 30000 /* a name server may be silent */
#define MANY        500

struct heard {
        unsigned n, n_wrong;
        const char *expected;
        int error;
        size_t n_addrs;
        struct addr addrs[RESOLVER_ADDRS_MAX];
};

static sd_event *event;
static struct heard heard;

static void on_answer(const struct resolver_answer *a, void *userdata) {
        struct heard *h = userdata;

        h->n++;
        h->n_wrong += strcmp(a->host, h->expected) != 0;
        h->error = a->error;
        h->n_addrs = a->n_addrs;
        assert_in_range(a->n_addrs, a->error == 0, a->error == 0 ? RESOLVER_ADDRS_MAX : 0);
        if (a->n_addrs > 0)
                memcpy(h->addrs, a->addrs, a->n_addrs * sizeof(*a->addrs));
}

static int setup(void **state) {
        (void)state;
        heard = (struct heard){ 0 };
        return sd_event_new(&event) < 0;
}

static int teardown(void **state) {
        (void)state;
        event = sd_event_unref(event);
        return 0;
}

static void wait_for(unsigned n) {
        uint64_t until_ms = clock_mono_ms() + PATIENCE_MS;

        while (heard.n < n) {
                assert_true(clock_mono_ms() < until_ms);
                assert_true(sd_event_run(event, 100000) >= 0);
        }
        assert_int_equal(heard.n, n);
        assert_int_equal(heard.n_wrong, 0);
}

static void test_localhost(void **state) {
        _cleanup_(resolver_freep) struct resolver *r = NULL;
        struct resolver_question *q = NULL;
        struct addr loopback[2];
        bool found = false;

        (void)state;
        assert_int_equal(addr_parse_host(&loopback[0], "127.0.0.1", 0), 0);
        assert_int_equal(addr_parse_host(&loopback[1], "::1", 0), 0);
        assert_int_equal(resolver_new(&r, event, on_answer, &heard), 0);
        heard.expected = "localhost";
        assert_int_equal(resolver_ask(&q, r, "localhost"), 0);
        assert_int_equal(heard.n, 0); /* never from within */
        wait_for(1);
        assert_int_equal(heard.error, 0);
        for (size_t i = 0; i < heard.n_addrs; i++) {
                assert_int_equal(addr_port(&heard.addrs[i]), 0);
                found |= addr_equal(&heard.addrs[i], &loopback[0]) ||
                         addr_equal(&heard.addrs[i], &loopback[1]);
                for (size_t j = 0; j < i; j++)
                        assert_false(addr_equal(&heard.addrs[i], &heard.addrs[j]));
        }
        assert_true(found);
}

static void test_no_such_name(void **state) {
        static char label[300];
        const char *const names[] = { "does-not-exist.invalid", label, "" };
        _cleanup_(resolver_freep) struct resolver *r = NULL;
        struct resolver_question *q = NULL;

        (void)state;
        memset(label, 'a', sizeof(label) - 1);
        assert_int_equal(resolver_new(&r, event, on_answer, &heard), 0);
        for (unsigned i = 0; i < ELEMENTS(names); i++) {
                heard.expected = names[i];
                assert_int_equal(resolver_ask(&q, r, names[i]), 0);
                wait_for(i + 1);
                assert_int_not_equal(heard.error, 0);
                assert_int_equal(heard.n_addrs, 0);
        }
}

/* Whoever asks so often is answered so often. */
static void test_many(void **state) {
        _cleanup_(resolver_freep) struct resolver *r = NULL;
        struct resolver_question *q = NULL;

        (void)state;
        assert_int_equal(resolver_new(&r, event, on_answer, &heard), 0);
        heard.expected = "127.0.0.1";
        for (unsigned i = 0; i < MANY; i++)
                assert_int_equal(resolver_ask(&q, r, "127.0.0.1"), 0);
        wait_for(MANY);
        assert_int_equal(heard.n_addrs, 1);
}

/* Wherever they are by then: in the queue, with a thread, or answered already. */
static void test_dropped(void **state) {
        _cleanup_(resolver_freep) struct resolver *r = NULL;
        static struct resolver_question *questions[MANY];
        struct resolver_question *q = NULL;

        (void)state;
        assert_int_equal(resolver_new(&r, event, on_answer, &heard), 0);
        heard.expected = "127.0.0.2";
        for (unsigned round = 0; round < 20; round++) {
                unsigned before = heard.n;

                for (unsigned i = 0; i < MANY; i++)
                        assert_int_equal(resolver_ask(&questions[i], r, "127.0.0.1"), 0);
                for (unsigned i = 0; i < MANY; i++)
                        assert_null(resolver_drop(r, questions[(i * 7 + round) % MANY]));
                assert_int_equal(resolver_ask(&q, r, "127.0.0.2"), 0);
                wait_for(before + 1); /* and nobody was told of the others */
        }
        assert_null(resolver_drop(r, NULL));
}

/* The end waits neither for questions nor for answers. */
static void test_ends_at_once(void **state) {
        (void)state;
        for (int i = 0; i < 20; i++) {
                uint64_t began_ms = clock_mono_ms();
                struct resolver_question *q = NULL;
                struct resolver *r;

                assert_int_equal(resolver_new(&r, event, on_answer, &heard), 0);
                for (int k = 0; k < i; k++)
                        assert_int_equal(resolver_ask(&q, r, k % 2 ? "localhost" : "a.invalid"), 0);
                assert_null(resolver_free(r));
                assert_true(clock_mono_ms() - began_ms < 1000);
        }
        assert_true(sd_event_run(event, 0) >= 0);
        assert_int_equal(heard.n, 0);
        assert_null(resolver_free(NULL));
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        const struct CMUnitTest tests[] = {
                TEST(test_localhost), TEST(test_no_such_name), TEST(test_many),
                TEST(test_dropped),   TEST(test_ends_at_once),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
