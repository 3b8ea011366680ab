/* SPDX-License-Identifier: MIT */

#include "upstream/failure.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

const char *connect_failure_word(enum connect_failure f) {
        static const char *const words[] = {
#define X(id, word) word,
                CONNECT_FAILURES(X)
#undef X
        };

        return words[f];
}

enum connect_failure connect_failure_of(int r) {
        switch (r) {
        case -ECONNREFUSED:
                return CONNECT_REFUSED;
        case -ECONNRESET: /* so soon after the handshake that nothing else was seen of it */
        case FAILURE_CLOSED:
                return CONNECT_CLOSED;
        case -ETIMEDOUT:
        case -EAGAIN: /* a Unix socket whose queue is full */
                return CONNECT_TIMEOUT;
        default:
                return CONNECT_OTHER;
        }
}

#define VERDICTS (-10000) /* of this and the numbers below, one stands for each verdict */

int failure_of_verdict(enum http_verdict v) {
        assert(v != HTTP_OK && v != HTTP_MORE);
        return v == HTTP_STATUS_LINE ? FAILURE_NOT_HTTP : VERDICTS - (int)v;
}

/* NULL: it stands for none. */
static const char *verdict_text(int failure) {
        return failure <= VERDICTS && failure > VERDICTS - HTTP_VERDICTS_COUNT
                       ? http_verdict_text((enum http_verdict)(VERDICTS - failure))
                       : NULL;
}

bool failure_is_behind_connect(int failure) {
        return failure > 0 || failure == FAILURE_CLOSED || failure == FAILURE_NOT_HTTP ||
               verdict_text(failure);
}

static bool is_unreachable(int failure) {
        return failure == -ENETUNREACH || failure == -EHOSTUNREACH || failure == -EAFNOSUPPORT;
}

int failure_of_both(int before, int now) {
        return before != 0 && is_unreachable(now) ? before : now;
}

const char *failure_word(int failure) {
        if (failure > 0)
                return "http_status";
        if (verdict_text(failure))
                return "http_invalid";
        switch (failure) {
        case FAILURE_UNRESOLVED:
                return "unresolved";
        case FAILURE_NOT_HTTP:
                return "http_invalid";
        default:
                return connect_failure_word(connect_failure_of(failure));
        }
}

const char *failure_text(int failure, char buf[static FAILURE_TEXT_MAX]) {
        if (failure > 0)
                snprintf(buf, FAILURE_TEXT_MAX, "answered with status %d", failure);
        else if (verdict_text(failure))
                snprintf(buf, FAILURE_TEXT_MAX, "invalid HTTP: %s", verdict_text(failure));
        else if (failure == FAILURE_UNRESOLVED)
                snprintf(buf, FAILURE_TEXT_MAX, "its name has no address");
        else if (failure == FAILURE_NOT_HTTP)
                snprintf(buf, FAILURE_TEXT_MAX, "did not answer in HTTP");
        else if (connect_failure_of(failure) == CONNECT_CLOSED)
                snprintf(buf, FAILURE_TEXT_MAX, "closed before it had answered");
        else if (connect_failure_of(failure) == CONNECT_TIMEOUT)
                snprintf(buf, FAILURE_TEXT_MAX, "no answer in time");
        else if (connect_failure_of(failure) == CONNECT_REFUSED)
                snprintf(buf, FAILURE_TEXT_MAX, "refused");
        else
                snprintf(buf, FAILURE_TEXT_MAX, "%s", strerrordesc_np(-failure));
        return buf;
}
