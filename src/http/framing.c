/* SPDX-License-Identifier: MIT */
/* Where a body ends is what smuggling is about: everything here has one reading or is refused. */

#include "http/parts.h"

/* RFC 9110 8.6: 1*DIGIT. Not more than an off_t holds, so that sums of two never wrap. */
static enum http_verdict length_read(uint64_t *ret, struct span text) {
        uint64_t v = 0;

        if (text.n == 0)
                return HTTP_LENGTH;
        for (size_t i = 0; i < text.n; i++) {
                unsigned digit;

                if (!http_is_digit(text.p[i]))
                        return HTTP_LENGTH;
                digit = (unsigned)(text.p[i] - '0');
                if (v > ((uint64_t)INT64_MAX - digit) / 10)
                        return HTTP_LENGTH;
                v = v * 10 + digit;
        }
        *ret = v;
        return HTTP_OK;
}

/*
 * RFC 9112 6.1, 6.3, 7: bal knows chunked and nothing else, so the only good list is that one word.
 * An honest coding that it does not know is a 501. A list of several, an empty element, identity
 * (withdrawn), and a word that only looks like chunked are how readers are set against each other.
 */
static enum http_verdict coding_read(struct span value, unsigned n_headers) {
        if (n_headers > 1 || !span_is_token(value))
                return HTTP_CODING;
        if (span_is(value, "chunked"))
                return HTTP_OK;
        if (span_is(value, "identity") || span_contains(value, "chunked"))
                return HTTP_CODING;
        return HTTP_CODING_UNKNOWN;
}

struct framing_headers {
        unsigned n_lengths, n_codings;
        struct span length, coding;
};

static struct framing_headers framing_find(const struct http_head *h) {
        struct framing_headers f = { .n_lengths = 0 };

        HTTP_HEADERS_OF(h, HTTP_FIELD_CONTENT_LENGTH, i) {
                f.length = h->headers[i].value;
                f.n_lengths++;
        }
        HTTP_HEADERS_OF(h, HTTP_FIELD_TRANSFER_ENCODING, i) {
                f.coding = h->headers[i].value;
                f.n_codings++;
        }
        return f;
}

enum http_verdict http_framing_read(struct http_head *h, bool *ret_framed) {
        struct framing_headers f = framing_find(h);

        *ret_framed = f.n_lengths + f.n_codings > 0;
        if (f.n_lengths > 0 && f.n_codings > 0)
                return HTTP_LENGTH_AND_CODING;
        if (f.n_lengths > 1)
                return HTTP_LENGTH_TWICE;
        if (f.n_lengths > 0) {
                h->framing = HTTP_FRAMING_LENGTH;
                return length_read(&h->length, f.length);
        }
        if (f.n_codings > 0) {
                if (h->minor == 0)
                        return HTTP_CODING_1_0;
                h->framing = HTTP_FRAMING_CHUNKED;
                return coding_read(f.coding, f.n_codings);
        }
        return HTTP_OK;
}
