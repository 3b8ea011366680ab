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
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/clock.h"

#define LOG_MODULE  "test"
#define PATIENCE_MS 10000
#define MANY        20000

static char dir[32], path[64], journal[64];

static int setup(void **state) {
        (void)state;
        strcpy(dir, "/tmp/bal-logsink.XXXXXX");
        if (!mkdtemp(dir))
                return -1;
        snprintf(path, sizeof(path), "%s/bal.log", dir);
        snprintf(journal, sizeof(journal), "%s/journal", dir);
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
        size_t n_gaps;                   /* log_dropped with an error */
        uint64_t gap, before_gap;        /* how many the latest says; the last number above it */
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
                if (json_object_get(fields, "error")) {
                        l->n_gaps++;
                        l->gap = (uint64_t)json_integer_value(json_object_get(fields, "lost"));
                        l->before_gap = l->last;
                }
        } else if (event && strcmp(event, "overload") == 0) {
                n = (uint64_t)json_integer_value(json_object_get(fields, "n"));
                if (l->n_numbers++ > 0 && n <= l->last)
                        l->good = false;
                l->last = n;
        } else if (!event || strcmp(event, "log_journal") != 0) {
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

/* The last number in a file in which one line is none. */
static uint64_t last_number(const char *name) {
        FILE *f = fopen(name, "re");
        char line[LOG_RECORD_MAX + 1];
        size_t n_bad = 0;
        uint64_t last = 0;

        assert_non_null(f);
        while (fgets(line, sizeof(line), f)) {
                struct lines l = { .good = true };

                lines_add(&l, line, strlen(line));
                n_bad += !l.good;
                last = l.n_numbers > 0 ? l.last : last;
        }
        fclose(f);
        assert_int_equal(n_bad, 1);
        return last;
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
        assert_int_equal(logsink_new(&sink, path, journal), 0);
        for (uint64_t i = 1; i < 100; i++)
                emit(i);
        assert_null(logsink_free(sink));
        l = file_lines(path);
        assert_int_equal(l.n_numbers, 100);
        assert_int_equal(l.n, 100);

        assert_int_equal(logsink_new(&sink, path, journal),
                         0); /* the next start goes on in the same file */
        emit(100);
        assert_null(logsink_free(sink));
        assert_int_equal(file_lines(path).n, 101);
        assert_int_equal(unlink(path), 0);
        assert_null(logsink_free(NULL));
}

static void test_written_soon(void **state) {
        struct logsink *sink;

        (void)state;
        assert_int_equal(logsink_new(&sink, path, journal), 0);
        for (uint64_t i = 0; i < 20; i++) {
                emit(i);
                wait_for_lines(path, i + 1);
        }
        logsink_free(sink);
        assert_int_equal(unlink(path), 0);
}

static void test_reopen(void **state) {
        struct logsink *sink;
        char old[80], older[80], nowhere[80];

        (void)state;
        snprintf(old, sizeof(old), "%s.1", path);
        snprintf(older, sizeof(older), "%s.2", path);
        snprintf(nowhere, sizeof(nowhere), "%s.3/file", path);
        assert_int_equal(logsink_new(&sink, path, journal), 0);
        emit(1);
        wait_for_lines(path, 1);
        assert_int_equal(rename(path, old), 0);
        emit(2);
        wait_for_lines(old, 2); /* until it is told, it goes on there */
        assert_int_equal(logsink_reopen(sink), 1);
        emit(3);
        wait_for_lines(path, 1);
        assert_int_equal(file_lines(path).last, 3);
        assert_int_equal(file_lines(old).n, 2);

        assert_int_equal(rename(path, older), 0);
        assert_int_equal(symlink(nowhere, path), 0); /* it cannot be opened */
        assert_int_equal(logsink_reopen(sink), -ENOENT);
        emit(4);
        wait_for_lines(older, 2);
        logsink_free(sink);
        assert_int_equal(unlink(path), 0);
        assert_int_equal(unlink(old), 0);
        assert_int_equal(unlink(older), 0);
}

static const struct {
        enum config_log_format format;
        enum config_log_schema schema;
        const char *begin, *end;
} formats[] = {
        { CONFIG_LOG_JSON, CONFIG_LOG_BAL, "{\"timestamp\":\"",
          "\"fields\":{\"n\":7,\"text\":\"a text to make it longer\"}}\n" },
        { CONFIG_LOG_JSON, CONFIG_LOG_ECS, "{\"@timestamp\":\"",
          "\"bal\":{\"n\":7,\"text\":\"a text to make it longer\"}}\n" },
        { CONFIG_LOG_PRETTY, CONFIG_LOG_BAL, "",
          " INFO  a number  n=7  text=a text to make it longer\n" },
        { CONFIG_LOG_PRETTY, CONFIG_LOG_ECS, "",
          " INFO  a number  n=7  text=a text to make it longer\n" },
};

static void test_formats(void **state) {
        (void)state;
        for (size_t i = 0; i < ELEMENTS(formats); i++) {
                struct logsink *sink;
                char text[512] = "";
                size_t n, end = strlen(formats[i].end);
                int fd;

                assert_int_equal(logsink_new(&sink, path, journal), 0);
                logsink_format(sink, formats[i].format, formats[i].schema);
                emit(7);
                logsink_free(sink);
                fd = open(path, O_RDONLY | O_CLOEXEC);
                assert_true(fd >= 0);
                n = (size_t)read(fd, text, sizeof(text) - 1);
                fd_close(fd);
                assert_in_range(n, end, sizeof(text) - 1);
                assert_memory_equal(text, formats[i].begin, strlen(formats[i].begin));
                assert_string_equal(text + n - end, formats[i].end);
                assert_int_equal(unlink(path), 0);
        }
}

static void test_errors(void **state) {
        struct logsink *sink = NULL;
        char other[80];

        (void)state;
        snprintf(other, sizeof(other), "%s/none/bal.log", dir);
        assert_int_equal(logsink_new(&sink, other, journal), -ENOENT);
        assert_int_equal(logsink_new(&sink, dir, journal), -EISDIR);
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
        if (logsink_new(&sink, NULL, journal) < 0)
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
        uint64_t dropped = log_dropped();
        struct logsink *sink;
        struct pipe p;
        int r;

        (void)state;
        signal(SIGPIPE, SIG_IGN); /* as the daemon does */
        pipe_begin(&p, 0);
        fd_close(p.read_fd);
        r = logsink_new(&sink, NULL, journal);
        for (uint64_t i = 0; i < MANY; i++)
                emit(i);
        if (r == 0)
                logsink_free(sink);
        pipe_end(&p);
        assert_int_equal(r, 0);
        assert_int_equal(log_dropped() - dropped, MANY);
}

/* ---- a full disk ---- */

/* As large as a file may become; SIZE_MAX: as large as anybody wants. */
static void room(size_t size) {
        struct rlimit limit;

        signal(SIGXFSZ, SIG_IGN); /* as the daemon does */
        assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
        limit.rlim_cur = size == SIZE_MAX ? limit.rlim_max : size;
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void wait_for_error(const struct logsink *sink, int error) {
        uint64_t until_ms = clock_mono_ms() + PATIENCE_MS;

        while (logsink_error(sink) != error && clock_mono_ms() < until_ms)
                nap();
        assert_int_equal(logsink_error(sink), error);
}

/* Each record is in the log or is counted, all lines are whole, and the gap is told where it is. */
static void test_full_disk(void **state) {
        uint64_t dropped = log_dropped(), n = 0, at;
        struct logsink *sink;
        struct lines l;

        (void)state;
        for (size_t size = 5000; size < 5250; size += 50) { /* wherever in a line that is */
                assert_int_equal(logsink_new(&sink, path, journal), 0);
                emit(0);
                wait_for_lines(path, dropped > 0 ? 2 : 1); /* of the tests before */
                room(size);
                for (n = 1; n < 60; n++)
                        emit(n);
                wait_for_error(sink, -EFBIG);
                at = log_dropped();
                for (; n < 90; n++)
                        emit(n);
                while (log_dropped() < at + 30) /* none of them has been tried */
                        nap();
                room(SIZE_MAX);
                wait_for_error(sink, 0);
                for (; n < 100; n++)
                        emit(n);
                logsink_free(sink);
                l = file_lines(path);
                assert_int_equal(l.n_numbers + log_dropped() - dropped, n);
                assert_int_equal(l.n_gaps, 1);
                assert_int_equal(l.lost_total, log_dropped());
                assert_int_equal(l.gap, log_dropped() - dropped);
                assert_int_equal(l.gap, 90 - (l.before_gap + 1));
                assert_int_equal(l.last, 99);
                assert_int_equal(unlink(path), 0);
                dropped = log_dropped();
        }
}

/* Half a line is all that is left of a process that was killed, or of a disk that stayed full. */
static void test_full_disk_at_the_end(void **state) {
        uint64_t dropped;
        struct logsink *sink;
        struct stat st;

        (void)state;
        for (size_t size = 500; size < 600; size += 20) {
                dropped = log_dropped();
                assert_int_equal(logsink_new(&sink, path, journal), 0);
                room(size);
                for (uint64_t n = 0; n < 10; n++)
                        emit(n);
                logsink_free(sink);
                room(SIZE_MAX);
                assert_int_equal(stat(path, &st), 0);
                assert_int_equal(st.st_size, size);
                assert_true(log_dropped() > dropped);

                assert_int_equal(logsink_new(&sink, path, journal), 0);
                emit(10);
                logsink_free(sink);
                assert_int_equal(last_number(path), 10);
                assert_int_equal(unlink(path), 0);
        }
}

static _Atomic size_t n_told[LOG_EVENTS_COUNT];

static void on_told(const struct log_record *record, void *arg) {
        (void)arg;
        n_told[record->site->event]++;
}

/* Whoever follows events goes on hearing them, and hears of the trouble once. bal does not spin. */
static void test_no_space_at_all(void **state) {
        uint64_t dropped = log_dropped();
        struct logsink *sink;
        struct timespec before, after;
        double spent_ms;

        (void)state;
        memset(n_told, 0, sizeof(n_told));
        assert_int_equal(logsink_new(&sink, "/dev/full", journal), 0);
        logsink_tap(sink, on_told, NULL);
        for (uint64_t n = 0; n < 100; n++)
                emit(n);
        wait_for_error(sink, -ENOSPC);
        while (log_dropped() < dropped + 100)
                nap();

        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
        for (int ms = 0; ms < 4 * LOGSINK_AGAIN_MS; ms++)
                nap();
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
        spent_ms = (double)(after.tv_sec - before.tv_sec) * 1e3 +
                   (double)(after.tv_nsec - before.tv_nsec) / 1e6;
        print_message("%.1f ms of CPU in %d\n", spent_ms, 4 * LOGSINK_AGAIN_MS);
        assert_true(spent_ms < LOGSINK_AGAIN_MS);
        assert_int_equal(logsink_error(sink), -ENOSPC);
        logsink_free(sink);
        assert_int_equal(log_dropped(), dropped + 100);
        assert_int_equal(n_told[EVENT_overload], 100);
        assert_int_equal(n_told[EVENT_log_failed], 1);
        assert_int_equal(n_told[EVENT_log_dropped], 0); /* it is told when it is written */
}

/* The journal is gone, and what takes its place is full. */
static void test_journal_and_no_space(void **state) {
        uint64_t dropped = log_dropped();
        struct logsink *sink;

        (void)state;
        assert_int_equal(logsink_new(&sink, "/dev/full", journal), 0);
        logsink_format(sink, CONFIG_LOG_JOURNAL, CONFIG_LOG_BAL);
        for (uint64_t n = 0; n < 10; n++)
                emit(n);
        wait_for_error(sink, -ENOSPC);
        logsink_free(sink);
        assert_true(log_dropped() >= dropped + 10); /* and what was to be told of the journal */
        assert_true(log_dropped() <= dropped + 12);
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

                if (dup2(fds[1], STDERR_FILENO) < 0 || logsink_new(&sink, NULL, journal) < 0)
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

/* ---- standard error is a stream of the journal ---- */

struct stream { /* a socket in the place of the one that systemd hands to a service */
        int read_fd, saved;
        char text[1024];
};

static void stream_begin(struct stream *s) {
        int fds[2];

        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
        s->read_fd = fds[0];
        s->saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
        assert_true(s->saved >= 0 && dup2(fds[1], STDERR_FILENO) >= 0);
        fd_close(fds[1]);
}

static const char *stream_read(struct stream *s) {
        size_t n = 0;

        do {
                struct pollfd p = { .fd = s->read_fd, .events = POLLIN };
                ssize_t more;

                if (poll(&p, 1, PATIENCE_MS) <= 0)
                        break;
                more = read(s->read_fd, s->text + n, sizeof(s->text) - 1 - n);
                n += more > 0 ? (size_t)more : 0;
        } while (n == 0 || s->text[n - 1] != '\n');
        s->text[n] = '\0';
        return s->text;
}

static void stream_end(struct stream *s) {
        dup2(s->saved, STDERR_FILENO);
        fd_close(s->saved);
        fd_close(s->read_fd);
}

static void name_stream(int fd, unsigned other) {
        char value[64];
        struct stat st;

        assert_int_equal(fstat(fd, &st), 0);
        snprintf(value, sizeof(value), "%llu:%llu", (unsigned long long)st.st_dev,
                 (unsigned long long)st.st_ino + other);
        assert_int_equal(setenv("JOURNAL_STREAM", value, 1), 0);
}

static void test_priorities_for_the_journal(void **state) {
        struct stream first, second;
        struct logsink *sink = NULL;
        bool named = false;
        char text[4][1024];

        (void)state;
        stream_begin(&first);
        name_stream(STDERR_FILENO, 0);
        if (logsink_new(&sink, NULL, journal) < 0)
                sink = NULL;
        emit(1);
        named = sink && strcmp(logsink_target(sink), "journal") == 0;
        strcpy(text[0], stream_read(&first));
        log_warn(overload, "a warning", F_U64("n", 2));
        strcpy(text[1], stream_read(&first));
        if (sink)
                logsink_format(sink, CONFIG_LOG_PRETTY, CONFIG_LOG_BAL);
        log_error(overload, "an error", F_U64("n", 3));
        strcpy(text[2], stream_read(&first));

        stream_begin(&second); /* the variable stays, the descriptor is another one */
        named = named && logsink_reopen(sink) == 0;
        log_error(overload, "an error", F_U64("n", 4));
        strcpy(text[3], stream_read(&second));
        named = named && strcmp(logsink_target(sink), "stderr") == 0;
        logsink_free(sink);
        stream_end(&second);
        stream_end(&first);
        unsetenv("JOURNAL_STREAM");

        assert_non_null(sink);
        assert_true(named);
        assert_memory_equal(text[0], "<6>{\"timestamp\":", 16);
        assert_memory_equal(text[1], "<4>{\"timestamp\":", 16);
        assert_memory_equal(text[2], "<3>", 3);
        assert_string_equal(text[2] + 15, " ERROR an error  n=3\n");
        assert_string_equal(text[3] + 12, " ERROR an error  n=4\n");
}

/* A file is not the journal, even where standard error is. */
static void test_no_priorities_in_a_file(void **state) {
        struct logsink *sink;
        struct stream s;

        (void)state;
        stream_begin(&s);
        name_stream(STDERR_FILENO, 0);
        assert_int_equal(logsink_new(&sink, path, journal), 0);
        emit(1);
        logsink_free(sink);
        stream_end(&s);
        unsetenv("JOURNAL_STREAM");
        assert_int_equal(file_lines(path).n_numbers, 1);
        assert_int_equal(unlink(path), 0);
}

/* ---- a socket in the place of the journal's ---- */

static int journal_bind(void) {
        int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        struct sockaddr_un sa = { .sun_family = AF_UNIX };

        strcpy(sa.sun_path, journal);
        unlink(journal);
        assert_true(fd >= 0);
        assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
        return fd;
}

/* The value of BAL_N in the next datagram; -1: none comes, -2: it has none. */
static int64_t journal_next(int fd, int wait_ms) {
        struct pollfd p = { .fd = fd, .events = POLLIN };
        char text[LOG_RECORD_MAX + 1];
        const char *number;
        ssize_t n;

        if (poll(&p, 1, wait_ms) <= 0 || (n = recv(fd, text, sizeof(text) - 1, 0)) <= 0)
                return -1;
        text[n] = '\0';
        assert_int_equal(text[n - 1], '\n');
        assert_memory_equal(text, "MESSAGE=", 8);
        number = strstr(text, "\nBAL_N=");
        if (!number) {
                assert_non_null(strstr(text, "\nBAL_EVENT=log_journal\n"));
                return -2;
        }
        assert_non_null(strstr(text, "\nPRIORITY=6\nMESSAGE_ID="));
        assert_non_null(strstr(text, "\nCODE_FILE=test_logsink.c\n"));
        return strtoll(number + 7, NULL, 10);
}

static void test_journal(void **state) {
        struct logsink *sink;
        int fd, again;

        (void)state;
        fd = journal_bind();
        assert_int_equal(logsink_new(&sink, path, journal), 0);
        assert_string_equal(logsink_target(sink), path);
        logsink_format(sink, CONFIG_LOG_JOURNAL, CONFIG_LOG_BAL);
        assert_string_equal(logsink_target(sink), "journal");
        for (int i = 0; i < 100; i++) {
                emit((uint64_t)i);
                assert_int_equal(journal_next(fd, PATIENCE_MS), i);
        }
        again = journal_bind(); /* it is restarted */
        fd_close(fd);
        for (int i = 0; i < 5; i++) {
                emit((uint64_t)i);
                assert_int_equal(journal_next(again, PATIENCE_MS), i);
        }
        logsink_format(sink, CONFIG_LOG_JSON, CONFIG_LOG_BAL);
        emit(7);
        wait_for_lines(path, 1);
        logsink_free(sink);
        assert_int_equal(journal_next(again, 0), -1);
        assert_int_equal(file_lines(path).n, 1);
        fd_close(again);
        assert_int_equal(unlink(path), 0);
        assert_int_equal(unlink(journal), 0);
}

/* No journal: the same as JSON, and one record says so. Then there is one. */
static void test_journal_is_not_there(void **state) {
        uint64_t until_ms = clock_mono_ms() + PATIENCE_MS, n;
        struct logsink *sink;
        struct lines l;
        int64_t got;
        int fd;

        (void)state;
        assert_int_equal(logsink_new(&sink, path, journal), 0);
        logsink_format(sink, CONFIG_LOG_JOURNAL, CONFIG_LOG_BAL);
        for (n = 0; n < 20; n++)
                emit(n);
        wait_for_lines(path, 21);
        while (clock_mono_ms() < until_ms - PATIENCE_MS + LOGSINK_JOURNAL_MS + 100)
                nap();
        emit(n++); /* it tries again, and says nothing */
        wait_for_lines(path, 22);
        fd = journal_bind();
        do {
                assert_true(clock_mono_ms() < until_ms);
                emit(n++);
                got = journal_next(fd, 50);
        } while (got == -1);
        assert_int_equal(got, n - 1);
        assert_int_equal(journal_next(fd, PATIENCE_MS), -2); /* that it is back is told there */
        emit(n);
        assert_int_equal(journal_next(fd, PATIENCE_MS), n);
        logsink_free(sink);
        fd_close(fd);
        l = file_lines(path);
        assert_int_equal(l.n_numbers, n - 1);
        assert_int_equal(l.n, l.n_numbers + 1);
        assert_int_equal(unlink(path), 0);
        assert_int_equal(unlink(journal), 0);
}

/* It takes some records and reads none: what it does not take is written elsewhere, none twice. */
static void test_journal_hangs(void **state) {
        uint64_t began_ms = clock_mono_ms(), dropped = log_dropped();
        const uint64_t all = 100;
        uint64_t in_journal = 0;
        struct logsink *sink;
        struct lines l;
        int fd;

        (void)state;
        fd = journal_bind();
        assert_int_equal(logsink_new(&sink, path, journal), 0);
        logsink_format(sink, CONFIG_LOG_JOURNAL, CONFIG_LOG_BAL);
        for (uint64_t i = 0; i < all; i++)
                emit(i);
        assert_true(clock_mono_ms() - began_ms < LOGSINK_PATIENCE_MS); /* nobody waits here */
        while (access(path, F_OK) < 0 || file_lines(path).n_numbers == 0) {
                assert_true(clock_mono_ms() - began_ms < PATIENCE_MS);
                nap();
        }
        logsink_free(sink);
        assert_in_range(clock_mono_ms() - began_ms, LOGSINK_PATIENCE_MS / 2, PATIENCE_MS);
        while (journal_next(fd, 0) >= 0)
                in_journal++;
        l = file_lines(path);
        assert_true(in_journal > 0);
        assert_int_equal(in_journal + l.n_numbers, all);
        assert_int_equal(l.n, l.n_numbers + 1);
        assert_int_equal(log_dropped(), dropped);
        fd_close(fd);
        assert_int_equal(unlink(path), 0);
        assert_int_equal(unlink(journal), 0);
}

/* ---- what was held back is told, even if nothing follows ---- */

static uint64_t suppressed_in_file(size_t *ret_records) {
        FILE *f = fopen(path, "re");
        char text[LOG_RECORD_MAX];
        uint64_t n = 0;

        assert_non_null(f);
        *ret_records = 0;
        while (fgets(text, sizeof(text), f)) {
                const char *count = strstr(text, "\"suppressed\":");

                n += count ? strtoull(count + 13, NULL, 10) : 0;
                *ret_records += strstr(text, "\"event\":\"internal_error\"") != NULL;
        }
        fclose(f);
        return n;
}

static void test_suppressed(void **state) {
        uint64_t before = log_suppressed(), began_ms = clock_mono_ms();
        struct logsink *sink;
        size_t n;

        (void)state;
        assert_int_equal(logsink_new(&sink, path, journal), 0);
        for (int i = 0; i < 1000; i++)
                log_error(internal_error, "again");
        while (log_suppressed_waits()) {
                assert_true(clock_mono_ms() - began_ms < 2 * PATIENCE_MS);
                nap();
        }
        for (int i = 0; i < 300; i++)
                log_error(internal_error, "again");
        logsink_free(sink); /* what is left is told at the end */
        assert_int_equal(log_suppressed_waits(), 0);
        assert_int_equal(suppressed_in_file(&n), log_suppressed() - before);
        assert_int_equal(n + log_suppressed() - before, 1300);
        assert_in_range(n, 200, 600);
        assert_int_equal(unlink(path), 0);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        const struct CMUnitTest tests[] = {
                TEST(test_all_is_written_at_the_end),
                TEST(test_written_soon),
                TEST(test_reopen),
                TEST(test_formats),
                TEST(test_errors),
                TEST(test_priorities_for_the_journal),
                TEST(test_no_priorities_in_a_file),
                TEST(test_journal),
                TEST(test_journal_is_not_there),
                TEST(test_journal_hangs),
                TEST(test_suppressed),
                /* each of these loses records, and the next log says so */
                TEST(test_nobody_reads),
                TEST(test_nobody_reads_non_blocking),
                TEST(test_reader_is_gone),
                TEST(test_end_while_nobody_reads),
                TEST(test_full_disk),
                TEST(test_full_disk_at_the_end),
                TEST(test_no_space_at_all),
                TEST(test_journal_and_no_space),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
