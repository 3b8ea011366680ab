/* SPDX-License-Identifier: MIT */

#include "net/owner.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/parse.h"

#define TCP_STATE_LISTEN 0x0a    /* as /proc/net/tcp writes it */
#define UNIX_ACCEPTS     0x10000 /* the flag of a listening socket in /proc/net/unix */

/* A machine with millions of sockets or descriptors shall not keep anybody waiting for a
 * message. */
#define ROWS_MAX 100000
#define FDS_MAX  250000

/* ---- text ---- */

/* The tables print each 32 bits of an address as one number of this machine. */
static bool address_read(struct in6_addr *ret, const char *hex, bool is_v6) {
        static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
        uint32_t words[4];
        size_t n = is_v6 ? 4 : 1;

        for (size_t i = 0; i < n; i++)
                if (sscanf(hex + 8 * i, "%8" SCNx32, &words[i]) != 1)
                        return false;
        if (!is_v6)
                memcpy(ret->s6_addr, mapped, sizeof(mapped));
        memcpy(ret->s6_addr + (is_v6 ? 0 : 12), words, n * sizeof(words[0]));
        return true;
}

/* IPv4 as ::ffff:a.b.c.d, so that there is one kind of address to compare. */
static struct in6_addr mapped_of(const struct addr *a) {
        struct in6_addr v6 = a->sa.sa_family == AF_INET6 ? a->in6.sin6_addr : in6addr_any;

        if (a->sa.sa_family == AF_INET) {
                v6.s6_addr[10] = v6.s6_addr[11] = 0xff;
                memcpy(v6.s6_addr + 12, &a->in4.sin_addr, 4);
        }
        return v6;
}

static bool is_any_v4(const struct in6_addr *a) {
        static const uint8_t zeroes[4];

        return IN6_IS_ADDR_V4MAPPED(a) && memcmp(a->s6_addr + 12, zeroes, 4) == 0;
}

static bool stands_in_the_way(const struct in6_addr *there, const struct in6_addr *wanted) {
        if (IN6_IS_ADDR_UNSPECIFIED(there) || IN6_IS_ADDR_UNSPECIFIED(wanted))
                return true;
        if (IN6_IS_ADDR_V4MAPPED(there) && IN6_IS_ADDR_V4MAPPED(wanted) &&
            (is_any_v4(there) || is_any_v4(wanted)))
                return true;
        return IN6_ARE_ADDR_EQUAL(there, wanted);
}

bool owner_row_tcp(struct owner_row *ret, const char *line, const struct addr *a) {
        struct in6_addr there, wanted = mapped_of(a);
        unsigned port, state, rank = 0;
        char hex[33];
        uint64_t inode;
        size_t n;

        /* sl: local:port remote:port state queues timer retransmits uid timeout inode */
        if (sscanf(line,
                   " %*u: %32[0-9A-F]:%x %*[0-9A-F]:%*x %x %*x:%*x %*x:%*x %*x %*u %*u %" SCNu64,
                   hex, &port, &state, &inode) != 4)
                return false;
        n = strlen(hex);
        if ((n != 8 && n != 32) || !address_read(&there, hex, n == 32))
                return false;
        if (inode == 0 || port != addr_port(a) || !stands_in_the_way(&there, &wanted))
                return false;

        if (state == TCP_STATE_LISTEN)
                rank |= OWNER_RANK_LISTEN;
        if (IN6_IS_ADDR_V4MAPPED(&there) == IN6_IS_ADDR_V4MAPPED(&wanted))
                rank |= OWNER_RANK_FAMILY;
        *ret = (struct owner_row){ inode, rank };
        return true;
}

bool owner_row_unix(struct owner_row *ret, const char *line, const struct addr *a) {
        unsigned flags;
        uint64_t inode;
        int at = 0;

        /* Num: RefCount Protocol Flags Type St Inode Path */
        if (sscanf(line, "%*[0-9a-fA-F]: %*x %*x %x %*x %*x %" SCNu64 " %n", &flags, &inode, &at) !=
            2)
                return false;
        if (at == 0 || !(flags & UNIX_ACCEPTS) || inode == 0 ||
            strcmp(line + at, a->un.sun_path) != 0)
                return false;
        *ret = (struct owner_row){ inode, OWNER_RANK_LISTEN | OWNER_RANK_FAMILY };
        return true;
}

bool owner_link_inode(uint64_t *ret, const char *link) {
        static const char before[] = "socket:[";
        char digits[24];
        size_t n;

        if (strncmp(link, before, strlen(before)) != 0)
                return false;
        link += strlen(before);
        n = strcspn(link, "]");
        if (n >= sizeof(digits) || strcmp(link + n, "]") != 0)
                return false;
        memcpy(digits, link, n);
        digits[n] = '\0';
        return parse_u64(ret, digits) == 0;
}

/* ---- tables ---- */

struct lines { /* of a file, without allocating */
        int fd;
        size_t start, end;
        bool skipping; /* the rest of a line that is longer than the buffer */
        char buffer[4096];
};

/* NULL: the end. A line that is too long is none. */
static char *line_next(struct lines *l) {
        for (;;) {
                char *line = l->buffer + l->start;
                char *newline = memchr(line, '\n', l->end - l->start);
                ssize_t n;

                if (newline) {
                        bool skipped = l->skipping;

                        *newline = '\0';
                        l->start = (size_t)(newline - l->buffer) + 1;
                        l->skipping = false;
                        if (skipped)
                                continue;
                        return line;
                }
                l->end -= l->start;
                memmove(l->buffer, line, l->end);
                l->start = 0;
                if (l->end == sizeof(l->buffer)) {
                        l->skipping = true;
                        l->end = 0;
                }
                n = read(l->fd, l->buffer + l->end, sizeof(l->buffer) - l->end);
                if (n <= 0)
                        return NULL;
                l->end += (size_t)n;
        }
}

typedef bool (*row_fn)(struct owner_row *ret, const char *line, const struct addr *a);

/* Listening sockets come first in a table, so a good one is found before the many connections. */
static int table_search(struct owner_row *best, const char *path, row_fn fn, const struct addr *a) {
        struct lines lines = { .fd = open(path, O_RDONLY | O_CLOEXEC) };
        struct owner_row row;
        char *line;

        if (lines.fd < 0)
                return -errno;
        for (size_t i = 0; i < ROWS_MAX && (line = line_next(&lines)); i++) {
                if (!fn(&row, line, a))
                        continue;
                if (best->inode == 0 || row.rank > best->rank)
                        *best = row;
                if (best->rank == (OWNER_RANK_LISTEN | OWNER_RANK_FAMILY))
                        break;
        }
        fd_close(lines.fd);
        return 0;
}

static int inode_find(uint64_t *ret, const struct addr *a) {
        struct owner_row best = { 0 };
        int r;

        if (a->sa.sa_family == AF_UNIX) {
                r = table_search(&best, "/proc/net/unix", owner_row_unix, a);
        } else {
                r = table_search(&best, "/proc/net/tcp", owner_row_tcp, a);
                if (r == 0)
                        r = table_search(&best, "/proc/net/tcp6", owner_row_tcp, a);
                if (r == -ENOENT)
                        r = 0; /* a kernel without IPv6 */
        }
        if (r < 0)
                return r;
        *ret = best.inode;
        return best.inode == 0 ? -ENOENT : 0;
}

/* ---- processes ---- */

static DIR *dir_free(DIR *dir) {
        if (dir)
                closedir(dir);
        return NULL;
}
DEFINE_CLEANUP(DIR *, dir_free);

static DIR *dir_open(int at, const char *path) {
        int fd = openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *dir = fd < 0 ? NULL : fdopendir(fd);

        if (fd >= 0 && !dir)
                fd_close(fd);
        return dir;
}

/* *budget: how many descriptors may still be looked at. */
static bool process_has(int proc_fd, const char *pid, uint64_t inode, size_t *budget) {
        _cleanup_(dir_freep) DIR *dir = NULL;
        const struct dirent *d;
        char path[32];

        snprintf(path, sizeof(path), "%.16s/fd", pid);
        dir = dir_open(proc_fd, path);
        while (dir && *budget > 0 && (d = readdir(dir))) {
                char link[40];
                uint64_t each;
                ssize_t n;

                --*budget;
                n = readlinkat(dirfd(dir), d->d_name, link, sizeof(link) - 1);
                if (n <= 0)
                        continue;
                link[n] = '\0';
                if (owner_link_inode(&each, link) && each == inode)
                        return true;
        }
        return false;
}

/* A process may call itself anything; the name shall not break a terminal or a reply. */
static int command_read(char command[static OWNER_COMMAND_MAX], int proc_fd, const char *pid) {
        _cleanup_(fd_closep) int fd = -EBADF;
        char path[32];
        ssize_t n;

        snprintf(path, sizeof(path), "%.16s/comm", pid);
        fd = openat(proc_fd, path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        n = read(fd, command, OWNER_COMMAND_MAX - 1);
        if (n < 0)
                return -errno;
        command[n] = '\0';
        command[strcspn(command, "\n")] = '\0';
        for (char *c = command; *c; c++)
                if (*c < 0x20 || *c > 0x7e)
                        *c = '?';
        return 0;
}

static int process_find(struct owner *ret, uint64_t inode) {
        _cleanup_(dir_freep) DIR *proc = dir_open(AT_FDCWD, "/proc");
        struct owner owner = { 0 };
        const struct dirent *d;
        size_t budget = FDS_MAX;
        uint64_t pid;

        if (!proc)
                return -errno;
        while (budget > 0 && (d = readdir(proc))) {
                if (parse_u64(&pid, d->d_name) < 0 || pid > INT32_MAX)
                        continue;
                if (!process_has(dirfd(proc), d->d_name, inode, &budget))
                        continue;
                if (command_read(owner.command, dirfd(proc), d->d_name) < 0)
                        continue; /* it has ended just now; another may have the socket as well */
                owner.pid = (pid_t)pid;
                *ret = owner;
                return 0;
        }
        return -ENOENT;
}

int owner_of_addr(struct owner *ret, const struct addr *a) {
        uint64_t inode;
        int r;

        if (a->len == 0 || (a->sa.sa_family != AF_UNIX && addr_port(a) == 0))
                return -ENOENT;
        r = inode_find(&inode, a);
        return r < 0 ? r : process_find(ret, inode);
}
