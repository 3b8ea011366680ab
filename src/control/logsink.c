/* SPDX-License-Identifier: MIT */

#include "control/logsink.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/clock.h"

#define LOG_MODULE "log"

#define STACK       ((size_t)128 * 1024)
#define BUFFER_SIZE (4 * LOG_RECORD_MAX)

struct logsink {
        pthread_t thread;
        bool started;
        char *path; /* owned; NULL: standard error */
        int event_fd;
        int fd; /* constant while the thread runs; a new file takes its number */
        _Atomic int format, over, ended;
        uint64_t told_dropped;
        size_t n;
        char buffer[BUFFER_SIZE];
};

/* A reader that is gone, or a full disk: the records are lost, bal goes on. */
static void write_all(struct logsink *sink) {
        size_t done = 0;

        while (done < sink->n) {
                int fd = sink->fd;
                ssize_t n = write(fd, sink->buffer + done, sink->n - done);

                if (n >= 0) {
                        done += (size_t)n;
                } else if (errno == EAGAIN) { /* somebody else's O_NONBLOCK on a shared terminal */
                        struct pollfd p = { .fd = fd, .events = POLLOUT };

                        poll(&p, 1, 100);
                        if (atomic_load(&sink->over) > 1)
                                break;
                } else if (errno != EINTR) {
                        break;
                }
        }
        sink->n = 0;
}

/* Only collects: writing may take its time, and the list of rings is locked now. */
static bool on_record(const struct log_record *record, void *userdata) {
        struct logsink *sink = userdata;
        char *to = sink->buffer + sink->n;

        sink->n += atomic_load(&sink->format) == CONFIG_LOG_PRETTY
                           ? log_format_pretty(to, LOG_RECORD_MAX - 1, record)
                           : log_format_json(to, LOG_RECORD_MAX - 1, record);
        sink->buffer[sink->n++] = '\n';
        return BUFFER_SIZE - sink->n >= LOG_RECORD_MAX;
}

static void tell_dropped(struct logsink *sink) {
        static const struct log_site site = LOG_SITE(
                LOG_LEVEL_WARN, log_dropped, "records were lost, the log is read too slowly");
        uint64_t dropped = log_dropped();
        struct log_field fields[] = { F_U64("lost", dropped - sink->told_dropped),
                                      F_U64("lost_total", dropped) };

        if (dropped == sink->told_dropped)
                return;
        sink->told_dropped = dropped;
        on_record(&(struct log_record){ &site, clock_real_us(), fields, ELEMENTS(fields) }, sink);
}

static void logsink_empty(struct logsink *sink) {
        while (log_drain(on_record, sink) > 0)
                write_all(sink);
        tell_dropped(sink);
        write_all(sink);
}

static void *logsink_main(void *arg) {
        struct logsink *sink = arg;
        uint64_t count;

        pthread_setname_np(pthread_self(), "bal-log");
        while (!atomic_load(&sink->over)) {
                logsink_empty(sink);
                if (read(sink->event_fd, &count, sizeof(count)) < 0 && errno != EINTR)
                        break;
        }
        logsink_empty(sink);
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

int logsink_new(struct logsink **ret, const char *path) {
        _cleanup_(logsink_freep) struct logsink *sink = malloc(sizeof(*sink));
        pthread_attr_t attr;
        int r;

        if (!sink)
                return -ENOMEM;
        *sink = (struct logsink){ .event_fd = -EBADF, .fd = STDERR_FILENO };

        if (path) {
                sink->path = strdup(path);
                if (!sink->path)
                        return -ENOMEM;
                sink->fd = log_open(path);
                if (sink->fd < 0)
                        return sink->fd;
        }
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
        free(sink->path);
        free(sink);
        return NULL;
}

void logsink_format(struct logsink *sink, enum config_log_format format) {
        atomic_store(&sink->format, (int)format);
}

/* dup3() under the old number: the thread may be in the middle of a write to it. */
int logsink_reopen(struct logsink *sink) {
        _cleanup_(fd_closep) int fd = -EBADF;

        if (!sink->path)
                return 0;
        fd = log_open(sink->path);
        if (fd < 0)
                return fd;
        if (dup3(fd, sink->fd, O_CLOEXEC) < 0)
                return -errno;
        return 0;
}
