/* SPDX-License-Identifier: MIT */
/* config/named.h - the entries of a list by name: sorted, so that thousands are found quickly. */
#pragma once

#include <stdlib.h>
#include <string.h>

#include "core/base.h"

struct named {
        const char *name;
        size_t index; /* in its list */
};

static inline int named_compare(const void *a, const void *b) {
        const struct named *x = a, *y = b;
        int r = strcmp(x->name, y->name);

        return r != 0 ? r : (x->index > y->index) - (x->index < y->index);
}

static inline void named_sort(struct named *names, size_t n) {
        if (n > 0)
                qsort(names, n, sizeof(*names), named_compare);
}
