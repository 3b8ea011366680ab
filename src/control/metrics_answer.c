/* SPDX-License-Identifier: MIT */

#include "control/metrics.h"
#include "control/metrics_scene.h"
#include "control/parameter.h"
#include "control/server.h"

/* So much at a time: where there are thousands of backends the whole text is more than a reply may
 * be, and would hold up the others. */
#define PIECE ((size_t)512 * 1024)

void metrics_answer(const struct supervisor *s, struct server_call *call, json_t *parameters) {
        struct metrics_scene scene;
        struct exposition x;
        uint64_t first = 0;
        size_t next;
        int r;

        if (parameter_number(&first, parameters, "first", 0, metrics_families - 1) < 0) {
                server_invalid(call, "first");
                return;
        }
        r = metrics_scene_new(&scene, s);
        if (r < 0) {
                server_failed(call, r);
                return;
        }
        exposition_init(&x, EXPOSITION_TEXT, BAL_REPLY_MAX);
        next = metrics_write(&x, &scene, (size_t)first, PIECE);
        metrics_scene_done(&scene);
        if (x.error < 0)
                server_failed(call, x.error);
        else
                server_reply(call,
                             json_pack("{s:s%, s:o}", "text", x.bytes, x.n, "next",
                                       next < metrics_families ? json_integer((json_int_t)next)
                                                               : json_null()));
        exposition_done(&x);
}
