/* SPDX-License-Identifier: MIT */
#include "common.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

void fail(const char *fmt, ...) {
        va_list args;

        va_start(args, fmt);
        vfprintf(stderr, fmt, args);
        va_end(args);
        fputc('\n', stderr);
        exit(64);
}

struct target target_parse(const char *text) {
        struct target t = { 0 };
        struct sockaddr_in *in4 = (struct sockaddr_in *)&t.sa;
        struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&t.sa;
        struct sockaddr_un *un = (struct sockaddr_un *)&t.sa;
        const char *colon = strrchr(text, ':');
        char host[128];
        uint16_t port;
        size_t n;

        if (strncmp(text, "unix:", 5) == 0 && strlen(text + 5) < sizeof(un->sun_path)) {
                un->sun_family = AF_UNIX;
                strcpy(un->sun_path, text + 5);
                t.len = sizeof(*un);
                return t;
        }
        n = colon ? (size_t)(colon - text) : 0;
        if (n == 0 || n >= sizeof(host))
                fail("bad address: %s", text);
        snprintf(host, sizeof(host), "%.*s", (int)n, text);
        port = htons((uint16_t)number(colon + 1));
        if (host[0] == '[' && host[n - 1] == ']') {
                host[n - 1] = '\0';
                in6->sin6_family = AF_INET6;
                in6->sin6_port = port;
                t.len = sizeof(*in6);
                if (inet_pton(AF_INET6, host + 1, &in6->sin6_addr) != 1)
                        fail("bad address: %s", text);
                return t;
        }
        in4->sin_family = AF_INET;
        in4->sin_port = port;
        t.len = sizeof(*in4);
        if (inet_pton(AF_INET, host, &in4->sin_addr) != 1)
                fail("bad address: %s", text);
        return t;
}

void socket_shape(int fd, int buffer) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
        if (buffer == 0)
                return;
        /* Else a segment of the loopback device is bigger than a small buffer's window, and every
         * one of them waits for a timer. */
        setsockopt(fd, IPPROTO_TCP, TCP_MAXSEG, &(int){ 1400 }, sizeof(int));
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof(buffer));
        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof(buffer));
}

int target_listen(const struct target *t, int backlog) {
        int fd;

        fd = socket(t->sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int));
        if (fd < 0 || bind(fd, (const struct sockaddr *)&t->sa, t->len) < 0 ||
            listen(fd, backlog) < 0)
                fail("cannot listen: %s", strerror(errno));
        return fd;
}

int target_connect(const struct target *t, const struct target *from, int buffer) {
        int fd, r;

        fd = socket(t->sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (fd < 0)
                return -errno;
        socket_shape(fd, buffer);
        if (from) {
                setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &(int){ 1 }, sizeof(int));
                r = bind(fd, (const struct sockaddr *)&from->sa, from->len);
                if (r < 0) {
                        r = -errno;
                        close(fd);
                        return r;
                }
        }
        r = connect(fd, (const struct sockaddr *)&t->sa, t->len);
        if (r < 0 && errno != EINPROGRESS) {
                r = -errno;
                close(fd);
                return r;
        }
        return fd;
}

int socket_error(int fd) {
        socklen_t len = sizeof(int);
        int error = 0;

        if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
                return -errno;
        return -error;
}

int64_t now_us(void) {
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

void raise_limits(void) {
        struct rlimit files;

        signal(SIGPIPE, SIG_IGN);
        if (getrlimit(RLIMIT_NOFILE, &files) < 0)
                return;
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
}

uint64_t mix64(uint64_t x) {
        x += 0x9e3779b97f4a7c15;
        x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
        x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
        return x ^ (x >> 31);
}

uint64_t random_next(uint64_t *state) {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        return *state;
}

uint64_t number(const char *text) {
        unsigned long long v;
        char *end;

        errno = 0;
        v = strtoull(text, &end, 10);
        if (end == text || errno || text[0] == '-')
                fail("not a number: %s", text);
        v <<= *end == 'k' ? 10 : *end == 'M' ? 20 : *end == 'G' ? 30 : 0;
        if (*end && (end[1] || !strchr("kMG", *end)))
                fail("not a number: %s", text);
        return v;
}
