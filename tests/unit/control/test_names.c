/* SPDX-License-Identifier: MIT */
/* The name server is this file: it replaces getaddrinfo(3), and says what the test wants. */
#include "control/names.h"

#include <malloc.h>
#include <netdb.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/clock.h"

#define PATIENCE_MS 10000
#define MANY        2000
#define RELOADS     20

/* ---- the name server ---- */

static struct zone {
        const char *host;
        const char *addrs[4]; /* none: the name does not exist */
        bool silent;          /* no answer while this is true */
        unsigned n_asked;
} zone[4];
static unsigned n_asked; /* all together */
static bool dumb;        /* no answer to anything while this is true */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t spoke = PTHREAD_COND_INITIALIZER;

static struct addrinfo *answer_of(const char *text) {
        struct addrinfo *a = calloc(1, sizeof(*a) + sizeof(struct addr));
        struct addr *addr = (struct addr *)(a + 1);

        if (!a || addr_parse_host(addr, text, 0) < 0)
                abort();
        a->ai_addr = &addr->sa;
        a->ai_addrlen = addr->len;
        a->ai_family = addr->sa.sa_family;
        return a;
}

int getaddrinfo(const char *host,
                const char *service,
                const struct addrinfo *hints,
                struct addrinfo **ret) {
        struct addrinfo **tail = ret;
        struct zone *z = NULL;

        if (service || !hints || hints->ai_socktype != SOCK_STREAM)
                abort(); /* else each address would come three times */
        *ret = NULL;
        pthread_mutex_lock(&lock);
        n_asked++;
        for (size_t i = 0; i < ELEMENTS(zone); i++)
                if (zone[i].host && strcmp(zone[i].host, host) == 0)
                        z = &zone[i];
        if (z)
                z->n_asked++;
        while (dumb || (z && z->silent))
                pthread_cond_wait(&spoke, &lock);
        for (size_t i = 0; z && i < ELEMENTS(z->addrs) && z->addrs[i]; i++) {
                *tail = answer_of(z->addrs[i]);
                tail = &(*tail)->ai_next;
        }
        pthread_mutex_unlock(&lock);
        return *ret ? 0 : EAI_NONAME;
}

void freeaddrinfo(struct addrinfo *a) {
        while (a) {
                struct addrinfo *next = a->ai_next;

                free(a);
                a = next;
        }
}

static void zone_set(size_t i, const char *host, const char *first, const char *second) {
        pthread_mutex_lock(&lock);
        zone[i].host = host;
        zone[i].addrs[0] = first;
        zone[i].addrs[1] = first ? second : NULL;
        zone[i].silent = false;
        pthread_cond_broadcast(&spoke);
        pthread_mutex_unlock(&lock);
}

static void zone_silent(size_t i, bool silent) {
        pthread_mutex_lock(&lock);
        zone[i].silent = silent;
        pthread_cond_broadcast(&spoke);
        pthread_mutex_unlock(&lock);
}

static void all_silent(bool silent) {
        pthread_mutex_lock(&lock);
        dumb = silent;
        pthread_cond_broadcast(&spoke);
        pthread_mutex_unlock(&lock);
}

static unsigned asked(size_t i) {
        unsigned n;

        pthread_mutex_lock(&lock);
        n = i < ELEMENTS(zone) ? zone[i].n_asked : n_asked;
        pthread_mutex_unlock(&lock);
        return n;
}

/* ---- the daemon ---- */

static sd_event *event;
static struct names *names;
static unsigned n_changed, n_settled;

static void on_changed(void *userdata) {
        (void)userdata;
        n_changed++;
}

static void on_settled(void *userdata) {
        (void)userdata;
        n_settled++;
}

static int setup(void **state) {
        (void)state;
        pthread_mutex_lock(&lock); /* a thread of the test before may still be on its way out */
        memset(zone, 0, sizeof(zone));
        n_asked = 0;
        pthread_mutex_unlock(&lock);
        n_changed = n_settled = 0;
        if (sd_event_new(&event) < 0 || log_thread_init() < 0)
                return -1;
        return names_new(&names, event, on_changed, on_settled, NULL);
}

static bool count_record(const struct log_record *record, void *userdata) {
        unsigned *counts = userdata;

        counts[record->site->event]++;
        return true;
}

/* What was logged since the last call, by event. */
static void logged(unsigned counts[static LOG_EVENTS_COUNT]) {
        memset(counts, 0, LOG_EVENTS_COUNT * sizeof(counts[0]));
        while (log_drain(count_record, counts) > 0)
                ;
}

static int teardown(void **state) {
        unsigned counts[LOG_EVENTS_COUNT];

        (void)state;
        all_silent(false);
        for (size_t i = 0; i < ELEMENTS(zone); i++)
                zone_silent(i, false);
        names = names_free(names);
        event = sd_event_unref(event);
        log_thread_done();
        logged(counts);
        return 0;
}

static void turn_until(const unsigned *count, unsigned n) {
        uint64_t until_ms = clock_mono_ms() + PATIENCE_MS;

        while (*count < n) {
                assert_true(clock_mono_ms() < until_ms);
                assert_true(sd_event_run(event, 20000) >= 0);
        }
        assert_int_equal(*count, n);
}

static void turn_for(uint64_t ms) {
        uint64_t until_ms = clock_mono_ms() + ms;

        while (clock_mono_ms() < until_ms)
                assert_true(sd_event_run(event, 5000) >= 0);
}

/* A configuration with these hosts, which asks again every 20 ms. */
static struct config *config_of(const char *first, const char *second) {
        struct config *c = NULL;
        char text[512];
        struct diags d;
        int n = snprintf(text, sizeof(text), "backends:\n  - { host: %s, port: 80 }\n", first);

        if (second)
                snprintf(text + n, sizeof(text) - (size_t)n,
                         "  - { host: %s, port: 80 }\n  - { host: %s, port: 81 }\n", second,
                         second);
        diags_init(&d);
        assert_int_equal(config_load_text(&c, "t.yaml", text, strlen(text), &d), 0);
        diags_done(&d);
        c->resolve_interval_ms = 20;
        return c;
}

/* "a.example 10.0.0.1,10.0.0.2 b.example - " */
static const char *table(void) {
        static char text[512];
        const struct upstream_names *t = names_table(names);
        char *at = text, buf[ADDR_TEXT_MAX];

        assert_non_null(t);
        text[0] = '\0';
        for (; t->host; t++) {
                at += sprintf(at, "%s ", t->host);
                for (size_t i = 0; i < t->n_addrs; i++)
                        at += sprintf(at, "%s%s", i ? "," : "", addr_text_host(&t->addrs[i], buf));
                at += sprintf(at, t->n_addrs ? " " : "- ");
        }
        return text;
}

static void use(struct config *c) {
        unsigned before = n_settled;

        assert_int_equal(names_use(names, c), 0);
        assert_int_equal(n_settled, before); /* never from within */
}

static void test_no_names(void **state) {
        struct config *c = config_of("10.0.0.1", NULL);
        uint64_t began_ms = clock_mono_ms();

        (void)state;
        use(c);
        turn_until(&n_settled, 1);
        assert_true(clock_mono_ms() - began_ms < NAMES_PATIENCE_MS / 2);
        assert_string_equal(table(), "");
        turn_for(60);
        assert_int_equal(n_settled, 1);
        assert_int_equal(asked(SIZE_MAX), 0);
        config_unref(c);
}

static void test_settles_with_the_last_answer(void **state) {
        struct config *c = config_of("b.example", "a.example");
        unsigned counts[LOG_EVENTS_COUNT];
        uint64_t began_ms = clock_mono_ms();

        (void)state;
        zone_set(0, "a.example", "10.0.0.2", "10.0.0.1");
        zone_set(1, "b.example", NULL, NULL);
        use(c);
        turn_until(&n_settled, 1);
        assert_true(clock_mono_ms() - began_ms < NAMES_PATIENCE_MS / 2);
        assert_string_equal(table(), "a.example 10.0.0.1,10.0.0.2 b.example - ");
        turn_for(100);
        assert_true(asked(0) >= 2 && asked(1) >= 2); /* again and again, each once a round */
        assert_in_range(asked(0), 2, 8);
        assert_int_equal(n_changed, 0);
        assert_int_equal(n_settled, 1);
        logged(counts);
        assert_int_equal(counts[EVENT_name_resolved], 1);
        assert_int_equal(counts[EVENT_name_unresolved], 1);
        config_unref(c);
}

static void test_silent_server(void **state) {
        struct config *c = config_of("a.example", "b.example");
        uint64_t began_ms = clock_mono_ms();

        (void)state;
        zone_set(0, "a.example", "10.0.0.1", NULL);
        zone_set(1, "b.example", "10.0.0.2", NULL);
        zone_silent(1, true);
        use(c);
        turn_until(&n_settled, 1);
        assert_in_range(clock_mono_ms() - began_ms, NAMES_PATIENCE_MS - 10, PATIENCE_MS);
        assert_string_equal(table(), "a.example 10.0.0.1 b.example - ");
        assert_int_equal(asked(1), 1); /* it gets no second question before it answers */

        zone_silent(1, false);
        turn_until(&n_changed, 1);
        assert_string_equal(table(), "a.example 10.0.0.1 b.example 10.0.0.2 ");
        turn_for(60);
        assert_true(asked(1) < 10); /* nor have fifty questions piled up for it */
        assert_int_equal(n_settled, 1);
        config_unref(c);
}

static void test_last_good_answer_stays(void **state) {
        struct config *c = config_of("a.example", NULL);
        unsigned counts[LOG_EVENTS_COUNT], n;

        (void)state;
        zone_set(0, "a.example", "10.0.0.1", NULL);
        use(c);
        turn_until(&n_settled, 1);
        logged(counts);

        zone_set(0, "a.example", NULL, NULL);
        turn_for(100);
        assert_string_equal(table(), "a.example 10.0.0.1 ");
        assert_int_equal(n_changed, 0);
        logged(counts);
        assert_int_equal(counts[EVENT_name_unresolved], 1); /* told once, not each time */

        zone_set(0, "a.example", "10.0.0.1", NULL); /* back, with the same: nothing has happened */
        n = asked(0);
        while (asked(0) < n + 2)
                turn_for(20);
        assert_int_equal(n_changed, 0);
        zone_set(0, "a.example", "10.0.0.1", "2001:db8::1");
        turn_until(&n_changed, 1);
        assert_string_equal(table(), "a.example 10.0.0.1,2001:db8::1 ");
        zone_set(0, "a.example", "2001:db8::1", "10.0.0.1"); /* name servers turn their lists */
        n = asked(0);
        while (asked(0) < n + 2)
                turn_for(20);
        assert_int_equal(n_changed, 1);
        zone_set(0, "a.example", NULL, NULL);
        turn_for(100);
        logged(counts);
        assert_int_equal(counts[EVENT_name_unresolved], 1); /* a new failure is told again */
        config_unref(c);
}

static void test_reload(void **state) {
        struct config *before = config_of("a.example", "b.example");
        struct config *after = config_of("b.example", "c.example");

        (void)state;
        zone_set(0, "a.example", "10.0.0.1", NULL);
        zone_set(1, "b.example", "10.0.0.2", NULL);
        zone_set(2, "c.example", "10.0.0.3", NULL);
        use(before);
        turn_until(&n_settled, 1);

        use(after);
        turn_until(&n_settled, 2);
        assert_string_equal(table(), "a.example 10.0.0.1 b.example 10.0.0.2 c.example 10.0.0.3 ");
        names_forget(names, before); /* it was given up */
        assert_string_equal(table(), "a.example 10.0.0.1 b.example 10.0.0.2 ");

        zone_silent(2, true); /* a wait for one that is then given up */
        use(after);
        use(before);
        names_forget(names, before);
        turn_until(&n_settled, 3);
        zone_silent(2, false);
        turn_for(60);
        assert_string_equal(table(), "a.example 10.0.0.1 b.example 10.0.0.2 ");

        use(after);
        turn_until(&n_settled, 4);
        names_forget(names, after); /* now it is in force */
        assert_string_equal(table(), "b.example 10.0.0.2 c.example 10.0.0.3 ");
        assert_int_equal(n_changed, 0);
        config_unref(before);
        config_unref(after);
}

/* What is behind a name fails again and again, and nothing is learned by asking: fewer questions
 * each time. As soon as there was an answer that helped, the next failure asks quickly again. */
static void test_asks_again(void **state) {
        struct config *c = config_of("a.example", "b.example");
        uint64_t began_ms;
        unsigned before;

        (void)state;
        c->resolve_interval_ms = 60000;
        zone_set(0, "a.example", "10.0.0.1", NULL);
        zone_set(1, "b.example", "10.0.0.2", NULL);
        use(c);
        turn_until(&n_settled, 1);
        assert_int_equal(asked(0), 1);

        zone_set(0, "a.example", "10.0.0.9", NULL);
        began_ms = clock_mono_ms();
        names_ask_again(names, "a.example");
        names_ask_again(names, "nobody.example");
        turn_until(&n_changed, 1);
        assert_true(clock_mono_ms() - began_ms < NAMES_REST_MS / 2);
        assert_string_equal(table(), "a.example 10.0.0.9 b.example 10.0.0.2 ");
        assert_int_equal(asked(0), 2);

        while (clock_mono_ms() - began_ms <
               NAMES_REST_MS * 7 / 2) { /* at 1 s, then not before 3 s */
                names_ask_again(names, "a.example");
                turn_for(10);
        }
        assert_in_range(asked(0), 3, 4);
        assert_int_equal(asked(1), 1);
        assert_int_equal(n_changed, 1);

        zone_silent(1, true); /* no second question while one is under way */
        before = asked(1);
        for (unsigned i = 0; i < 5; i++) {
                names_ask_again(names, "b.example");
                turn_for(NAMES_REST_MS / 4);
        }
        assert_int_equal(asked(1), before + 1);
        zone_silent(1, false);
        config_unref(c);
}

/* "h0.example" and so on, in no order. */
static struct config *config_of_many(const char *prefix) {
        size_t size = MANY * 64;
        char *text = malloc(size);
        struct config *c = NULL;
        struct diags d;
        int n;

        assert_non_null(text);
        n = snprintf(text, size, "backends:\n");
        for (unsigned i = 0; i < MANY; i++)
                n += snprintf(text + n, size - (size_t)n, "  - { host: %s%u.example, port: %u }\n",
                              prefix, i * 7919 % MANY, i + 1);
        diags_init(&d);
        assert_int_equal(config_load_text(&c, "t.yaml", text, (size_t)n, &d), 0);
        diags_done(&d);
        free(text);
        return c;
}

static void test_many(void **state) {
        struct config *c = config_of_many("h");
        const struct upstream_names *t;

        (void)state;
        zone_set(0, "h1999.example", "10.0.0.1", NULL);
        use(c);
        turn_until(&n_settled, 1);
        assert_int_equal(asked(SIZE_MAX), MANY);
        t = names_table(names);
        for (unsigned i = 0; i < MANY; i++) {
                assert_non_null(t[i].host);
                assert_true(i == 0 || strcmp(t[i - 1].host, t[i].host) < 0);
                assert_int_equal(t[i].n_addrs, strcmp(t[i].host, "h1999.example") == 0);
        }
        assert_null(t[MANY].host);
        config_unref(c);
}

/* Reload after reload with other names, while the name server is silent: what waits for an answer
 * in the end is what the last file has, and what the threads were at when it went. */
static void test_nobody_wants_them_any_more(void **state) {
        struct config *c = NULL;
        size_t before = 0, after;

        (void)state;
        all_silent(true);
        for (unsigned i = 0; i < RELOADS; i++) {
                char prefix[16];

                snprintf(prefix, sizeof(prefix), "h%u-", i % 10);
                config_unref(c);
                c = config_of_many(prefix);
                use(c);
                names_forget(names, c);
                if (i == RELOADS / 2)
                        before = mallinfo2().uordblks;
        }
        after = mallinfo2().uordblks;
        print_message("%u reloads: %zu bytes, then %zu\n", RELOADS / 2 - 1, before, after);
        if (before > 0) /* a sanitizer counts by itself */
                assert_true(after < before + 65536);

        all_silent(false);
        turn_until(&n_settled, 1);
        assert_in_range(asked(SIZE_MAX), MANY, MANY + 4);
        config_unref(c);
}

/* Away and back again while its question is under way: that one will do. */
static void test_back_while_asked(void **state) {
        struct config *with = config_of("a.example", "b.example"),
                      *without = config_of("c.example", NULL);

        (void)state;
        zone_set(0, "a.example", "10.0.0.1", NULL);
        zone_set(1, "b.example", "10.0.0.2", NULL);
        zone_set(2, "c.example", "10.0.0.3", NULL);
        zone_silent(0, true);
        with->resolve_interval_ms = without->resolve_interval_ms = 60000;
        use(with);
        while (asked(0) == 0)
                turn_for(1);
        for (unsigned i = 0; i < 5; i++) {
                use(without);
                names_forget(names, without);
                use(with);
                names_forget(names, with);
        }
        zone_silent(0, false);
        turn_until(&n_settled, 1);
        assert_int_equal(asked(0), 1);
        assert_string_equal(table(), "a.example 10.0.0.1 b.example 10.0.0.2 ");
        config_unref(with);
        config_unref(without);
}

/* The end does not wait for a silent server. */
static void test_ends_at_once(void **state) {
        struct config *c = config_of("a.example", NULL);
        uint64_t began_ms = clock_mono_ms();

        (void)state;
        zone_set(0, "a.example", "10.0.0.1", NULL);
        zone_silent(0, true);
        use(c);
        turn_for(20);
        names = names_free(names);
        assert_true(clock_mono_ms() - began_ms < 1000);
        config_unref(c);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        const struct CMUnitTest tests[] = {
                TEST(test_no_names),         TEST(test_settles_with_the_last_answer),
                TEST(test_silent_server),    TEST(test_last_good_answer_stays),
                TEST(test_reload),           TEST(test_many),
                TEST(test_ends_at_once),     TEST(test_asks_again),
                TEST(test_back_while_asked), TEST(test_nobody_wants_them_any_more),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
