/* SPDX-License-Identifier: MIT */
/* What the tests of health share: servers of every kind, on free ports of the loopback. */
#pragma once

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/clock.h"
#include "net/addr.h"
#include "upstream/upstream.h"

#define SERVER_CLIENTS 16

/* A server that answers each request with the same bytes; it runs while server_turn() is called. */
struct server {
        int fd; /* listening */
        struct addr addr;
        const char *answer; /* NULL: it only accepts */
        size_t n_answer;
        size_t piece; /* so many bytes each turn; 0: all at once */
        bool early;   /* answers without reading */
        bool closes;  /* after the answer */
        bool resets;  /* likewise, with a reset */
        bool deaf;    /* accepts nobody */
        unsigned n_accepted;
        char request[4096]; /* the newest one */
        size_t n_request;
        struct server_client {
                int fd; /* 0: none */
                size_t n_sent;
                bool asked;
        } clients[SERVER_CLIENTS];
};

static inline struct addr addr_at(const char *text) {
        struct addr a;

        assert_int_equal(addr_parse(&a, text), 0);
        return a;
}

static inline int bound(struct addr *a) {
        int fd = socket(a->sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        int one = 1;

        assert_true(fd >= 0);
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
        assert_return_code(bind(fd, &a->sa, a->len), errno);
        if (a->sa.sa_family != AF_UNIX)
                assert_return_code(getsockname(fd, &a->sa, &a->len), errno);
        return fd;
}

static inline void server_open(struct server *s, const char *at, int backlog) {
        *s = (struct server){ .addr = addr_at(at) };
        s->fd = bound(&s->addr);
        assert_return_code(listen(s->fd, backlog), errno);
}

/* The same address again, after server_close(). */
static inline void server_reopen(struct server *s) {
        s->fd = bound(&s->addr);
        assert_return_code(listen(s->fd, 64), errno);
}

static inline void server_answer(struct server *s, const char *answer) {
        s->answer = answer;
        s->n_answer = strlen(answer);
}

static inline void server_drop(struct server_client *c, bool reset) {
        const struct linger linger = { .l_onoff = 1 };

        if (reset)
                setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
        close(c->fd);
        *c = (struct server_client){ 0 };
}

static inline void server_close(struct server *s) {
        for (size_t i = 0; i < SERVER_CLIENTS; i++)
                if (s->clients[i].fd > 0)
                        server_drop(&s->clients[i], false);
        s->fd = fd_close(s->fd);
}

static inline void server_accept(struct server *s) {
        for (size_t i = 0; i < SERVER_CLIENTS; i++) {
                struct server_client *c = &s->clients[i];

                if (c->fd > 0)
                        continue;
                c->fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
                if (c->fd < 0) {
                        c->fd = 0;
                        return;
                }
                s->n_accepted++;
        }
}

/* Reads a piece. False: the client is gone. */
static inline bool server_read(struct server *s, struct server_client *c) {
        size_t room = sizeof(s->request) - s->n_request;
        ssize_t n = recv(c->fd, s->request + s->n_request, room, 0);

        if (n == 0 || (n < 0 && errno != EAGAIN))
                return false;
        if (n > 0)
                s->n_request += (size_t)n;
        if (s->n_request >= 4 && memcmp(s->request + s->n_request - 4, "\r\n\r\n", 4) == 0) {
                s->request[s->n_request] = '\0';
                s->n_request = 0;
                c->asked = true;
        }
        return true;
}

static inline bool server_write(struct server *s, struct server_client *c) {
        size_t left = s->n_answer - c->n_sent,
               piece = s->piece > 0 && s->piece < left ? s->piece : left;
        ssize_t n = send(c->fd, s->answer + c->n_sent, piece, MSG_NOSIGNAL);

        if (n < 0)
                return errno == EAGAIN;
        c->n_sent += (size_t)n;
        return c->n_sent < s->n_answer || !(s->closes || s->resets);
}

static inline void server_turn(struct server *s) {
        if (s->fd < 0 || s->deaf)
                return;
        server_accept(s);
        for (size_t i = 0; i < SERVER_CLIENTS; i++) {
                struct server_client *c = &s->clients[i];
                bool alive = c->fd > 0 && (c->asked || s->early || server_read(s, c));

                if (alive && s->answer && (c->asked || s->early))
                        alive = server_write(s, c);
                if (c->fd > 0 && !alive)
                        server_drop(c, s->resets);
        }
}

/* Connects until nobody gets in any more: a TCP server that hangs, or is stopped. */
#define FULL_MAX 8
struct full {
        struct server server;
        int fds[FULL_MAX];
};

static inline void full_open(struct full *f, const char *at) {
        server_open(&f->server, at, 0);
        f->server.deaf = true;
        for (size_t i = 0; i < FULL_MAX; i++) {
                const struct addr *a = &f->server.addr;

                f->fds[i] = socket(a->sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
                if (connect(f->fds[i], &a->sa, a->len) < 0 && errno == EAGAIN)
                        f->fds[i] = fd_close(f->fds[i]); /* Unix: the queue is full */
        }
        usleep(20000); /* the handshakes that can be are done */
}

static inline void full_close(struct full *f) {
        for (size_t i = 0; i < FULL_MAX; i++)
                fd_close(f->fds[i]);
        server_close(&f->server);
}

/* An address of this machine where nobody listens, kept so by a socket that does not. */
static inline int refusing(struct addr *ret) {
        *ret = addr_at("127.0.0.1:0");
        return bound(ret);
}

/* ---- generations ---- */

static inline struct config *load(const char *text) {
        struct config *c = NULL;
        struct diags d;

        diags_init(&d);
        if (config_load_text(&c, "t.yaml", text, strlen(text), &d) < 0)
                fail_msg("%s: %s", container_of(d.list.next, struct diag, link)->message, text);
        diags_done(&d);
        return c;
}

static inline struct upstream *generation(const char *text,
                                          const struct upstream_names *names,
                                          struct upstream *prev) {
        const struct upstream_names none = { 0 };
        struct config *c = load(text);
        struct upstream *u = NULL;

        assert_int_equal(upstream_new(&u, c, names ? names : &none, prev, 2), 0);
        config_unref(c);
        upstream_publish(u, 100);
        return u;
}
