/* SPDX-License-Identifier: MIT */
/*
 * `bal backend drain|maint|enable|weight NAME...`: what an operator says of a backend.
 *
 * All names are looked up before anything is changed, so a typing error changes nothing. Then the
 * backends are done one after the other; the first that fails, or that somebody says no to, ends
 * it, and what was done before stays. Each call has a connection of its own: a question may stay
 * unanswered for as long as it likes, and holds none of the daemon's few clients.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "bal/exit.h"
#include "cli/ask.h"
#include "cli/confirm.h"
#include "cli/doc.h"
#include "cli/names.h"
#include "cli/report.h"
#include "cli/states.h"
#include "core/parse.h"
#include "core/str.h"

#define WEIGHT_MAX 256

struct order { /* what shall be done to each of the backends */
        enum bal_method method;
        const char *word;    /* "drain", "weight": as it was typed, and the action in JSON */
        const char *state;   /* of SetState */
        int64_t deadline_ms; /* -1: not given */
        int64_t weight;      /* of SetWeight */
};

struct batch {
        struct cli *c;
        struct order order;
        json_t *doc;                /* owned; where the names are from */
        struct backend_name *names; /* owned */
        size_t n;
        json_t *done; /* owned; an array of the daemon's answers */
};

static void batch_done(struct batch *b) {
        json_decref(b->doc);
        json_decref(b->done);
        free(b->names);
}

static bool wants_json(const struct cli *c) {
        return args_has(&c->args, OPTION_BIT(JSON));
}

/* "37 connections", "no connections" */
static void print_count(struct out *o, int64_t n) {
        if (n == 0)
                out_printf(o, "no connections");
        else
                out_printf(o, "%lld connection%s", (long long)n, n == 1 ? "" : "s");
}

/* "37 connections stay", "37 connections, closed in 10m" */
static void print_connections(struct out *o, const json_t *p, bool leaves) {
        int64_t active = doc_int(p, "active_connections");
        const json_t *deadline = json_object_get(p, "deadline_ms");
        char text[REPORT_TEXT_MAX];

        out_printf(o, ", ");
        print_count(o, active);
        if (!leaves || active == 0)
                return;
        if (json_is_integer(deadline))
                out_printf(o, ", closed in %s",
                           report_duration((uint64_t)json_integer_value(deadline), text));
        else
                out_printf(o, active == 1 ? " stays" : " stay");
}

static void print_state(struct out *o, const json_t *p) {
        const char *from = doc_text(p, "from", "?"), *to = doc_text(p, "to", "?");
        enum state s = state_find(to);

        out_clean(o, state_word(from));
        out_printf(o, " -> ");
        out_paint(o, s < STATES_COUNT ? states[s].colour : PLAIN, state_word(to));
        print_connections(o, p, s == STATE_DRAIN || s == STATE_MAINT);
}

static void print_weight(struct out *o, const json_t *p) {
        int64_t to = doc_int(p, "to"), configured = doc_int(p, "configured");

        out_printf(o, "weight %lld -> %lld", (long long)doc_int(p, "from"), (long long)to);
        if (to != configured)
                out_printf(o, " (the file says %lld)", (long long)configured);
        if (to == 0)
                out_printf(o, ", no new connections");
        print_connections(o, p, to == 0);
}

static void print_done(const struct batch *b, const json_t *p) {
        struct out *o = &b->c->out;

        if (wants_json(b->c))
                return;
        out_clean(o, doc_text(p, "pool", "?"));
        out_printf(o, "/");
        out_clean(o, doc_text(p, "backend", "?"));
        out_printf(o, ": ");
        if (b->order.method == BAL_METHOD_SET_WEIGHT)
                print_weight(o, p);
        else
                print_state(o, p);
        out_printf(o, "\n");
}

/* The error, in JSON with what was done before it. */
static int batch_fail(const struct batch *b, int code, const char *text) {
        struct cli *c = b->c;
        json_t *doc;

        if (wants_json(c)) {
                doc = verb_error(code, text);
                if (doc && (json_object_set_new(doc, "action", json_string(b->order.word)) < 0 ||
                            json_object_set(doc, "changes", b->done) < 0)) {
                        json_decref(doc);
                        doc = NULL;
                }
                out_json(&c->out, doc);
                return code;
        }
        if (b->n > 1)
                verb_fail(c, code, "%s (%zu of %zu backends done)", text, json_array_size(b->done),
                          b->n);
        else
                verb_fail(c, code, "%s", text);
        return code;
}

/* "Pool 'web' would keep 1 of 5 backends (now 3)" */
static char *would_keep(const json_t *p) {
        return str_printf("pool '%s' would keep %lld usable backend%s of %lld (now %lld)",
                          doc_text(p, "pool", "?"), (long long)doc_int(p, "left"),
                          doc_int(p, "left") == 1 ? "" : "s", (long long)doc_int(p, "total"),
                          (long long)doc_int(p, "usable"));
}

static char *question(const struct batch *b, const struct backend_name *n, const char *keeps) {
        const struct order *o = &b->order;

        if (o->method == BAL_METHOD_SET_WEIGHT)
                return str_printf("%c%s. Set the weight of %s/%s to %lld?", toupper(keeps[0]),
                                  keeps + 1, n->pool, n->name, (long long)o->weight);
        return str_printf("%c%s. %c%s %s/%s?", toupper(keeps[0]), keeps + 1, toupper(o->word[0]),
                          o->word + 1, n->pool, n->name);
}

/* The daemon wants somebody to say that this is meant. BAL_EXIT_OK: it is. */
static int batch_permit(const struct batch *b, const struct backend_name *n, const json_t *p) {
        _cleanup_(str_freep) char *keeps = would_keep(p), *text = NULL;

        if (!keeps)
                return batch_fail(b, BAL_EXIT_FAILED, "out of memory");
        if (!confirm_possible(b->c)) {
                text = str_printf("%s; nothing was changed on %s/%s: it needs --yes", keeps,
                                  n->pool, n->name);
                return batch_fail(b, BAL_EXIT_FAILED, text ? text : keeps);
        }
        text = question(b, n, keeps);
        if (text && confirm(b->c, text))
                return BAL_EXIT_OK;
        str_freep(&text);
        text = str_printf("nothing was changed on %s/%s", n->pool, n->name);
        return batch_fail(b, BAL_EXIT_FAILED, text ? text : "nothing was changed");
}

static json_t *parameters(const struct order *o, const struct backend_name *n, bool confirmed) {
        json_t *p = json_pack("{s:s, s:s, s:b}", "pool", n->pool, "backend", n->name, "confirmed",
                              confirmed);
        int r;

        if (o->method == BAL_METHOD_SET_WEIGHT)
                r = json_object_set_new(p, "weight", json_integer(o->weight));
        else
                r = json_object_set_new(p, "state", json_string(o->state));
        if (r == 0 && o->deadline_ms >= 0)
                r = json_object_set_new(p, "deadline_ms", json_integer(o->deadline_ms));
        if (r == 0)
                return p;
        json_decref(p);
        return NULL;
}

static int refused(const struct batch *b, const struct backend_name *n, const struct answer *a) {
        _cleanup_(str_freep) char *text = NULL;

        if (a->result == ASK_REFUSED && a->reply.error_id == BAL_ERROR_NO_SUCH_BACKEND)
                text = str_printf("the daemon has no backend %s/%s any more", n->pool, n->name);
        else
                text = answer_sentence(a);
        return batch_fail(b, answer_code(a), text ? text : "out of memory");
}

static int batch_one(const struct batch *b, const struct backend_name *n) {
        bool confirmed = args_has(&b->c->args, OPTION_BIT(YES));

        for (;;) {
                _cleanup_(answer_done) struct answer a = { .result = ASK_OK };
                int code;

                ask_with(&a, b->c, BAL_SOCKET_ADMIN, b->order.method,
                         parameters(&b->order, n, confirmed), ASK_MS);
                if (a.result == ASK_OK) {
                        print_done(b, a.reply.parameters);
                        return json_array_append(b->done, a.reply.parameters) < 0 ? BAL_EXIT_FAILED
                                                                                  : BAL_EXIT_OK;
                }
                if (a.result != ASK_REFUSED || a.reply.error_id != BAL_ERROR_POOL_WOULD_EMPTY ||
                    confirmed)
                        return refused(b, n, &a);
                code = batch_permit(b, n, a.reply.parameters);
                if (code != BAL_EXIT_OK)
                        return code;
                confirmed = true;
        }
}

/* Names of the command line to backends of the daemon, all or none. */
static int batch_find(struct batch *b, const char *const *names) {
        _cleanup_(answer_done) struct answer a = { .result = ASK_OK };
        const char *bad;

        ask(&a, b->c, BAL_SOCKET_ADMIN, BAL_METHOD_GET, ASK_MS);
        if (a.result != ASK_OK)
                return answer_fail(b->c, &a);
        bad = report_valid(a.reply.parameters);
        if (bad)
                return verb_fail(b->c, BAL_EXIT_UNAVAILABLE,
                                 "no valid answer from %s: '%s' is missing or wrong", a.socket,
                                 bad);
        b->doc = json_incref(a.reply.parameters);
        b->done = json_array();
        b->names = calloc(b->n, sizeof(*b->names));
        if (!b->names || !b->done)
                return verb_fail(b->c, BAL_EXIT_FAILED, "out of memory");
        for (size_t i = 0; i < b->n; i++) {
                _cleanup_(str_freep) char *problem = NULL;

                if (name_find(&b->names[i], b->doc, names[i], &problem) < 0)
                        return batch_fail(b, BAL_EXIT_FAILED, problem ? problem : "out of memory");
        }
        return BAL_EXIT_OK;
}

static int batch_document(const struct batch *b) {
        json_t *doc = out_document("bal.backend");

        if (doc && (json_object_set_new(doc, "action", json_string(b->order.word)) < 0 ||
                    json_object_set(doc, "changes", b->done) < 0)) {
                json_decref(doc);
                doc = NULL;
        }
        out_json(&b->c->out, doc);
        return BAL_EXIT_OK;
}

static int backend_run(struct cli *c, const struct order *order, size_t n) {
        _cleanup_(batch_done) struct batch b = { .c = c, .order = *order, .n = n };
        int code;

        code = batch_find(&b, c->args.operands);
        for (size_t i = 0; i < n && code == BAL_EXIT_OK; i++)
                code = batch_one(&b, &b.names[i]);
        if (code == BAL_EXIT_OK && wants_json(c))
                return batch_document(&b);
        return code;
}

int backend_set_run(struct cli *c) {
        const char *word = c->args.verb->sub;
        const struct order order = { .method = BAL_METHOD_SET_STATE,
                                     .word = word,
                                     .state = strcmp(word, "enable") == 0 ? "ready" : word,
                                     .deadline_ms = c->args.deadline_ms };

        return backend_run(c, &order, c->args.n_operands);
}

int backend_weight_run(struct cli *c) {
        const char *text = c->args.operands[c->args.n_operands - 1];
        struct order order = { .method = BAL_METHOD_SET_WEIGHT,
                               .word = c->args.verb->sub,
                               .deadline_ms = -1 };
        uint64_t weight;

        if (parse_u64(&weight, text) < 0 || weight > WEIGHT_MAX)
                return verb_misused(c, "the weight comes last and is 0 to %d, not '%s'", WEIGHT_MAX,
                                    text);
        order.weight = (int64_t)weight;
        return backend_run(c, &order, c->args.n_operands - 1);
}
