/* SPDX-License-Identifier: MIT */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/metrics.h"
#include "control/metrics_scene.h"
#include "control/parameter.h"
#include "control/server.h"

/* So much at a time: where there are thousands of backends the whole text is more than a reply may
 * be, and would hold up the others. */
#define PIECE ((size_t)512 * 1024)

/* {"text":"...","next":null}, written as text: as nodes of jansson's it costs six times as much.
 * Nothing else in an exposition needs a backslash. -ENOMEM. */
static int answer_text(struct varlink_text *ret, const struct exposition *x, size_t next) {
        static const char head[] = "{\"text\":\"";
        char *text = malloc(2 * x->out.n + sizeof(head) + 40), *to = text;

        if (!text)
                return -ENOMEM;
        to = stpcpy(to, head);
        for (const char *from = x->out.bytes; from < x->out.bytes + x->out.n; from++) {
                if (*from == '"' || *from == '\\' || *from == '\n')
                        *to++ = '\\';
                *to++ = *from == '\n' ? 'n' : *from;
        }
        to = stpcpy(to, "\",\"next\":");
        if (next < metrics_families)
                to += sprintf(to, "%zu}", next);
        else
                to = stpcpy(to, "null}");
        *ret = (struct varlink_text){ text, (size_t)(to - text) };
        return 0;
}

static int answer_write(struct varlink_text *ret, const struct supervisor *s, size_t first) {
        struct metrics_scene scene;
        struct exposition x;
        size_t next;
        int r;

        r = metrics_scene_new(&scene, s);
        if (r < 0)
                return r;
        exposition_init(&x, EXPOSITION_TEXT, BAL_REPLY_MAX);
        next = metrics_write(&x, &scene, first, PIECE);
        metrics_scene_done(&scene);
        r = x.out.error;
        if (r == 0)
                r = answer_text(ret, &x, next);
        exposition_done(&x);
        return r;
}

void metrics_answer(const struct supervisor *s, struct server_call *call, json_t *parameters) {
        struct varlink_text text;
        uint64_t first = 0;
        int r;

        if (parameter_number(&first, parameters, "first", 0, metrics_families - 1) < 0) {
                server_invalid(call, "first");
                return;
        }
        r = answer_write(&text, s, (size_t)first);
        if (r == 0)
                server_reply_text(call, &text);
        else
                server_failed(call, r);
}
