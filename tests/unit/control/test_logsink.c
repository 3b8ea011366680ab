/* SPDX-License-Identifier: MIT */
#include "control/logsink.h"

#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/clock.h"

#define LOG_MODULE  "test"
#define PATIENCE_MS 10000
#define MANY        20000

static char dir[32], path[64];

static int setup(void **state) {
        (void)state;
        strcpy(dir, "/tmp/bal-logsink.XXXXXX");
        if (!mkdtemp(dir))
                return -1;
        snprintf(path, sizeof(path), "%s/bal.log", dir);
        return log_thread_init();
}

static int teardown(void **state) {
        (void)state;
        log_thread_done();
        return rmdir(dir);
}

static void emit(uint64_t n) {
        log_info(overload, "a number", F_U64("n", n), F_STR("text", "a text to make it longer"));
}

static void nap(void) {
        const struct timespec ms = { .tv_nsec = 1000000 };

        nanosleep(&ms, NULL);
}

/* What has been read of a log: how many lines, and whether they are in order. */
struct lines {
        size_t n, n_numbers;
        uint64_t last, lost, lost_total; /* of the records; of the latest log_dropped */
        bool good;
        size_t length;
        char text[LOG_RECORD_MAX];
};

static void line_read(struct lines *l) {
        json_t *root = json_loadb(l->text, l->length, JSON_REJECT_DUPLICATES, NULL), *fields;
        const char *event;
        uint64_t n;

        l->n++;
        event = json_string_value(json_object_get(root, "event"));
        fields = json_object_get(root, "fields");
        if (event && strcmp(event, "log_dropped") == 0) {
                l->lost += (uint64_t)json_integer_value(json_object_get(fields, "lost"));
                l->lost_total = (uint64_t)json_integer_value(json_object_get(fields, "lost_total"));
        } else if (event && strcmp(event, "overload") == 0) {
                n = (uint64_t)json_integer_value(json_object_get(fields, "n"));
                if (l->n_numbers++ > 0 && n <= l->last)
                        l->good = false;
                l->last = n;
        } else {
                l->good = false;
        }
        json_decref(root);
}

static void lines_add(struct lines *l, const char *bytes, size_t n) {
        for (size_t i = 0; i < n; i++) {
                if (bytes[i] == '\n') {
                        line_read(l);
                        l->length = 0;
                } else if (l->length < sizeof(l->text)) {
                        l->text[l->length++] = bytes[i];
                }
        }
}

static struct lines file_lines(const char *name) {
        struct lines l = { .good = true };
        int fd = open(name, O_RDONLY | O_CLOEXEC);
        char buf[4096];
        ssize_t n;

        while (fd >= 0 && (n = read(fd, buf, sizeof(buf))) > 0)
                lines_add(&l, buf, (size_t)n);
        fd_close(fd);
        assert_true(l.good);
        assert_int_equal(l.length, 0); /* the last line is whole, too */
        return l;
}

static void wait_for_lines(const char *name, size_t n) {
        uint64_t until_ms = clock_mono_ms() + PATIENCE_MS;
        size_t size = 0, lines = 0;

        while (lines < n) {
                FILE *f = fopen(name, "re");
                int c;

                assert_true(clock_mono_ms() < until_ms);
                for (lines = size = 0; f && (c = getc(f)) != EOF; size++)
                        lines += c == '\n';
                if (f)
                        fclose(f);
                nap();
        }
        assert_int_equal(lines, n);
}

static void test_all_is_written_at_the_end(void **state) {
        struct logsink *sink;
        struct lines l;

        (void)state;
        emit(0); /* before there is anybody to write it */
        assert_int_equal(logsink_new(&sink, path), 0);
        for (uint64_t i = 1; i < 100; i++)
                emit(i);
        assert_null(logsink_free(sink));
        l = file_lines(path);
        assert_int_equal(l.n_numbers, 100);
        assert_int_equal(l.n, 100);

        assert_int_equal(logsink_new(&sink, path), 0); /* the next start goes on in the same file */
        emit(100);
        assert_null(logsink_free(sink));
        assert_int_equal(file_lines(path).n, 101);
        assert_int_equal(unlink(path), 0);
        assert_null(logsink_free(NULL));
}

static void test_written_soon(void **state) {
        struct logsink *sink;

        (void)state;
        assert_int_equal(logsink_new(&sink, path), 0);
        for (uint64_t i = 0; i < 20; i++) {
                emit(i);
                wait_for_lines(path, i + 1);
        }
        logsink_free(sink);
        assert_int_equal(unlink(path), 0);
}

static void test_reopen(void **state) {
        struct logsink *sink;
        char old[80], older[80];

        (void)state;
        snprintf(old, sizeof(old), "%s.1", path);
        snprintf(older, sizeof(older), "%s.2", path);
        assert_int_equal(logsink_new(&sink, path), 0);
        emit(1);
        wait_for_lines(path, 1);
        assert_int_equal(rename(path, old), 0);
        emit(2);
        wait_for_lines(old, 2); /* until it is told, it goes on there */
        assert_int_equal(logsink_reopen(sink), 0);
        emit(3);
        wait_for_lines(path, 1);
        assert_int_equal(file_lines(path).last, 3);
        assert_int_equal(file_lines(old).n, 2);

        assert_int_equal(rename(path, older), 0);
        assert_int_equal(symlink("/nonexistent/file", path), 0); /* it cannot be opened */
        assert_int_equal(logsink_reopen(sink), -ENOENT);
        emit(4);
        wait_for_lines(older, 2);
        logsink_free(sink);
        assert_int_equal(unlink(path), 0);
        assert_int_equal(unlink(old), 0);
        assert_int_equal(unlink(older), 0);
}

static void test_formats(void **state) {
        struct logsink *sink;
        char text[256] = "";
        int fd;

        (void)state;
        assert_int_equal(logsink_new(&sink, path), 0);
        logsink_format(sink, CONFIG_LOG_PRETTY);
        emit(7);
        logsink_free(sink);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        assert_true(fd >= 0 && read(fd, text, sizeof(text) - 1) > 14);
        fd_close(fd);
        assert_string_equal(text + 12, " INFO  a number  n=7  text=a text to make it longer\n");
        assert_int_equal(unlink(path), 0);
}

static void test_errors(void **state) {
        struct logsink *sink = NULL;
        char other[80];

        (void)state;
        snprintf(other, sizeof(other), "%s/none/bal.log", dir);
        assert_int_equal(logsink_new(&sink, other), -ENOENT);
        assert_int_equal(logsink_new(&sink, dir), -EISDIR);
        assert_null(sink);
}

/* ---- standard error is a pipe ---- */

struct pipe {
        int read_fd, saved;
};

static void pipe_begin(struct pipe *p, int flags) {
        int fds[2];

        assert_int_equal(pipe2(fds, O_CLOEXEC | flags), 0);
        p->read_fd = fds[0];
        p->saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
        assert_true(p->saved >= 0);
        assert_true(dup2(fds[1], STDERR_FILENO) >= 0);
        fd_close(fds[1]);
}

static void pipe_end(struct pipe *p) {
        dup2(p->saved, STDERR_FILENO);
        fd_close(p->saved);
}

/* Nobody reads: who logs goes on, and counts. Then somebody does and hears how many are missing. */
static void nobody_reads(int flags) {
        uint64_t dropped = log_dropped(), began_ms, until_ms;
        struct lines l = { .good = true };
        struct logsink *sink;
        char buf[65536];
        struct pipe p;
        ssize_t n;

        pipe_begin(&p, flags);
        if (logsink_new(&sink, NULL) < 0)
                sink = NULL;
        began_ms = clock_mono_ms();
        for (uint64_t i = 0; i < MANY; i++)
                emit(i);
        until_ms = clock_mono_ms();
        dropped = log_dropped() - dropped;

        /* some 64 KiB are in the pipe, as much in the ring; the rest is lost */
        while (sink && clock_mono_ms() < until_ms + PATIENCE_MS && l.n_numbers + dropped < MANY) {
                struct pollfd ready = { .fd = p.read_fd, .events = POLLIN };

                if (poll(&ready, 1, 100) > 0 && (n = read(p.read_fd, buf, sizeof(buf))) > 0)
                        lines_add(&l, buf, (size_t)n);
        }
        logsink_free(sink);
        pipe_end(&p);
        while ((n = read(p.read_fd, buf, sizeof(buf))) > 0)
                lines_add(&l, buf, (size_t)n);
        fd_close(p.read_fd);

        assert_non_null(sink);
        assert_true(until_ms - began_ms < PATIENCE_MS / 2);
        assert_true(dropped > MANY / 2);
        assert_true(l.good);
        assert_int_equal(l.length, 0);
        assert_int_equal(l.n_numbers + dropped, MANY);
        assert_true(l.lost >= dropped); /* and those of tests before, the first time */
        assert_int_equal(l.lost_total, log_dropped());
}

static void test_nobody_reads(void **state) {
        (void)state;
        nobody_reads(0);
}

/* Somebody else made the terminal non-blocking: the same. */
static void test_nobody_reads_non_blocking(void **state) {
        (void)state;
        nobody_reads(O_NONBLOCK);
}

/* The reader has died: the records are lost, bal is not. */
static void test_reader_is_gone(void **state) {
        struct logsink *sink;
        struct pipe p;
        int r;

        (void)state;
        signal(SIGPIPE, SIG_IGN); /* as the daemon does */
        pipe_begin(&p, 0);
        fd_close(p.read_fd);
        r = logsink_new(&sink, NULL);
        for (uint64_t i = 0; i < MANY; i++)
                emit(i);
        if (r == 0)
                logsink_free(sink);
        pipe_end(&p);
        assert_int_equal(r, 0);
}

/* The last words have their time, not more. In a child, since a thread that hangs stays behind. */
static void test_end_while_nobody_reads(void **state) {
        int fds[2], status;
        pid_t pid;

        (void)state;
        assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                struct logsink *sink;
                uint64_t began_ms;

                if (dup2(fds[1], STDERR_FILENO) < 0 || logsink_new(&sink, NULL) < 0)
                        _exit(1);
                for (uint64_t i = 0; i < MANY; i++)
                        emit(i);
                began_ms = clock_mono_ms();
                if (logsink_free(sink))
                        _exit(2);
                emit(0); /* nobody is woken, nothing breaks */
                began_ms = clock_mono_ms() - began_ms;
                _exit(began_ms >= LOGSINK_LAST_MS / 2 && began_ms < LOGSINK_LAST_MS * 4 ? 0 : 3);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
        fd_close(fds[0]);
        fd_close(fds[1]);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        const struct CMUnitTest tests[] = {
                TEST(test_all_is_written_at_the_end),
                TEST(test_written_soon),
                TEST(test_reopen),
                TEST(test_formats),
                TEST(test_errors),
                TEST(test_nobody_reads),
                TEST(test_nobody_reads_non_blocking),
                TEST(test_reader_is_gone),
                TEST(test_end_while_nobody_reads),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
