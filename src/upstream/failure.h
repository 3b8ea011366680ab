/* SPDX-License-Identifier: MIT */
/*
 * upstream/failure.h - why a backend did not do, as one number and in words.
 *
 * A failure is a negative errno of a connect or a check; or a positive number, the HTTP status that
 * was not the expected one; or what the codec says of a response that it refuses, as a number that
 * no errno has. 0 is no failure.
 */
#pragma once

#include "core/base.h"
#include "http/verdict.h"

/* How failed connects are counted: a contract of status, logs and metrics. X(enum, word) */
#define CONNECT_FAILURES(X)                                                                        \
        X(TIMEOUT, "timeout")                                                                      \
        X(REFUSED, "refused")                                                                      \
        X(OTHER, "other")                                                                          \
        X(CLOSED, "closed") /* by the backend, once it was connected and before it said a byte */

enum connect_failure {
#define X(id, word) CONNECT_##id,
        CONNECT_FAILURES(X)
#undef X
                CONNECT_FAILURES_COUNT
};
const char *connect_failure_word(enum connect_failure f);
enum connect_failure connect_failure_of(int r); /* negative errno of a connect */

#define FAILURE_UNRESOLVED (-EDESTADDRREQ) /* its name has no address */
#define FAILURE_NOT_HTTP   (-EBADMSG)      /* what came back does not begin like HTTP */
#define FAILURE_CLOSED     (-ENODATA)      /* it closed before it had answered */

/* A response that is refused, for a verdict other than HTTP_OK and HTTP_MORE. */
int failure_of_verdict(enum http_verdict v);

/* A session was connected, and what came then was no good. */
bool failure_is_behind_connect(int failure);

/* Of the failures of several addresses of one backend, the one that says more of it: that there is
 * no way to the other family of addresses says nothing. before 0: there was none. */
int failure_of_both(int before, int now);

/* "timeout", "refused", "other", "unresolved", "http_status", "http_invalid", "closed" */
const char *failure_word(int failure);

/* The same for people: "refused", "no answer in time", "No route to host", "answered with status
 * 503", "invalid HTTP: more than one Content-Length". Returns buf. */
#define FAILURE_TEXT_MAX 96
const char *failure_text(int failure, char buf[static FAILURE_TEXT_MAX]);
