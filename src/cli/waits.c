/* SPDX-License-Identifier: MIT */

#include "cli/waits.h"

#include <stdio.h>

#include "cli/doc.h"

struct waits waits_of(const json_t *doc) {
        struct waits sum = { 0 };
        json_t *f;
        size_t i;

        json_array_foreach(doc_array(doc, "frontends"), i, f) {
                const json_t *by = json_object_get(f, "waiting_for");

                sum.slot += doc_int(by, "slot");
                sum.full += doc_int(by, "backend_full");
        }
        return sum;
}

int64_t waits_held(const json_t *doc) {
        int64_t sum = 0;
        json_t *pool;
        size_t i;

        json_array_foreach(doc_array(doc, "pools"), i, pool)
                sum += doc_int(pool, "holding");
        return sum;
}

bool waits_held_text(const json_t *pool, char ret[static WAITS_TEXT_MAX]) {
        long long n = doc_int(pool, "holding");

        if (n <= 0)
                return false;
        snprintf(ret, WAITS_TEXT_MAX,
                 "%lld client%s for a backend of pool %s: none can take %s now", n,
                 n == 1 ? " waits" : "s wait", doc_text(pool, "name", "?"), n == 1 ? "it" : "them");
        return true;
}
