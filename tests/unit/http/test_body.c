/* SPDX-License-Identifier: MIT */

#include "http/body.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define S(text) (text), sizeof(text) - 1
#define END     "0\r\n\r\n"
#define A64     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define A252    A64 A64 A64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const struct chunk_row {
        const char *text;
        size_t n;
        enum http_verdict verdict; /* HTTP_OK: complete; HTTP_MORE: not yet */
        const char *forwarded;     /* all that goes on; NULL: the text, but for rest */
        const char *data;
        size_t rest; /* bytes at the end that belong to the next message */
        const char *why;
} rows[] = {
        /* clang-format off */
        { S(END),                                HTTP_OK, NULL, "", 0, "no data" },
        { S("3\r\nabc\r\n" END),                 HTTP_OK, NULL, "abc", 0, "a chunk" },
        { S("3\r\nabc\r\n1\r\nd\r\n" END),       HTTP_OK, NULL, "abcd", 0, "two" },
        { S("3\r\nabc\r\n" END "GET /"),         HTTP_OK, NULL, "abc", 5, "something behind" },
        { S("3\r\n\r\n0\r\n" END),               HTTP_OK, NULL, "\r\n0", 0, "data like a chunk" },
        { S("A\r\n0123456789\r\n" END),          HTTP_OK, NULL, "0123456789", 0, "capital digit" },
        { S("000a\r\n0123456789\r\n000\r\n\r\n"), HTTP_OK, NULL, "0123456789", 0, "zeros in front" },
        { S("0000000000000001\r\na\r\n" END),    HTTP_OK, NULL, "a", 0, "16 digits" },
        { S("7fffffffffffffff\r\nabc"),          HTTP_MORE, NULL, "abc", 0, "the largest" },
        { S("3\r\nab"),                          HTTP_MORE, NULL, "ab", 0, "cut short in the data" },
        { S("3\r\nabc\r\n0\r\n"),                HTTP_MORE, NULL, "abc", 0, "without the last line" },

        { S("1;a=b\r\nx\r\n0;c\r\n\r\n"),        HTTP_OK, "1\r\nx\r\n" END, "x", 0, "extensions are dropped" },
        { S("1;\r\nx\r\n" END),                  HTTP_OK, "1\r\nx\r\n" END, "x", 0, "an empty one" },
        { S("1;a=\"\t;\xff\"\r\nx\r\n" END),     HTTP_OK, "1\r\nx\r\n" END, "x", 0, "any text" },
        { S("1;aa" A252 "\r\nx\r\n" END),        HTTP_OK, "1\r\nx\r\n" END, "x", 0, "256 bytes" },
        { S("1;aaa" A252 "\r\nx\r\n" END),       HTTP_CHUNK_LONG, "", "", 0, "257 bytes" },
        { S("1;a\nb\r\nx\r\n" END),              HTTP_BARE_LF, "", "", 0, "LF in an extension" },
        { S("1;a\rb\r\nx\r\n" END),              HTTP_BARE_CR, "", "", 0, "CR in an extension" },
        { S("1;a\0b\r\nx\r\n" END),              HTTP_CONTROL_BYTE, "", "", 0, "NUL in an extension" },

        { S("1\nx\r\n" END),                     HTTP_BARE_LF, "", "", 0, "line ended by a bare LF" },
        { S("1\rx\r\n" END),                     HTTP_BARE_CR, "", "", 0, "or by a bare CR" },
        { S("1 \r\nx\r\n" END),                  HTTP_CHUNK_LINE, "", "", 0, "a blank behind the size" },
        { S("1 ;a\r\nx\r\n" END),                HTTP_CHUNK_LINE, "", "", 0, "also before an extension" },
        { S("1\t\r\nx\r\n" END),                 HTTP_CHUNK_LINE, "", "", 0, "a tab" },
        { S(" 1\r\nx\r\n" END),                  HTTP_CHUNK_LINE, "", "", 0, "a blank before it" },
        { S("0x5\r\nabcde\r\n" END),             HTTP_CHUNK_LINE, "", "", 0, "0x" },
        { S("+1\r\nx\r\n" END),                  HTTP_CHUNK_LINE, "", "", 0, "a sign" },
        { S("-1\r\nx\r\n" END),                  HTTP_CHUNK_LINE, "", "", 0, "a sign" },
        { S("1_0\r\nx\r\n" END),                 HTTP_CHUNK_LINE, "", "", 0, "an underscore" },
        { S("g\r\nx\r\n" END),                   HTTP_CHUNK_LINE, "", "", 0, "no digit" },
        { S("\r\n1\r\nx\r\n" END),               HTTP_CHUNK_LINE, "", "", 0, "no size" },
        { S(";a\r\nx\r\n" END),                  HTTP_CHUNK_LINE, "", "", 0, "no size but an extension" },
        { S("00000000000000001\r\nx\r\n" END),   HTTP_CHUNK_LINE, "", "", 0, "17 digits" },
        { S("10000000000000001\r\nx\r\n" END),   HTTP_CHUNK_LINE, "", "", 0, "it would wrap to 1" },
        { S("8000000000000000\r\nx\r\n" END),    HTTP_CHUNK_LINE, "", "", 0, "more than an off_t" },
        { S("ffffffffffffffff\r\nx\r\n" END),    HTTP_CHUNK_LINE, "", "", 0, "16 digits, all of them" },

        { S("1\r\nxy\r\n" END),                  HTTP_CHUNK_END, "1\r\nx", "x", 0, "a byte too many" },
        { S("1\r\nx\n" END),                     HTTP_CHUNK_END, "1\r\nx", "x", 0, "a bare LF" },
        { S("1\r\nx\r" END),                     HTTP_CHUNK_END, "1\r\nx", "x", 0, "a bare CR" },
        { S("2\r\nx\r\n" END),                   HTTP_CHUNK_END, "2\r\nx\r", "x\r", 0, "a byte too few" },
        { S("1\r\nx" END),                       HTTP_CHUNK_END, "1\r\nx", "x", 0, "nothing" },

        { S("0\r\nA: b\r\nC:d\r\n\r\n"),         HTTP_OK, NULL, "", 0, "trailers pass" },
        { S("0\r\nA: b\r\nHost: x\r\nC:\r\n\r\nX"), HTTP_OK, "0\r\nA: b\r\nC:\r\n\r\n", "", 1, "Host does not" },
        { S("0\r\ncontent-length: 5\r\n\r\n"),   HTTP_OK, END, "", 0, "framing" },
        { S("0\r\nTransfer-Encoding: chunked\r\n\r\n"), HTTP_OK, END, "", 0, "framing" },
        { S("0\r\nAuthorization: x\r\nCookie: y\r\nSet-Cookie: z\r\n\r\n"), HTTP_OK, END, "", 0, "authentication" },
        { S("0\r\nX-Forwarded-Host: x\r\nForwarded: y\r\n\r\n"), HTTP_OK, END, "", 0, "routing" },
        { S("0\r\nX_Forwarded_For: x\r\nA_B: c\r\n\r\n"), HTTP_OK, "0\r\nA_B: c\r\n\r\n", "", 0, "or what looks like it" },
        { S("0\r\nConnection: x\r\nTE: y\r\nTrailer: z\r\n\r\n"), HTTP_OK, END, "", 0, "hop-by-hop" },
        { S("0\r\nA : b\r\n\r\n"),               HTTP_HEADER_NAME, "0\r\n", "", 0, "a blank before the colon" },
        { S("0\r\nA\r\n\r\n"),                   HTTP_HEADER_NAME, "0\r\n", "", 0, "no colon" },
        { S("0\r\nGET / HTTP/1.1\r\n\r\n"),      HTTP_HEADER_NAME, "0\r\n", "", 0, "the next request" },
        { S("0\r\nA: b\r\n c\r\n\r\n"),          HTTP_OBS_FOLD, "0\r\nA: b\r\n", "", 0, "obs-fold" },
        { S("0\r\nA: b\n\r\n"),                  HTTP_BARE_LF, "0\r\n", "", 0, "a bare LF" },
        { S("0\r\n\n"),                          HTTP_BARE_LF, "0\r\n", "", 0, "as the last line" },
        { S("0\r\n\rX"),                         HTTP_BARE_CR, "0\r\n", "", 0, "a bare CR" },
        { S("0\r\nA: \0\r\n\r\n"),               HTTP_CONTROL_BYTE, "0\r\n", "", 0, "NUL" },
        /* clang-format on */
};

struct taken {
        char forwarded[1024], data[1024];
        size_t n_forwarded, n_data, used;
        enum http_verdict verdict;
};

static void take(struct taken *t, enum http_body_step step, const char *p, size_t n) {
        if (step == HTTP_BODY_DATA || step == HTTP_BODY_FRAME) {
                memcpy(t->forwarded + t->n_forwarded, p, n);
                t->n_forwarded += n;
        }
        if (step == HTTP_BODY_DATA) {
                memcpy(t->data + t->n_data, p, n);
                t->n_data += n;
        }
        t->used += n;
}

/* Steps over the held bytes [t->used, n), as one copy that ends where its memory ends. */
static enum http_body_step feed(struct http_body *b,
                                struct taken *t,
                                const char *text,
                                size_t n,
                                bool unseen) {
        for (;;) {
                size_t left = n - t->used, taken;
                char *copy = malloc(left > 0 ? left : 1);
                enum http_body_step step;

                assert_non_null(copy);
                memcpy(copy, text + t->used, left);
                if (unseen && b->left > 0 && left > 0) { /* as a relay would */
                        taken = left < b->left ? left : (size_t)b->left;
                        http_body_passed(b, taken);
                        step = HTTP_BODY_DATA;
                } else {
                        step = http_body_next(b, copy, left, &taken);
                }
                assert_true(taken <= left);
                take(t, step, copy, taken);
                free(copy);
                if (step == HTTP_BODY_MORE || step == HTTP_BODY_DONE || step == HTTP_BODY_BAD) {
                        assert_int_equal(taken, 0);
                        return step;
                }
                assert_true(taken > 0);
        }
}

static enum http_verdict verdict_of(const struct http_body *b, enum http_body_step step) {
        if (step == HTTP_BODY_BAD)
                return b->verdict;
        return step == HTTP_BODY_DONE ? HTTP_OK : HTTP_MORE;
}

static void check(const struct chunk_row *row, const struct taken *t, size_t cut) {
        const char *forwarded = row->forwarded ? row->forwarded : row->text;
        size_t n = row->forwarded ? strlen(forwarded) : row->n - row->rest;

        if (t->verdict != row->verdict)
                fail_msg("%s, cut at %zu: %s, and not %s", row->why, cut,
                         http_verdict_word(t->verdict), http_verdict_word(row->verdict));
        if (t->n_forwarded != n || memcmp(t->forwarded, forwarded, n) != 0)
                fail_msg("%s, cut at %zu: forwards %.*s", row->why, cut, (int)t->n_forwarded,
                         t->forwarded);
        if (t->n_data != strlen(row->data) || memcmp(t->data, row->data, t->n_data) != 0)
                fail_msg("%s, cut at %zu: data is %.*s", row->why, cut, (int)t->n_data, t->data);
        if (row->verdict == HTTP_OK)
                assert_int_equal(t->used, row->n - row->rest);
}

static void feed_cut(const struct chunk_row *row, size_t cut, bool unseen) {
        struct taken t = { .used = 0 };
        struct http_body b;
        enum http_body_step step;

        http_body_init(&b, HTTP_FRAMING_CHUNKED, 0);
        step = feed(&b, &t, row->text, cut, unseen);
        if (step == HTTP_BODY_MORE)
                step = feed(&b, &t, row->text, row->n, unseen);
        t.verdict = verdict_of(&b, step);
        check(row, &t, cut);
        assert_int_equal(http_body_complete(&b), row->verdict == HTTP_OK);
        assert_int_equal(http_body_eof(&b), row->verdict == HTTP_OK ? HTTP_OK : HTTP_CUT_SHORT);
}

static void feed_bytes(const struct chunk_row *row) {
        struct taken t = { .used = 0 };
        struct http_body b;
        enum http_body_step step = HTTP_BODY_MORE;

        http_body_init(&b, HTTP_FRAMING_CHUNKED, 0);
        for (size_t i = 0; i <= row->n && step == HTTP_BODY_MORE; i++)
                step = feed(&b, &t, row->text, i, false);
        t.verdict = verdict_of(&b, step);
        check(row, &t, row->n);
}

static void test_chunks(void **state) {
        (void)state;
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                for (size_t cut = 0; cut <= rows[i].n; cut++) {
                        feed_cut(&rows[i], cut, false);
                        feed_cut(&rows[i], cut, true);
                }
                feed_bytes(&rows[i]);
        }
}

static void test_length(void **state) {
        struct http_body b;
        size_t n;

        (void)state;
        http_body_init(&b, HTTP_FRAMING_LENGTH, 10);
        assert_int_equal(b.left, 10);
        assert_int_equal(http_body_next(&b, "abc", 0, &n), HTTP_BODY_MORE);
        assert_int_equal(http_body_next(&b, "abc", 3, &n), HTTP_BODY_DATA);
        assert_int_equal(n, 3);
        http_body_passed(&b, 5);
        assert_int_equal(http_body_eof(&b), HTTP_CUT_SHORT);
        assert_int_equal(http_body_next(&b, "abc", 3, &n), HTTP_BODY_DATA);
        assert_int_equal(n, 2);
        assert_int_equal(http_body_next(&b, "c", 1, &n), HTTP_BODY_DONE);
        assert_int_equal(n, 0);
        assert_int_equal(http_body_eof(&b), HTTP_OK);

        http_body_init(&b, HTTP_FRAMING_LENGTH, 0);
        assert_true(http_body_complete(&b));
        http_body_init(&b, HTTP_FRAMING_NONE, 7);
        assert_true(http_body_complete(&b));
        assert_int_equal(b.left, 0);
}

static void test_until_close(void **state) {
        struct http_body b;
        size_t n;

        (void)state;
        http_body_init(&b, HTTP_FRAMING_UNTIL_CLOSE, 0);
        assert_int_equal(b.left, UINT64_MAX);
        assert_int_equal(http_body_next(&b, "abc", 3, &n), HTTP_BODY_DATA);
        assert_int_equal(n, 3);
        http_body_passed(&b, 1000);
        assert_int_equal(b.left, UINT64_MAX);
        assert_false(http_body_complete(&b));
        assert_int_equal(http_body_eof(&b), HTTP_OK);
        assert_true(http_body_complete(&b));
        assert_int_equal(b.left, 0);

        http_body_init(&b, HTTP_FRAMING_TUNNEL, 0);
        assert_int_equal(b.left, UINT64_MAX);
}

/* In two ways: many short ones, and one without end. */
static void test_trailers_end(void **state) {
        char line[HTTP_BODY_HOLD + 8];
        struct http_body b;
        size_t n, used = 0;

        (void)state;
        http_body_init(&b, HTTP_FRAMING_CHUNKED, 0);
        assert_int_equal(http_body_next(&b, "0\r\n", 3, &n), HTTP_BODY_FRAME);
        assert_int_equal(http_body_next(&b, "\r\n", 2, &n), HTTP_BODY_FRAME);
        while (http_body_next(&b, "A:b\r\n", 5, &n) == HTTP_BODY_FRAME)
                used += n;
        assert_int_equal(used, HTTP_TRAILERS_MAX / 5 * 5);
        assert_int_equal(b.verdict, HTTP_TRAILERS_LONG);

        memset(line, 'a', sizeof(line));
        http_body_init(&b, HTTP_FRAMING_CHUNKED, 0);
        assert_int_equal(http_body_next(&b, "0\r\n", 3, &n), HTTP_BODY_FRAME);
        assert_int_equal(http_body_next(&b, "\r\n", 2, &n), HTTP_BODY_FRAME);
        assert_int_equal(http_body_next(&b, line, HTTP_TRAILERS_MAX - 2, &n), HTTP_BODY_MORE);
        assert_int_equal(http_body_next(&b, line, HTTP_BODY_HOLD, &n), HTTP_BODY_BAD);
        assert_int_equal(b.verdict, HTTP_TRAILERS_LONG);
        assert_int_equal(http_body_next(&b, "\r\n", 2, &n), HTTP_BODY_BAD);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_chunks),
                cmocka_unit_test(test_length),
                cmocka_unit_test(test_until_close),
                cmocka_unit_test(test_trailers_end),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
