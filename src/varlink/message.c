/* SPDX-License-Identifier: MIT */
/*
 * Members that Varlink does not define are ignored: they may be of a later version, and nothing
 * here depends on them. Everything that could be read two ways is refused, duplicate keys too.
 */

#include "varlink/message.h"

#include <string.h>

#include "bal/protocol.h"
#include "core/base.h"
#include "varlink/names.h"

static const char *const members[] = {
#define X(id, member) member,
        VARLINK_VERDICTS(X)
#undef X
};

const char *varlink_verdict_member(enum varlink_verdict v) {
        return members[v];
}

/* jansson recurses to a depth of 2048, reading as well as freeing; a control thread's stack is not
 * for strangers to fill. Counts brackets outside of strings; whether they match is jansson's
 * job. */
static bool too_deep(const char *text, size_t n) {
        bool in_string = false;
        unsigned depth = 0;

        for (size_t i = 0; i < n; ++i) {
                if (in_string && text[i] == '\\')
                        ++i;
                else if (text[i] == '"')
                        in_string = !in_string;
                else if (in_string)
                        continue;
                else if (text[i] == '{' || text[i] == '[')
                        ++depth;
                else if ((text[i] == '}' || text[i] == ']') && depth > 0)
                        --depth;
                if (depth > BAL_DEPTH_MAX)
                        return true;
        }
        return false;
}

static int read_object(json_t **ret, const char *text, size_t n) {
        json_error_t error;
        json_t *message;

        if (too_deep(text, n))
                return VARLINK_TOO_DEEP;

        message = json_loadb(text, n, JSON_REJECT_DUPLICATES, &error);
        if (!message)
                return json_error_code(&error) == json_error_out_of_memory ? -ENOMEM
                                                                           : VARLINK_NOT_JSON;
        if (!json_is_object(message)) {
                json_decref(message);
                return VARLINK_NOT_JSON;
        }
        *ret = message;
        return VARLINK_OK;
}

/* Absent is false. */
static bool read_flag(bool *ret, const json_t *message, const char *key) {
        const json_t *v = json_object_get(message, key);

        *ret = json_is_true(v);
        return !v || json_is_boolean(v);
}

static bool read_parameters(json_t **ret, const json_t *message) {
        json_t *v = json_object_get(message, "parameters");

        *ret = json_is_object(v) ? v : NULL;
        return !v || json_is_null(v) || json_is_object(v);
}

int varlink_read_call(struct varlink_call *ret, const char *text, size_t n) {
        bool more_ok, oneway_ok, upgrade_ok, parameters_ok;
        int r;

        *ret = (struct varlink_call){ 0 };
        r = read_object(&ret->message, text, n);
        if (r != VARLINK_OK)
                return r;

        oneway_ok = read_flag(&ret->oneway, ret->message, "oneway");
        more_ok = read_flag(&ret->more, ret->message, "more");
        upgrade_ok = read_flag(&ret->upgrade, ret->message, "upgrade");
        parameters_ok = read_parameters(&ret->parameters, ret->message);
        ret->method = json_string_value(json_object_get(ret->message, "method"));

        if (!ret->method || varlink_check_method(ret->method) < 0)
                return VARLINK_BAD_METHOD;
        if (!parameters_ok)
                return VARLINK_BAD_PARAMETERS;
        if (!more_ok)
                return VARLINK_BAD_MORE;
        if (!oneway_ok || (ret->oneway && ret->more))
                return VARLINK_BAD_ONEWAY;
        if (!upgrade_ok || (ret->upgrade && (ret->more || ret->oneway)))
                return VARLINK_BAD_UPGRADE;
        return VARLINK_OK;
}

int varlink_read_reply(struct varlink_reply *ret, const char *text, size_t n) {
        const json_t *error;
        int r;

        *ret = (struct varlink_reply){ 0 };
        r = read_object(&ret->message, text, n);
        if (r != VARLINK_OK)
                return r;

        error = json_object_get(ret->message, "error");
        ret->error = json_string_value(error);

        if (!read_parameters(&ret->parameters, ret->message))
                return VARLINK_BAD_PARAMETERS;
        if (error && !json_is_null(error) && (!ret->error || varlink_check_method(ret->error) < 0))
                return VARLINK_BAD_ERROR;
        if (!read_flag(&ret->continues, ret->message, "continues") ||
            (ret->continues && ret->error))
                return VARLINK_BAD_CONTINUES;
        return VARLINK_OK;
}

void varlink_call_done(struct varlink_call *call) {
        json_decref(call->message);
        *call = (struct varlink_call){ 0 };
}

void varlink_reply_done(struct varlink_reply *reply) {
        json_decref(reply->message);
        *reply = (struct varlink_reply){ 0 };
}
