/* SPDX-License-Identifier: MIT */
/* What the tests of the configuration share. Included once per program. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "config/config.h"

static inline const struct diag *nth(const struct diags *d, unsigned n) {
        list_for_each(l, &d->list) {
                if (n-- == 0)
                        return container_of(l, struct diag, link);
        }
        fail_msg("fewer problems than expected");
        return NULL;
}

static inline int load(struct config **c, struct diags *d, const char *text) {
        *c = NULL;
        diags_init(d);
        return config_load_text(c, "t.yaml", text, strlen(text), d);
}

/* The text loads, without a warning. */
static inline struct config *load_good(const char *text) {
        struct config *c;
        struct diags d;

        if (load(&c, &d, text) < 0)
                fail_msg("%s: %s", nth(&d, 0)->message, text);
        assert_int_equal(d.n_warnings, 0);
        diags_done(&d);
        return c;
}
