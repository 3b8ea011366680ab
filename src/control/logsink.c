/* SPDX-License-Identifier: MIT */

#include "control/logsink.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "control/journal.h"
#include "control/logwrite.h"
#include "core/clock.h"
#include "core/str.h"

#define LOG_MODULE "log"

#define STACK       ((size_t)128 * 1024)
#define BUFFER_SIZE (8 * LOG_RECORD_MAX)
#define POLL_MS     100  /* for the journal to read */
#define QUIET_MS    1000 /* how often to look whether what was held back can be told */

struct pair { /* one record for the journal, and as a line in case that is gone; bytes follow */
        uint32_t native, line;
};

struct logsink {
        pthread_t thread;
        bool started;
        char *path;  /* owned; NULL: standard error */
        char *shown; /* owned; the same as UTF-8, whatever bytes are in it */
        int event_fd;
        int fd; /* constant while the thread runs; a new file takes its number */
        _Atomic int format, schema, over, ended;
        _Atomic bool is_stream; /* fd is a stream of the journal, which reads a priority */

        const char *journal; /* borrowed */
        int journal_fd;      /* -EBADF: not connected */
        uint64_t journal_retry_ms;
        bool journal_lost; /* told */
        bool pairs;        /* what is in the buffer; else lines */

        pthread_mutex_t tap_lock;
        logsink_tap_fn tap; /* NULL: nobody */
        void *tap_arg;

        struct logwrite lines;
        _Atomic int error;  /* of a write, until the loss is told; 0: all is well */
        uint64_t failed_ms; /* since when */
        uint64_t again_ms;  /* when it is tried again */
        bool failure_shown; /* to whoever follows events */
        bool blocked;       /* until then nothing is written */
        bool telling;       /* what is written is the record about the loss */

        uint64_t told_dropped;
        size_t n;
        char buffer[BUFFER_SIZE];
};

/* ---- writing ---- */

static void on_failure(struct logsink *sink, int error);

/* A reader that is gone, or a full disk: the records are lost, bal goes on. */
static void write_lines(struct logsink *sink, const char *bytes, size_t size) {
        size_t lost;

        if (sink->blocked) {
                log_lost(logwrite_count(bytes, size));
                return;
        }
        lost = logwrite_lines(&sink->lines, bytes, size);
        if (!sink->telling)
                log_lost(lost);
        if (sink->lines.error < 0)
                on_failure(sink, sink->lines.error);
}

static bool wait_journal(const struct logsink *sink) {
        struct pollfd p = { .fd = sink->journal_fd, .events = POLLOUT };

        poll(&p, 1, POLL_MS);
        return atomic_load(&sink->over) < 2;
}

static int send_record(const struct logsink *sink, const char *record, size_t size) {
        uint64_t until_ms = clock_mono_ms() + LOGSINK_PATIENCE_MS;
        int r;

        do
                r = journal_send(sink->journal_fd, record, size);
        while (r == -EAGAIN && clock_mono_ms() < until_ms && wait_journal(sink));
        return r;
}

/* One line, and for the journal a record as well. */
static size_t put_line(const struct logsink *sink, char *to, const struct log_record *record) {
        static const size_t max = LOG_RECORD_MAX - 1;
        int format = atomic_load(&sink->format);
        size_t n = 0;

        if (atomic_load(&sink->is_stream))
                n = (size_t)sprintf(to, "<%d>", log_priority(record->site->level));
        if (format == CONFIG_LOG_PRETTY)
                n += log_format_pretty(to + n, max - n, record);
        else if (atomic_load(&sink->schema) == CONFIG_LOG_ECS)
                n += log_format_ecs(to + n, max - n, record);
        else
                n += log_format_json(to + n, max - n, record);
        to[n++] = '\n';
        return n;
}

void logsink_tap(struct logsink *sink, logsink_tap_fn fn, void *arg) {
        pthread_mutex_lock(&sink->tap_lock);
        sink->tap = fn;
        sink->tap_arg = arg;
        pthread_mutex_unlock(&sink->tap_lock);
}

/* False: nobody looks. */
static bool show(struct logsink *sink, const struct log_record *record) {
        bool shown;

        pthread_mutex_lock(&sink->tap_lock);
        shown = sink->tap;
        if (shown)
                sink->tap(record, sink->tap_arg);
        pthread_mutex_unlock(&sink->tap_lock);
        return shown;
}

/* Only collects: writing may take its time, and the list of rings is locked now. */
static void collect(struct logsink *sink, const struct log_record *record) {
        char *to = sink->buffer + sink->n;
        struct pair pair;

        if (sink->pairs) {
                char *text = to + sizeof(pair);

                pair.native = (uint32_t)log_format_native(text, LOG_RECORD_MAX, record);
                pair.line = (uint32_t)put_line(sink, text + pair.native, record);
                memcpy(to, &pair, sizeof(pair));
                sink->n += sizeof(pair) + pair.native + pair.line;
        } else {
                sink->n += put_line(sink, to, record);
        }
}

static bool on_record(const struct log_record *record, void *userdata) {
        struct logsink *sink = userdata;

        show(sink, record);
        collect(sink, record);
        return BUFFER_SIZE - sink->n >= sizeof(struct pair) + 2 * LOG_RECORD_MAX;
}

/* Of the log itself; it is in no ring. */
static void put_own(struct logsink *sink,
                    const struct log_site *site,
                    const struct log_field *fields,
                    size_t n) {
        if (log_enabled(site->level))
                on_record(&(struct log_record){ site, clock_real_us(), fields, n }, sink);
}

/* ---- the journal ---- */

static void journal_give_up(struct logsink *sink, int error) {
        static const struct log_site site =
                LOG_SITE(LOG_LEVEL_WARN, log_journal,
                         "the journal cannot be reached, records go on as JSON");
        struct log_field fields[] = { F_STR("path", sink->journal), F_ERR(error) };

        sink->journal_fd = fd_close(sink->journal_fd);
        sink->journal_retry_ms = clock_mono_ms() + LOGSINK_JOURNAL_MS;
        sink->pairs = false;
        if (sink->journal_lost)
                return;
        sink->journal_lost = true;
        put_own(sink, &site, fields, ELEMENTS(fields));
}

/* Not before a record has gone there: the socket of one that hangs can be connected to. */
static void journal_is_back(struct logsink *sink) {
        static const struct log_site site =
                LOG_SITE(LOG_LEVEL_INFO, log_journal, "the journal takes records again");
        struct log_field fields[] = { F_STR("path", sink->journal) };

        if (!sink->journal_lost)
                return;
        sink->journal_lost = false;
        put_own(sink, &site, fields, ELEMENTS(fields));
}

/* Before the buffer is filled: what will be in it? */
static void journal_prepare(struct logsink *sink) {
        int fd;

        sink->pairs = atomic_load(&sink->format) == CONFIG_LOG_JOURNAL;
        if (!sink->pairs) {
                sink->journal_fd = fd_close(sink->journal_fd);
                sink->journal_retry_ms = 0;
                sink->journal_lost = false;
                return;
        }
        if (sink->journal_fd >= 0)
                return;
        if (clock_mono_ms() < sink->journal_retry_ms) {
                sink->pairs = false;
                return;
        }
        fd = journal_connect(sink->journal);
        if (fd < 0)
                journal_give_up(sink, fd);
        else
                sink->journal_fd = fd;
}

/* A journal that was restarted has a new socket at the old place. */
static int send_or_reconnect(struct logsink *sink, const char *record, size_t size) {
        int r = send_record(sink, record, size), fd;

        if (r == 0 || r == -EAGAIN)
                return r;
        fd = journal_connect(sink->journal);
        if (fd < 0)
                return fd;
        fd_close(sink->journal_fd);
        sink->journal_fd = fd;
        return send_record(sink, record, size);
}

static void write_pairs(struct logsink *sink) {
        size_t end = sink->n;
        int error = 0;

        for (size_t at = 0; at < end;) {
                const char *text = sink->buffer + at + sizeof(struct pair);
                struct pair pair;

                memcpy(&pair, sink->buffer + at, sizeof(pair));
                at += sizeof(pair) + pair.native + pair.line;
                if (error == 0)
                        error = send_or_reconnect(sink, text, pair.native);
                if (error < 0)
                        write_lines(sink, text + pair.native, pair.line);
        }
        sink->n = 0;
        if (error < 0)
                journal_give_up(sink, error);
        else if (end > 0)
                journal_is_back(sink);
}

/* Writing the pairs may leave something to say of the journal itself. */
static void write_all(struct logsink *sink) {
        if (sink->pairs)
                write_pairs(sink);
        if (sink->pairs)
                write_pairs(sink);
        if (sink->n > 0)
                write_lines(sink, sink->buffer, sink->n);
        sink->n = 0;
}

/* ---- what the log says of itself ---- */

/* A record that so many are lost. It is not lost itself if it cannot be written: it is made again,
 * and shown to nobody before. Of half of it the rest follows, so it counts as told. */
static void tell(struct logsink *sink,
                 uint64_t dropped,
                 const struct log_site *site,
                 const struct log_field *fields,
                 size_t n) {
        struct log_record record = { site, clock_real_us(), fields, n };

        sink->telling = true;
        if (log_enabled(site->level))
                collect(sink, &record);
        write_all(sink);
        sink->telling = false;
        if (sink->blocked && sink->lines.n_rest == 0)
                return;
        sink->told_dropped = dropped;
        if (log_enabled(site->level))
                show(sink, &record);
}

static void tell_dropped(struct logsink *sink) {
        static const struct log_site site = LOG_SITE(
                LOG_LEVEL_WARN, log_dropped, "records were lost, the log is read too slowly");
        uint64_t dropped = log_dropped();
        struct log_field fields[] = { F_U64("lost", dropped - sink->told_dropped),
                                      F_U64("lost_total", dropped) };

        if (dropped == sink->told_dropped || sink->blocked)
                return;
        tell(sink, dropped, &site, fields, ELEMENTS(fields));
}

/* Only whoever asks for events hears of it now; the log gets the other record, with the number. */
static void on_failure(struct logsink *sink, int error) {
        static const struct log_site site =
                LOG_SITE(LOG_LEVEL_WARN, log_failed, "the log cannot be written, records are lost");
        struct log_field fields[] = { F_STR("log", logsink_target(sink)), F_ERR(error) };
        struct log_record record = { &site, clock_real_us(), fields, ELEMENTS(fields) };
        uint64_t now_ms = clock_mono_ms();

        sink->blocked = true;
        sink->again_ms = now_ms + LOGSINK_AGAIN_MS;
        if (atomic_exchange(&sink->error, error) == 0) {
                sink->failed_ms = now_ms;
                sink->failure_shown = !log_enabled(site.level);
        }
        if (!sink->failure_shown) /* at the start nobody looks yet */
                sink->failure_shown = show(sink, &record);
}

static void tell_lost(struct logsink *sink, uint64_t dropped) {
        static const struct log_site site = LOG_SITE(
                LOG_LEVEL_WARN, log_dropped, "records were lost, the log could not be written");
        struct log_field fields[] = { F_U64("lost", dropped - sink->told_dropped),
                                      F_U64("lost_total", dropped),
                                      F_ERR(atomic_load(&sink->error)),
                                      F_U64("duration_ms", clock_mono_ms() - sink->failed_ms) };

        tell(sink, dropped, &site, fields, ELEMENTS(fields));
}

/* Is there room again? The half line first, then how many are missing. */
static void try_again(struct logsink *sink, bool last) {
        uint64_t dropped;

        if (atomic_load(&sink->error) == 0 || (!last && clock_mono_ms() < sink->again_ms))
                return;
        sink->blocked = false;
        journal_prepare(sink);
        write_all(sink);
        if (!sink->pairs)
                write_lines(sink, "", 0);
        if (sink->blocked)
                return;

        dropped = log_dropped();
        if (dropped > sink->told_dropped)
                tell_lost(sink, dropped);
        if (!sink->blocked)
                atomic_store(&sink->error, 0);
}

static void tell_suppressed(struct logsink *sink, bool last) {
        static const struct log_site site =
                LOG_SITE(LOG_LEVEL_WARN, log_suppressed,
                         "an event came too often; these records of it were left out");

        for (int i = 0; i < LOG_EVENTS_COUNT; i++) {
                uint64_t n = log_suppressed_tell((enum log_event)i, last);
                struct log_field fields[] = { F_STR("of", log_event_word((enum log_event)i)),
                                              F_U64("suppressed", n) };

                if (n == 0)
                        continue;
                put_own(sink, &site, fields, ELEMENTS(fields));
                write_all(sink);
        }
}

/* ---- the thread ---- */

static void logsink_empty(struct logsink *sink, bool last) {
        try_again(sink, last);
        do {
                write_all(sink);
                journal_prepare(sink);
        } while (log_drain(on_record, sink) > 0);
        write_all(sink);
        tell_dropped(sink);
        if (last || !sink->blocked)
                tell_suppressed(sink, last);
        write_all(sink);
}

static int wait_ms(const struct logsink *sink) {
        if (sink->blocked)
                return LOGSINK_AGAIN_MS;
        return log_suppressed_waits() ? QUIET_MS : -1;
}

static bool logsink_wait(struct logsink *sink) {
        struct pollfd p = { .fd = sink->event_fd, .events = POLLIN };
        uint64_t count;
        int n;

        n = poll(&p, 1, wait_ms(sink));
        if (n > 0)
                n = (int)read(sink->event_fd, &count, sizeof(count));
        return n >= 0 || errno == EINTR;
}

static void *logsink_main(void *arg) {
        struct logsink *sink = arg;

        pthread_setname_np(pthread_self(), "bal-log");
        while (!atomic_load(&sink->over)) {
                logsink_empty(sink, false);
                if (!logsink_wait(sink))
                        break;
        }
        logsink_empty(sink, true);
        atomic_store(&sink->ended, 1);
        return NULL;
}

/* A pipe without a reader would hang right here, so the file is looked at first. */
static int log_open(const char *path) {
        const int flags = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY;
        _cleanup_(fd_closep) int fd = open(path, flags | O_NONBLOCK, 0640);
        struct stat st;

        if (fd < 0 || fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode) && !S_ISCHR(st.st_mode))
                return -EINVAL;
        if (fcntl(fd, F_SETFL, O_APPEND) < 0) /* the thread may wait, the opening may not */
                return -errno;
        return take_fd(&fd);
}

int logsink_new(struct logsink **ret, const char *path, const char *journal) {
        _cleanup_(logsink_freep) struct logsink *sink = malloc(sizeof(*sink));
        pthread_attr_t attr;
        int r;

        if (!sink)
                return -ENOMEM;
        *sink = (struct logsink){ .event_fd = -EBADF,
                                  .fd = STDERR_FILENO,
                                  .journal = journal,
                                  .journal_fd = -EBADF,
                                  .tap_lock = PTHREAD_MUTEX_INITIALIZER };

        if (path) {
                sink->path = strdup(path);
                sink->shown = str_clean(path);
                if (!sink->path || !sink->shown)
                        return -ENOMEM;
                sink->fd = log_open(path);
                if (sink->fd < 0)
                        return sink->fd;
        }
        sink->is_stream = journal_is_stream(sink->fd);
        logwrite_init(&sink->lines, sink->fd, &sink->over);
        sink->event_fd = eventfd(0, EFD_CLOEXEC); /* blocking reads: the thread does nothing else */
        if (sink->event_fd < 0)
                return -errno;

        pthread_attr_init(&attr);
        pthread_attr_setstacksize(&attr, STACK);
        r = -pthread_create(&sink->thread, &attr, logsink_main, sink);
        pthread_attr_destroy(&attr);
        if (r < 0)
                return r;
        sink->started = true;
        log_wake_fd(sink->event_fd);
        *ret = take_ptr(sink);
        return 0;
}

static void logsink_end(struct logsink *sink) {
        const struct timespec step = { .tv_nsec = 1000000 };
        uint64_t one = 1;

        log_wake_fd(-EBADF);
        atomic_store(&sink->over, 1);
        if (write(sink->event_fd, &one, sizeof(one)) < 0)
                return;
        for (int ms = 0; ms < LOGSINK_LAST_MS && !atomic_load(&sink->ended); ms++)
                nanosleep(&step, NULL);
        atomic_store(&sink->over, 2);
}

struct logsink *logsink_free(struct logsink *sink) {
        if (!sink)
                return NULL;

        if (sink->started) {
                logsink_end(sink);
                if (!atomic_load(&sink->ended)) {
                        pthread_detach(
                                sink->thread); /* hangs in a write: the process ends anyway */
                        return NULL;
                }
                pthread_join(sink->thread, NULL);
        }
        if (sink->path)
                fd_close(sink->fd);
        fd_close(sink->event_fd);
        fd_close(sink->journal_fd);
        free(sink->path);
        free(sink->shown);
        pthread_mutex_destroy(&sink->tap_lock);
        free(sink);
        return NULL;
}

void logsink_format(struct logsink *sink,
                    enum config_log_format format,
                    enum config_log_schema schema) {
        atomic_store(&sink->format, (int)format);
        atomic_store(&sink->schema, (int)schema);
}

const char *logsink_target(const struct logsink *sink) {
        if (atomic_load(&sink->format) == CONFIG_LOG_JOURNAL || atomic_load(&sink->is_stream))
                return "journal";
        return sink->shown ? sink->shown : "stderr";
}

int logsink_error(const struct logsink *sink) {
        return atomic_load(&sink->error);
}

/* dup3() under the old number: the thread may be in the middle of a write to it. */
int logsink_reopen(struct logsink *sink) {
        _cleanup_(fd_closep) int fd = -EBADF;

        if (sink->path) {
                fd = log_open(sink->path);
                if (fd < 0)
                        return fd;
                if (dup3(fd, sink->fd, O_CLOEXEC) < 0)
                        return -errno;
                logwrite_other(&sink->lines);
        }
        atomic_store(&sink->is_stream, journal_is_stream(sink->fd));
        return sink->path ? 1 : 0;
}
