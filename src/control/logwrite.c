/* SPDX-License-Identifier: MIT */

#include "control/logwrite.h"

#include <assert.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define POLL_MS 100

/* Does the file end inside of a line? The process that wrote it may have died there. Not known of
 * what is no regular file, or may not be read: then it does not. */
static bool ends_inside(int fd) {
        _cleanup_(fd_closep) int in = -EBADF;
        char path[32], last = '\n';
        struct stat st;

        if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size == 0)
                return false;
        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        in = open(path, O_RDONLY | O_CLOEXEC);
        return in >= 0 && pread(in, &last, 1, st.st_size - 1) == 1 && last != '\n';
}

void logwrite_init(struct logwrite *w, int fd, const _Atomic int *over) {
        *w = (struct logwrite){ .fd = fd, .over = over, .torn = ends_inside(fd) };
}

void logwrite_other(struct logwrite *w) {
        atomic_store(&w->is_other, true);
}

static bool wait_writable(const struct logwrite *w) {
        struct pollfd p = { .fd = w->fd, .events = POLLOUT };

        poll(&p, 1, POLL_MS);
        return atomic_load(w->over) < 2;
}

/* Moves *at; 0, or why it did not come to the end. */
static int write_to_end(const struct logwrite *w, const char **at, const char *end) {
        while (*at < end) {
                ssize_t n = write(w->fd, *at, (size_t)(end - *at));

                if (n > 0) {
                        *at += n;
                } else if (n == 0) { /* nothing says that asking again would end */
                        return -EIO;
                } else if (errno == EAGAIN) { /* somebody else's O_NONBLOCK on a shared terminal */
                        if (!wait_writable(w))
                                return -EAGAIN;
                } else if (errno != EINTR) {
                        return -errno;
                }
        }
        return 0;
}

/* ---- the line that has no end ---- */

static bool rest_fits(const struct logwrite *w) {
        struct stat st;

        return fstat(w->fd, &st) == 0 && st.st_dev == w->device && st.st_ino == w->inode &&
               st.st_size == w->size;
}

/* False: it cannot be told later whether the rest belongs there. */
static bool rest_keep(struct logwrite *w, const char *bytes, size_t n) {
        struct stat st;

        assert(n <= sizeof(w->rest));
        w->n_rest = 0;
        if (fstat(w->fd, &st) < 0 || !S_ISREG(st.st_mode))
                return false;
        memmove(w->rest, bytes, n);
        w->n_rest = n;
        w->device = st.st_dev;
        w->inode = st.st_ino;
        w->size = st.st_size;
        return true;
}

/* The line is lost; how many lines that are. */
static size_t rest_drop(struct logwrite *w) {
        size_t n = w->n_rest > 0;

        w->n_rest = 0;
        return n;
}

/* The file may have been emptied, or be another one. How many lines are lost by that. */
static size_t look_again(struct logwrite *w, bool other) {
        struct stat st;
        size_t lost;

        if (w->n_rest > 0 && rest_fits(w))
                return 0;
        lost = rest_drop(w);
        if (other || (fstat(w->fd, &st) == 0 && S_ISREG(st.st_mode)))
                w->torn = ends_inside(w->fd);
        return lost;
}

/* Ends the last line. How many lines are lost by that. */
static size_t mend(struct logwrite *w) {
        bool other = atomic_exchange(&w->is_other, false);
        const char *at = "\n", *end = at + 1;
        size_t lost = other || w->torn ? look_again(w, other) : 0;

        w->error = 0;
        if (!w->torn)
                return lost;

        if (w->n_rest > 0) {
                at = w->rest;
                end = at + w->n_rest;
        }
        w->error = write_to_end(w, &at, end);
        w->torn = w->error < 0;
        if (w->n_rest == 0)
                return lost;
        if (w->torn)
                return lost + !rest_keep(w, at, (size_t)(end - at));
        w->n_rest = 0;
        return lost;
}

/* ---- lines ---- */

size_t logwrite_count(const char *bytes, size_t size) {
        size_t n = 0;

        for (size_t i = 0; i < size; i++)
                n += bytes[i] == '\n';
        return n;
}

/* Of the lines from bytes to end only what is before at was written. How many are lost. */
static size_t tear(struct logwrite *w, const char *bytes, const char *at, const char *end) {
        const char *next;

        if (at == bytes || at[-1] == '\n')
                return logwrite_count(at, (size_t)(end - at));
        next = (const char *)memchr(at, '\n', (size_t)(end - at)) + 1;
        w->torn = true;
        return !rest_keep(w, at, (size_t)(next - at)) + logwrite_count(next, (size_t)(end - next));
}

size_t logwrite_lines(struct logwrite *w, const char *bytes, size_t size) {
        const char *at = bytes, *end = bytes + size;
        size_t lost = mend(w);

        assert(size == 0 || end[-1] == '\n');
        if (w->error == 0)
                w->error = write_to_end(w, &at, end);
        return w->error < 0 ? lost + tear(w, bytes, at, end) : lost;
}
