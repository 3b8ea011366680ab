/* SPDX-License-Identifier: MIT */
/*
 * config/diff.h - what a new configuration changes, in the words of the screen.
 *
 * Things are the same when their names are: frontends and pools by name, backends by pool and name.
 * The order in the file does not matter, but for backends that are chosen by `first`; nor does the
 * dialect. Nothing is said twice: a pool that is added or removed speaks for its backends, a
 * frontend for its listeners. What counts is what is in force: a value that is now given and was
 * the default before is no difference.
 *
 * Both configurations come from config_load() or config_load_text().
 */
#pragma once

#include "config/config.h"

/* X(enum, word) */
#define CONFIG_ACTIONS(X) X(ADDED, "added") X(REMOVED, "removed") X(CHANGED, "changed")
#define CONFIG_THINGS(X)                                                                           \
        X(GLOBAL, "global") /* a setting of the whole daemon; name is its key */                   \
        X(FRONTEND, "frontend")                                                                    \
        X(LISTENER, "listener") /* an address of a frontend that stays */                          \
        X(POOL, "pool")                                                                            \
        X(BACKEND, "backend")

enum config_action {
#define X(id, word) CONFIG_##id,
        CONFIG_ACTIONS(X)
#undef X
};
enum config_thing {
#define X(id, word) CONFIG_THING_##id,
        CONFIG_THINGS(X)
#undef X
};
const char *config_action_word(enum config_action a);
const char *config_thing_word(enum config_thing t);

struct config_difference { /* all borrowed, valid during the call */
        enum config_action action;
        enum config_thing thing;
        const char *pool; /* of a backend; NULL: another thing */
        const char *name;
        const char *text; /* for people, in keys and values of the file; may be "" */
};
typedef void (*config_diff_fn)(const struct config_difference *d, void *userdata);

/* Removed things first, then changed, then added; each in the order of its file. Texts:
 *
 *   frontend, added or removed   "listen 10.20.0.5:80, [::1]:80 and 3 more, backend web"
 *   listener                     "frontend web"
 *   pool, added or removed       "3 backends"
 *   backend, added               "weight 3, backup true"; removed: ""
 *   global, changed              "info -> debug"
 *   what else changed            "slow_start 0s -> 10s; tuned for 3 backends: connect_timeout ...";
 *                                of a pool also "order of the backends", of a frontend also
 *                                "http.request_headers changed (X-A), routes changed (3 -> 4)"
 *
 * -ENOMEM; fn may have been called by then. */
int config_diff(const struct config *before,
                const struct config *after,
                config_diff_fn fn,
                void *userdata);
