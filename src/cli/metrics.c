/* SPDX-License-Identifier: MIT */
/*
 * `bal metrics`: what Prometheus reads, over the status socket; for a textfile collector, and where
 * nothing is served. All of it or nothing, so that nobody takes a half for the whole.
 */

#include <stdlib.h>

#include "bal/exit.h"
#include "cli/ask.h"
#include "cli/doc.h"

struct text {
        FILE *file;
        char *bytes;
        size_t n;
};

static void text_done(struct text *t) {
        if (t->file)
                fclose(t->file);
        free(t->bytes);
}

/* One part. Returns the number of the next one; 0: it was the last; -EBADMSG: that is no answer. */
static int64_t take_part(struct text *t, const json_t *parameters, int64_t first) {
        const json_t *text = json_object_get(parameters, "text"),
                     *next = json_object_get(parameters, "next");

        if (!json_is_string(text) || (next && !json_is_null(next) && !json_is_integer(next)))
                return -EBADMSG;
        fwrite(json_string_value(text), 1, json_string_length(text), t->file);
        if (!json_is_integer(next))
                return 0;
        return json_integer_value(next) > first ? json_integer_value(next) : -EBADMSG;
}

static int print(struct cli *c, struct text *t) {
        json_t *doc, *text;
        bool failed = ferror(t->file);

        if (fclose(take_ptr(t->file)) != 0 || failed)
                return verb_fail(c, BAL_EXIT_FAILED, "out of memory");
        if (!args_has(&c->args, OPTION_BIT(JSON))) {
                out_write(&c->out, t->bytes, t->n);
                return BAL_EXIT_OK;
        }
        doc = out_document("bal.metrics");
        text = json_stringn(t->bytes, t->n);
        if (!doc || json_object_set_new(doc, "text", text) < 0) {
                json_decref(doc);
                doc = NULL;
        }
        out_json(&c->out, doc);
        return BAL_EXIT_OK;
}

int metrics_run(struct cli *c) {
        _cleanup_(text_done) struct text t = { .file = NULL };
        int64_t first = 0;

        t.file = open_memstream(&t.bytes, &t.n);
        if (!t.file)
                return verb_fail(c, BAL_EXIT_FAILED, "out of memory");
        do {
                _cleanup_(answer_done) struct answer a = { .result = ASK_OK };

                ask_with(&a, c, BAL_SOCKET_STATUS, BAL_METHOD_GET_METRICS,
                         json_pack("{s:I}", "first", (json_int_t)first), ASK_MS);
                if (a.result != ASK_OK)
                        return answer_fail(c, &a);
                first = take_part(&t, a.reply.parameters, first);
                if (first < 0)
                        return verb_fail(c, BAL_EXIT_FAILED,
                                         "%s gave no metrics that can be understood", a.socket);
        } while (first > 0);
        return print(c, &t);
}
