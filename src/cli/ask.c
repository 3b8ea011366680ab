/* SPDX-License-Identifier: MIT */

#include "cli/ask.h"

#include <string.h>

#include "bal/exit.h"
#include "cli/doc.h"
#include "core/str.h"

static enum ask_result result_of(int r) {
        switch (r) {
        case -ENOENT:
        case -ENOTDIR:
        case -ECONNREFUSED:
        case -ENAMETOOLONG:
        case -ENOTSOCK:
        case -EPROTOTYPE:
                return ASK_ABSENT;
        case -EACCES:
        case -EPERM:
                return ASK_FORBIDDEN;
        default:
                return ASK_SILENT;
        }
}

static void ask_open(struct answer *ret, const struct cli *c, enum bal_socket which) {
        int r;

        *ret = (struct answer){ .result = ASK_OK };
        r = bal_client_open(&ret->client, which, c->args.socket, &ret->socket);
        if (r < 0) {
                ret->error = r;
                ret->result = result_of(r);
        }
}

/* Takes parameters. */
static void ask_call(struct answer *ret, enum bal_method m, json_t *parameters, int ms) {
        int r = bal_client_request(ret->client, m, parameters, ms, &ret->reply);

        if (r < 0) {
                ret->error = r;
                ret->result = ASK_SILENT;
        } else if (ret->reply.error) {
                ret->result = ASK_REFUSED;
        }
}

/* The status socket has all the clients it takes, or is for others: who may change things need not
 * be in the group that may read them. Whoever may use the admin socket is answered there, except
 * for what takes its time: readers must not keep an admin out. Takes parameters. */
static void ask_beside(struct answer *ret,
                       const struct cli *c,
                       enum bal_method m,
                       json_t *parameters,
                       int ms) {
        struct answer beside;

        ask_open(&beside, c, BAL_SOCKET_ADMIN);
        if (beside.result == ASK_OK)
                ask_call(&beside, m, parameters, ms);
        else
                json_decref(parameters);
        if (beside.result == ASK_OK) {
                answer_done(ret);
                *ret = beside;
        } else {
                answer_done(&beside);
        }
}

static bool is_closed_to_us(const struct answer *a) {
        return a->result == ASK_FORBIDDEN ||
               (a->result == ASK_REFUSED && a->reply.error_id == BAL_ERROR_TOO_MANY_CLIENTS);
}

/* Takes parameters. */
static void ask_any(struct answer *ret,
                    const struct cli *c,
                    enum bal_socket which,
                    enum bal_method m,
                    json_t *parameters,
                    int ms) {
        ask_open(ret, c, which);
        if (ret->result == ASK_OK)
                ask_call(ret, m, json_incref(parameters), ms);
        if (is_closed_to_us(ret) && which == BAL_SOCKET_STATUS && m != BAL_METHOD_GET_EVENTS)
                ask_beside(ret, c, m, json_incref(parameters), ms);
        json_decref(parameters);
}

void ask(struct answer *ret,
         const struct cli *c,
         enum bal_socket which,
         enum bal_method m,
         int ms) {
        ask_any(ret, c, which, m, NULL, ms);
}

void ask_with(struct answer *ret,
              const struct cli *c,
              enum bal_socket which,
              enum bal_method m,
              json_t *parameters,
              int ms) {
        if (parameters)
                ask_any(ret, c, which, m, parameters, ms);
        else
                *ret = (struct answer){ .result = ASK_SILENT, .error = -ENOMEM };
}

void answer_done(struct answer *a) {
        if (a->reply.message)
                bal_reply_done(&a->reply);
        if (a->client)
                a->client = bal_client_free(a->client);
        str_freep(&a->socket);
}

const char *answer_text(const struct answer *a) {
        if (a->result == ASK_REFUSED)
                return a->reply.error;
        switch (a->error) {
        case -ENOENT:
                return "no such file";
        case -ECONNREFUSED:
                return "nobody listens on it";
        case -EACCES:
        case -EPERM:
                return "permission denied";
        case -ETIMEDOUT:
                return "no answer in time";
        case -ECONNRESET:
                return "the connection was closed without an answer";
        case -EPROTO:
                return "the answer is not Varlink";
        case -EMSGSIZE:
                return "the answer is too long";
        default:
                return strerror(-a->error);
        }
}

static char *refused_sentence(const struct answer *a) {
        const json_t *p = a->reply.parameters;
        const char *what = doc_text(p, "what", "");

        switch (a->reply.error_id) {
        case BAL_ERROR_BUSY:
                return str_printf("the daemon is busy: %s is under way", what);
        case BAL_ERROR_RELOAD_FAILED:
                return str_printf("%s (nothing was changed, the old configuration goes on serving)",
                                  doc_text(p, "reason", "the reload failed"));
        case BAL_ERROR_NO_METHOD:
        case BAL_ERROR_NOT_IMPLEMENTED:
                return str_printf("the daemon does not know %s: it is older than this bal",
                                  doc_text(p, "method", "that"));
        case BAL_ERROR_INVALID_PARAMETER:
                return str_printf("the daemon does not accept the parameter %s",
                                  doc_text(p, "parameter", "?"));
        case BAL_ERROR_TOO_MANY_CLIENTS:
                return str_printf("too many clients on %s, which takes %lld; try again", a->socket,
                                  (long long)doc_int(p, "limit"));
        default:
                return str_printf("the daemon refused: %s%s%s", a->reply.error, *what ? ": " : "",
                                  what);
        }
}

int answer_code(const struct answer *a) {
        switch (a->result) {
        case ASK_OK:
                return BAL_EXIT_OK;
        case ASK_FORBIDDEN:
                return BAL_EXIT_NO_RIGHT;
        case ASK_REFUSED:
                return BAL_EXIT_FAILED;
        case ASK_ABSENT:
        case ASK_SILENT:
                break;
        }
        return BAL_EXIT_UNAVAILABLE;
}

char *answer_sentence(const struct answer *a) {
        const char *socket = a->socket ? a->socket : "its socket";

        switch (a->result) {
        case ASK_ABSENT:
                return str_printf("bal is not running (no daemon on %s)", socket);
        case ASK_FORBIDDEN:
                return str_printf(
                        "permission denied on %s; try with sudo, or join the socket's group",
                        socket);
        case ASK_REFUSED:
                return refused_sentence(a);
        case ASK_OK:
        case ASK_SILENT:
                break;
        }
        return str_printf("no valid answer from %s: %s", socket, answer_text(a));
}

int answer_fail(struct cli *c, const struct answer *a) {
        _cleanup_(str_freep) char *text = answer_sentence(a);

        return verb_fail(c, answer_code(a), "%s", text ? text : "out of memory");
}
