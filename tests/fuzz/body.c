/* SPDX-License-Identifier: MIT */
/* Any bytes as a body. The first byte says how it is framed and how the second reading cuts it;
 * what was forwarded is read a third time, and must be the same body. */

#include "http/body.h"

#include "http.h"

struct reading {
        enum http_body_step end;
        enum http_verdict verdict;
        size_t used, n_forwarded, n_data;
        char *forwarded, *data; /* owned */
};

static void reading_init(struct reading *r, size_t size) {
        *r = (struct reading){ .forwarded = malloc(size + 1), .data = malloc(size + 1) };
        MUST(r->forwarded && r->data);
}

static void reading_done(struct reading *r) {
        free(r->forwarded);
        free(r->data);
}

static void reading_take(struct reading *r, enum http_body_step step, const char *p, size_t n) {
        MUST(step == HTTP_BODY_DATA || step == HTTP_BODY_FRAME || step == HTTP_BODY_SKIP);
        if (step != HTTP_BODY_SKIP) {
                memcpy(r->forwarded + r->n_forwarded, p, n);
                r->n_forwarded += n;
        }
        if (step == HTTP_BODY_DATA) {
                memcpy(r->data + r->n_data, p, n);
                r->n_data += n;
        }
        r->used += n;
}

/* Goes on from r->used, with n bytes in all so far; false: the end. */
static bool reading_feed(struct reading *r, struct http_body *b, const char *buf, size_t n) {
        for (;;) {
                size_t left = n - r->used, taken;
                enum http_body_step step = http_body_next(b, buf + r->used, left, &taken);

                MUST(taken <= left);
                r->end = step;
                r->verdict = b->verdict;
                if (step == HTTP_BODY_MORE)
                        MUST(left <= HTTP_BODY_HOLD);
                if (step == HTTP_BODY_MORE || step == HTTP_BODY_DONE || step == HTTP_BODY_BAD) {
                        MUST(taken == 0);
                        return step == HTTP_BODY_MORE;
                }
                MUST(taken > 0);
                reading_take(r, step, buf + r->used, taken);
        }
}

static void read_body(struct reading *r,
                      enum http_framing framing,
                      const char *buf,
                      size_t n,
                      size_t piece) {
        struct http_body b;
        size_t at = 0;

        reading_init(r, n);
        http_body_init(&b, framing, 20);
        do
                at = n - at < piece ? n : at + piece;
        while (reading_feed(r, &b, buf, at) && at < n);
        MUST(http_body_complete(&b) == (r->end == HTTP_BODY_DONE));
}

static void must_equal(const struct reading *a, const struct reading *b) {
        MUST(a->end == b->end && a->verdict == b->verdict);
        MUST(a->n_data == b->n_data && memcmp(a->data, b->data, a->n_data) == 0);
        MUST(a->n_forwarded == b->n_forwarded);
        MUST(memcmp(a->forwarded, b->forwarded, a->n_forwarded) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static const enum http_framing framings[] = { HTTP_FRAMING_CHUNKED, HTTP_FRAMING_CHUNKED,
                                                      HTTP_FRAMING_LENGTH,
                                                      HTTP_FRAMING_UNTIL_CLOSE };
        struct reading whole, pieces, again;
        enum http_framing framing;

        if (size == 0)
                return 0;
        framing = framings[data[0] % ELEMENTS(framings)];
        read_body(&whole, framing, (const char *)data + 1, size - 1, SIZE_MAX);
        read_body(&pieces, framing, (const char *)data + 1, size - 1, (size_t)(data[0] >> 2) + 1);
        must_equal(&whole, &pieces);
        MUST(whole.used == pieces.used);

        read_body(&again, framing, whole.forwarded, whole.n_forwarded, SIZE_MAX);
        if (whole.end == HTTP_BODY_DONE) {
                must_equal(&whole, &again);
                MUST(again.used == again.n_forwarded);
        } else { /* what is cut short or refused must not look complete further on */
                MUST(again.end != HTTP_BODY_DONE);
        }
        reading_done(&whole);
        reading_done(&pieces);
        reading_done(&again);
        return 0;
}
