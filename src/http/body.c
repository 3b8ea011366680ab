/* SPDX-License-Identifier: MIT */
/*
 * A chunked body is a row of lines with data between them. A line is judged when it is whole, so
 * nothing of it goes on before that; then it is at most three pieces: keep, skip, keep_end.
 */

#include "http/body.h"

#include <assert.h>

#define CHUNK_DIGITS_MAX 16

enum state {
        STATE_DATA,     /* left bytes of data; for all but chunked the only one */
        STATE_DATA_END, /* the CRLF behind them */
        STATE_SIZE,     /* the line of a chunk */
        STATE_TRAILER,  /* a trailer, or the empty line that ends all */
        STATE_LAST,     /* the pieces of that empty line */
        STATE_DONE,
        STATE_BAD,
};

void http_body_init(struct http_body *b, enum http_framing framing, uint64_t length) {
        *b = (struct http_body){ .framing = framing, .state = STATE_DATA };
        if (framing == HTTP_FRAMING_CHUNKED)
                b->state = STATE_SIZE;
        else if (framing == HTTP_FRAMING_LENGTH)
                b->left = length;
        else if (framing != HTTP_FRAMING_NONE)
                b->left = UINT64_MAX;
        if (b->state == STATE_DATA && b->left == 0)
                b->state = STATE_DONE;
}

void http_body_passed(struct http_body *b, uint64_t n) {
        assert(n <= b->left);
        if (b->left == UINT64_MAX || n == 0)
                return;
        b->left -= n;
        if (b->left == 0)
                b->state = b->framing == HTTP_FRAMING_CHUNKED ? STATE_DATA_END : STATE_DONE;
}

bool http_body_complete(const struct http_body *b) {
        return b->state == STATE_DONE;
}

enum http_verdict http_body_eof(struct http_body *b) {
        if (b->left == UINT64_MAX) {
                b->left = 0;
                b->state = STATE_DONE;
        }
        return b->state == STATE_DONE ? HTTP_OK : HTTP_CUT_SHORT;
}

static enum http_body_step body_bad(struct http_body *b, enum http_verdict v) {
        b->state = STATE_BAD;
        b->left = 0;
        b->verdict = v;
        return HTTP_BODY_BAD;
}

/* Bytes of the size at the start of the line; 0: there is none, or it is too large for an off_t,
 * as every length in bal has to be (RFC 9112 7.1). */
static size_t size_read(uint64_t *ret, struct span line) {
        uint64_t v = 0;
        size_t i = 0;

        for (; i < line.n && http_hex_value(line.p[i]) >= 0; i++) {
                if (i == CHUNK_DIGITS_MAX)
                        return 0;
                v = v * 16 + (uint64_t)http_hex_value(line.p[i]);
        }
        *ret = v;
        return v <= INT64_MAX ? i : 0;
}

/* Nothing but a semicolon may follow the size, not even the blank that RFC 9112 7.1.1 lets pass:
 * old readers differ in what they make of it. The extension itself is no longer looked at. */
static enum http_verdict size_line(struct http_body *b, struct span line) {
        size_t n = size_read(&b->chunk, line);

        if (n == 0 || (n < line.n && line.p[n] != ';'))
                return HTTP_CHUNK_LINE;
        b->chunks += b->chunk;
        b->keep = (uint32_t)n;
        b->skip = (uint32_t)(line.n - n);
        b->keep_end = 2;
        b->state = b->chunk > 0 ? STATE_DATA : STATE_TRAILER;
        return HTTP_OK;
}

static enum http_verdict trailer_line(struct http_body *b, struct span line) {
        struct http_header h;

        if (line.n == 0) {
                b->keep = 2;
                b->state = STATE_LAST;
                return HTTP_OK;
        }
        if (http_is_blank(line.p[0]))
                return HTTP_OBS_FOLD;
        if (http_header_read(&h, line) != HTTP_OK)
                return HTTP_HEADER_NAME;
        if ((http_field_flags(h.id) & FIELD_NO_TRAILER) || http_field_resembles(h.name))
                b->skip = (uint32_t)line.n + 2;
        else
                b->keep = (uint32_t)line.n + 2;
        b->trailers += (uint32_t)line.n + 2;
        return HTTP_OK;
}

/* HTTP_OK: the line was whole, and has become pieces. */
static enum http_verdict body_line(struct http_body *b, const char *buf, size_t n) {
        bool size = b->state == STATE_SIZE;
        uint32_t left = HTTP_TRAILERS_MAX - b->trailers;
        size_t max = size ? HTTP_CHUNK_LINE_MAX : left > 2 ? left - 2 : 0;
        enum http_verdict v = http_scan_line(buf, n, max, &b->seen);
        struct span line = { buf, b->seen };

        if (v == HTTP_LINE_LONG)
                return size ? HTTP_CHUNK_LONG : HTTP_TRAILERS_LONG;
        if (v != HTTP_OK)
                return v;
        b->seen = 0;
        return size ? size_line(b, line) : trailer_line(b, line);
}

/* The CRLF behind a chunk. */
static enum http_verdict body_data_end(struct http_body *b, const char *buf, size_t n) {
        if (n > 0 && (buf[0] != '\r' || (n > 1 && buf[1] != '\n')))
                return HTTP_CHUNK_END;
        if (n < 2)
                return HTTP_MORE;
        b->keep = 2;
        b->state = STATE_SIZE;
        return HTTP_OK;
}

/* A piece of a judged line, which is done with as far as it is in the buffer. */
static size_t piece_take(uint32_t *piece, size_t n) {
        size_t taken = n < *piece ? n : *piece;

        *piece -= (uint32_t)taken;
        return taken;
}

static enum http_body_step body_piece(struct http_body *b, size_t n, size_t *ret_n) {
        enum http_body_step step = b->keep == 0 && b->skip > 0 ? HTTP_BODY_SKIP : HTTP_BODY_FRAME;

        if (n == 0)
                return HTTP_BODY_MORE;
        *ret_n = piece_take(b->keep > 0 ? &b->keep : b->skip > 0 ? &b->skip : &b->keep_end, n);
        if (b->keep + b->skip + b->keep_end > 0)
                return step;

        if (b->state == STATE_LAST)
                b->state = STATE_DONE;
        b->left = b->chunk;
        b->chunk = 0;
        return step;
}

static enum http_body_step body_data(struct http_body *b, size_t n, size_t *ret_n) {
        *ret_n = n < b->left ? n : (size_t)b->left;
        http_body_passed(b, *ret_n);
        return n > 0 ? HTTP_BODY_DATA : HTTP_BODY_MORE;
}

enum http_body_step http_body_next(struct http_body *b, const char *buf, size_t n, size_t *ret_n) {
        enum http_verdict v;

        *ret_n = 0;
        if (b->state == STATE_DONE)
                return HTTP_BODY_DONE;
        if (b->state == STATE_BAD)
                return HTTP_BODY_BAD;
        if (b->keep + b->skip + b->keep_end > 0)
                return body_piece(b, n, ret_n);
        if (b->state == STATE_DATA)
                return body_data(b, n, ret_n);

        v = b->state == STATE_DATA_END ? body_data_end(b, buf, n) : body_line(b, buf, n);
        if (v == HTTP_MORE)
                return HTTP_BODY_MORE;
        return v == HTTP_OK ? body_piece(b, n, ret_n) : body_bad(b, v);
}
