/* SPDX-License-Identifier: MIT */

#include "term_names.h"

#include <string.h>

#include "core/base.h"

const char *const *term_names(const char *term) {
        static const char *const alike[] = { "xterm", "alacritty", "foot", "ghostty", "wezterm" };
        static const char *names[4];
        size_t n = 0;

        if (term && *term)
                names[n++] = term;
        for (size_t i = 0; n > 0 && i < ELEMENTS(alike); i++) {
                if (strncmp(term, alike[i], strlen(alike[i])) == 0) {
                        names[n++] = "xterm-256color";
                        break;
                }
        }
        names[n++] = "vt100";
        names[n] = NULL;
        return names;
}
