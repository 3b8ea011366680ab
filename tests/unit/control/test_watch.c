/* SPDX-License-Identifier: MIT */
/* A real directory, and everything that people and programs do to a file in it. */
#include "control/watch.h"

#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/clock.h"
#include "core/log.h"

#define PATIENCE_MS 10000
#define QUIET_MS    300 /* longer than the wait for calm */

static char dir[64], path[128];
static sd_event *event;
static struct watch *watch;
static unsigned n_changed;

/* ---- files ---- */

static const char *in_dir(const char *name) {
        static char buf[4][256];
        static unsigned i;
        char *p = buf[i++ % ELEMENTS(buf)];

        snprintf(p, sizeof(buf[0]), "%s/%s", dir, name);
        return p;
}

/* As a shell does: cut, then written. */
static void put(const char *file, const char *text) {
        FILE *f = fopen(file, "w");

        assert_non_null(f);
        assert_true(fputs(text, f) >= 0);
        assert_int_equal(fclose(f), 0);
}

static void move(const char *from, const char *to) {
        assert_int_equal(rename(from, to), 0);
}

static void make_dir(const char *name) {
        assert_int_equal(mkdir(name, 0700), 0);
}

static void make_link(const char *target, const char *name) {
        assert_int_equal(symlink(target, name), 0);
}

/* ---- the watch ---- */

static void on_changed(void *userdata) {
        (void)userdata;
        n_changed++;
}

static int setup(void **state) {
        (void)state;
        strcpy(dir, "/tmp/bal-watch-XXXXXX");
        if (!mkdtemp(dir) || sd_event_new(&event) < 0 || log_thread_init() < 0)
                return -1;
        snprintf(path, sizeof(path), "%s/config.yaml", dir);
        n_changed = 0;
        return 0;
}

static bool count_record(const struct log_record *record, void *userdata) {
        unsigned *counts = userdata;

        counts[record->site->event]++;
        return true;
}

static unsigned logged(enum log_event e) {
        unsigned counts[LOG_EVENTS_COUNT] = { 0 };

        while (log_drain(count_record, counts) > 0)
                ;
        return counts[e];
}

static int teardown(void **state) {
        char command[192];

        (void)state;
        watch = watch_free(watch);
        event = sd_event_unref(event);
        log_thread_done();
        logged(EVENT_config_gone);
        snprintf(command, sizeof(command), "chmod -R u+rwx %s; rm -rf %s", dir, dir);
        return system(command);
}

static void begin(void) {
        assert_int_equal(watch_new(&watch, event, path, watch_sum(path), on_changed, NULL), 0);
}

static void turn_for(uint64_t ms) {
        uint64_t until_ms = clock_mono_ms() + ms;

        while (clock_mono_ms() < until_ms)
                assert_true(sd_event_run(event, 5000) >= 0);
}

/* Exactly one change, soon, and none behind it. */
static void expect_change(void) {
        uint64_t until_ms = clock_mono_ms() + PATIENCE_MS;
        unsigned before = n_changed;

        while (n_changed == before) {
                assert_true(clock_mono_ms() < until_ms);
                assert_true(sd_event_run(event, 20000) >= 0);
        }
        turn_for(QUIET_MS);
        assert_int_equal(n_changed, before + 1);
}

static void expect_none(void) {
        unsigned before = n_changed;

        turn_for(QUIET_MS);
        assert_int_equal(n_changed, before);
}

/* ---- writers ---- */

static void test_written_in_place(void **state) {
        int fd;

        (void)state;
        put(path, "one");
        begin();
        expect_none();
        put(path, "two");
        expect_change();
        put(path, "two"); /* the same bytes */
        expect_none();

        fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
        assert_true(fd >= 0);
        assert_int_equal(write(fd, "!", 1), 1);
        expect_none(); /* whoever writes has not finished */
        assert_int_equal(close(fd), 0);
        expect_change();
}

static void test_renamed_over(void **state) {
        (void)state;
        put(path, "one");
        begin();
        expect_none();
        for (unsigned i = 0; i < 3; i++) { /* the watch goes with the name, not with the file */
                put(in_dir(".config.yaml.tmp"), i % 2 ? "odd" : "even");
                expect_none();
                move(in_dir(".config.yaml.tmp"), path);
                expect_change();
        }
        put(path, "in place, after that");
        expect_change();
}

/* vim with backupcopy=no: the old one is moved away, the name is written afresh. */
static void test_moved_away_and_written(void **state) {
        (void)state;
        put(path, "one");
        begin();
        expect_none();
        move(path, in_dir("config.yaml~"));
        put(path, "two");
        assert_int_equal(unlink(in_dir("config.yaml~")), 0);
        expect_change();
        assert_int_equal(logged(EVENT_config_gone), 0);
}

static void test_hard_link(void **state) {
        (void)state;
        put(path, "one");
        put(in_dir("other"), "two");
        begin();
        expect_none();
        assert_int_equal(unlink(path), 0);
        assert_int_equal(link(in_dir("other"), path), 0);
        expect_change();
}

/* Made and filled slowly: what is there half way is never read. */
static void test_slow_writer(void **state) {
        int fd;

        (void)state;
        put(path, "one");
        begin();
        expect_none();
        assert_int_equal(unlink(path), 0);
        fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        assert_true(fd >= 0);
        for (unsigned i = 0; i < 3; i++) {
                assert_int_equal(write(fd, "part\n", 5), 5);
                put(in_dir("neighbour"), "noise");
                expect_none();
        }
        assert_int_equal(close(fd), 0);
        expect_change();
}

static void test_many_writes_are_one_change(void **state) {
        char text[16];

        (void)state;
        put(path, "one");
        begin();
        expect_none();
        for (unsigned i = 0; i < 20; i++) {
                snprintf(text, sizeof(text), "%u", i);
                put(path, text);
                turn_for(10);
        }
        expect_change();
}

static void test_neighbours_do_not_matter(void **state) {
        (void)state;
        put(path, "one");
        begin();
        expect_none();
        put(in_dir("config.yml"), "two");
        move(in_dir("config.yml"), in_dir("config.yaml.bak"));
        assert_int_equal(chmod(path, 0640), 0);
        make_dir(in_dir("sub"));
        expect_none();
        assert_int_equal(logged(EVENT_config_gone), 0);
}

/* ---- links ---- */

static void test_symlink(void **state) {
        (void)state;
        make_dir(in_dir("a"));
        make_dir(in_dir("b"));
        put(in_dir("a/real"), "one");
        put(in_dir("b/real"), "two");
        make_link("a/real", path);
        begin();
        expect_none();

        put(in_dir("a/real"), "three"); /* the target, in place */
        expect_change();
        put(in_dir("a/new"), "four"); /* the target, renamed over */
        move(in_dir("a/new"), in_dir("a/real"));
        expect_change();
        make_link(in_dir("b/real"), in_dir("link")); /* the link itself; an absolute one */
        move(in_dir("link"), path);
        expect_change();
        put(in_dir("a/real"), "nobody reads this now");
        expect_none();
        put(in_dir("b/real"), "five");
        expect_change();
}

/* Kubernetes: config.yaml -> ..data/config.yaml, ..data -> ..1, and ..data is switched. */
static void test_data_switch(void **state) {
        (void)state;
        make_dir(in_dir("..1"));
        put(in_dir("..1/config.yaml"), "one");
        make_link("..1", in_dir("..data"));
        make_link("..data/config.yaml", path);
        begin();
        expect_none();
        for (unsigned i = 2; i < 5; i++) {
                char version[8], file[32];

                snprintf(version, sizeof(version), "..%u", i);
                snprintf(file, sizeof(file), "..%u/config.yaml", i);
                make_dir(in_dir(version));
                put(in_dir(file), version);
                make_link(version, in_dir("..data_tmp"));
                move(in_dir("..data_tmp"), in_dir("..data"));
                expect_change();
        }
}

static void test_links_that_go_round(void **state) {
        (void)state;
        make_link("round", path);
        make_link("config.yaml", in_dir("round"));
        begin();
        expect_none();
        assert_int_equal(logged(EVENT_config_gone), 1);
        assert_int_equal(unlink(path), 0);
        put(path, "one");
        expect_change();
}

/* ---- gone ---- */

static void test_removed(void **state) {
        (void)state;
        put(path, "one");
        begin();
        expect_none();
        assert_int_equal(unlink(path), 0);
        expect_none();
        assert_int_equal(logged(EVENT_config_gone), 1);
        put(in_dir("neighbour"), "noise");
        expect_none();
        assert_int_equal(logged(EVENT_config_gone), 0); /* told once */
        put(path, "one");
        expect_none(); /* it is back, and says the same */
        put(path, "two");
        expect_change();
        assert_int_equal(unlink(path), 0);
        expect_none();
        assert_int_equal(logged(EVENT_config_gone), 1);
}

static void test_directory_goes_and_comes(void **state) {
        (void)state;
        make_dir(in_dir("etc"));
        make_dir(in_dir("etc/bal"));
        snprintf(path, sizeof(path), "%s/etc/bal/config.yaml", dir);
        put(path, "one");
        begin();
        expect_none();

        move(in_dir("etc"), in_dir("old")); /* a directory above it */
        expect_none();
        assert_int_equal(logged(EVENT_config_gone), 1);
        put(in_dir("old/bal/config.yaml"), "somewhere else");
        expect_none();
        make_dir(in_dir("etc"));
        expect_none();
        make_dir(in_dir("etc/bal"));
        put(path, "two");
        expect_change();
        put(path, "three");
        expect_change();

        make_dir(in_dir("new")); /* in one step, with the file in it */
        make_dir(in_dir("new/bal"));
        put(in_dir("new/bal/config.yaml"), "four");
        move(in_dir("etc"), in_dir("older"));
        move(in_dir("new"), in_dir("etc"));
        expect_change();
}

static void test_not_there_at_first(void **state) {
        (void)state;
        begin();
        expect_none();
        assert_int_equal(logged(EVENT_config_gone), 1);
        put(path, "one");
        expect_change();
}

/* No regular file is never read: a pipe would be waited for. */
static void test_other_things(void **state) {
        (void)state;
        put(path, "one");
        begin();
        expect_none();
        assert_int_equal(unlink(path), 0);
        assert_int_equal(mkfifo(path, 0600), 0);
        expect_none();
        assert_int_equal(watch_sum(path), 0);
        assert_int_equal(unlink(path), 0);
        make_dir(path);
        expect_none();
        assert_int_equal(watch_sum(path), 0);
        assert_int_equal(rmdir(path), 0);
        put(path, "two");
        expect_change();
}

/* ---- what was seen ---- */

static void test_changed_before_it_began(void **state) {
        uint64_t seen;

        (void)state;
        put(path, "one");
        seen = watch_sum(path);
        assert_true(seen != 0);
        put(path, "two");
        assert_int_equal(watch_new(&watch, event, path, seen, on_changed, NULL), 0);
        assert_int_equal(n_changed, 0); /* never from within */
        expect_change();
}

static void test_read_for_another_reason(void **state) {
        (void)state;
        put(path, "one");
        begin();
        expect_none();
        put(path, "two");
        watch_saw(watch, watch_sum(path));
        expect_none();
        put(path, "one");
        expect_change();
}

static void test_sums(void **state) {
        char big[40000];

        (void)state;
        memset(big, 'x', sizeof(big) - 1);
        big[sizeof(big) - 1] = '\0';
        put(in_dir("a"), big);
        put(in_dir("b"), big);
        assert_true(watch_sum(in_dir("a")) == watch_sum(in_dir("b")));
        big[39998] = 'y';
        put(in_dir("b"), big);
        assert_true(watch_sum(in_dir("a")) != watch_sum(in_dir("b")));
        put(in_dir("b"), "");
        assert_true(watch_sum(in_dir("b")) != 0);
        assert_int_equal(watch_sum(in_dir("nobody")), 0);
}

static void on_changed_free(void *userdata) {
        (void)userdata;
        n_changed++;
        watch = watch_free(watch);
}

static void test_freed_by_its_callback(void **state) {
        (void)state;
        put(path, "one");
        assert_int_equal(watch_new(&watch, event, path, 0, on_changed_free, NULL), 0);
        expect_change();
        assert_null(watch);
}

/* The last test: it leaves the user namespace, where the limit is one's own. user_namespaces(7) */
static void test_no_watches_left(void **state) {
        FILE *limit;

        (void)state;
        put(path, "one");
        limit = unshare(CLONE_NEWUSER) == 0 ? fopen("/proc/sys/user/max_inotify_watches", "w")
                                            : NULL;
        if (!limit || fputs("1", limit) < 0 || fclose(limit) != 0)
                skip();
        begin();
        turn_for(QUIET_MS);
        assert_int_equal(logged(EVENT_config_watch_failed), 1);
        put(path, "two"); /* seen at the next look, some seconds later */
        expect_change();
        turn_for(2500);
        assert_int_equal(n_changed, 1);
        assert_int_equal(logged(EVENT_config_watch_failed), 0); /* told once */
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        const struct CMUnitTest tests[] = {
                TEST(test_written_in_place),
                TEST(test_renamed_over),
                TEST(test_moved_away_and_written),
                TEST(test_hard_link),
                TEST(test_slow_writer),
                TEST(test_many_writes_are_one_change),
                TEST(test_neighbours_do_not_matter),
                TEST(test_symlink),
                TEST(test_data_switch),
                TEST(test_links_that_go_round),
                TEST(test_removed),
                TEST(test_directory_goes_and_comes),
                TEST(test_not_there_at_first),
                TEST(test_other_things),
                TEST(test_changed_before_it_began),
                TEST(test_read_for_another_reason),
                TEST(test_sums),
                TEST(test_freed_by_its_callback),
                TEST(test_no_watches_left),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
