/* SPDX-License-Identifier: MIT */
/* What the tests of upstream share: a configuration from a text, generations from it. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "upstream/upstream.h"

static inline struct config *load(const char *text) {
        struct config *c = NULL;
        struct diags d;

        diags_init(&d);
        if (config_load_text(&c, "t.yaml", text, strlen(text), &d) < 0)
                fail_msg("%s: %s", container_of(d.list.next, struct diag, link)->message, text);
        diags_done(&d);
        return c;
}

/* The next generation, in force. */
static inline struct upstream *generation(const char *text,
                                          const struct upstream_names *names,
                                          struct upstream *prev,
                                          unsigned n_workers) {
        const struct upstream_names none = { 0 };
        struct config *c = load(text);
        struct upstream *u = NULL;

        assert_int_equal(upstream_new(&u, c, names ? names : &none, prev, n_workers), 0);
        config_unref(c);
        upstream_publish(u, 100);
        return u;
}

/* One worker's way to ask. */
struct asker {
        struct upstream_ask ask;
        struct upstream_choice choice;
        uint64_t tried[4];
};

static inline void asker_init(struct asker *a, const struct upstream *u) {
        const struct balance_ops *balance = u->frontends[0].config->balance;

        *a = (struct asker){ 0 };
        a->ask = (struct upstream_ask){
                .target = &u->frontends[0].targets[0],
                .balance = balance,
                .state =
                        calloc(1, balance->state_size + u->max_endpoints * balance->state_each + 1),
                .room = calloc(u->max_endpoints, sizeof(struct candidate)),
                .now_ms = 1000,
        };
        a->ask.tried = a->tried;
        assert_true(a->ask.state && a->ask.room);
}

static inline void asker_done(struct asker *a) {
        free(a->ask.state);
        free(a->ask.room);
}
