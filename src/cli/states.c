/* SPDX-License-Identifier: MIT */

#include "cli/states.h"

#include <string.h>

#include "cli/doc.h"
#include "core/str.h"

/* clang-format off */
const struct state_info states[STATES_COUNT] = {
#define X(id, key_, word_, colour_, trouble_)                                                      \
        [STATE_##id] = { .key = (key_), .word = (word_), .colour = (colour_),                      \
                         .trouble = (trouble_) },
        STATES(X)
#undef X
};
/* clang-format on */

enum state state_find(const char *key) {
        enum state s = 0;

        while (s < STATES_COUNT && strcmp(states[s].key, key) != 0)
                s++;
        return s;
}

const char *state_closest(const char *key) {
        const char *words[STATES_COUNT + 1] = { NULL };

        for (enum state s = 0; s < STATES_COUNT; s++)
                words[s] = states[s].key;
        return str_closest(key, words);
}

enum state state_of(const json_t *backend) {
        enum state s = state_find(doc_text(backend, "state", ""));

        return s < STATES_COUNT ? s : STATE_DOWN;
}

const char *state_word(const char *key) {
        enum state s = state_find(key);

        return s < STATES_COUNT ? states[s].word : key;
}
