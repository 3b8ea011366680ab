/* SPDX-License-Identifier: MIT */

#include "bal/client.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#include "core/base.h"
#include "core/clock.h"
#include "core/str.h"
#include "varlink/message.h"
#include "varlink/names.h"
#include "varlink/reader.h"
#include "varlink/scan.h"
#include "varlink/writer.h"

#define ACCEPT_WAIT_MS 1000 /* for a daemon whose queue of new clients is full */
#define RETRY_MS       10

struct bal_client {
        int fd;
        struct varlink_reader reader;
        struct varlink_text out; /* what the socket has not taken yet */
        size_t sent;
};

DEFINE_CLEANUP(struct bal_client *, bal_client_free)

static int client_connect(int fd, const struct sockaddr_un *sa) {
        uint64_t deadline = clock_mono_ms() + ACCEPT_WAIT_MS;

        /* a Unix socket with a full queue does not connect in the background: one asks again */
        while (connect(fd, (const struct sockaddr *)sa, sizeof(*sa)) < 0) {
                if (errno != EAGAIN && errno != EINTR)
                        return errno == ENOTDIR ? -ENOENT : -errno;
                if (clock_mono_ms() >= deadline)
                        return -ETIMEDOUT;
                nanosleep(&(struct timespec){ .tv_nsec = RETRY_MS * 1000000L }, NULL);
        }
        return 0;
}

int bal_client_new(struct bal_client **ret, const char *path) {
        _cleanup_(bal_client_freep) struct bal_client *c = NULL;
        struct sockaddr_un sa = { .sun_family = AF_UNIX };
        int r;

        if (strlen(path) >= sizeof(sa.sun_path))
                return -ENAMETOOLONG;
        if (*path == '\0')
                return -ENOENT;
        memcpy(sa.sun_path, path, strlen(path));

        c = malloc(sizeof(*c));
        if (!c)
                return -ENOMEM;
        *c = (struct bal_client){ .fd = -EBADF };
        varlink_reader_init(&c->reader, BAL_REPLY_MAX);

        c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (c->fd < 0)
                return -errno;

        r = client_connect(c->fd, &sa);
        if (r < 0)
                return r;

        *ret = take_ptr(c);
        return 0;
}

struct bal_client *bal_client_free(struct bal_client *c) {
        if (!c)
                return NULL;
        fd_close(c->fd);
        varlink_reader_done(&c->reader);
        free(c->out.bytes);
        free(c);
        return NULL;
}

int bal_client_fd(const struct bal_client *c) {
        return c->fd;
}

short bal_client_events(const struct bal_client *c) {
        return c->out.bytes ? POLLIN | POLLOUT : POLLIN;
}

/* A daemon that hangs up may have said why before: so a broken pipe shows up on reading, behind
 * whatever is there to read. */
static int client_flush(struct bal_client *c) {
        while (c->sent < c->out.n) {
                ssize_t n = send(c->fd, c->out.bytes + c->sent, c->out.n - c->sent, MSG_NOSIGNAL);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0 && errno == EAGAIN)
                        return 0;
                if (n < 0 && errno != EPIPE && errno != ECONNRESET)
                        return -errno;
                c->sent = n < 0 ? c->out.n : c->sent + (size_t)n;
        }
        free(c->out.bytes);
        c->out = (struct varlink_text){ 0 };
        c->sent = 0;
        return 0;
}

/* Behind what is not out yet. Takes text. */
static int client_queue(struct bal_client *c, struct varlink_text *text) {
        size_t left = c->out.n - c->sent;
        char *bytes;

        if (left == 0) {
                free(c->out.bytes);
                c->out = *text;
                c->sent = 0;
                return 0;
        }

        bytes = malloc(left + text->n);
        if (bytes) {
                memcpy(bytes, c->out.bytes + c->sent, left);
                memcpy(bytes + left, text->bytes, text->n);
                free(c->out.bytes);
                c->out = (struct varlink_text){ .bytes = bytes, .n = left + text->n };
                c->sent = 0;
        }
        free(text->bytes);
        return bytes ? 0 : -ENOMEM;
}

int bal_client_call(struct bal_client *c, enum bal_method m, json_t *parameters) {
        struct varlink_text text;
        int r;

        r = varlink_write_call(&text, bal_method_name(m), parameters, varlink_method_more(m));
        json_decref(parameters);
        if (r < 0)
                return r;

        r = client_queue(c, &text);
        if (r < 0)
                return r;
        return client_flush(c);
}

/* 0: something came; else as bal_client_receive(). */
static int client_read(struct bal_client *c) {
        char *room;
        size_t n;
        ssize_t got;
        int r;

        r = varlink_reader_room(&c->reader, &room, &n);
        if (r < 0)
                return r;

        do
                got = recv(c->fd, room, n, 0);
        while (got < 0 && errno == EINTR);
        if (got < 0)
                return -errno;
        if (got == 0)
                return -ECONNRESET;
        varlink_reader_fed(&c->reader, (size_t)got);
        return 0;
}

static int reply_from(struct bal_reply *ret, const char *text, size_t n) {
        struct varlink_reply reply;
        int r;

        r = varlink_read_reply(&reply, text, n);
        if (r == VARLINK_OK && !reply.parameters) {
                reply.parameters = json_object();
                if (!reply.parameters ||
                    json_object_set_new(reply.message, "parameters", reply.parameters) < 0)
                        r = -ENOMEM;
        }
        if (r != VARLINK_OK) {
                varlink_reply_done(&reply);
                return r < 0 ? r : -EPROTO;
        }

        *ret = (struct bal_reply){
                .message = reply.message,
                .parameters = reply.parameters,
                .error = reply.error,
                .error_id = reply.error ? bal_error_find(reply.error) : -ENOENT,
                .continues = reply.continues,
        };
        return 0;
}

static int client_next(struct bal_client *c, const char **ret, size_t *ret_n) {
        int r;

        r = client_flush(c);
        if (r < 0)
                return r;

        for (;;) {
                r = varlink_reader_next(&c->reader, ret, ret_n);
                if (r != 0)
                        return r < 0 ? r : 0;
                r = client_read(c);
                if (r < 0)
                        return r;
        }
}

int bal_client_receive(struct bal_client *c, struct bal_reply *ret) {
        const char *text;
        size_t n;
        int r;

        r = client_next(c, &text, &n);
        if (r < 0)
                return r;
        return reply_from(ret, text, n);
}

/* The array parameters.KEY of a message; none where it has no such. */
static struct scan_text find_list(struct scan_text message, const char *key) {
        struct scan s;
        struct scan_text found;

        scan_init(&s, message);
        if (!scan_enter(&s, '{'))
                return (struct scan_text){ 0 };
        while (scan_member(&s, &found)) {
                if (!scan_text_is(found, "parameters") || !scan_enter(&s, '{')) {
                        scan_value(&s);
                        continue;
                }
                while (scan_member(&s, &found)) {
                        bool is_list = scan_text_is(found, key);
                        struct scan_text value = scan_value(&s);

                        if (is_list && value.text && *value.text == '[')
                                return value;
                }
        }
        return (struct scan_text){ 0 };
}

int bal_client_receive_list(struct bal_client *c,
                            const char *key,
                            struct bal_reply *ret,
                            struct scan_text *ret_list) {
        _cleanup_(str_freep) char *rest = NULL;
        struct scan_text whole, list;
        size_t n_head, n_tail;
        int r;

        r = client_next(c, &whole.text, &whole.n);
        if (r < 0)
                return r;
        list = find_list(whole, key);
        *ret_list = list;
        if (!list.text)
                return reply_from(ret, whole.text, whole.n);

        n_head = (size_t)(list.text - whole.text) + 1; /* with the bracket */
        n_tail = whole.n - n_head - (list.n - 2);
        rest = malloc(n_head + n_tail);
        if (!rest)
                return -ENOMEM;
        memcpy(rest, whole.text, n_head);
        memcpy(rest + n_head, whole.text + whole.n - n_tail, n_tail);
        return reply_from(ret, rest, n_head + n_tail);
}

void bal_reply_done(struct bal_reply *r) {
        json_decref(r->message);
        *r = (struct bal_reply){ 0 };
}

/* 0 or -ETIMEDOUT. deadline 0: never. */
static int client_poll(struct bal_client *c, uint64_t deadline) {
        struct pollfd p = { .fd = c->fd, .events = bal_client_events(c) };
        uint64_t now = clock_mono_ms();
        int r;

        if (deadline > 0 && now >= deadline)
                return -ETIMEDOUT;

        r = poll(&p, 1, deadline > 0 ? (int)(deadline - now) : -1);
        if (r < 0)
                return errno == EINTR ? 0 : -errno;
        return 0;
}

static uint64_t deadline_in(int timeout_ms) {
        return timeout_ms < 0 ? 0 : clock_mono_ms() + (uint64_t)timeout_ms;
}

int bal_client_request(struct bal_client *c,
                       enum bal_method m,
                       json_t *parameters,
                       int timeout_ms,
                       struct bal_reply *ret) {
        uint64_t deadline = deadline_in(timeout_ms);
        int r;

        r = bal_client_call(c, m, parameters);
        while (r == 0) {
                r = bal_client_receive(c, ret);
                if (r != -EAGAIN)
                        return r;
                r = client_poll(c, deadline);
        }
        return r;
}

int bal_client_wait_closed(struct bal_client *c, int timeout_ms) {
        uint64_t deadline = deadline_in(timeout_ms);
        char waste[4096];
        int r;

        for (;;) {
                ssize_t n = recv(c->fd, waste, sizeof(waste), 0);

                if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
                        return 0;
                if (n > 0)
                        continue;
                r = client_poll(c, deadline);
                if (r < 0)
                        return r;
        }
}
