/* SPDX-License-Identifier: MIT */
/* cli/states.h - the states of a backend, their words in documents and on screens, colours. */
#pragma once

#include <jansson.h>

#include "cli/out.h"

/* clang-format off */
/* X(enum, word in the document, word on the screen, colour, trouble), worst first */
#define STATES(X)                                                                                  \
        X(DOWN,  "down",  "DOWN",  RED,     true)                                                  \
        X(COOL,  "cool",  "COOL",  MAGENTA, true)                                                  \
        X(DRAIN, "drain", "DRAIN", YELLOW,  false)                                                 \
        X(MAINT, "maint", "MAINT", CYAN,    false)                                                 \
        X(UP,    "up",    "UP",    PLAIN,   false)

enum state {
#define X(id, key, word, colour, trouble) STATE_##id,
        STATES(X)
#undef X
        STATES_COUNT
};
/* clang-format on */

struct state_info {
        const char *key, *word;
        enum colour colour;
        bool trouble;
};
extern const struct state_info states[STATES_COUNT];

enum state state_find(const char *key); /* STATES_COUNT: none of them */
const char *state_closest(const char *key);
/* Of a backend in a document. A state of a later release counts as down: rather shown than
 * hidden. */
enum state state_of(const json_t *backend);
const char *state_word(const char *key); /* "DRAIN"; the key itself if it is none of them */
