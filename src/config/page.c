/* SPDX-License-Identifier: MIT */

#include "config/page.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/str.h"

static char *page_path(const char *config_file, const char *path) {
        const char *slash = strrchr(config_file, '/');

        if (path[0] == '/' || !slash)
                return strdup(path);
        return str_printf("%.*s/%s", (int)(slash - config_file), config_file, path);
}

static const char *content_type(const char *path) {
        const char *dot = strrchr(path, '.');

        if (dot && strcasecmp(dot, ".html") == 0)
                return "text/html; charset=utf-8";
        if (dot && strcasecmp(dot, ".json") == 0)
                return "application/json";
        return "text/plain; charset=utf-8";
}

static int check_kind(const struct stat *st) {
        if (S_ISDIR(st->st_mode))
                return -EISDIR;
        if (!S_ISREG(st->st_mode))
                return -ENODEV;
        return st->st_size > PAGE_MAX ? -EFBIG : 0;
}

/* Looked at before it is opened, too: to open a device may already do something. */
static int page_open(const char *path) {
        _cleanup_(fd_closep) int fd = -EBADF;
        struct stat st;
        int r;

        if (stat(path, &st) < 0)
                return -errno;
        r = check_kind(&st);
        if (r < 0)
                return r;

        fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        if (fd < 0 || fstat(fd, &st) < 0)
                return -errno;
        r = check_kind(&st);
        return r < 0 ? r : take_fd(&fd);
}

/* One byte more than allowed shows that a file has grown since. */
static int read_whole(struct span *ret, struct arena *a, int fd) {
        char bytes[PAGE_MAX + 1];
        ssize_t n = fd_read(fd, bytes, sizeof(bytes));

        if (n < 0)
                return (int)n;
        if (n > PAGE_MAX)
                return -EFBIG;

        *ret = (struct span){ arena_copy(a, bytes, (size_t)n), (size_t)n };
        return ret->p ? 0 : -ENOMEM;
}

int page_read(struct page *ret, struct arena *a, const char *config_file, const char *path) {
        _cleanup_(str_freep) char *whole = page_path(config_file, path);
        _cleanup_(fd_closep) int fd = -EBADF;
        int r;

        if (!whole)
                return -ENOMEM;
        fd = page_open(whole);
        if (fd < 0)
                return fd;
        r = read_whole(&ret->body, a, fd);
        if (r < 0)
                return r;
        ret->content_type = content_type(path);
        return 0;
}
