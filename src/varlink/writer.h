/* SPDX-License-Identifier: MIT */
/* varlink/writer.h - calls, replies and errors as the bytes that go out, NUL included. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct varlink_text {
        char *bytes; /* owned by the caller: free() */
        size_t n;    /* with the NUL */
};

/* All of them: parameters is borrowed, NULL means {}; -EMSGSIZE: longer than BAL_CALL_MAX or
 * BAL_REPLY_MAX; -EINVAL: parameters nest too deep or in a ring; -ENOMEM. *ret only on success. */
int varlink_write_call(struct varlink_text *ret, const char *method, json_t *parameters, bool more);
int varlink_write_reply(struct varlink_text *ret, json_t *parameters, bool continues);
/* With the text of the object, without its NUL. */
int varlink_write_reply_text(struct varlink_text *ret,
                             const char *parameters,
                             size_t n,
                             bool continues);
int varlink_write_error(struct varlink_text *ret, const char *error, json_t *parameters);
