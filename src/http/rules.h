/* SPDX-License-Identifier: MIT */
/*
 * http/rules.h - what an operator wants changed in a head: texts with variables in them, and rules
 * that set, add or remove a header. Read once, when the configuration is loaded.
 */
#pragma once

#include "http/fields.h"
#include "http/scan.h"

/* X(enum, name behind '$'). What has no value (a backend before one is chosen) is empty. */
#define HTTP_VARIABLES(X)                                                                          \
        X(CLIENT_IP, "client_ip")       /* see trusted_proxies */                                  \
        X(CLIENT_PORT, "client_port")   /* of the connection */                                    \
        X(BACKEND_NAME, "backend_name") /* as on the screen: host:port */                          \
        X(BACKEND_ADDR, "backend_addr") /* the address in use */                                   \
        X(REQUEST_ID, "request_id")                                                                \
        X(HOST, "host") /* the authority in force, with a port if it came with one */              \
        X(URI, "uri")   /* path and query, as they came */

enum http_variable {
#define X(id, name) HTTP_VAR_##id,
        HTTP_VARIABLES(X)
#undef X
                HTTP_VARIABLES_COUNT
};

struct http_values {
        struct span of[HTTP_VARIABLES_COUNT];
};

struct http_piece {
        int variable; /* enum http_variable; -1: text stands for itself */
        struct span text;
};

struct http_template {
        struct http_piece *pieces; /* whoever read it owns them, and the text they point into */
        size_t n;
};

/* Splits text at its variables; "$$" is one '$'. At most room pieces; http_template_room() are
 * always enough. 0; -EINVAL: *ret_bad is the unknown variable, '$' and all. */
size_t http_template_room(struct span text);
int http_template_read(struct http_template *ret,
                       struct http_piece *pieces,
                       struct span text,
                       struct span *ret_bad);

enum http_rule_op { HTTP_RULE_SET, HTTP_RULE_ADD, HTTP_RULE_REMOVE };

struct http_rule {
        enum http_rule_op op;
        struct span name;
        enum http_field id;
        struct http_template value; /* not of HTTP_RULE_REMOVE */
};

struct http_rules {
        struct http_rule *rules;
        size_t n;
};

/* "Name", "+Name", "-Name": op, name and id of *ret. 0; -EINVAL: not a token; -EPERM: a header that
 * bal itself answers for (framing, hop-by-hop, Expect, Host but for setting it in a request). */
int http_rule_read(struct http_rule *ret, enum http_side side, struct span key);

/* Does a rule set or remove headers of that name, so that no other ones pass? rules may be NULL. */
bool http_rules_find(const struct http_rules *rules, struct span name);

static inline bool http_rules_replace(const struct http_rules *rules, struct span name) {
        return rules && rules->n > 0 && http_rules_find(rules, name); /* mostly there are none */
}
