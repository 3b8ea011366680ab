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

/* Sockets that share an address, with SO_REUSEPORT; more are not looked at. */
#define SHARERS_MAX 8

struct sharers { /* all of the highest rank that was found */
        uint64_t inodes[SHARERS_MAX];
        size_t n;
        unsigned rank;
};

static void sharers_add(struct sharers *s, const struct owner_row *row) {
        if (s->n > 0 && row->rank < s->rank)
                return;
        if (row->rank > s->rank)
                s->n = 0;
        s->rank = row->rank;
        if (s->n < SHARERS_MAX)
                s->inodes[s->n++] = row->inode;
}

/* Of a table of TCP; a head line is none that listens. */
static bool listens(const char *line) {
        unsigned state;

        return sscanf(line, " %*u: %*[^:]:%*x %*[^:]:%*x %x", &state) == 1 &&
               state == TCP_STATE_LISTEN;
}

/* Listening sockets come first in a table, so a good one is found before the many connections. */
static int table_search(struct sharers *s, const char *path, row_fn fn, const struct addr *a) {
        struct lines lines = { .fd = open(path, O_RDONLY | O_CLOEXEC) };
        struct owner_row row;
        char *line;

        if (lines.fd < 0)
                return -errno;
        for (size_t i = 0; i < ROWS_MAX && (line = line_next(&lines)); i++) {
                if (fn(&row, line, a))
                        sharers_add(s, &row);
                else if (s->rank == (OWNER_RANK_LISTEN | OWNER_RANK_FAMILY) &&
                         fn == owner_row_tcp && !listens(line))
                        break;
        }
        fd_close(lines.fd);
        return 0;
}

/* The tables of the network that pid sees, or of our own. */
static int search(struct sharers *s, const struct addr *a, pid_t pid) {
        char path[48], who[16] = "self";
        int r;

        if (pid > 0)
                snprintf(who, sizeof(who), "%d", pid);
        if (a->sa.sa_family == AF_UNIX) {
                snprintf(path, sizeof(path), "/proc/%s/net/unix", who);
                return table_search(s, path, owner_row_unix, a);
        }
        /* its own family's first: once it is found there, the connections of the other need not be
         * read, which the kernel may take seconds for where there are many */
        for (int i = 0; i < 2; i++) {
                bool v6 = (a->sa.sa_family == AF_INET6) == (i == 0);

                snprintf(path, sizeof(path), "/proc/%s/net/%s", who, v6 ? "tcp6" : "tcp");
                r = table_search(s, path, owner_row_tcp, a);
                if (r < 0 && !(v6 && r == -ENOENT)) /* a kernel without IPv6 */
                        return r;
        }
        return 0;
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

static bool sharers_have(const struct sharers *s, uint64_t inode) {
        for (size_t i = 0; i < s->n; i++)
                if (s->inodes[i] == inode)
                        return true;
        return false;
}

struct hunt {
        struct owner_query *queries;
        struct sharers *sharers; /* as many */
        size_t n, open;          /* open: those whose holder is still looked for */
        size_t budget;           /* so many descriptors may still be looked at */
};

static void hunt_note(struct hunt *h, uint64_t inode, pid_t pid, const char *command) {
        for (size_t i = 0; i < h->n; i++) {
                struct owner_query *q = &h->queries[i];

                if (q->owner.pid > 0 || !sharers_have(&h->sharers[i], inode))
                        continue;
                q->owner.pid = pid;
                memcpy(q->owner.command, command, OWNER_COMMAND_MAX);
                h->open--;
        }
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

static bool hunt_wants(const struct hunt *h, uint64_t inode) {
        for (size_t i = 0; i < h->n; i++)
                if (h->queries[i].owner.pid == 0 && sharers_have(&h->sharers[i], inode))
                        return true;
        return false;
}

static void hunt_process(struct hunt *h, int proc_fd, const char *name) {
        _cleanup_(dir_freep) DIR *dir = NULL;
        char path[32], command[OWNER_COMMAND_MAX];
        const struct dirent *d;
        uint64_t pid;

        if (parse_u64(&pid, name) < 0 || pid > INT32_MAX)
                return;
        snprintf(path, sizeof(path), "%.16s/fd", name);
        dir = dir_open(proc_fd, path);
        while (dir && h->budget > 0 && h->open > 0 && (d = readdir(dir))) {
                char link[40];
                uint64_t inode;
                ssize_t n;

                h->budget--;
                n = readlinkat(dirfd(dir), d->d_name, link, sizeof(link) - 1);
                if (n <= 0)
                        continue;
                link[n] = '\0';
                if (!owner_link_inode(&inode, link) || !hunt_wants(h, inode))
                        continue;
                if (command_read(command, proc_fd, name) < 0)
                        return; /* it has ended just now; another may have the socket as well */
                hunt_note(h, inode, (pid_t)pid, command);
        }
}

static int hunt_all(struct hunt *h, pid_t first) {
        _cleanup_(dir_freep) DIR *proc = dir_open(AT_FDCWD, "/proc");
        const struct dirent *d;
        char name[16];

        if (!proc)
                return -errno;
        if (first > 0) {
                snprintf(name, sizeof(name), "%d", first);
                hunt_process(h, dirfd(proc), name);
        }
        while (h->budget > 0 && h->open > 0 && (d = readdir(proc)))
                hunt_process(h, dirfd(proc), d->d_name);
        return 0;
}

int owner_find(struct owner_query *queries, size_t n, pid_t first) {
        struct sharers *sharers = calloc(n ? n : 1, sizeof(*sharers));
        struct hunt h = { .queries = queries, .sharers = sharers, .n = n, .budget = FDS_MAX };
        int r = 0;

        if (!sharers)
                return -ENOMEM;
        for (size_t i = 0; i < n && r == 0; i++) {
                struct owner_query *q = &queries[i];

                q->state = OWNER_FREE;
                q->owner = (struct owner){ 0 };
                if (q->addr.len == 0 ||
                    (q->addr.sa.sa_family != AF_UNIX && addr_port(&q->addr) == 0))
                        continue;
                r = search(&sharers[i], &q->addr, first);
                if (r == -ENOENT && first > 0) /* it has ended, or lives where we do not see it */
                        r = search(&sharers[i], &q->addr, 0);
                if (sharers[i].n == 0)
                        continue;
                q->state = sharers[i].rank & OWNER_RANK_LISTEN ? OWNER_LISTENS : OWNER_IN_USE;
                h.open++;
        }
        if (r == 0 && h.open > 0)
                r = hunt_all(&h, first);
        free(sharers);
        return r;
}

int owner_of_addr(struct owner *ret, const struct addr *a) {
        struct owner_query q = { .addr = *a };
        int r;

        r = owner_find(&q, 1, 0);
        if (r < 0)
                return r;
        if (q.owner.pid == 0)
                return -ENOENT;
        *ret = q.owner;
        return 0;
}
