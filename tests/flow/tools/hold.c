/* SPDX-License-Identifier: MIT */
/*
 * tools/hold.c - opens many connections to an echo server, says something on each, holds them.
 *
 *   hold --to ADDR --sessions N [--timeout-ms N]
 *
 * Prints "holding N" when every one has had its bytes echoed. Then it obeys lines on stdin: "ping"
 * does the same on every connection again and prints "alive N"; "ended" prints how many were closed
 * by the other side since they were held, and when each was (ms, CLOCK_MONOTONIC). The end of
 * stdin ends it. Whoever fails is counted out; status 1 when one failed while they were opened.
 */
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "common.h"

#define BURST  64 /* connections that wait for their echo at one time */
#define GREETS 16 /* bytes said */

struct held {
        int fd;
        enum { WANTS_CONNECT, WANTS_ECHO, IDLE } state;
        size_t got;
        int64_t ended_ms; /* 0: it has not */
};

static struct held *sessions;
static int epoll_fd;

static void held_drop(struct held *h) {
        if (h->state == IDLE)
                h->ended_ms = now_us() / 1000;
        close(h->fd);
        h->fd = -EBADF;
        h->state = IDLE;
}

static void held_greet(struct held *h) {
        static const char words[GREETS + 1] = "good day to you\n";

        h->got = 0;
        h->state = WANTS_ECHO;
        if (send(h->fd, words, GREETS, MSG_NOSIGNAL) != GREETS)
                held_drop(h);
}

static void held_on_ready(struct held *h) {
        char bytes[GREETS];
        ssize_t n;

        if (h->fd < 0)
                return;
        if (h->state == WANTS_CONNECT) {
                struct epoll_event in = { .events = EPOLLIN, .data.ptr = h };

                if (socket_error(h->fd) < 0) {
                        held_drop(h);
                        return;
                }
                epoll_ctl(epoll_fd, EPOLL_CTL_MOD, h->fd, &in);
                held_greet(h);
                return;
        }
        n = recv(h->fd, bytes, sizeof(bytes), 0);
        if (n <= 0 && !(n < 0 && errno == EAGAIN))
                held_drop(h);
        else if (n > 0 && (h->got += (size_t)n) >= GREETS)
                h->state = IDLE;
}

static void held_open(struct held *h, const struct target *to) {
        struct epoll_event out = { .events = EPOLLOUT, .data.ptr = h };

        h->state = WANTS_CONNECT;
        h->fd = target_connect(to, NULL, 0);
        if (h->fd < 0 || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, h->fd, &out) < 0)
                h->state = IDLE;
}

/* Brings all from one state to idle, a burst at a time; returns how many live. */
static size_t walk(size_t n, const struct target *to, uint64_t timeout_us) {
        int64_t deadline_us = now_us() + (int64_t)timeout_us;
        size_t next = 0, alive = 0;
        struct epoll_event ready[BURST];

        for (;;) {
                size_t busy = 0;

                for (size_t i = 0; i < next; i++)
                        busy += sessions[i].state != IDLE;
                for (; next < n && busy < BURST; next++, busy++) {
                        if (to)
                                held_open(&sessions[next], to);
                        else if (sessions[next].fd >= 0)
                                held_greet(&sessions[next]);
                }
                if ((next == n && busy == 0) || now_us() > deadline_us)
                        break;

                int got = epoll_wait(epoll_fd, ready, BURST, 100);
                for (int i = 0; i < got; i++)
                        held_on_ready(ready[i].data.ptr);
        }
        for (size_t i = 0; i < n; i++)
                alive += sessions[i].fd >= 0 && sessions[i].state == IDLE;
        return alive;
}

static void print_ended(size_t n) {
        size_t n_ended = 0;

        for (size_t i = 0; i < n; i++)
                n_ended += sessions[i].ended_ms != 0;
        printf("ended %zu", n_ended);
        for (size_t i = 0; i < n; i++)
                if (sessions[i].ended_ms)
                        printf(" %lld", (long long)sessions[i].ended_ms);
        puts("");
}

/* Who asks waits for the answer before the next line, so a read is a line. False: it is over. */
static bool obey(size_t n, uint64_t timeout_us) {
        char line[64];
        ssize_t length = read(STDIN_FILENO, line, sizeof(line) - 1);

        if (length <= 0)
                return false;
        line[length] = '\0';
        if (strcmp(line, "ping\n") == 0)
                printf("alive %zu\n", walk(n, NULL, timeout_us));
        else if (strcmp(line, "ended\n") == 0)
                print_ended(n);
        else
                puts("what?");
        fflush(stdout);
        return true;
}

static void watch(size_t n, uint64_t timeout_us) {
        struct pollfd fds[] = { { .fd = STDIN_FILENO, .events = POLLIN },
                                { .fd = epoll_fd, .events = POLLIN } };
        struct epoll_event ready[BURST];

        for (;;) {
                int got;

                if (poll(fds, 2, -1) < 0)
                        continue;
                got = epoll_wait(epoll_fd, ready, BURST, 0);
                for (int i = 0; i < got; i++)
                        held_on_ready(ready[i].data.ptr);
                if (fds[0].revents && !obey(n, timeout_us))
                        return;
        }
}

int main(int argc, char **argv) {
        static const struct option options[] = { { "to", required_argument, NULL, 't' },
                                                 { "sessions", required_argument, NULL, 'n' },
                                                 { "timeout-ms", required_argument, NULL, 'w' },
                                                 { NULL, 0, NULL, 0 } };
        uint64_t timeout_us = 60000000;
        struct target to = { 0 };
        size_t n = 0, alive;
        int option;

        while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
                if (option == 't')
                        to = target_parse(optarg);
                else if (option == 'n')
                        n = number(optarg);
                else if (option == 'w')
                        timeout_us = number(optarg) * 1000;
                else
                        return 64;
        }
        if (!to.len || n == 0 || n > 1000000)
                fail("usage: hold --to ADDR --sessions N [--timeout-ms N]");

        raise_limits();
        epoll_fd = epoll_create1(EPOLL_CLOEXEC);
        sessions = calloc(n, sizeof(*sessions));
        if (epoll_fd < 0 || !sessions)
                fail("cannot set up: %s", strerror(errno));
        for (size_t i = 0; i < n; i++)
                sessions[i] = (struct held){ .fd = -EBADF, .state = IDLE };

        alive = walk(n, &to, timeout_us);
        printf("holding %zu\n", alive);
        fflush(stdout);
        watch(n, timeout_us);
        for (size_t i = 0; i < n; i++) {
                if (sessions[i].fd >= 0)
                        close(sessions[i].fd);
        }
        close(epoll_fd);
        free(sessions);
        return alive == n ? 0 : 1;
}
