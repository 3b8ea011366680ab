/* SPDX-License-Identifier: MIT */
/* Any bytes as the head of a request. The first byte says how the second reading cuts them. */

#include "http.h"

static enum http_verdict read_request(struct http_head *h,
                                      struct http_scan *s,
                                      const char *buf,
                                      size_t n,
                                      uint8_t how) {
        return http_read_request(h, s, buf, n, how & 1 ? &fuzz_limits : &http_request_limits);
}

static void check_request(const struct http_head *h, uint8_t how) {
        char *text = malloc(h->size + 16), *end = text;

        MUST(text && h->method.n > 0 && h->method.n <= HTTP_METHOD_MAX && h->target.n > 0);
        MUST(h->status == 0 && !h->interim && (h->authority.host.n > 0 || h->minor == 0));
        MUST(h->framing != HTTP_FRAMING_UNTIL_CLOSE && h->framing != HTTP_FRAMING_TUNNEL);
        MUST(h->length <= INT64_MAX && !(h->upgrade && h->h2c));

        end = fuzz_put(end, h->method, " ");
        end = fuzz_put(end, h->target, h->minor > 0 ? " HTTP/1.1\r\n" : " HTTP/1.0\r\n");
        fuzz_again(read_request, h, text, end, how);
        free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct http_head h;
        struct http_scan s = { 0 };
        enum http_verdict v;
        const char *buf = (const char *)data + 1;

        if (size == 0)
                return 0;
        v = read_request(&h, &s, buf, size - 1, data[0]);
        fuzz_spans(&h, buf, size - 1);
        fuzz_pieces(read_request, &h, v, buf, size - 1, data[0]);
        MUST(v == HTTP_MORE || v == HTTP_OK || http_verdict_status(v, false) >= 400);
        MUST((h.size > 0) == (v == HTTP_OK) && h.size < size);
        if (v == HTTP_OK)
                check_request(&h, data[0]);
        return 0;
}
