/* SPDX-License-Identifier: MIT */

#include "balance/balance.h"

#include <string.h>

static const struct {
        const char *name; /* as in the configuration */
        const struct balance_ops *ops;
} table[] = {
        { "round_robin", &balance_round_robin },
        { "least_connections", &balance_least_connections },
        { "ip_hash", &balance_ip_hash },
        { "random", &balance_random },
        { "first", &balance_first },
        { "weighted", &balance_round_robin }, /* historic; weights always count */
};

const struct balance_ops *balance_find(const char *name) {
        for (size_t i = 0; i < ELEMENTS(table); i++)
                if (strcmp(table[i].name, name) == 0)
                        return table[i].ops;
        return NULL;
}

const char *const *balance_names(void) {
        static const char *const names[] = {
                "round_robin", "least_connections", "ip_hash", "random", "first", NULL,
        };

        return names;
}
