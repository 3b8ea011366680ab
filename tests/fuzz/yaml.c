/* SPDX-License-Identifier: MIT */
/* Any bytes as a configuration: an answer with reasons, never a crash, a hang or a leak. */

#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "config/report.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(x)                                                                                 \
        do {                                                                                       \
                if (!(x))                                                                          \
                        abort();                                                                   \
        } while (0)

static void require_value(const struct config_value *v, void *userdata) {
        size_t *n = userdata;

        REQUIRE(v->path && v->value && v->source);
        (*n)++;
}

static void require_model(const struct config *c) {
        size_t n = 0;

        REQUIRE(c->n_frontends > 0 && c->n_pools > 0 && c->workers > 0);
        for (size_t i = 0; i < c->n_frontends; i++) {
                REQUIRE(c->frontends[i].pool < c->n_pools && c->frontends[i].balance);
                REQUIRE(c->frontends[i].n_listen > 0 && c->frontends[i].backlog > 0);
        }
        for (size_t i = 0; i < c->n_pools; i++)
                REQUIRE(c->pools[i].n_endpoints > 0 && c->pools[i].endpoints[0].name);

        config_values(c, require_value, &n);
        REQUIRE(n > 0);
}

static void require_problems(const struct diags *d) {
        json_t *list = report_diagnostics(d);
        unsigned line = 0;

        REQUIRE(list); /* NULL would mean texts that are not UTF-8 */
        json_decref(list);
        list_for_each(l, &d->list) {
                const struct diag *p = container_of(l, struct diag, link);

                REQUIRE(p->at.line >= line);
                REQUIRE(*p->message && *p->brief && *p->do_this_now);
                REQUIRE(strlen(p->message) < 4096 && strlen(p->do_this_now) < 4096);
                line = p->at.line;
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct config *c = NULL;
        struct diags d;
        int r;

        diags_init(&d);
        r = config_load_text(&c, "fuzz.yaml", (const char *)data, size, &d);
        REQUIRE((r == 0) == (c != NULL));
        REQUIRE(r == 0 || d.n_errors > 0);
        if (c)
                require_model(c);
        require_problems(&d);
        config_unref(c);
        diags_done(&d);
        return 0;
}
