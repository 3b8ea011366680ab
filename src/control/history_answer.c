/* SPDX-License-Identifier: MIT */

#include "control/history_answer.h"

#include <stdlib.h>
#include <string.h>

#include "control/history.h"
#include "control/jsontext.h"
#include "control/parameter.h"
#include "control/state.h"

#define CELLS_DEFAULT 12 /* a minute */

struct question {
        const char *pool, *backend; /* borrowed; NULL: any */
        uint64_t cells;
};

/* ---- the answer ---- */

static uint64_t value_of(const struct history_cell *c, size_t column) {
        const uint64_t values[] = { c->opened, c->active, c->failed, c->down_s };

        return values[column];
}

/* The oldest cell first. */
static void series_write(struct jsontext *t, const struct history *h, size_t cells) {
        static const char *const columns[] = { "opened", "active", "failed", "down_s" };
        size_t n = h ? history_n(h) : 0;

        if (n > cells)
                n = cells;
        for (size_t column = 0; column < ELEMENTS(columns); column++) {
                jsontext_open(t, columns[column], '[');
                for (size_t back = n; back-- > 0;)
                        jsontext_number(t, NULL, value_of(history_at(h, back), column));
                jsontext_close(t, ']');
        }
}

static bool is_wanted(const char *wanted, const char *name) {
        return !wanted || strcmp(wanted, name) == 0;
}

/* How many backends there were. */
static size_t backends_write(struct jsontext *t,
                             const struct supervisor *s,
                             const struct question *q) {
        size_t n = 0;

        for (size_t i = 0; i < s->upstream->config->n_pools; i++) {
                const struct upstream_pool *pool = &s->upstream->pools[i];

                for (size_t j = 0; j < pool->n_endpoints; j++) {
                        const struct endpoint *e = pool->endpoints[j].endpoint;

                        if (!is_wanted(q->pool, e->pool) || !is_wanted(q->backend, e->name))
                                continue;
                        jsontext_open(t, NULL, '{');
                        jsontext_string(t, "pool", e->pool);
                        jsontext_string(t, "name", e->name);
                        series_write(t, e->history, q->cells);
                        jsontext_close(t, '}');
                        n++;
                }
        }
        return n;
}

static void answer(const struct supervisor *s, struct server_call *call, const struct question *q) {
        struct jsontext t;
        size_t n;

        jsontext_init(&t, BAL_REPLY_MAX);
        jsontext_open(&t, NULL, '{');
        jsontext_number(&t, "cell_ms", HISTORY_CELL_S * 1000);
        jsontext_open(&t, "total", '{');
        series_write(&t, &s->rates.history, q->cells);
        jsontext_close(&t, '}');
        jsontext_open(&t, "backends", '[');
        n = backends_write(&t, s, q);
        jsontext_close(&t, ']');
        jsontext_close(&t, '}');

        if (t.out.error == 0 && (n > 0 || !q->backend)) {
                server_reply_text(call, &(struct varlink_text){ t.out.bytes, t.out.n });
                return;
        }
        if (t.out.error < 0)
                server_failed(call, t.out.error);
        else
                server_error(call, BAL_ERROR_NO_SUCH_BACKEND,
                             json_pack("{s:s?, s:s}", "pool", q->pool, "backend", q->backend));
        jsontext_done(&t);
}

/* ---- the question ---- */

void history_get(const struct supervisor *s, struct server_call *call, json_t *parameters) {
        struct question q = { .cells = CELLS_DEFAULT };

        if (parameter_number(&q.cells, parameters, "cells", 1, HISTORY_CELLS) < 0)
                server_invalid(call, "cells");
        else if (parameter_text(&q.pool, parameters, "pool") < 0)
                server_invalid(call, "pool");
        else if (parameter_text(&q.backend, parameters, "backend") < 0)
                server_invalid(call, "backend");
        else
                answer(s, call, &q);
}
