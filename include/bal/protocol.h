/* SPDX-License-Identifier: MIT */
/*
 * bal/protocol.h - the public contract of the control sockets, for daemon, CLI and bal-top alike.
 *
 * Varlink: one JSON object and a NUL per message. A call is {"method":"io.bal.Status.Get"}, with
 * "parameters" absent, null or {} if there are none; a reply is {"parameters":{}}, with "error" and
 * a qualified name if it failed. With "oneway":true a call gets no reply. Replies come in the order
 * of the calls. Both sockets also speak org.varlink.service, so they describe themselves; the types
 * of all parameters are in the *.varlink files beside this one.
 *
 * Two sockets instead of levels on one: the file mode is the permission. The status socket answers
 * io.bal.Status only, the admin socket answers both; each admin call is logged with the peer's uid
 * and pid.
 */
#pragma once

#define BAL_STATUS_SOCKET "status.sock" /* in /run/bal (group bal) or in ~/.bal */
#define BAL_ADMIN_SOCKET  "admin.sock"  /* beside it (group bal-admin) */

#define BAL_CLIENTS_MAX     64                /* per socket, so readers cannot lock out an admin */
#define BAL_CALL_MAX        (64 * 1024)       /* bytes of a message, without its NUL */
#define BAL_REPLY_MAX       (4 * 1024 * 1024) /* likewise */
#define BAL_DEPTH_MAX       32                /* of objects and arrays in each other */
#define BAL_STALL_MS        2000              /* unread for so long: the client is dropped */
#define BAL_PARTIAL_MS      10000             /* half a call without progress: likewise */
#define BAL_INTERVAL_MIN_MS 100               /* of a subscription */

#define BAL_NAME_SERVICE "org.varlink.service"
#define BAL_NAME_STATUS  "io.bal.Status"
#define BAL_NAME_ADMIN   "io.bal.Admin"

/* clang-format off */
/* X(enum, name, answered on the status socket, answered on the admin socket) */
#define BAL_INTERFACES(X)                                                                          \
        X(SERVICE, BAL_NAME_SERVICE, true,  true)                                                  \
        X(STATUS,  BAL_NAME_STATUS,  true,  true)                                                  \
        X(ADMIN,   BAL_NAME_ADMIN,   false, true)

/* X(enum, its interface, method, names of its parameters, may be answered more than once, help).
 * Only what the daemon really does stands here: the rows are what the sockets announce. */
#define BAL_METHODS(X)                                                                             \
        X(GET_INFO,        SERVICE, "GetInfo",                 "",          false,                 \
          "who answers, and which interfaces")                                                     \
        X(GET_DESCRIPTION, SERVICE, "GetInterfaceDescription", "interface", false,                 \
          "the text of the interface's .varlink file")                                             \
        X(GET,             STATUS,  "Get",                     "",          false,                 \
          "everything there is to show, once")                                                     \
        X(SUBSCRIBE,       STATUS,  "Subscribe",               "interval_ms", true,                \
          "what Get says, again and again")                                                        \
        X(GET_HISTORY,     STATUS,  "GetHistory",              "pool, backend, cells", false,       \
          "the last minutes of backends, and of all together")                                     \
        X(GET_EVENTS,      STATUS,  "GetEvents",               "level, event, limit", true,        \
          "the newest records of the log, and with more those to come")                            \
        X(GET_SESSIONS,    STATUS,  "GetSessions",                                                 \
          "frontend, pool, backend, client, id, min_age_ms, min_idle_ms, sort, limit", false,      \
          "the foremost of the established connections")                                           \
        X(GET_METRICS,     STATUS,  "GetMetrics",              "first",     false,                 \
          "what Prometheus reads, as text, from a family on")                                      \
        X(CLOSE_SESSIONS,  ADMIN,   "CloseSessions",                                               \
          "frontend, pool, backend, client, id, min_age_ms, min_idle_ms", false,                   \
          "closes the connections that match")                                                     \
        X(RELOAD,          ADMIN,   "Reload",                  "dry_run",   false,                 \
          "read the configuration again; all or nothing")                                          \
        X(SET_STATE,       ADMIN,   "SetState",                                                    \
          "pool, backend, state, deadline_ms, confirmed", false,                                   \
          "drain, maintenance, or back into service")                                              \
        X(SET_WEIGHT,      ADMIN,   "SetWeight",               "pool, backend, weight, confirmed", \
          false, "the share of a backend, until the file changes it")                              \
        X(STOP,            ADMIN,   "Stop",                    "",          false,                 \
          "drain, then end")

/* X(enum, interface, error, its parameters) */
#define BAL_ERRORS(X)                                                                              \
        X(NO_INTERFACE,      SERVICE, "InterfaceNotFound",    "interface")                         \
        X(NO_METHOD,         SERVICE, "MethodNotFound",       "method")                            \
        X(NOT_IMPLEMENTED,   SERVICE, "MethodNotImplemented", "method")                            \
        X(INVALID_PARAMETER, SERVICE, "InvalidParameter",     "parameter")                         \
        X(NO_SUCH_BACKEND,   STATUS,  "NoSuchBackend",        "pool, backend")                     \
        X(AMBIGUOUS_BACKEND, STATUS,  "AmbiguousBackend",     "backend, pools")                    \
        X(TOO_MANY_CLIENTS,  STATUS,  "TooManyClients",       "limit")                             \
        X(REPLY_TOO_LARGE,   STATUS,  "ReplyTooLarge",        "limit")                             \
        X(INTERNAL,          STATUS,  "Internal",             "what")                              \
        X(CONFIG_INVALID,    ADMIN,   "ConfigInvalid",                                             \
          "config_path, errors, warnings, diagnostics")                                            \
        X(RELOAD_FAILED,     ADMIN,   "ReloadFailed",         "reason")                            \
        X(POOL_WOULD_EMPTY,  ADMIN,   "PoolWouldBeEmpty",     "pool, usable, left, total")              \
        X(BUSY,              ADMIN,   "Busy",                 "what")

enum bal_interface {
#define X(id, name, on_status, on_admin) BAL_INTERFACE_##id,
        BAL_INTERFACES(X)
#undef X
        BAL_INTERFACES_COUNT
};

enum bal_method {
#define X(id, interface, method, parameters, more, help) BAL_METHOD_##id,
        BAL_METHODS(X)
#undef X
        BAL_METHODS_COUNT
};

enum bal_error {
#define X(id, interface, error, parameters) BAL_ERROR_##id,
        BAL_ERRORS(X)
#undef X
        BAL_ERRORS_COUNT
};
/* clang-format on */

enum bal_socket { BAL_SOCKET_STATUS, BAL_SOCKET_ADMIN, BAL_SOCKETS_COUNT };

const char *bal_interface_name(enum bal_interface i);
const char *bal_method_name(enum bal_method m); /* "io.bal.Status.Get" */
const char *bal_error_name(enum bal_error e);   /* "io.bal.Admin.Busy" */
int bal_error_find(const char *name);           /* enum bal_error; -ENOENT: a name of others */
