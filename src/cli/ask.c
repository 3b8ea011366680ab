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

void ask(struct answer *ret,
         const struct cli *c,
         enum bal_socket which,
         enum bal_method m,
         int ms) {
        int r;

        *ret = (struct answer){ .result = ASK_OK };
        r = bal_client_open(&ret->client, which, c->args.socket, &ret->socket);
        if (r < 0) {
                ret->error = r;
                ret->result = result_of(r);
                return;
        }
        r = bal_client_request(ret->client, m, NULL, ms, &ret->reply);
        if (r < 0) {
                ret->error = r;
                ret->result = ASK_SILENT;
        } else if (ret->reply.error) {
                ret->result = ASK_REFUSED;
        }
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

static int answer_refused(struct cli *c, const struct answer *a) {
        const char *what = doc_text(a->reply.parameters, "what", "");

        switch (a->reply.error_id) {
        case BAL_ERROR_BUSY:
                return verb_fail(c, BAL_EXIT_FAILED, "the daemon is busy: %s is under way", what);
        case BAL_ERROR_RELOAD_FAILED:
                return verb_fail(c, BAL_EXIT_FAILED,
                                 "%s (nothing was changed, the old configuration goes on serving)",
                                 doc_text(a->reply.parameters, "reason", "the reload failed"));
        case BAL_ERROR_TOO_MANY_CLIENTS:
                return verb_fail(c, BAL_EXIT_FAILED, "too many clients on %s; try again",
                                 a->socket);
        default:
                return verb_fail(c, BAL_EXIT_FAILED, "the daemon refused: %s%s%s", a->reply.error,
                                 *what ? ": " : "", what);
        }
}

int answer_fail(struct cli *c, const struct answer *a) {
        const char *socket = a->socket ? a->socket : "its socket";

        switch (a->result) {
        case ASK_ABSENT:
                return verb_fail(c, BAL_EXIT_UNAVAILABLE, "bal is not running (no daemon on %s)",
                                 socket);
        case ASK_FORBIDDEN:
                return verb_fail(
                        c, BAL_EXIT_NO_RIGHT,
                        "permission denied on %s; try with sudo, or join the socket's group",
                        socket);
        case ASK_REFUSED:
                return answer_refused(c, a);
        default:
                return verb_fail(c, BAL_EXIT_UNAVAILABLE, "no valid answer from %s: %s", socket,
                                 answer_text(a));
        }
}
