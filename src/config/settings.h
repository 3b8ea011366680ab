/* SPDX-License-Identifier: MIT */
/*
 * config/settings.h - what differs in the settings of two things of one name, as a sentence.
 *
 * Values are compared and written as they would stand in the file, by the name the key has in the
 * dialect of the newer one. What is no difference in force is none: a frontend's connect_timeout
 * that follows its pool's, the interval of checks that are not made.
 */
#pragma once

#include "config/config.h"

struct settings_ends {
        const struct config *before, *after;
        size_t index_before, index_after; /* of the pool or frontend in its list */
};

/* "interval 500ms -> 1s, ...; tuned for 3 backends: ..."; "" when there is no difference.
 * -ENOMEM. */
int settings_of_pool(char **ret, const struct settings_ends *e);
int settings_of_frontend(char **ret, const struct settings_ends *e);
int settings_of_backend(char **ret,
                        const struct config_endpoint *before,
                        const struct config_endpoint *after);

/* One call per key that differs: name "log_level", text "info -> debug". -ENOMEM. */
typedef void (*settings_fn)(const char *name, const char *text, void *userdata);
int settings_of_daemon(const struct settings_ends *e, settings_fn fn, void *userdata);
