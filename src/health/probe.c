/* SPDX-License-Identifier: MIT */
/*
 * Frugal on purpose: a check of 4096 backends a second may cost a fifth of a core at most, so a
 * probe sets no option that it does not need, and a response whose head comes in one piece, as
 * nearly all do, is read on the stack. TCP_QUICKACK stays on: without it the last ACK of the
 * handshake would wait for data, the reset would come instead, and a backend that does not accept
 * any more would look healthy for ever, as nothing of a probe would ever fill its queue.
 */

#include "health/probe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net/sock.h"
#include "upstream/failure.h"

#define HTTP_PORT   80
#define READ_SIZE   2048 /* bytes of the first piece of a response */
#define ROOM_MIN    4096 /* of a buffer for more; it doubles as they come */
#define WAIT_PARTS  16   /* of the time: how often a Unix socket with a full queue is tried again */
#define SOCK_EVENTS (EPOLLERR | EPOLLHUP)

static void probe_next(struct probe *p);

bool probe_is_local(int failure) {
        switch (failure) {
        case -EMFILE:
        case -ENFILE:
        case -ENOBUFS:
        case -ENOMEM:
        case -EADDRNOTAVAIL: /* no source port left, or no source address */
                return true;
        default:
                return false;
        }
}

size_t probe_addr(const struct probe *p) {
        return (p->first + p->n_tried - 1) % p->target.n_addrs;
}

static bool is_unix(const struct probe *p) {
        return p->target.addrs[probe_addr(p)].sa.sa_family == AF_UNIX;
}

/* ---- ends ---- */

/* A connection that was made is reset. */
static void probe_close(struct probe *p) {
        free(take_ptr(p->head));
        io_forget(&p->io);
        if (p->fd >= 0 && p->stage > PROBE_CONNECT && !is_unix(p))
                sock_reset_at_close(p->fd);
        p->fd = fd_close(p->fd);
        p->stage = PROBE_WAIT;
}

void probe_stop(struct probe *p) {
        probe_close(p);
        wheel_cancel(&p->timer);
}

static void probe_end(struct probe *p, enum probe_verdict verdict, int failure) {
        probe_stop(p);
        p->fn(p, verdict, failure);
}

/* This address is done for. */
static void probe_failed(struct probe *p, int failure) {
        if (probe_is_local(failure))
                p->unable = failure;
        else
                p->failure = failure_of_both(p->failure, failure);
        if (failure == -ETIMEDOUT && p->n_tried == 1)
                p->first_timed_out = true;
        probe_close(p);
        probe_next(p);
}

/* ---- HTTP ---- */

/* "[2001:db8::1]:8080", "app.example", as in the URL that a person would type. RFC 9110, 7.2. */
static int host_header(const struct probe_target *t, char *buf, size_t size) {
        const struct config_endpoint *e = t->endpoint;
        uint16_t port = t->check->port;
        char text[ADDR_TEXT_MAX];
        const char *host;
        bool v6;

        if (t->check->host)
                return snprintf(buf, size, "%s", t->check->host);
        if (!e->host && e->addr.sa.sa_family == AF_UNIX)
                return snprintf(buf, size, "localhost");

        v6 = !e->host && e->addr.sa.sa_family == AF_INET6;
        host = e->host ? e->host : addr_text_host(&e->addr, text);
        if (port == 0)
                port = e->host ? e->port : addr_port(&e->addr);
        if (v6 && host[0] != '[') {
                text[strcspn(text, "%")] = '\0'; /* a zone means something on this machine only */
                return port == HTTP_PORT ? snprintf(buf, size, "[%s]", host)
                                         : snprintf(buf, size, "[%s]:%u", host, port);
        }
        return port == HTTP_PORT ? snprintf(buf, size, "%s", host)
                                 : snprintf(buf, size, "%s:%u", host, port);
}

size_t probe_request(const struct probe_target *t, char buf[static PROBE_REQUEST_MAX]) {
        char host[512];
        int n;

        host_header(t, host, sizeof(host));
        n = snprintf(buf, PROBE_REQUEST_MAX,
                     "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: bal-health\r\n"
                     "Connection: close\r\n\r\n",
                     t->check->path, host);
        return n < PROBE_REQUEST_MAX ? (size_t)n : PROBE_REQUEST_MAX - 1;
}

static bool is_expected(const struct config_check *check, int status) {
        for (size_t i = 0; i < check->n_status; i++)
                if (status >= check->status[i].first && status <= check->status[i].last)
                        return true;
        return false;
}

/* The status of the final response; 0: more is needed, from bytes[*ret_used] on; or a failure. */
static int head_read(struct probe *p, const char *bytes, size_t n, size_t *ret_used) {
        const struct http_asked asked = { .head = false };
        struct http_head head;
        size_t used = 0;

        while (used < n) {
                enum http_verdict v = http_read_response(&head, &p->scan, bytes + used, n - used,
                                                         &http_response_limits, asked);

                if (v == HTTP_MORE)
                        break;
                if (v == HTTP_OK && head.interim && ++p->n_interim > HTTP_INTERIM_MAX)
                        v = HTTP_STATUS_LINE; /* as traffic has it */
                if (v != HTTP_OK)
                        return failure_of_verdict(v);
                if (!head.interim)
                        return head.status;
                used += head.size;
                p->scan = (struct http_scan){ .line = 0 };
        }
        *ret_used = used;
        return 0;
}

/* These bytes are the beginning of a head, and there is room for more of it then. */
static int head_keep(struct probe *p, const char *bytes, size_t n) {
        size_t max = http_head_room(&http_response_limits), room = p->head ? p->room : 0;
        char *head;

        if (n >= max)
                return failure_of_verdict(HTTP_HEADERS_LONG);
        if (p->head)
                memmove(p->head, bytes, n); /* an interim head may have been in front of them */
        if (n >= room) {
                room = room > 0 ? 2 * room : ROOM_MIN;
                head = realloc(p->head, room < max ? room : max);
                if (!head)
                        return -ENOMEM;
                if (!p->head)
                        memcpy(head, bytes, n);
                p->head = head;
                p->room = room < max ? room : max;
        }
        p->n_head = n;
        return 0;
}

_Static_assert(READ_SIZE < ROOM_MIN, "what was read on the stack has room");

static void probe_read(struct probe *p) {
        char first[READ_SIZE];
        char *bytes = p->head ? p->head : first;
        size_t held = p->head ? p->n_head : 0, used = 0;
        size_t room = (p->head ? p->room : sizeof(first)) - held;
        ssize_t n;
        int r;

        n = recv(p->fd, bytes + held, room, 0);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
                if (errno == EAGAIN)
                        io_spent(&p->io, EPOLLIN);
                return;
        }
        if (n <= 0) {
                r = n < 0 && errno != ECONNRESET ? -errno : FAILURE_CLOSED;
                probe_failed(p, r);
                return;
        }

        if ((size_t)n < room)
                io_short_read(&p->io);
        held += (size_t)n;
        r = head_read(p, bytes, held, &used);
        if (r == 0)
                r = head_keep(p, bytes + used, held - used);
        if (r > 0 && is_expected(p->target.check, r))
                probe_end(p, PROBE_GOOD, 0);
        else if (r != 0)
                probe_failed(p, r);
}

static void probe_send(struct probe *p) {
        char buf[PROBE_REQUEST_MAX];
        size_t n = probe_request(&p->target, buf);
        ssize_t sent;

        sent = send(p->fd, buf + p->n_sent, n - p->n_sent, MSG_NOSIGNAL);
        if (sent < 0 && errno == EAGAIN) {
                io_spent(&p->io, EPOLLOUT);
                return;
        }
        if (sent < 0 && errno == EINTR)
                return;

        /* a server that has closed may have answered before: reading will tell */
        p->n_sent = sent < 0 ? n : p->n_sent + (size_t)sent;
        if (p->n_sent < n)
                return;
        p->stage = PROBE_READ;
        io_unwant(&p->io, EPOLLOUT);
        io_want(&p->io, EPOLLIN);
}

/* ---- lingering ---- */

static void probe_linger(struct probe *p) {
        uint64_t until_ms = loop_now_ms(p->loop) + p->target.linger_ms;

        p->stage = PROBE_LINGER;
        io_unwant(&p->io, EPOLLOUT);
        io_want(&p->io, EPOLLIN);
        timer_set(p->loop, &p->timer, until_ms < p->until_ms ? until_ms : p->until_ms);
}

static void probe_listen(struct probe *p) {
        char byte;
        ssize_t n = recv(p->fd, &byte, 1, 0);

        if (n > 0)
                probe_end(p, PROBE_GOOD, 0); /* it speaks first */
        else if (n < 0 && errno == EAGAIN)
                io_spent(&p->io, EPOLLIN);
        else if (n == 0 || errno != EINTR)
                probe_failed(p, FAILURE_CLOSED);
}

/* ---- connecting ---- */

static void probe_connected(struct probe *p) {
        p->stage = PROBE_SEND;
        if (!is_unix(p) && sock_met_itself(p->fd)) {
                probe_failed(p, -ECONNREFUSED);
                return;
        }
        if (p->target.check->type != CONFIG_CHECK_HTTP) {
                if (p->target.linger_ms > 0)
                        probe_linger(p);
                else
                        probe_end(p, PROBE_GOOD, 0);
                return;
        }
        if (p->timer.at_ms != p->until_ms)
                timer_set(p->loop, &p->timer, p->until_ms);
        probe_send(p);
}

static void probe_on_ready(struct io *io) {
        struct probe *p = container_of(io, struct probe, io);
        int r;

        if (p->stage == PROBE_SEND) {
                probe_send(p);
        } else if (p->stage == PROBE_READ) {
                probe_read(p);
        } else if (p->stage == PROBE_LINGER) {
                probe_listen(p);
        } else {
                r = sock_error(p->fd);
                if (r < 0)
                        probe_failed(p, r);
                else
                        probe_connected(p);
        }
}

/* 0: connected; -EINPROGRESS; else the failure. */
static int probe_connect(struct probe *p) {
        struct addr a = p->target.addrs[probe_addr(p)];

        p->fd = socket(a.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (p->fd < 0)
                return -errno;
        if (p->target.check->port > 0 && a.sa.sa_family != AF_UNIX)
                addr_set_port(&a, p->target.check->port);

        if (connect(p->fd, &a.sa, a.len) == 0)
                return 0;
        if (errno == EINTR)
                return -EINPROGRESS;
        if (errno == EAGAIN && a.sa.sa_family != AF_UNIX)
                return -EADDRNOTAVAIL; /* connect(2): no ports left */
        return -errno;
}

static void probe_try(struct probe *p) {
        uint64_t again_ms;
        int r, attached;

        r = probe_connect(p);
        if (r < 0 && r != -EINPROGRESS) {
                if (r != -EAGAIN) {
                        probe_failed(p, r);
                        return;
                }
                p->fd = fd_close(p->fd); /* a Unix socket with a full queue: a client waits, too */
                again_ms = loop_now_ms(p->loop) + 1 + p->target.check->timeout_ms / WAIT_PARTS;
                timer_set(p->loop, &p->timer, again_ms < p->until_ms ? again_ms : p->until_ms);
                return;
        }

        attached = io_attach_connecting(&p->io, p->loop, p->fd, probe_on_ready);
        if (attached < 0) {
                probe_failed(p, -ENOMEM);
                return;
        }
        p->stage = PROBE_CONNECT;
        io_want(&p->io, EPOLLOUT | SOCK_EVENTS);
        if (r == 0)
                probe_connected(p);
}

static void probe_next(struct probe *p) {
        uint64_t now_ms = loop_now_ms(p->loop), left, share;

        if (p->n_tried >= p->target.n_addrs || (p->n_tried > 0 && now_ms >= p->until_ms)) {
                if (p->failure != 0)
                        probe_end(p, PROBE_BAD, p->failure);
                else
                        probe_end(p, PROBE_UNABLE, p->unable);
                return;
        }

        left = p->until_ms > now_ms ? p->until_ms - now_ms : 0;
        share = left / (p->target.n_addrs - p->n_tried);
        p->n_tried++;
        p->n_sent = 0;
        p->scan = (struct http_scan){ .line = 0 };
        p->n_interim = 0;
        timer_set(p->loop, &p->timer, now_ms + share);
        probe_try(p);
}

static void probe_on_timer(struct timer *t) {
        struct probe *p = container_of(t, struct probe, timer);

        if (p->stage == PROBE_WAIT && loop_now_ms(p->loop) < p->until_ms)
                probe_try(p);
        else if (p->stage == PROBE_LINGER)
                probe_end(p, PROBE_GOOD, 0);
        else
                probe_failed(p, -ETIMEDOUT);
}

void probe_init(struct probe *p) {
        *p = (struct probe){ .fd = -EBADF };
        io_init(&p->io);
        timer_init(&p->timer, probe_on_timer);
}

void probe_start(struct probe *p,
                 struct loop *loop,
                 const struct probe_target *target,
                 size_t first,
                 probe_fn fn) {
        p->loop = loop;
        p->target = *target;
        p->first = first % target->n_addrs;
        p->fn = fn;
        p->start_ms = loop_now_ms(loop);
        p->until_ms = p->start_ms + target->check->timeout_ms;
        probe_next(p);
}
