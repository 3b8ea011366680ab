/* SPDX-License-Identifier: MIT */
/* varlink/message.h - one message's text -> a call or a reply, or what is wrong with it. */
#pragma once

#include <jansson.h>
#include <stdbool.h>

/* clang-format off */
/* X(enum, member that is wrong) */
#define VARLINK_VERDICTS(X)                                                                        \
        X(OK,             "")            /* a good message */                                      \
        X(NOT_JSON,       "message")     /* not one JSON object in UTF-8 with unique keys */       \
        X(TOO_DEEP,       "message")     /* too many objects or arrays in each other */            \
        X(BAD_METHOD,     "method")      /* not the string interface.Method */                     \
        X(BAD_PARAMETERS, "parameters")  /* neither an object nor null */                          \
        X(BAD_MORE,       "more")        /* not a boolean */                                       \
        X(BAD_ONEWAY,     "oneway")      /* not a boolean, or together with more */                \
        X(BAD_UPGRADE,    "upgrade")     /* not a boolean, or together with more or oneway */      \
        X(BAD_ERROR,      "error")       /* neither a string nor null */                           \
        X(BAD_CONTINUES,  "continues")   /* not a boolean, or together with error */

enum varlink_verdict {
#define X(id, member) VARLINK_##id,
        VARLINK_VERDICTS(X)
#undef X
        VARLINK_VERDICTS_COUNT
};
/* clang-format on */

const char *varlink_verdict_member(enum varlink_verdict v);

struct varlink_call {
        json_t *message;    /* owned; method and parameters point into it */
        const char *method; /* its grammar is checked, whether it exists is not */
        json_t *parameters; /* NULL: absent or null */
        bool more, oneway, upgrade;
};

struct varlink_reply {
        json_t *message;   /* owned */
        const char *error; /* NULL: success */
        json_t *parameters;
        bool continues;
};

/* Return an enum varlink_verdict or -ENOMEM. *ret is always set and wants done(); after a verdict
 * other than OK it holds what could be understood, so a bad call that said oneway stays one. */
int varlink_read_call(struct varlink_call *ret, const char *text, size_t n);
int varlink_read_reply(struct varlink_reply *ret, const char *text, size_t n);

void varlink_call_done(struct varlink_call *call);
void varlink_reply_done(struct varlink_reply *reply);
