/* SPDX-License-Identifier: MIT */

#include "balance/balance.h"

#include <string.h>

static const struct {
        const char *name; /* as in the configuration */
        const struct balance_ops *ops;
} table[] = {
#define X(name) { #name, &balance_##name },
        BALANCE_ALGORITHMS(X)
#undef X
                { "weighted", &balance_round_robin }, /* historic; weights always count */
};

const struct balance_ops *balance_find(const char *name) {
        for (size_t i = 0; i < ELEMENTS(table); i++)
                if (strcmp(table[i].name, name) == 0)
                        return table[i].ops;
        return NULL;
}
