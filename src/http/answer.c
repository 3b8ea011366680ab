/* SPDX-License-Identifier: MIT */

#include "http/answer.h"

#include <string.h>

#include "http/request_id.h"

#define PAGE_MAX   (256 + HTTP_REQUEST_ID_MAX) /* a status page, with room to spare */
#define NUMBER_MAX 20

/* What a person reads who sees nothing else. */
static const struct {
        int status;
        const char *sentence;
} sentences[] = {
        { 301, "What you asked for has moved to another address for good." },
        { 302, "What you asked for is at another address for now." },
        { 303, "The answer is at another address." },
        { 307, "What you asked for is at another address for now." },
        { 308, "What you asked for has moved to another address for good." },
        { 400, "The request cannot be understood, or could be understood in two ways." },
        { 403, "This is not allowed." },
        { 404, "There is nothing at this address." },
        { 405, "This method is not allowed here." },
        { 408, "The request did not arrive in time." },
        { 410, "What was at this address is gone for good." },
        { 413, "The request is larger than is allowed here." },
        { 414, "The address is longer than is allowed here." },
        { 417, "The request expects something that is not offered here." },
        { 421, "This server does not answer for that host." },
        { 429, "These were too many requests. Please try again later." },
        { 431, "The headers of the request are larger than is allowed here." },
        { 500, "Something went wrong on this side." },
        { 501, "The request needs something that is not offered here." },
        { 502, "The server behind this one gave no valid answer." },
        { 503, "The service is not available at the moment. Please try again later." },
        { 504, "The server behind this one did not answer in time." },
        { 505, "This version of HTTP is not spoken here." },
};

const char *http_status_reason(int status) {
        switch (status) {
#define X(number, reason)                                                                          \
        case number:                                                                               \
                return reason;
                HTTP_STATUSES(X)
#undef X
        default:
                return "";
        }
}

static const char *sentence_find(int status) {
        for (size_t i = 0; i < ELEMENTS(sentences); i++)
                if (sentences[i].status == status)
                        return sentences[i].sentence;
        return "";
}

static void line_write(struct http_out *o, const char *text) {
        if (*text) {
                http_out_text(o, text);
                http_out_text(o, "\n");
        }
}

static void status_write(struct http_out *o, int status) {
        http_out_number(o, (uint64_t)status);
        http_out_text(o, " ");
        http_out_text(o, http_status_reason(status));
}

static struct span page_write(char *buf, const struct http_answer *a) {
        struct http_out o = { .p = buf, .room = PAGE_MAX };

        status_write(&o, a->status);
        http_out_text(&o, "\n");
        line_write(&o, sentence_find(a->status));
        if (a->request_id.n > 0) {
                http_out_text(&o, "\nRequest ID: ");
                http_out_value(&o, a->request_id);
                http_out_text(&o, "\n");
        }
        return (struct span){ buf, o.n };
}

/* RFC 9110 15.2, 15.3.5, 15.4.5 */
static bool has_body(int status) {
        return status >= 200 && status != 204 && status != 304;
}

static void text_own(struct http_out *o,
                     const struct http_answer *a,
                     const char *name,
                     const char *text) {
        http_out_own(o, a->rules, span_of(name), span_of(text));
}

static void retry_write(struct http_out *o, const struct http_answer *a) {
        char text[NUMBER_MAX];
        struct http_out number = { .p = text, .room = sizeof(text) };

        http_out_number(&number, a->retry_after_s);
        http_out_own(o, a->rules, span_of("Retry-After"), (struct span){ text, number.n });
}

static void framing_write(struct http_out *o, const struct http_answer *a, size_t body_n) {
        if (has_body(a->status)) {
                text_own(o, a, "Content-Type",
                         a->body.p && a->content_type ? a->content_type
                                                      : "text/plain; charset=utf-8");
                http_out_text(o, "Content-Length: ");
                http_out_number(o, body_n);
                http_out_text(o, "\r\n");
        }
        if (a->close)
                http_out_text(o, "Connection: close\r\n");
        else if (a->client_minor == 0)
                http_out_text(o, "Connection: keep-alive\r\n");
}

bool http_answer_write(struct http_out *o, const struct http_answer *a) {
        char page[PAGE_MAX];
        struct span body = a->body.p ? a->body : page_write(page, a);

        http_out_text(o, "HTTP/1.1 ");
        status_write(o, a->status);
        http_out_text(o, "\r\n");
        http_out_date(o, a->rules, a->now_s);
        if (a->location.n > 0)
                http_out_own(o, a->rules, span_of("Location"), a->location);
        if (a->allow)
                text_own(o, a, "Allow", a->allow);
        if (a->retry_after_s > 0)
                retry_write(o, a);
        if (a->request_id.n > 0)
                http_out_own(o, a->rules, span_of("X-Request-ID"), a->request_id);
        http_out_rules(o, a->rules, a->values);
        framing_write(o, a, body.n);
        http_out_text(o, "\r\n");
        if (has_body(a->status) && !a->head)
                http_out_span(o, body);
        return !o->full;
}
