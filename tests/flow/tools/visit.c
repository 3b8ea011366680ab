/* SPDX-License-Identifier: MIT */
/*
 * tools/visit.c - clients that come and go at a steady pace until stdin ends, each noted.
 *
 *   visit --to ADDR [--rate N] [--at-once N] [--timeout-ms N]
 *
 * Every session is a connection of its own, a request and its answer (the server's name is the
 * first word of the body, as in knock.c). --rate: sessions begun a second, whether or not earlier
 * ones are done; 0: a new one as soon as an old one is done, --at-once of them at a time. Prints a
 * line per session when it is over: when it began, how long it took (both us, CLOCK_MONOTONIC), the
 * outcome, the name or "-". At the end who is still under way has its time-out.
 */
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "common.h"

#define BATCH    256
#define LATE_MAX 64 /* sessions begun at one time when the pace was lost */

struct visit {
        struct visit *next; /* free */
        int fd;
        bool asked;
        int64_t start_us;
        size_t have;
        char text[1024];
};

static struct visit *visits, *idle;
static size_t n_visits, n_busy;
static int epoll_fd;

static void visit_over(struct visit *v, const char *outcome) {
        char name[64] = "-";
        char *body = strstr(v->text, "\r\n\r\n");

        if (!outcome) {
                if (body && sscanf(body + 4, "%63s", name) == 1)
                        outcome = "answered";
                else
                        outcome = v->have == 0 ? "empty" : "other";
        }
        printf("%lld %lld %s %s\n", (long long)v->start_us, (long long)(now_us() - v->start_us),
               outcome, name);
        if (v->fd >= 0)
                close(v->fd);
        v->fd = -EBADF;
        v->next = idle;
        idle = v;
        n_busy--;
}

static void visit_failed(struct visit *v, int error) {
        visit_over(v, error == -ECONNREFUSED                    ? "refused"
                      : error == -ECONNRESET || error == -EPIPE ? "reset"
                                                                : "other");
}

static void visit_begin(const struct target *to) {
        struct visit *v = idle;
        struct epoll_event out = { .events = EPOLLOUT, .data.ptr = v };

        idle = v->next;
        n_busy++;
        v->asked = false;
        v->have = 0;
        v->text[0] = '\0';
        v->start_us = now_us();
        v->fd = target_connect(to, NULL, 0);
        if (v->fd < 0)
                visit_failed(v, v->fd);
        else if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, v->fd, &out) < 0)
                visit_over(v, "other");
}

static void visit_ask(struct visit *v) {
        static const char request[] = "GET / HTTP/1.1\r\nHost: visit\r\nConnection: close\r\n\r\n";
        struct epoll_event in = { .events = EPOLLIN, .data.ptr = v };
        int r = socket_error(v->fd);

        if (r == 0 && send(v->fd, request, sizeof(request) - 1, MSG_NOSIGNAL) < 0)
                r = -errno;
        if (r < 0) {
                visit_failed(v, r);
                return;
        }
        v->asked = true;
        epoll_ctl(epoll_fd, EPOLL_CTL_MOD, v->fd, &in);
}

static void visit_on_ready(struct visit *v) {
        ssize_t n;

        if (v->fd < 0)
                return;
        if (!v->asked) {
                visit_ask(v);
                return;
        }
        n = recv(v->fd, v->text + v->have, sizeof(v->text) - 1 - v->have, 0);
        if (n < 0 && errno != EAGAIN)
                visit_failed(v, -errno);
        if (n == 0)
                visit_over(v, NULL);
        if (n <= 0)
                return;
        v->have += (size_t)n;
        v->text[v->have] = '\0';
        if (v->have == sizeof(v->text) - 1)
                visit_over(v, "other");
}

static void visits_expire(int64_t began_before_us) {
        for (size_t i = 0; i < n_visits; i++)
                if (visits[i].fd >= 0 && visits[i].start_us <= began_before_us)
                        visit_over(&visits[i], "timeout");
}

/* How many should have begun by now; *begun counts them. */
static void visits_begin(const struct target *to,
                         uint64_t rate,
                         int64_t since_us,
                         uint64_t *begun) {
        uint64_t due = rate ? (uint64_t)(now_us() - since_us) * rate / 1000000 + 1 : UINT64_MAX;

        if (rate && due > *begun + LATE_MAX)
                *begun = due - LATE_MAX; /* we were held up: no burst afterwards */
        for (size_t i = 0; i < n_visits && idle && *begun < due; i++, (*begun)++)
                visit_begin(to);
}

static bool stdin_over(void) {
        struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };
        char bytes[64];

        return poll(&in, 1, 0) > 0 && read(STDIN_FILENO, bytes, sizeof(bytes)) <= 0;
}

static void run(const struct target *to, uint64_t rate, int64_t timeout_us) {
        struct epoll_event ready[BATCH];
        int64_t since_us = now_us(), flushed_us = since_us;
        uint64_t begun = 0;
        bool over = false;

        while (!over || n_busy > 0) {
                int n;

                over = over || stdin_over();
                if (!over)
                        visits_begin(to, rate, since_us, &begun);
                n = epoll_wait(epoll_fd, ready, BATCH, rate && !over ? 1 : 20);
                for (int i = 0; i < n; i++)
                        visit_on_ready(ready[i].data.ptr);
                visits_expire(now_us() - timeout_us);
                if (now_us() - flushed_us > 50000) {
                        fflush(stdout);
                        flushed_us = now_us();
                }
        }
}

int main(int argc, char **argv) {
        static const struct option options[] = { { "to", required_argument, NULL, 't' },
                                                 { "rate", required_argument, NULL, 'r' },
                                                 { "at-once", required_argument, NULL, 'a' },
                                                 { "timeout-ms", required_argument, NULL, 'w' },
                                                 { NULL, 0, NULL, 0 } };
        struct target to = { 0 };
        uint64_t rate = 0, timeout_us = 10000000;
        int option;

        n_visits = 0;
        while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
                if (option == 't')
                        to = target_parse(optarg);
                else if (option == 'r')
                        rate = number(optarg);
                else if (option == 'a')
                        n_visits = number(optarg);
                else if (option == 'w')
                        timeout_us = number(optarg) * 1000;
                else
                        return 64;
        }
        if (n_visits == 0)
                n_visits = rate ? 4096 : 4;
        if (!to.len || n_visits > 100000)
                fail("usage: visit --to ADDR [--rate N] [--at-once N] [--timeout-ms N]");

        raise_limits();
        epoll_fd = epoll_create1(EPOLL_CLOEXEC);
        visits = calloc(n_visits, sizeof(*visits));
        if (epoll_fd < 0 || !visits)
                fail("cannot set up: %s", strerror(errno));
        for (size_t i = 0; i < n_visits; i++) {
                visits[i].fd = -EBADF;
                visits[i].next = idle;
                idle = &visits[i];
        }
        run(&to, rate, (int64_t)timeout_us);
        close(epoll_fd);
        free(visits);
        return 0;
}
