/* SPDX-License-Identifier: MIT */
/* Any bytes as the head of a response. The first byte says how the second reading cuts them, and
 * what was asked. */

#include "http.h"

static enum http_verdict read_response(struct http_head *h,
                                       struct http_scan *s,
                                       const char *buf,
                                       size_t n,
                                       uint8_t how) {
        struct http_asked asked = {
                .head = (how & 6) == 2,
                .connect = (how & 6) == 4,
                .upgrade = (how & 6) == 6,
        };

        return http_read_response(h, s, buf, n, how & 1 ? &fuzz_limits : &http_response_limits,
                                  asked);
}

static void check_response(const struct http_head *h, uint8_t how) {
        char *text = malloc(h->size + 16), *end = text;

        MUST(text && h->status >= 100 && h->status <= 599 && h->length <= INT64_MAX);
        MUST(h->interim == (h->status < 200 && h->status != 101));
        MUST(h->status != 101 || h->framing == HTTP_FRAMING_TUNNEL);
        MUST(h->framing == HTTP_FRAMING_LENGTH || h->length == 0);
        if (h->interim || h->status == 204 || h->status == 304)
                MUST(h->framing == HTTP_FRAMING_NONE || (how & 6) == 4);

        end = stpcpy(end, h->minor > 0 ? "HTTP/1.1 " : "HTTP/1.0 ");
        *end++ = (char)('0' + h->status / 100);
        *end++ = (char)('0' + h->status / 10 % 10);
        *end++ = (char)('0' + h->status % 10);
        if (h->reason.n > 0)
                *end++ = ' ';
        end = fuzz_put(end, h->reason, "\r\n");
        fuzz_again(read_response, h, text, end, how);
        free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct http_head h;
        struct http_scan s = { 0 };
        enum http_verdict v;
        const char *buf = (const char *)data + 1;

        if (size == 0)
                return 0;
        v = read_response(&h, &s, buf, size - 1, data[0]);
        fuzz_spans(&h, buf, size - 1);
        fuzz_pieces(read_response, &h, v, buf, size - 1, data[0]);
        MUST((h.size > 0) == (v == HTTP_OK) && h.size < size);
        if (v == HTTP_OK)
                check_response(&h, data[0]);
        return 0;
}
