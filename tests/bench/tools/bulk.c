/* SPDX-License-Identifier: MIT */
/*
 * tools/bulk.c - big bodies, both ends of them.
 *
 *   bulk sink --listen ADDR [--listen ADDR ...]
 *        answers every request with 200 when its body has come, until it is killed; prints
 *        "listening" first
 *   bulk down --to ADDR --path PATH --clients N --seconds N
 *        each client gets PATH again and again on one connection
 *   bulk up --to ADDR --bytes N --clients N --seconds N
 *        each client sends a body of N bytes again and again
 *
 * The last two print one JSON object: bytes of bodies moved in that time, whole transfers and the
 * median and 99th percentile of what one took, errors. A client that fails is counted and stays
 * away. Everything is one thread over epoll, level-triggered.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "common.h"
#include "message.h"

#define CLIENTS_MAX   1024
#define TRANSFERS_MAX 65536
#define LISTENERS_MAX 16
#define SEND_CHUNK    ((size_t)256 * 1024)

struct client {
        int fd;
        size_t head_sent;   /* of the request */
        uint64_t body_left; /* of the request's body */
        int64_t began_us;
        struct message reply;
};

struct load {
        struct target to;
        const char *path;
        uint64_t body; /* of a request; 0: it gets */
        size_t n_clients;
        uint64_t seconds;
        int epoll_fd;
        char head[512];
        size_t n_head;
        uint64_t sent, got; /* bytes of bodies */
        uint64_t errors;
        size_t n_transfers;
        uint32_t took_us[TRANSFERS_MAX];
};

static void client_watch(const struct load *load, struct client *c, uint32_t events) {
        struct epoll_event event = { .events = events, .data.ptr = c };

        if (epoll_ctl(load->epoll_fd, EPOLL_CTL_MOD, c->fd, &event) < 0)
                fail("cannot watch: %s", strerror(errno));
}

static void client_fail(struct load *load, struct client *c) {
        load->errors++;
        close(c->fd);
        c->fd = -EBADF;
}

static void client_begin(struct load *load, struct client *c) {
        c->head_sent = 0;
        c->body_left = load->body;
        c->began_us = now_us();
        message_begin(&c->reply);
        client_watch(load, c, EPOLLOUT);
}

static void client_done(struct load *load, struct client *c) {
        if (load->n_transfers < TRANSFERS_MAX)
                load->took_us[load->n_transfers++] = (uint32_t)(now_us() - c->began_us);
        client_begin(load, c);
}

static void client_on_writable(struct load *load, struct client *c) {
        static const char zeros[SEND_CHUNK];
        bool head = c->head_sent < load->n_head;
        size_t n = c->body_left < SEND_CHUNK ? (size_t)c->body_left : SEND_CHUNK;
        ssize_t sent;

        if (head)
                sent = send(c->fd, load->head + c->head_sent, load->n_head - c->head_sent,
                            MSG_NOSIGNAL | (c->body_left ? MSG_MORE : 0));
        else
                sent = send(c->fd, zeros, n, MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN) {
                client_fail(load, c);
                return;
        }
        if (sent > 0 && head) {
                c->head_sent += (size_t)sent;
        } else if (sent > 0) {
                c->body_left -= (uint64_t)sent;
                load->sent += (uint64_t)sent;
        }
        if (c->head_sent == load->n_head && c->body_left == 0)
                client_watch(load, c, EPOLLIN);
}

static void client_on_readable(struct load *load, struct client *c) {
        uint64_t before = c->reply.body_bytes;
        int r;

        r = message_read(&c->reply, c->fd);
        if (r >= 0)
                load->got += c->reply.body_bytes - before;
        if (r < 0 || (r == 1 && message_status(&c->reply) != 200))
                client_fail(load, c);
        else if (r == 1)
                client_done(load, c);
}

static void client_open(struct load *load, struct client *c) {
        struct epoll_event event = { .data.ptr = c };

        c->fd = target_connect(&load->to, NULL, 0);
        if (c->fd < 0 || epoll_ctl(load->epoll_fd, EPOLL_CTL_ADD, c->fd, &event) < 0)
                fail("cannot connect: %s", strerror(errno));
        client_begin(load, c);
}

static int compare(const void *a, const void *b) {
        uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

        return (x > y) - (x < y);
}

static void load_print(struct load *load, int64_t took_us) {
        size_t n = load->n_transfers;

        qsort(load->took_us, n, sizeof(load->took_us[0]), compare);
        printf("{\"bytes\": %llu, \"us\": %lld, \"transfers\": %zu, \"p50_us\": %u, "
               "\"p99_us\": %u, \"errors\": %llu}\n",
               (unsigned long long)(load->body ? load->sent : load->got), (long long)took_us, n,
               n ? load->took_us[n / 2] : 0, n ? load->took_us[n * 99 / 100] : 0,
               (unsigned long long)load->errors);
}

static void load_run(struct load *load) {
        struct client *clients = calloc(load->n_clients, sizeof(*clients));
        struct epoll_event ready[64];
        int64_t began_us, end_us;

        load->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
        if (!clients || load->epoll_fd < 0)
                fail("cannot set up: %s", strerror(errno));
        load->n_head = (size_t)snprintf(load->head, sizeof(load->head),
                                        "%s %s HTTP/1.1\r\nHost: bench\r\n"
                                        "Content-Length: %llu\r\n\r\n",
                                        load->body ? "POST" : "GET", load->path,
                                        (unsigned long long)load->body);
        if (load->n_head >= sizeof(load->head))
                fail("the path is too long");

        began_us = now_us();
        end_us = began_us + (int64_t)load->seconds * 1000000;
        for (size_t i = 0; i < load->n_clients; i++)
                client_open(load, &clients[i]);
        while (now_us() < end_us && load->errors < load->n_clients) {
                int n = epoll_wait(load->epoll_fd, ready, ELEMENTS(ready), 100);

                for (int i = 0; i < n; i++) {
                        struct client *c = ready[i].data.ptr;

                        if (ready[i].events & EPOLLOUT)
                                client_on_writable(load, c);
                        else
                                client_on_readable(load, c);
                }
        }
        load_print(load, now_us() - began_us);
        for (size_t i = 0; i < load->n_clients; i++) {
                if (clients[i].fd >= 0)
                        close(clients[i].fd);
        }
        close(load->epoll_fd);
        free(clients);
}

/* ---- the sink ---- */

struct source {
        int fd;
        struct message request;
};

static void source_accept(int epoll_fd, int listener) {
        struct epoll_event event = { .events = EPOLLIN };
        struct source *s;
        int fd;

        while ((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0) {
                s = malloc(sizeof(*s));
                if (!s)
                        fail("no memory for a connection");
                s->fd = fd;
                message_begin(&s->request);
                event.data.ptr = s;
                if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
                        fail("cannot watch: %s", strerror(errno));
        }
}

static void source_on_readable(struct source *s) {
        static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
        int r;

        r = message_read(&s->request, s->fd);
        if (r == 1) {
                message_begin(&s->request);
                if (send(s->fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL) != sizeof(answer) - 1)
                        r = -EPIPE;
        }
        if (r < 0) {
                close(s->fd);
                free(s);
        }
}

/* A listening socket looks like a connection, but is one of the first. */
static _Noreturn void sink_run(const struct target *on, size_t n_on) {
        int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
        struct source listeners[LISTENERS_MAX];
        struct epoll_event ready[64];

        for (size_t i = 0; i < n_on; i++) {
                struct epoll_event event = { .events = EPOLLIN, .data.ptr = &listeners[i] };

                listeners[i].fd = target_listen(&on[i], 1024);
                if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listeners[i].fd, &event) < 0)
                        fail("cannot set up: %s", strerror(errno));
        }
        puts("listening");
        fflush(stdout);
        for (;;) {
                int n = epoll_wait(epoll_fd, ready, ELEMENTS(ready), -1);

                for (int i = 0; i < n; i++) {
                        struct source *s = ready[i].data.ptr;

                        if (s >= listeners && s < listeners + n_on)
                                source_accept(epoll_fd, s->fd);
                        else
                                source_on_readable(s);
                }
        }
}

int main(int argc, char **argv) {
        static const struct option options[] = { { "listen", required_argument, NULL, 'l' },
                                                 { "to", required_argument, NULL, 't' },
                                                 { "path", required_argument, NULL, 'p' },
                                                 { "bytes", required_argument, NULL, 'b' },
                                                 { "clients", required_argument, NULL, 'c' },
                                                 { "seconds", required_argument, NULL, 's' },
                                                 { NULL, 0, NULL, 0 } };
        static struct load load = { .path = "/" };
        const char *what = argc > 1 ? argv[1] : "";
        struct target on[LISTENERS_MAX];
        size_t n_on = 0;
        int option;

        while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
                switch (option) {
                case 'l':
                        if (n_on == LISTENERS_MAX)
                                fail("at most %d addresses", LISTENERS_MAX);
                        on[n_on++] = target_parse(optarg);
                        break;
                case 't':
                        load.to = target_parse(optarg);
                        break;
                case 'p':
                        load.path = optarg;
                        break;
                case 'b':
                        load.body = number(optarg);
                        break;
                case 'c':
                        load.n_clients = number(optarg);
                        break;
                case 's':
                        load.seconds = number(optarg);
                        break;
                default:
                        return 64;
                }
        }
        raise_limits();
        if (strcmp(what, "sink") == 0 && n_on > 0)
                sink_run(on, n_on);
        if ((strcmp(what, "down") != 0 && strcmp(what, "up") != 0) || !load.to.len ||
            (strcmp(what, "up") == 0) != (load.body > 0) || load.n_clients == 0 ||
            load.n_clients > CLIENTS_MAX || load.seconds == 0 || load.seconds > 3600)
                fail("usage: bulk sink --listen ADDR [--listen ADDR ...]\n"
                     "       bulk down --to ADDR --path PATH --clients N --seconds N\n"
                     "       bulk up --to ADDR --bytes N --clients N --seconds N");
        load_run(&load);
        return load.errors ? 1 : 0;
}
