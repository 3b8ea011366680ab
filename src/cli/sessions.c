/* SPDX-License-Identifier: MIT */
/* `bal sessions`: who is connected. `bal sessions close`: some of them are not any more. */

#include <stdlib.h>
#include <string.h>

#include "bal/exit.h"
#include "cli/ask.h"
#include "cli/confirm.h"
#include "cli/doc.h"
#include "cli/report.h"
#include "cli/session_rows.h"
#include "cli/session_terms.h"
#include "core/str.h"

#define LIMIT_MAX 1000 /* as bal-status(7) has it */

static bool wants_json(const struct cli *c) {
        return args_has(&c->args, OPTION_BIT(JSON));
}

static int no_memory(struct cli *c) {
        return verb_fail(c, BAL_EXIT_FAILED, "out of memory");
}

static int invalid(struct cli *c, const struct answer *a, const char *member) {
        return verb_fail(c, BAL_EXIT_UNAVAILABLE,
                         "no valid answer from %s: '%s' is missing or wrong", a->socket, member);
}

/* The words of the command line, with the names of the daemon. */
static int read_terms(struct session_terms *ret, struct cli *c, enum bal_socket which) {
        _cleanup_(answer_done) struct answer a = { .result = ASK_OK };
        _cleanup_(str_freep) char *problem = NULL;
        const char *bad;
        int r;

        if (session_terms_need_names(c->args.operands, c->args.n_operands)) {
                ask(&a, c, which, BAL_METHOD_GET, ASK_MS);
                if (a.result != ASK_OK)
                        return answer_fail(c, &a);
                bad = report_valid(a.reply.parameters);
                if (bad)
                        return invalid(c, &a, bad);
        }
        r = session_terms_read(ret, a.reply.parameters, c->args.operands, c->args.n_operands,
                               &problem);
        if (r == 0)
                return BAL_EXIT_OK;
        if (!problem)
                return no_memory(c);
        return r == -EINVAL ? verb_misused(c, "%s", problem)
                            : verb_fail(c, BAL_EXIT_FAILED, "%s", problem);
}

/* Asks with a copy of the parameters. NULL: told already, and *ret_code is why. */
static const json_t *get_sessions(struct answer *a,
                                  struct cli *c,
                                  enum bal_socket which,
                                  const struct session_terms *t,
                                  int64_t limit,
                                  int *ret_code) {
        json_t *parameters = json_deep_copy(t->parameters);
        const json_t *p;

        if (parameters &&
            ((limit > 0 && json_object_set_new(parameters, "limit", json_integer(limit)) < 0) ||
             (c->args.sort &&
              json_object_set_new(parameters, "sort", json_string(c->args.sort)) < 0))) {
                json_decref(parameters);
                parameters = NULL;
        }
        ask_with(a, c, which, BAL_METHOD_GET_SESSIONS, parameters, ASK_MS);
        if (a->result != ASK_OK) {
                *ret_code = answer_fail(c, a);
                return NULL;
        }
        p = a->reply.parameters;
        if (json_is_array(json_object_get(p, "sessions")) &&
            json_is_integer(json_object_get(p, "matched")) &&
            json_is_integer(json_object_get(p, "total")))
                return p;
        *ret_code = invalid(c, a, "sessions");
        return NULL;
}

static int sessions_document(struct cli *c, const json_t *answer) {
        json_t *doc = out_document("bal.sessions");

        if (doc && json_object_update_missing(doc, (json_t *)answer) < 0) {
                json_decref(doc);
                doc = NULL;
        }
        out_json(&c->out, doc);
        return BAL_EXIT_OK;
}

static int sessions_print(struct cli *c, const json_t *answer) {
        const json_t *sessions = doc_array(answer, "sessions");

        if (wants_json(c))
                return sessions_document(c, answer);
        if (args_has(&c->args, OPTION_BIT(BRIEF))) {
                session_rows_brief(&c->out, sessions);
                return BAL_EXIT_OK;
        }
        if (json_array_size(sessions) > 0)
                session_rows_table(&c->out, sessions, c->args.sort,
                                   args_has(&c->args, OPTION_BIT(VERBOSE)));
        session_rows_total(&c->out, answer, c->args.n_operands > 0);
        return BAL_EXIT_OK;
}

int sessions_run(struct cli *c) {
        _cleanup_(session_terms_done) struct session_terms t = { .parameters = NULL };
        _cleanup_(answer_done) struct answer a = { .result = ASK_OK };
        int64_t limit = c->args.limit;
        const json_t *answer;
        int code;

        if (args_has(&c->args, OPTION_BIT(LIMIT)) && (limit < 1 || limit > LIMIT_MAX))
                return verb_misused(c, "--limit: %lld is not between 1 and %d", (long long)limit,
                                    LIMIT_MAX);
        code = read_terms(&t, c, BAL_SOCKET_STATUS);
        if (code != BAL_EXIT_OK)
                return code;
        answer = get_sessions(&a, c, BAL_SOCKET_STATUS, &t, limit, &code);
        if (!answer)
                return code;
        if (t.doubt && doc_int(answer, "matched") == 0)
                return verb_fail(c, BAL_EXIT_FAILED, "%s", t.doubt);
        return sessions_print(c, answer);
}

/* ---- close ---- */

static int close_print(struct cli *c, int64_t matched, int64_t closed) {
        json_t *doc;

        if (!wants_json(c)) {
                out_printf(&c->out, "%lld connection%s closed\n", (long long)closed,
                           closed == 1 ? "" : "s");
                return BAL_EXIT_OK;
        }
        doc = out_document("bal.sessions");
        if (doc && (json_object_set_new(doc, "action", json_string("close")) < 0 ||
                    json_object_set_new(doc, "matched", json_integer(matched)) < 0 ||
                    json_object_set_new(doc, "closed", json_integer(closed)) < 0)) {
                json_decref(doc);
                doc = NULL;
        }
        out_json(&c->out, doc);
        return BAL_EXIT_OK;
}

/* "37 of 14210 connections" */
static char *close_count(const json_t *answer) {
        long long matched = doc_int(answer, "matched"), total = doc_int(answer, "total");

        if (matched == total)
                return matched == 1 ? str_printf("the only connection")
                                    : str_printf("all %lld connections", matched);
        return str_printf("%lld of %lld connections", matched, total);
}

/* Somebody says that this is meant. BAL_EXIT_OK: it is. */
static int close_permit(struct cli *c, const json_t *answer) {
        _cleanup_(str_freep) char *count = close_count(answer), *question = NULL;

        if (args_has(&c->args, OPTION_BIT(YES)))
                return BAL_EXIT_OK;
        if (!count)
                return no_memory(c);
        if (!confirm_possible(c))
                return verb_fail(c, BAL_EXIT_FAILED,
                                 "this would close %s; nothing was closed: it needs --yes", count);
        question = str_printf("Close %s?", count);
        if (question && confirm(c, question))
                return BAL_EXIT_OK;
        return verb_fail(c, BAL_EXIT_FAILED, "nothing was closed");
}

static int close_do(struct cli *c, const struct session_terms *t, int64_t matched) {
        _cleanup_(answer_done) struct answer a = { .result = ASK_OK };

        ask_with(&a, c, BAL_SOCKET_ADMIN, BAL_METHOD_CLOSE_SESSIONS, json_incref(t->parameters),
                 ASK_MS);
        if (a.result != ASK_OK)
                return answer_fail(c, &a);
        if (!json_is_integer(json_object_get(a.reply.parameters, "closed")))
                return invalid(c, &a, "closed");
        return close_print(c, matched, doc_int(a.reply.parameters, "closed"));
}

int sessions_close_run(struct cli *c) {
        _cleanup_(session_terms_done) struct session_terms t = { .parameters = NULL };
        const json_t *answer;
        int64_t matched;
        int code;

        code = read_terms(&t, c, BAL_SOCKET_ADMIN);
        if (code != BAL_EXIT_OK)
                return code;
        if (!t.names)
                return verb_misused(c, "say whose: backend:, pool:, frontend:, client: or id: must "
                                       "be among the filters");
        {
                /* closed before the question: it may stay unanswered for as long as it likes */
                _cleanup_(answer_done) struct answer a = { .result = ASK_OK };

                answer = get_sessions(&a, c, BAL_SOCKET_ADMIN, &t, 1, &code);
                if (!answer)
                        return code;
                matched = doc_int(answer, "matched");
                if (matched == 0 && t.doubt)
                        return verb_fail(c, BAL_EXIT_FAILED, "%s", t.doubt);
                if (matched == 0)
                        return close_print(c, 0, 0);
                a.client = bal_client_free(a.client);
                code = close_permit(c, answer);
        }
        return code == BAL_EXIT_OK ? close_do(c, &t, matched) : code;
}
