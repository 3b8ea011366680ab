/* SPDX-License-Identifier: MIT */
/*
 * Bodies of every framing through real sockets, in pieces of every size, to readers that take
 * little at a time: what arrives is what a body is, and what lies behind it stays where it is.
 */
#include "proxy/stream.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/hash.h"
#include "net/sock.h"

#define RAW_MAX   (1024 * 1024)
#define N_SCENES  1000
#define TURNS_MAX 200000
#define NEXT      "GET /next HTTP/1.1\r\n" /* of the next message, behind each body */

struct text {
        char bytes[RAW_MAX + 4096];
        size_t n;
};

struct scene {
        enum http_framing framing;
        bool unchunk;
        uint64_t length;
        struct text raw, wanted;
};

struct rig {
        struct loop *loop;
        struct stock stock;
        struct side from, to;
        int feed, drain; /* our ends of the two connections */
        struct lane lane;
        struct inflow in;
        struct http_body body;
        struct stream stream;
        enum relay_result result;
        struct text got;
};

static uint64_t seed;

static size_t dice(size_t n) {
        seed = hash_mix(seed + 0x9e3779b97f4a7c15u);
        return (size_t)(seed % n);
}

static void put(struct text *t, const char *bytes, size_t n) {
        assert_true(t->n + n <= sizeof(t->bytes));
        memcpy(t->bytes + t->n, bytes, n);
        t->n += n;
}

static void put_text(struct text *t, const char *text) {
        put(t, text, strlen(text));
}

static void put_data(struct scene *s, size_t n) {
        for (size_t i = 0; i < n; i++) {
                char c = (char)dice(256);

                put(&s->raw, &c, 1);
                put(&s->wanted, &c, 1);
        }
}

/* What makes chunks of it: goes on, unless the receiver knows none. */
static void put_frame(struct scene *s, const char *text) {
        put_text(&s->raw, text);
        if (!s->unchunk)
                put_text(&s->wanted, text);
}

static void make_chunks(struct scene *s, size_t total) {
        char size[32];

        while (total > 0) {
                size_t n = 1 + dice(dice(2) ? total : total < 40 ? total : 40);

                snprintf(size, sizeof(size), dice(2) ? "%zx" : "0%zX", n);
                put_frame(s, size);
                if (dice(4) == 0)
                        put_text(&s->raw, ";name=\"value\"");
                put_frame(s, "\r\n");
                put_data(s, n);
                put_frame(s, "\r\n");
                total -= n;
        }
        put_frame(s, "0");
        if (dice(4) == 0)
                put_text(&s->raw, ";last");
        put_frame(s, "\r\n");
        if (dice(3) == 0) {
                put_frame(s, "X-Checksum: 1234\r\n");
                put_text(&s->raw, "Content-Length: 5\r\n"); /* means nothing good there */
        }
        put_frame(s, "\r\n");
}

static void make_scene(struct scene *s) {
        static const size_t sizes[] = { 0, 1, 40, 4000, 70000, 300000 };
        size_t total = dice(sizes[dice(ELEMENTS(sizes))] + 1);

        memset(s, 0, sizeof(*s));
        switch (dice(3)) {
        case 0:
                s->framing = HTTP_FRAMING_CHUNKED;
                s->unchunk = dice(3) == 0;
                make_chunks(s, total);
                break;
        case 1:
                s->framing = HTTP_FRAMING_LENGTH;
                s->length = total;
                put_data(s, total);
                break;
        default:
                s->framing = HTTP_FRAMING_UNTIL_CLOSE;
                put_data(s, total);
                return;
        }
        put_text(&s->raw, NEXT);
}

static void on_io(struct io *io) {
        io_unwant(io, UINT32_MAX); /* the test looks at the sides itself */
}

static void side_open(struct rig *rig, struct side *side, int *ret_other, int size) {
        int fd[2];

        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd), 0);
        setsockopt(fd[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
        *side = (struct side){ .fd = fd[0], .is_unix = true };
        *ret_other = fd[1];
        assert_int_equal(io_attach(&side->io, rig->loop, fd[0], on_io), 0);
}

static void rig_open(struct rig *rig, const struct scene *s) {
        memset(rig, 0, sizeof(*rig));
        assert_int_equal(loop_new(&rig->loop), 0);
        stock_init(&rig->stock, 8, 4);
        side_open(rig, &rig->from, &rig->feed, 65536);
        side_open(rig, &rig->to, &rig->drain, dice(2) ? 4096 : 200000);
        rig->lane = (struct lane){ .from = &rig->from, .to = &rig->to };
        http_body_init(&rig->body, s->framing, s->length);
        rig->stream = (struct stream){
                .lane = &rig->lane, .in = &rig->in, .body = &rig->body, .unchunk = s->unchunk
        };
        rig->result = RELAY_WAIT;
}

static void rig_close(struct rig *rig) {
        lane_drop(&rig->lane, &rig->stock);
        inflow_drop(&rig->in, &rig->stock);
        assert_int_equal(rig->stock.buffers.n_lent, 0);
        assert_int_equal(rig->stock.pipes.n_lent, 0);
        io_detach(&rig->from.io);
        io_detach(&rig->to.io);
        close(rig->from.fd);
        close(rig->to.fd);
        close(rig->feed);
        close(rig->drain);
        stock_done(&rig->stock);
        loop_free(rig->loop);
}

/* A piece of the raw bytes goes in; its end, where the body has no other. */
static void feed(struct rig *rig, const struct scene *s, size_t *fed) {
        static const size_t most[] = { 1, 7, 300, 20000, RAW_MAX };
        size_t rest = s->raw.n - *fed, n = dice(most[dice(ELEMENTS(most))]) + 1;
        ssize_t sent;

        if (rest > 0) {
                sent = send(rig->feed, s->raw.bytes + *fed, n < rest ? n : rest, MSG_NOSIGNAL);
                if (sent > 0)
                        *fed += (size_t)sent;
        } else if (s->framing == HTTP_FRAMING_UNTIL_CLOSE) {
                shutdown(rig->feed, SHUT_WR);
        }
}

static void drain(struct rig *rig) {
        size_t room = sizeof(rig->got.bytes) - rig->got.n, n = 1 + dice(dice(2) ? 100000 : 500);
        ssize_t r = recv(rig->drain, rig->got.bytes + rig->got.n, n < room ? n : room, 0);

        if (r > 0)
                rig->got.n += (size_t)r;
}

/* To the end of the body, and then what is still under way to the reader. */
static void play(struct rig *rig, const struct scene *s) {
        size_t fed = 0;

        for (unsigned i = 0; i < TURNS_MAX && rig->result == RELAY_WAIT; i++) {
                if (dice(8) > 0)
                        feed(rig, s, &fed);
                assert_int_equal(loop_poll(rig->loop), 0);
                if (rig->in.n > 0 && dice(4) == 0) {
                        inflow_pack(&rig->in, &rig->stock);
                        assert_int_equal(inflow_unpack(&rig->in, &rig->stock), 0);
                }
                rig->result = stream_run(&rig->stream, &rig->stock, (unsigned)dice(8) + 1);
                drain(rig);
        }
        for (unsigned i = 0; i < TURNS_MAX && rig->got.n < s->wanted.n; i++)
                drain(rig);
}

static void check(const struct rig *rig, const struct scene *s) {
        size_t behind = rig->in.n;

        assert_int_equal(rig->result, RELAY_FINISHED);
        assert_true(http_body_complete(&rig->body));
        assert_int_equal(rig->got.n, s->wanted.n);
        assert_memory_equal(rig->got.bytes, s->wanted.bytes, s->wanted.n);
        assert_int_equal(rig->lane.bytes, s->wanted.n);
        assert_true(behind <= strlen(NEXT));
        if (behind > 0)
                assert_memory_equal(inflow_bytes(&rig->in), NEXT, behind);
}

static void test_random_bodies(void **state) {
        struct scene *s = malloc(sizeof(*s));
        struct rig *rig = malloc(sizeof(*rig));

        (void)state;
        assert_true(s && rig);
        for (uint64_t i = 1; i <= N_SCENES; i++) {
                seed = i;
                make_scene(s);
                rig_open(rig, s);
                play(rig, s);
                check(rig, s);
                rig_close(rig);
        }
        free(rig);
        free(s);
}

struct bad {
        const char *raw, *wanted; /* what goes on before it is seen */
        enum http_verdict verdict;
        enum relay_result result;
};

static const struct bad bads[] = {
        { "3\r\nabc\r\nx\r\n", "3\r\nabc\r\n", HTTP_CHUNK_LINE, RELAY_BAD },
        { "3\r\nabcd\r\n", "3\r\nabc", HTTP_CHUNK_END, RELAY_BAD },
        { "3\nabc\r\n", "", HTTP_BARE_LF, RELAY_BAD },
        { "0\r\n name: value\r\n\r\n", "0\r\n", HTTP_OBS_FOLD, RELAY_BAD },
        { "3\r\nabc\r\n", "3\r\nabc\r\n", HTTP_OK, RELAY_CUT },
        { "3\r\nab", "3\r\nab", HTTP_OK, RELAY_CUT },
};

/* What is sound goes on, and nothing behind it. */
static void test_bad_chunks(void **state) {
        struct scene *s = calloc(1, sizeof(*s));
        struct rig *rig = malloc(sizeof(*rig));

        (void)state;
        assert_true(s && rig);
        s->framing = HTTP_FRAMING_CHUNKED;
        for (size_t i = 0; i < ELEMENTS(bads); i++) {
                rig_open(rig, s);
                assert_int_equal(send(rig->feed, bads[i].raw, strlen(bads[i].raw), 0),
                                 strlen(bads[i].raw));
                shutdown(rig->feed, SHUT_WR);
                for (int k = 0; k < 10 && rig->result == RELAY_WAIT; k++) {
                        assert_int_equal(loop_poll(rig->loop), 0);
                        rig->result = stream_run(&rig->stream, &rig->stock, 4);
                }
                drain(rig);
                assert_int_equal(rig->result, bads[i].result);
                assert_int_equal(rig->body.verdict, bads[i].verdict);
                assert_true(rig->got.n <= strlen(bads[i].wanted));
                assert_memory_equal(rig->got.bytes, bads[i].wanted, rig->got.n);
                rig_close(rig);
        }
        free(rig);
        free(s);
}

static void test_no_buffers(void **state) {
        struct scene *s = calloc(1, sizeof(*s));
        struct rig *rig = malloc(sizeof(*rig));

        (void)state;
        assert_true(s && rig);
        s->framing = HTTP_FRAMING_CHUNKED;
        rig_open(rig, s);
        rig->stock.buffers.max = 0;
        assert_int_equal(send(rig->feed, "0\r\n\r\n", 5, 0), 5);
        assert_int_equal(loop_poll(rig->loop), 0);
        assert_int_equal(stream_run(&rig->stream, &rig->stock, 4), RELAY_NO_ROOM);
        rig_close(rig);
        free(rig);
        free(s);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_random_bodies),
                cmocka_unit_test(test_bad_chunks),
                cmocka_unit_test(test_no_buffers),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
