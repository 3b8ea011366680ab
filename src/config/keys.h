/* SPDX-License-Identifier: MIT */
/* config/keys.h - the table of keys for people and programs: `bal config keys`, tests. */
#pragma once

#include <jansson.h>

#include "config/config.h"

struct config_key {
        const char *path;      /* "runtime.tcp_backlog", "backends[].servers[].weight" */
        const char *type;      /* "number", "duration", "section", ... */
        const char *unit;      /* "ms"; NULL: none */
        const char *dflt;      /* as in the file; NULL: none */
        const char *tuned;     /* "200 | 500 | 700 | 1000", see below; NULL: not tuned */
        const char *min, *max; /* as in the file: "1", "24h"; of a list its entries; NULL: none */
        const char *const *choices; /* NULL-terminated; NULL: any */
        const char *help;
        bool required;
        bool historic; /* accepted and ignored */
};

/* tuned: with `runtime` in the file (simple dialect only) | up to 2 backends | 3 to 5 | more. The
 * key is valid during the call; sections come before what is in them. */
typedef void (*config_key_fn)(const struct config_key *k, void *userdata);
void config_keys(enum config_dialect dialect, config_key_fn fn, void *userdata);

/* [{dialect path type unit default tuned min max choices required later help}, ...] of both
 * dialects; what does not apply is null. later: never now, but a key of JSON stays. A new
 * reference; NULL: out of memory. */
json_t *config_keys_json(void);
