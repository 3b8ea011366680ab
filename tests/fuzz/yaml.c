/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as a configuration: an answer with reasons, never a crash, a hang or a leak. Each one
 * that is sound is compared with the sound one before it, there and back.
 */

#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "config/diff.h"
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
        for (size_t i = 0; i < c->n_pools; i++) {
                const struct config_check *check = &c->pools[i].check;

                REQUIRE(c->pools[i].n_endpoints > 0 && c->pools[i].endpoints[0].name);
                REQUIRE(check->n_status > 0 && check->n_status <= CONFIG_STATUS_MAX);
                for (size_t k = 0; k < check->n_status; k++)
                        REQUIRE(check->status[k].first >= 100 && check->status[k].last <= 599 &&
                                check->status[k].first <= check->status[k].last);
        }

        config_values(c, require_value, &n);
        REQUIRE(n > 0);
}

struct differences {
        size_t n[3]; /* by action */
};

static void count_difference(const struct config_difference *d, void *userdata) {
        struct differences *n = userdata;

        REQUIRE(d->name && d->text && (d->action != CONFIG_CHANGED || *d->text));
        n->n[d->action]++;
}

static struct differences count_differences(const struct config *a, const struct config *b) {
        struct differences n = { .n = { 0 } };

        REQUIRE(config_diff(a, b, count_difference, &n) == 0);
        return n;
}

/* What one way adds the other one removes. What is changed may differ: a switch that is off hides
 * what is behind it. */
static void require_differences(const struct config *a, const struct config *b) {
        struct differences same = count_differences(b, b), there = count_differences(a, b),
                           back = count_differences(b, a);

        REQUIRE(same.n[0] + same.n[1] + same.n[2] == 0);
        REQUIRE(there.n[CONFIG_ADDED] == back.n[CONFIG_REMOVED]);
        REQUIRE(there.n[CONFIG_REMOVED] == back.n[CONFIG_ADDED]);
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
        static struct config *before;
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
        if (c && before)
                require_differences(before, c);
        if (c) {
                config_unref(before);
                before = c;
        }
        diags_done(&d);
        return 0;
}
