/* SPDX-License-Identifier: MIT */

#include "health/answer.h"

#include "upstream/failure.h"

/* A status line as far as it matters: 'd' stands for a digit, 's' for one of the status. What
 * follows is a space and a reason, or nothing. RFC 9112, section 4. */
static const char pattern[] = "HTTP/1.d sss";

static bool is_digit(char c) {
        return c >= '0' && c <= '9';
}

static bool status_byte(struct answer *a, char c) {
        size_t at = a->column++;

        if (at > sizeof(pattern) - 1)
                return true;
        if (at == sizeof(pattern) - 1)
                return c == ' ' || c == '\r';
        if (pattern[at] == 's')
                a->status = (uint16_t)(a->status * 10 + (c - '0'));
        return pattern[at] == 'd' || pattern[at] == 's' ? is_digit(c) : c == pattern[at];
}

/* The line has ended: the status, 0 for an interim one, or no HTTP. */
static int status_end(struct answer *a) {
        int status = a->status;
        bool whole = a->column >= sizeof(pattern) - 1;

        a->status = 0;
        a->column = 0;
        if (!whole || status < 100)
                return FAILURE_NOT_HTTP;
        a->in_header = status < 200 && status != 101;
        return a->in_header ? 0 : status;
}

static void header_byte(struct answer *a, char c) {
        if (c == '\n') {
                a->in_header = a->column > 0;
                a->column = 0;
        } else if (c != '\r') {
                a->column++;
        }
}

int answer_feed(struct answer *a, const char *bytes, size_t n) {
        for (size_t i = 0; i < n; i++) {
                int r = 0;

                if (++a->n > ANSWER_MAX)
                        return FAILURE_NOT_HTTP;
                if (a->in_header)
                        header_byte(a, bytes[i]);
                else if (bytes[i] == '\n')
                        r = status_end(a);
                else if (!status_byte(a, bytes[i]))
                        r = FAILURE_NOT_HTTP;
                if (r != 0)
                        return r;
        }
        return 0;
}
