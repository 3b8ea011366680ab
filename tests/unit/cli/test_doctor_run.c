/* SPDX-License-Identifier: MIT */
/* Checks that crash, hang, fail and chatter: the others, and the report, live on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli/doctor/run.h"
#include "core/clock.h"

static int good(struct exam *x, struct finding *f) {
        (void)x;
        finding_warn(f, "found by another process: %s", getpid() == getppid() ? "no" : "yes");
        words_set(&f->perf, "n=1");
        return 0;
}

static int crashing(struct exam *x, struct finding *f) {
        (void)x;
        finding_ok(f, "never heard of");
        signal(SIGSEGV, SIG_DFL); /* a sanitizer would make an exit of it */
        raise(SIGSEGV);
        return 0;
}

static int leaving(struct exam *x, struct finding *f) {
        (void)x;
        (void)f;
        _exit(0);
}

static int failing(struct exam *x, struct finding *f) {
        (void)x;
        finding_ok(f, "half of it");
        return -EMFILE;
}

static int silent(struct exam *x, struct finding *f) {
        (void)x;
        (void)f;
        return 0; /* without a summary */
}

static int hanging(struct exam *x, struct finding *f) {
        (void)x;
        (void)f;
        sigset_t all;

        sigfillset(&all); /* not even a polite signal helps */
        sigprocmask(SIG_BLOCK, &all, NULL);
        do
                pause();
        while (getppid() > 0);
        return 0;
}

static int chattering(struct exam *x, struct finding *f) {
        char *text = malloc(4 * FINDING_MAX);

        (void)x;
        memset(text, 'y', 4 * FINDING_MAX - 1);
        text[4 * FINDING_MAX - 1] = '\0';
        finding_ok(f, "much");
        f->why_likely = text;
        return 0;
}

static const struct check all[] = {
        { .id = "good", .run = good, .limit_ms = 5000 },
        { .id = "crashing", .run = crashing, .limit_ms = 5000 },
        { .id = "leaving", .run = leaving, .limit_ms = 5000 },
        { .id = "failing", .run = failing, .limit_ms = 5000 },
        { .id = "silent", .run = silent, .limit_ms = 5000 },
        { .id = "hanging", .run = hanging, .limit_ms = 300 },
        { .id = "chattering", .run = chattering, .limit_ms = 5000 },
};

static size_t n_over, n_ticks;

static void on_over(struct visit *v, void *userdata) {
        assert_ptr_equal(userdata, &n_over);
        assert_true(v->over);
        assert_non_null(v->finding.summary);
        n_over++;
}

static void on_tick(void *userdata) {
        assert_ptr_equal(userdata, &n_over);
        n_ticks++;
}

static const struct run_hooks hooks = { .over = on_over, .tick = on_tick, .userdata = &n_over };

static size_t open_fds(void) {
        size_t n = 0;

        for (int fd = 0; fd < 1024; fd++)
                n += fcntl(fd, F_GETFD) >= 0;
        return n;
}

static void done(struct visit *visits, size_t n) {
        for (size_t i = 0; i < n; i++)
                finding_done(&visits[i].finding);
}

static void test_all(void **state) {
        struct visit v[ELEMENTS(all)] = { 0 };
        size_t fds = open_fds();
        uint64_t start = clock_mono_ms();

        (void)state;
        n_over = n_ticks = 0;
        for (size_t i = 0; i < ELEMENTS(all); i++)
                v[i].check = &all[i];
        run_all(v, ELEMENTS(v), NULL, &hooks);
        assert_int_equal(n_over, ELEMENTS(v));
        assert_true(n_ticks > 0);
        assert_in_range(clock_mono_ms() - start, 300, 4000);

        assert_int_equal(v[0].finding.level, LEVEL_WARN);
        assert_string_equal(v[0].finding.summary, "found by another process: yes");
        assert_string_equal(v[0].finding.perf, "n=1");
        assert_int_equal(v[1].finding.level, LEVEL_CRITICAL);
        assert_string_equal(v[1].finding.summary, "internal: the check crashed (signal 11)");
        assert_int_equal(v[2].finding.level, LEVEL_CRITICAL);
        assert_string_equal(v[2].finding.summary, "internal: the check ended without a word");
        assert_int_equal(v[3].finding.level, LEVEL_CRITICAL);
        assert_string_equal(v[3].finding.summary,
                            "internal: the check could not be made: Too many open files");
        assert_int_equal(v[4].finding.level, LEVEL_CRITICAL);
        assert_int_equal(v[5].finding.level, LEVEL_WARN);
        assert_string_equal(v[5].finding.summary, "not known: no result within 0.3 s");
        assert_in_range(v[5].duration_ms, 300, 3000);
        assert_int_equal(v[6].finding.level, LEVEL_OK);
        assert_true(strlen(v[6].finding.why_likely) > FINDING_MAX / 2);
        done(v, ELEMENTS(v));

        assert_int_equal(open_fds(), fds);
        for (int i = 0; i < 200 && waitpid(-1, NULL, WNOHANG) >= 0; i++)
                nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
        assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* nobody is left */
}

static void test_none(void **state) {
        (void)state;
        n_over = 0;
        run_all(NULL, 0, NULL, &hooks);
        assert_int_equal(n_over, 0);
}

/* Their times do not add up. */
static int slow(struct exam *x, struct finding *f) {
        (void)x;
        nanosleep(&(struct timespec){ .tv_nsec = 200000000 }, NULL);
        finding_ok(f, "at last");
        return 0;
}

static void test_at_once(void **state) {
        static const struct check check = { .id = "slow", .run = slow, .limit_ms = 10000 };
        struct visit v[32] = { 0 };
        uint64_t start = clock_mono_ms();

        (void)state;
        n_over = 0;
        for (size_t i = 0; i < ELEMENTS(v); i++)
                v[i].check = &check;
        run_all(v, ELEMENTS(v), NULL, &hooks);
        assert_in_range(clock_mono_ms() - start, 200, 3200); /* one after the other: 6400 */
        for (size_t i = 0; i < ELEMENTS(v); i++)
                assert_int_equal(v[i].finding.level, LEVEL_OK);
        done(v, ELEMENTS(v));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_all),
                cmocka_unit_test(test_none),
                cmocka_unit_test(test_at_once),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
