/* SPDX-License-Identifier: MIT */
/* From a call's message to the function that answers it, and from its answer back to the peer. */

#include <stdlib.h>
#include <string.h>

#include "control/server_parts.h"
#include "core/log.h"
#include "varlink/names.h"

#define LOG_MODULE "server"

/* -- calls -- */

static void call_free(struct server_call *call) {
        if (call->peer)
                call->peer->call = NULL;
        varlink_call_done(&call->message);
        free(call);
}

/* Whom to answer, if anybody. A oneway caller gets his turn at once: his next call may be there. */
static struct peer *call_peer(struct server_call *call) {
        struct peer *p = call->peer;

        if (p && call->message.oneway) {
                peer_wants_turn(p);
                return NULL;
        }
        return p;
}

void server_reply(struct server_call *call, json_t *parameters) {
        struct peer *p;

        if (!parameters) {
                server_error(call, BAL_ERROR_INTERNAL,
                             json_pack("{s:s}", "what", "the reply could not be built"));
                return;
        }
        p = call_peer(call);
        if (p)
                peer_say(p, parameters);
        else
                json_decref(parameters);
        call_free(call);
}

void server_reply_text(struct server_call *call, struct varlink_text *parameters) {
        struct peer *p = call_peer(call);

        if (p)
                peer_say_text(p, parameters);
        free(parameters->bytes);
        call_free(call);
}

bool server_call_wants_more(const struct server_call *call) {
        return call->message.more;
}

bool server_call_has_room(const struct server_call *call) {
        return call->peer && !call->peer->out.bytes;
}

int server_reply_more(struct server_call *call, json_t *parameters) {
        int r = !parameters ? -ENOMEM : !call->peer ? -EPIPE : 0;

        if (r == 0 && server_call_has_room(call))
                r = peer_say_more(call->peer, parameters);
        json_decref(parameters);
        return r;
}

int server_text_new(struct server_text **ret, struct varlink_text *parameters) {
        struct server_text *t = malloc(sizeof(*t));
        int r = -ENOMEM;

        if (t) {
                *t = (struct server_text){ .refs = 1 };
                r = varlink_write_reply_text(&t->text, parameters->bytes, parameters->n, true);
        }
        free(parameters->bytes);
        if (r < 0)
                free(t);
        else
                *ret = t;
        return r;
}

struct server_text *server_text_unref(struct server_text *t) {
        if (!t || --t->refs > 0)
                return NULL;
        free(t->text.bytes);
        free(t);
        return NULL;
}

size_t server_text_size(const struct server_text *t) {
        return t->text.n;
}

int server_reply_more_text(struct server_call *call, struct server_text *t) {
        if (!call->peer)
                return -EPIPE;
        if (!server_call_has_room(call))
                return 0;
        peer_say_shared(call->peer, t);
        return 1;
}

void server_call_on_gone(struct server_call *call, server_gone_fn fn, void *arg) {
        call->gone = fn;
        call->gone_arg = arg;
}

void server_error(struct server_call *call, enum bal_error error, json_t *parameters) {
        struct peer *p = call_peer(call);

        if (p)
                peer_say_error(p, error, parameters);
        else
                json_decref(parameters);
        call_free(call);
}

void server_invalid(struct server_call *call, const char *parameter) {
        server_error(call, BAL_ERROR_INVALID_PARAMETER, json_pack("{s:s}", "parameter", parameter));
}

void server_failed(struct server_call *call, int r) {
        if (r == -EMSGSIZE)
                server_error(call, BAL_ERROR_REPLY_TOO_LARGE,
                             json_pack("{s:i}", "limit", BAL_REPLY_MAX));
        else
                server_reply(call, NULL);
}

void server_call_peer(const struct server_call *call, uid_t *ret_uid, pid_t *ret_pid) {
        *ret_uid = call->uid;
        *ret_pid = call->pid;
}

/* -- org.varlink.service -- */

static void answer_info(struct server_call *call) {
        json_t *names = json_array();

        for (int i = 0; names && i < BAL_INTERFACES_COUNT; ++i)
                if (varlink_interface_on(i, call->peer->which))
                        json_array_append_new(names, json_string(bal_interface_name(i)));

        server_reply(call, json_pack("{s:s, s:s, s:s, s:s, s:o}", "vendor", "bal", "product", "bal",
                                     "version", BAL_VERSION, "url", "man:bal-status(7)",
                                     "interfaces", names));
}

static void answer_description(struct server_call *call, json_t *parameters) {
        const char *name = json_string_value(json_object_get(parameters, "interface"));
        int i;

        if (!name) {
                server_invalid(call, "interface");
                return;
        }
        i = varlink_interface_find(name, strlen(name));
        if (i < 0 || !varlink_interface_on(i, call->peer->which))
                server_error(call, BAL_ERROR_NO_INTERFACE, json_pack("{s:s}", "interface", name));
        else
                server_reply(call, json_pack("{s:s}", "description", varlink_description(i)));
}

/* -- from a message to the function that answers it -- */

static void call_run(struct server_call *call) {
        struct server *s = call->peer->server;
        _cleanup_(json_decrefp) json_t *none = NULL;
        json_t *parameters = call->message.parameters;
        const char *key;
        json_t *value;

        if (!parameters)
                parameters = none = json_object();
        if (!parameters) {
                server_reply(call, NULL);
                return;
        }
        json_object_foreach(parameters, key, value) {
                if (!varlink_method_takes(call->method, key)) {
                        server_invalid(call, key);
                        return;
                }
        }

        if (varlink_method_interface(call->method) == BAL_INTERFACE_ADMIN)
                log_info(admin_call, "a method of the admin socket was called",
                         F_STR("method", bal_method_name(call->method)), F_U64("uid", call->uid),
                         F_I64("pid", call->pid));

        if (s->fns[call->method])
                s->fns[call->method](call, parameters, s->userdata);
        else if (call->method == BAL_METHOD_GET_INFO)
                answer_info(call);
        else if (call->method == BAL_METHOD_GET_DESCRIPTION)
                answer_description(call, parameters);
        else
                server_error(call, BAL_ERROR_NOT_IMPLEMENTED,
                             json_pack("{s:s}", "method", bal_method_name(call->method)));
}

/* Takes message. */
void call_start(struct peer *p, struct varlink_call *message) {
        const char *name = message->method;
        size_t n = (size_t)(strrchr(name, '.') - name);
        int i = varlink_interface_find(name, n), m = varlink_method_find(name);
        struct server_call *call = malloc(sizeof(*call));

        if (!call) {
                varlink_call_done(message);
                p->ending = true;
                peer_wants_turn(p);
                return;
        }

        *call = (struct server_call){
                .peer = p, .message = *message, .method = m, .uid = p->uid, .pid = p->pid
        };
        p->call = call;

        if (i < 0 || !varlink_interface_on(i, p->which))
                server_error(call, BAL_ERROR_NO_INTERFACE,
                             json_pack("{s:s%}", "interface", name, n));
        else if (m < 0)
                server_error(call, BAL_ERROR_NO_METHOD, json_pack("{s:s}", "method", name));
        else
                call_run(call);
}
