/* SPDX-License-Identifier: MIT */

#include "varlink/writer.h"

#include <stdlib.h>
#include <string.h>

#include "bal/protocol.h"
#include "core/base.h"

/* json_dumps() would build a text of any size before we could refuse it. */
struct sink {
        char *bytes; /* owned */
        size_t n, size, max;
        int error;
};

static int sink_grow(struct sink *s, size_t need) {
        size_t size = s->size ? s->size : 256;
        char *bytes;

        while (size < need)
                size *= 2;
        bytes = realloc(s->bytes, size);
        if (!bytes)
                return -ENOMEM;
        s->bytes = bytes;
        s->size = size;
        return 0;
}

static int sink_put(const char *text, size_t n, void *userdata) {
        struct sink *s = userdata;

        if (n > s->max - s->n)
                s->error = -EMSGSIZE;
        else if (s->n + n + 1 > s->size)
                s->error = sink_grow(s, s->n + n + 1); /* room for the NUL */
        if (s->error < 0)
                return -1;

        memcpy(s->bytes + s->n, text, n);
        s->n += n;
        return 0;
}

/* Takes message; NULL: it could not be built. */
static int write_message(struct varlink_text *ret, json_t *message, size_t max) {
        struct sink s = { .max = max };
        int r;

        if (!message)
                return -ENOMEM;
        r = json_dump_callback(message, sink_put, &s, JSON_COMPACT);
        json_decref(message);
        if (r < 0) {
                free(s.bytes);
                return s.error < 0 ? s.error : -EINVAL;
        }

        s.bytes[s.n] = '\0';
        *ret = (struct varlink_text){ .bytes = s.bytes, .n = s.n + 1 };
        return 0;
}

/* The caller's reference stays his. A call without parameters leaves the member out, a reply has
 * it always: clients in the field look for it. */
int varlink_write_call(struct varlink_text *ret,
                       const char *method,
                       json_t *parameters,
                       bool more) {
        json_t *message = json_pack("{s:s, s:O*}", "method", method, "parameters", parameters);

        if (message && more && json_object_set_new(message, "more", json_true()) < 0) {
                json_decref(message);
                return -ENOMEM;
        }
        return write_message(ret, message, BAL_CALL_MAX);
}

static json_t *reply_new(json_t *parameters) {
        return parameters ? json_pack("{s:O}", "parameters", parameters)
                          : json_pack("{s:{}}", "parameters");
}

int varlink_write_reply(struct varlink_text *ret, json_t *parameters, bool continues) {
        json_t *message = reply_new(parameters);

        if (message && continues && json_object_set_new(message, "continues", json_true()) < 0) {
                json_decref(message);
                return -ENOMEM;
        }
        return write_message(ret, message, BAL_REPLY_MAX);
}

int varlink_write_reply_text(struct varlink_text *ret,
                             const char *parameters,
                             size_t n,
                             bool continues) {
        static const char head[] = "{\"parameters\":";
        const char *tail = continues ? ",\"continues\":true}" : "}";
        size_t n_head = sizeof(head) - 1, n_tail = strlen(tail);
        char *bytes;

        if (n > BAL_REPLY_MAX - n_head - n_tail)
                return -EMSGSIZE;
        bytes = malloc(n_head + n + n_tail + 1);
        if (!bytes)
                return -ENOMEM;
        memcpy(bytes, head, n_head);
        memcpy(bytes + n_head, parameters, n);
        memcpy(bytes + n_head + n, tail, n_tail + 1);
        *ret = (struct varlink_text){ bytes, n_head + n + n_tail + 1 };
        return 0;
}

int varlink_write_error(struct varlink_text *ret, const char *error, json_t *parameters) {
        json_t *message = reply_new(parameters);

        if (message && json_object_set_new(message, "error", json_string(error)) < 0) {
                json_decref(message);
                return -ENOMEM;
        }
        return write_message(ret, message, BAL_REPLY_MAX);
}
