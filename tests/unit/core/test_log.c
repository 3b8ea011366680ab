/* SPDX-License-Identifier: MIT */
/* The rings are the process's: each test leaves them empty and counts drops from where it began. */
#include "core/log.h"

#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#define LOG_MODULE "test"
#define THREADS    4
#define RECORDS    20000 /* of each thread */
#define STRING_MAX 1024  /* what a ring keeps of one text */

struct seen {             /* what a drain found */
        size_t n, enough; /* enough: how many it takes; 0: all */
        uint64_t first, last;
        bool in_order; /* each "n" is one more than the one before */
        bool texts_good;
};

static char pattern[4096];

static bool see(const struct log_record *record, void *userdata) {
        struct seen *seen = userdata;
        uint64_t n = record->fields[0].u;

        if (seen->n == 0)
                seen->first = n;
        else if (n != seen->last + 1)
                seen->in_order = false;
        seen->last = n;
        seen->n++;
        if (record->n_fields > 1) {
                const char *text = record->fields[1].s;

                if (memcmp(text, pattern, strlen(text)) != 0 || strlen(text) != n % 900)
                        seen->texts_good = false;
        }
        return seen->n != seen->enough;
}

static struct seen drain(size_t enough) {
        struct seen seen = { .enough = enough, .in_order = true, .texts_good = true };

        size_t n = log_drain(see, &seen);

        assert_int_equal(n, seen.n);
        return seen;
}

static void emit(uint64_t n) {
        log_info(overload, "a number", F_U64("n", n));
}

/* Its size differs from that of its neighbours, so the records' ends meet the ring's end anyhow. */
static void emit_text(uint64_t n) {
        char text[1000];

        memcpy(text, pattern, n % 900);
        text[n % 900] = '\0';
        log_info(overload, "a number and a text", F_U64("n", n), F_STR("text", text));
}

static int setup(void **state) {
        (void)state;
        for (size_t i = 0; i < sizeof(pattern) - 1; i++)
                pattern[i] = (char)('a' + i % 23);
        return log_thread_init();
}

static int teardown(void **state) {
        (void)state;
        log_thread_done();
        while (drain(0).n > 0)
                ;
        return 0;
}

static void test_levels(void **state) {
        static const char *const keys[] = { "error", "warn", "info", "debug", "trace" };

        (void)state;
        for (int i = 0; i < LOG_LEVELS_COUNT; i++) {
                assert_string_equal(log_level_key((enum log_level)i), keys[i]);
                assert_int_equal(log_level_find(keys[i]), i);
                log_set_level((enum log_level)i);
                for (int k = 0; k < LOG_LEVELS_COUNT; k++)
                        assert_int_equal(log_enabled((enum log_level)k), k <= i);
        }
        assert_int_equal(log_level_find("INFO"), -ENOENT);
        assert_int_equal(log_level_find(""), -ENOENT);
        assert_int_equal(log_level_find("infos"), -ENOENT);

        log_set_level(LOG_LEVEL_WARN);
        emit(1);
        assert_int_equal(drain(0).n, 0);
        log_set_level(LOG_LEVEL_INFO);
        emit(1);
        assert_int_equal(drain(0).n, 1);
}

static bool look(const struct log_record *record, void *userdata) {
        const struct log_field *f = record->fields;

        *(bool *)userdata = true;
        assert_int_equal(record->site->level, LOG_LEVEL_WARN);
        assert_int_equal(record->site->event, EVENT_overload);
        assert_string_equal(record->site->module, "test");
        assert_string_equal(record->site->message, "all kinds");
        assert_true(record->real_us > UINT64_C(1600000000000000));
        assert_int_equal(record->n_fields, 7);
        assert_string_equal(f[0].key, "text");
        assert_string_equal(f[0].s, "abc");
        assert_null(f[1].s);
        assert_int_equal(f[2].u, UINT64_MAX);
        assert_int_equal(f[3].i, INT64_MIN);
        assert_int_equal(f[4].u, 1);
        assert_int_equal(f[5].kind, LOG_IS_ERRNO);
        assert_int_equal(f[5].i, -ECONNREFUSED);
        assert_int_equal(strlen(f[6].s), STRING_MAX);
        assert_memory_equal(f[6].s, pattern, STRING_MAX);
        return true;
}

/* Texts are copied, cut where they are too long, and errno stays what it was. */
static void test_fields(void **state) {
        char text[] = "abc", large[3000];
        bool looked = false;

        (void)state;
        memcpy(large, pattern, sizeof(large) - 1);
        large[sizeof(large) - 1] = '\0';
        errno = ENOTTY;
        log_warn(overload, "all kinds", F_STR("text", text), F_STR("none", NULL),
                 F_U64("u", UINT64_MAX), F_I64("i", INT64_MIN), F_BOOL("yes", true),
                 F_ERR(-ECONNREFUSED), F_STR("large", large));
        assert_int_equal(errno, ENOTTY);
        memset(text, 'X', sizeof(text));
        memset(large, 'X', sizeof(large));
        assert_int_equal(log_drain(look, &looked), 1);
        assert_true(looked);
}

static void test_wraps_around(void **state) {
        uint64_t dropped = log_dropped(), n = 0;
        size_t bytes = 0;

        (void)state;
        while (bytes < 50 * LOG_RING_SIZE) {
                uint64_t first = n;
                struct seen seen;

                for (int i = 0; i < 37; i++) {
                        bytes += n % 900;
                        emit_text(n++);
                }
                seen = drain(0);
                assert_int_equal(seen.n, 37);
                assert_int_equal(seen.first, first);
                assert_true(seen.in_order && seen.texts_good);
        }
        assert_int_equal(log_dropped(), dropped);
}

static void test_full_drops_and_counts(void **state) {
        uint64_t dropped = log_dropped(), kept;
        struct seen seen;

        (void)state;
        for (uint64_t i = 0; i < 10000; i++)
                emit(i);
        kept = 10000 - (log_dropped() - dropped);
        assert_in_range(kept, 500, LOG_RING_SIZE / sizeof(struct log_field));

        seen = drain(0);
        assert_int_equal(seen.n, kept);
        assert_int_equal(seen.first, 0); /* the oldest stay, since what began it all matters most */
        assert_true(seen.in_order);

        emit(1);
        assert_int_equal(drain(0).n, 1);
        assert_int_equal(log_dropped() - dropped, 10000 - kept);
}

static void test_drain_in_steps(void **state) {
        (void)state;
        for (uint64_t i = 0; i < 5; i++)
                emit(i);
        assert_int_equal(drain(2).n, 2);
        assert_int_equal(drain(2).first, 2);
        assert_int_equal(drain(2).first, 4);
        assert_int_equal(drain(2).n, 0);
}

static uint64_t woken(int fd) {
        uint64_t n = 0;

        if (read(fd, &n, sizeof(n)) < 0)
                assert_int_equal(errno, EAGAIN);
        return n;
}

static void test_wakes_only_from_empty(void **state) {
        int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

        (void)state;
        assert_true(fd >= 0);
        emit(0);
        log_wake_fd(fd);
        emit(1);
        assert_int_equal(woken(fd), 0); /* who sees the first sees this one as well */
        drain(0);
        emit(2);
        assert_int_equal(woken(fd), 1);
        emit(3);
        assert_int_equal(woken(fd), 0);
        drain(1);
        emit(4);
        assert_int_equal(woken(fd), 0);
        drain(0);
        emit(5);
        assert_int_equal(woken(fd), 1);
        log_wake_fd(-EBADF);
        drain(0);
        emit(6);
        assert_int_equal(woken(fd), 0);
        drain(0);
        fd_close(fd);
}

/* ---- rings that come and go ---- */

static void *short_life(void *arg) {
        int *r = arg;

        *r = log_thread_init();
        for (uint64_t i = 0; i < 3000; i++)
                emit(i);
        log_thread_done();
        emit(3000); /* nobody's */
        return NULL;
}

static int live_shortly(void) {
        pthread_t thread;
        int r;

        assert_int_equal(pthread_create(&thread, NULL, short_life, &r), 0);
        pthread_join(thread, NULL);
        return r;
}

static uint64_t written(void) {
        uint64_t n = 0;

        for (size_t i = 0; i < LOG_LEVELS_COUNT; i++)
                n += log_written(i);
        return n;
}

static void test_rings_end_with_their_threads(void **state) {
        uint64_t dropped = log_dropped(), before = written();
        size_t n = 0;

        (void)state;
        for (int i = 0; i < 2 * LOG_RINGS_MAX; i++) { /* each frees the one before */
                assert_int_equal(live_shortly(), 0);
                n += drain(0).n;
        }
        /* what a ring has lost and written stays known when it is gone */
        assert_int_equal(written() - before, n);
        assert_int_equal(n + log_dropped() - dropped, 2 * LOG_RINGS_MAX * 3001);
        assert_int_equal(drain(0).n, 0);
}

static void test_too_many_rings(void **state) {
        uint64_t dropped = log_dropped();

        (void)state;
        for (int i = 1; i < LOG_RINGS_MAX; i++) /* one is this thread's */
                assert_int_equal(live_shortly(), 0);
        dropped = log_dropped();
        assert_int_equal(live_shortly(), -ENOSPC);
        assert_int_equal(log_dropped() - dropped, 3001); /* all of it, and nothing breaks */
        while (drain(1).n > 0)                           /* in the smallest steps */
                ;
        assert_int_equal(live_shortly(), 0);
        drain(0);
}

/* ---- many threads, one that drains ---- */

static _Atomic unsigned n_running;

static void *chatter(void *arg) {
        uint64_t who = (uint64_t)(uintptr_t)arg;

        if (log_thread_init() == 0) {
                for (uint64_t i = 0; i < RECORDS; i++)
                        log_info(overload, "chatter", F_U64("who", who), F_U64("n", i),
                                 F_STR("text", pattern + 4000));
                log_thread_done();
        }
        atomic_fetch_sub(&n_running, 1);
        return NULL;
}

struct listener {
        uint64_t next[THREADS];
        size_t n, n_wrong;
};

static bool listen(const struct log_record *record, void *userdata) {
        struct listener *l = userdata;
        uint64_t who = record->fields[0].u, n = record->fields[1].u;

        if (who >= THREADS || n < l->next[who] || strcmp(record->fields[2].s, pattern + 4000) != 0)
                l->n_wrong++;
        else
                l->next[who] = n + 1;
        l->n++;
        return l->n % 64 != 0;
}

/* Sleeps until it is woken, as the log's thread does: a lost wake-up ends it after five seconds. */
static void test_many_threads(void **state) {
        uint64_t dropped = log_dropped(), before = written(), count;
        struct listener l = { 0 };
        pthread_t threads[THREADS];
        int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

        (void)state;
        assert_true(fd >= 0);
        log_wake_fd(fd);
        atomic_store(&n_running, THREADS);
        for (uintptr_t i = 0; i < THREADS; i++)
                assert_int_equal(pthread_create(&threads[i], NULL, chatter, (void *)i), 0);

        while (l.n + log_dropped() - dropped < THREADS * RECORDS) {
                struct pollfd p = { .fd = fd, .events = POLLIN };
                int ready = poll(&p, 1, atomic_load(&n_running) > 0 ? 5000 : 0);

                if (ready == 0 && l.n + log_dropped() - dropped < THREADS * RECORDS) {
                        /* all have ended: what their last wake-up was for was drained before */
                        assert_int_equal(atomic_load(&n_running), 0);
                        assert_true(log_drain(listen, &l) > 0);
                }
                if (read(fd, &count, sizeof(count)) < 0)
                        assert_int_equal(errno, EAGAIN);
                while (log_drain(listen, &l) > 0)
                        ;
        }
        for (int i = 0; i < THREADS; i++)
                pthread_join(threads[i], NULL);
        log_wake_fd(-EBADF);
        while (log_drain(listen, &l) > 0)
                ;
        assert_int_equal(l.n_wrong, 0);
        assert_int_equal(l.n + log_dropped() - dropped, THREADS * RECORDS);
        assert_int_equal(written() - before, l.n);
        assert_true(l.n > 0);
        fd_close(fd);
}

/* A thread that never stops talking must not silence the others. */
static _Atomic bool enough, said;

static void *babbler(void *arg) {
        (void)arg;
        if (log_thread_init() == 0) {
                while (!atomic_load(&enough))
                        log_info(overload, "babble", F_U64("who", 0));
                log_thread_done();
        }
        return NULL;
}

static void *one_word(void *arg) {
        (void)arg;
        if (log_thread_init() == 0) {
                log_info(overload, "one word", F_U64("who", 1));
                log_thread_done();
        }
        atomic_store(&said, true);
        return NULL;
}

struct ear {
        unsigned n, babbled, heard;
};

static bool hear(const struct log_record *record, void *userdata) {
        struct ear *ear = userdata;

        ear->babbled += record->fields[0].u == 0;
        ear->heard += record->fields[0].u == 1;
        return ++ear->n % 100 != 0;
}

static void test_nobody_starves(void **state) {
        struct ear ear = { 0 };
        pthread_t threads[2];

        (void)state;
        atomic_store(&enough, false);
        atomic_store(&said, false);
        assert_int_equal(pthread_create(&threads[0], NULL, babbler, NULL), 0);
        while (ear.babbled == 0)
                log_drain(hear, &ear);
        assert_int_equal(pthread_create(&threads[1], NULL, one_word, NULL), 0);
        while (!atomic_load(&said))
                log_drain(hear, &ear);
        for (int i = 0; i < 5; i++)
                log_drain(hear, &ear);
        atomic_store(&enough, true);
        for (int i = 0; i < 2; i++)
                pthread_join(threads[i], NULL);
        assert_int_equal(ear.heard, 1);
}

static void test_without_a_ring(void **state) {
        uint64_t dropped = log_dropped();

        (void)state;
        log_thread_done();
        emit(0);
        assert_int_equal(log_dropped() - dropped, 1);
        log_thread_done(); /* again */
        assert_int_equal(drain(0).n, 0);
        assert_int_equal(log_thread_init(), 0);
}

/* ---- what comes too often ---- */

#define FLOOD 5000 /* of each thread */

struct sum {
        uint64_t n, suppressed;
};

static bool add_up(const struct log_record *record, void *userdata) {
        struct sum *sum = userdata;
        const struct log_field *last = &record->fields[record->n_fields - 1];

        assert_int_equal(record->site->event, EVENT_internal_error);
        assert_string_equal(record->fields[1].s,
                            "a text"); /* its place moves with one field more */
        sum->n++;
        if (record->n_fields == 3) {
                assert_string_equal(last->key, "suppressed");
                assert_true(last->u > 0);
                sum->suppressed += last->u;
        }
        return true;
}

static void *flood(void *arg) {
        if (log_thread_init() == 0) {
                for (uint64_t i = 0; i < FLOOD; i++)
                        log_error(internal_error, "again", F_U64("n", i), F_STR("text", "a text"));
                log_thread_done();
        }
        return arg;
}

static uint64_t tell_all(bool last) {
        uint64_t n = 0;

        for (int i = 0; i < LOG_EVENTS_COUNT; i++)
                n += log_suppressed_tell((enum log_event)i, last);
        return n;
}

/* Many threads at once: few records, and each of those held back is told exactly once. */
static void test_flood(void **state) {
        uint64_t before = log_suppressed(), dropped = log_dropped();
        struct sum sum = { 0 };
        pthread_t threads[THREADS];
        int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

        (void)state;
        assert_true(fd >= 0);
        tell_all(true);
        for (int i = 0; i < THREADS; i++)
                assert_int_equal(pthread_create(&threads[i], NULL, flood, NULL), 0);
        for (int i = 0; i < THREADS; i++)
                pthread_join(threads[i], NULL);
        log_drain(add_up, &sum);
        assert_in_range(sum.n, 1, 1000); /* 100, and 20 for each second that the machine took */
        assert_int_equal(log_dropped(), dropped);
        assert_int_equal(sum.n + log_suppressed() - before, THREADS * FLOOD);

        assert_true(log_suppressed_waits());
        assert_int_equal(tell_all(false), 0); /* the event is not quiet yet */
        sum.suppressed += tell_all(true);
        assert_int_equal(sum.suppressed, log_suppressed() - before);
        assert_false(log_suppressed_waits());

        /* the first one held back wakes whoever drains, since perhaps nothing else comes */
        emit(0); /* with this in the ring no other record wakes */
        log_wake_fd(fd);
        errno = ENOTTY;
        for (int i = 0; i < 2000 && !log_suppressed_waits(); i++)
                log_error(internal_error, "again", F_U64("n", 0), F_STR("text", "a text"));
        assert_int_equal(errno, ENOTTY);
        assert_true(log_suppressed_waits());
        assert_int_equal(woken(fd), 1);
        log_wake_fd(-EBADF);
        drain(0);
        tell_all(true);
        fd_close(fd);
}

/* Other events have their own bucket, and those that matter have none. */
static void test_others_are_not_held_back(void **state) {
        uint64_t suppressed;
        size_t n = 0;

        (void)state;
        for (int i = 0; i < 200; i++)
                log_error(internal_error, "again", F_U64("n", 0), F_STR("text", "a text"));
        log_drain(add_up, &(struct sum){ 0 });
        tell_all(true);
        suppressed = log_suppressed();
        for (int i = 0; i < 10; i++) {
                for (uint64_t k = 0; k < 300; k++)
                        log_warn(backend_state, "a state", F_U64("n", k));
                n += drain(0).n;
        }
        assert_int_equal(n, 3000);
        log_warn(name_resolved, "another bucket", F_U64("n", 0));
        assert_int_equal(drain(0).n, 1);
        assert_int_equal(log_suppressed(), suppressed);
}

/* The record that would tell finds no room in the ring: the next one tells. */
static void test_told_even_after_a_full_ring(void **state) {
        struct log_field fields[] = { F_U64("n", 1), F_STR("text", "a text") };
        static const struct log_site site = LOG_SITE(LOG_LEVEL_WARN, accept_paused, "paused");
        uint64_t before = log_suppressed(), dropped;

        (void)state;
        for (int i = 0; i < 200; i++)
                log_emit(&site, fields, ELEMENTS(fields));
        assert_in_range(log_suppressed() - before, 50, 100);
        while (drain(0).n > 0)
                ;
        for (dropped = log_dropped(); log_dropped() == dropped;)
                emit(1);
        for (dropped = log_dropped(); log_dropped() == dropped;) /* until a token comes back */
                log_emit(&site, fields, ELEMENTS(fields));
        while (drain(0).n > 0)
                ;
        assert_true(log_suppressed_waits());
        assert_int_equal(tell_all(true), log_suppressed() - before);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        const struct CMUnitTest tests[] = {
                TEST(test_levels),
                TEST(test_fields),
                TEST(test_wraps_around),
                TEST(test_full_drops_and_counts),
                TEST(test_drain_in_steps),
                TEST(test_wakes_only_from_empty),
                TEST(test_rings_end_with_their_threads),
                TEST(test_too_many_rings),
                TEST(test_many_threads),
                TEST(test_nobody_starves),
                TEST(test_without_a_ring),
                TEST(test_flood),
                TEST(test_others_are_not_held_back),
                TEST(test_told_even_after_a_full_ring),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
