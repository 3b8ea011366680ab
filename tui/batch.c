/* SPDX-License-Identifier: MIT */

#include "batch.h"

#include <poll.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bal/client.h"
#include "bal/exit.h"
#include "cli/doc.h"
#include "cli/out.h"
#include "core/clock.h"
#include "core/str.h"
#include "paint.h"

#define ANSWER_MS  5000
#define HEAD_EVERY 20
#define COLUMNS    120 /* where nothing says how wide a line may be */

struct batch {
        const struct options *o;
        struct out out;
        struct model model;
        struct ui ui;
        struct canvas canvas;
        struct bal_client *client; /* owned */
        enum state *states;        /* owned; of the last sample, as the model lists them */
        size_t n_states;
        bool protected;
        uint64_t n;
};

static int fail(int r, const char *path) {
        const struct passwd *pw = getpwuid(geteuid());

        switch (r) {
        case -ENOENT:
        case -ECONNREFUSED:
        case -ETIMEDOUT:
                fprintf(stderr, "bal-top: bal is not running (no daemon on %s)\n", path);
                return BAL_EXIT_UNAVAILABLE;
        case -EACCES:
        case -EPERM:
                fprintf(stderr,
                        "bal-top: permission denied on %s\n"
                        "  do_this_now:   sudo usermod -aG bal %s, log in again\n",
                        path, pw ? pw->pw_name : "USER");
                return BAL_EXIT_NO_RIGHT;
        default:
                fprintf(stderr, "bal-top: no valid answer from %s: %s\n", path, strerror(-r));
                return BAL_EXIT_UNAVAILABLE;
        }
}

/* ---- answers ---- */

struct answer {
        struct bal_reply reply;
        struct scan_text backends; /* none where the whole document is JSON */
};

/* The next one; whoever reads us may be gone before it comes. */
static int next_answer(struct bal_client *c, bool whole, struct answer *ret, int timeout_ms) {
        *ret = (struct answer){ 0 };
        for (;;) {
                struct pollfd fds[2] = {
                        { .fd = bal_client_fd(c), .events = bal_client_events(c) },
                        { .fd = STDOUT_FILENO }, /* POLLERR comes unasked */
                };
                int r = whole ? bal_client_receive(c, &ret->reply)
                              : bal_client_receive_list(c, "backends", &ret->reply, &ret->backends);

                if (r != -EAGAIN)
                        return r;
                r = poll(fds, 2, timeout_ms);
                if (r == 0)
                        return -ETIMEDOUT;
                if (r > 0 && fds[1].revents & (POLLERR | POLLHUP))
                        return -EPIPE;
        }
}

/* ---- the forms ---- */

static size_t width_of(const struct batch *b) {
        const char *columns = getenv("COLUMNS");
        long n = columns ? strtol(columns, NULL, 10) : 0;

        if (n < LAYOUT_LEAST_WIDTH || n > CANVAS_COLUMNS_MAX)
                n = (long)b->out.columns;
        return n >= LAYOUT_LEAST_WIDTH ? (size_t)n : COLUMNS;
}

/* The past comes on a connection of its own, and may be missing. */
static void read_history(struct batch *b) {
        struct bal_client *c = NULL;
        struct answer a;

        if (bal_client_open(&c, BAL_SOCKET_STATUS, b->o->socket, NULL) < 0)
                return;
        if (bal_client_call(c, BAL_METHOD_GET_HISTORY, json_pack("{s:i}", "cells", STRIP_CELLS)) ==
                    0 &&
            next_answer(c, false, &a, ANSWER_MS) == 0) {
                if (!a.reply.error)
                        model_history(&b->model, a.reply.parameters, a.backends);
                bal_reply_done(&a.reply);
        }
        bal_client_free(c);
}

static int print_table(struct batch *b) {
        read_history(b);
        ui_refresh(&b->ui, &b->model, 0, true);
        if (paint_batch(&b->canvas, &b->ui, &b->model, width_of(b)) < 0)
                return -ENOMEM;
        if (b->n > 0)
                out_printf(&b->out, "\n");
        for (size_t row = 0; row < b->canvas.rows; row++) {
                _cleanup_(str_freep) char *text = canvas_text(&b->canvas, row);

                out_printf(&b->out, "%s\n", text ? text : "");
        }
        return 0;
}

static void print_stat(struct batch *b) {
        const struct model *m = &b->model;
        const struct pool *p = model_worst_pool(m);
        char clock[TEXT_MAX], conns[TEXT_MAX], rate[TEXT_MAX], in[TEXT_MAX], out[TEXT_MAX];

        if (b->n % HEAD_EVERY == 0)
                out_printf(&b->out, "%-8s %5s %5s %5s %5s %5s %6s %6s %6s %6s %6s %6s %5s %5s %s\n",
                           "TIME", "UP", "DOWN", "COOL", "DRAIN", "MAINT", "CONNS", "NEW/s",
                           "TMO/s", "REF/s", "OTH/s", "REJ/s", "IN/s", "OUT/s", "PROT");
        out_printf(&b->out,
                   "%-8s %5zu %5zu %5zu %5zu %5zu %6s %6s %6.1f %6.1f %6.1f %6.1f %5s %5s %s\n",
                   text_clock(m->real_s, clock), m->count[STATE_UP], m->count[STATE_DOWN],
                   m->count[STATE_COOL], m->count[STATE_DRAIN], m->count[STATE_MAINT],
                   text_count(m->active, conns), text_rate(m->new_per_s, rate), m->timeout_per_s,
                   m->refused_per_s, m->other_per_s, m->rejected_per_s, text_bytes(m->in_per_s, in),
                   text_bytes(m->out_per_s, out), p && p->protected ? "on" : "off");
}

static int print_json(struct batch *b, const json_t *parameters) {
        json_t *doc = out_document("bal.status");

        if (doc && json_object_update(doc, (json_t *)parameters) < 0) {
                json_decref(doc);
                return -ENOMEM;
        }
        out_json(&b->out, doc);
        return 0;
}

/* ---- sentences ---- */

static void say_backend(struct batch *b, const struct backend *k, const char *before) {
        char clock[TEXT_MAX];

        out_printf(&b->out, "%s ", text_clock(b->model.real_s, clock));
        out_clean(&b->out, k->name);
        out_printf(&b->out, " in pool ");
        out_clean(&b->out, k->pool);
        out_printf(&b->out, " is %s", states[k->state].word);
        if (before)
                out_printf(&b->out, ", was %s", before);
        if (*k->reason) {
                out_printf(&b->out, ": ");
                out_clean(&b->out, *k->text ? k->text : k->reason);
        }
        out_printf(&b->out, ".\n");
}

static void say_summary(struct batch *b) {
        const struct model *m = &b->model;
        char up[TEXT_MAX];

        out_printf(&b->out, "bal %s on ", m->version);
        out_clean(&b->out, m->hostname);
        out_printf(&b->out,
                   ", up %s. %zu of %zu backends up, %zu down, %zu cool, %zu in drain, %zu in "
                   "maintenance. %lld connections.\n",
                   text_up(m->uptime_s, up), m->count[STATE_UP], m->n_backends,
                   m->count[STATE_DOWN], m->count[STATE_COOL], m->count[STATE_DRAIN],
                   m->count[STATE_MAINT], (long long)m->active);
        for (size_t i = 0; i < m->n_backends; i++) {
                if (m->backends[i].state != STATE_UP)
                        say_backend(b, &m->backends[i], NULL);
        }
}

static void say_protection(struct batch *b) {
        const struct pool *p = model_worst_pool(&b->model);
        bool on = p && p->protected;

        if (on != b->protected) {
                out_printf(&b->out,
                           on ? "Protection mode is ON: %s.\n" : "Protection mode is off.%s\n",
                           on ? p->reason : "");
                b->protected = on;
        }
}

/* The list may have changed with the configuration: then all is told again. */
static int say_changes(struct batch *b) {
        const struct model *m = &b->model;
        bool first = b->n == 0 || b->n_states != m->n_backends;

        if (first) {
                enum state *kept = reallocarray(b->states, m->n_backends + 1, sizeof(*kept));

                if (!kept)
                        return -ENOMEM;
                b->states = kept;
                b->n_states = m->n_backends;
                say_summary(b);
        }
        for (size_t i = 0; i < m->n_backends; i++) {
                if (!first && b->states[i] != m->backends[i].state)
                        say_backend(b, &m->backends[i], states[b->states[i]].word);
                b->states[i] = m->backends[i].state;
        }
        say_protection(b);
        return 0;
}

/* ---- the run ---- */

static int print_sample(struct batch *b, const struct answer *a) {
        int r;

        if (b->o->output == OUTPUT_JSON)
                return print_json(b, a->reply.parameters);
        r = model_snapshot(&b->model, a->reply.parameters, a->backends, clock_mono_ms(),
                           clock_real_us() / 1000000);
        if (r < 0)
                return r;
        b->ui.data_real_s = b->model.real_s;
        if (b->o->output == OUTPUT_STAT)
                print_stat(b);
        else if (b->o->output == OUTPUT_PLAIN)
                return say_changes(b);
        else
                return print_table(b);
        return 0;
}

static int run(struct batch *b) {
        uint64_t most = b->o->output == OUTPUT_ONCE ? 1 : b->o->count;
        int timeout_ms = (int)b->o->interval_ms * 3 + ANSWER_MS, r = 0;

        r = bal_client_call(b->client, BAL_METHOD_SUBSCRIBE,
                            json_pack("{s:I}", "interval_ms", (json_int_t)b->o->interval_ms));
        while (r == 0 && (most == 0 || b->n < most)) {
                struct answer a;

                r = next_answer(b->client, b->o->output == OUTPUT_JSON, &a, timeout_ms);
                if (r < 0)
                        break;
                r = a.reply.error ? -EPROTO : print_sample(b, &a);
                b->n++;
                bal_reply_done(&a.reply);
                if (r == 0)
                        r = out_finish(&b->out);
        }
        return r;
}

int batch_run(const struct options *o) {
        struct batch b = { .o = o, .out = { .file = stdout, .lines = true } };
        _cleanup_(str_freep) char *path = NULL;
        int r;

        ui_init(&b.ui);
        b.ui.chars = text_chars(o->chars, text_locale(), getenv("TERM"));
        b.ui.link = LINK_LIVE;
        b.canvas.utf8 = text_locale_utf8(text_locale());
        if (o->filter)
                snprintf(b.ui.filter, sizeof(b.ui.filter), "%s", o->filter);
        b.out.columns = out_columns(STDOUT_FILENO);

        r = bal_client_open(&b.client, BAL_SOCKET_STATUS, o->socket, &path);
        if (r == 0)
                r = run(&b);
        bal_client_free(b.client);
        canvas_done(&b.canvas);
        model_done(&b.model);
        ui_done(&b.ui);
        free(b.states);
        if (r == -EPIPE)
                return BAL_EXIT_OK; /* head(1) has had enough */
        return r < 0 ? fail(r, path ? path : "?") : BAL_EXIT_OK;
}
