/* SPDX-License-Identifier: MIT */

#include "config/diff.h"

#include <stdio.h>
#include <string.h>

#include "balance/balance.h"
#include "config/arena.h"
#include "config/named.h"
#include "config/settings.h"
#include "core/str.h"

#define NONE SIZE_MAX

struct match {             /* which entry of one list is which of the other */
        size_t *to_after;  /* per entry of before; NONE: removed */
        size_t *to_before; /* per entry of after; NONE: added */
};

struct diff {
        const struct config *before, *after;
        struct match frontends, pools;
        struct match *backends; /* per pool of after; set for those that stay */
        config_diff_fn fn;
        void *userdata;
        struct arena arena;
};

const char *config_action_word(enum config_action a) {
        static const char *const words[] = {
#define X(id, word) [CONFIG_##id] = word,
                CONFIG_ACTIONS(X)
#undef X
        };

        return words[a];
}

const char *config_thing_word(enum config_thing t) {
        static const char *const words[] = {
#define X(id, word) [CONFIG_THING_##id] = word,
                CONFIG_THINGS(X)
#undef X
        };

        return words[t];
}

/* --- which is which ------------------------------------------------------------------------- */

typedef const char *(*name_fn)(const void *list, size_t i);

static const char *frontend_name(const void *list, size_t i) {
        return ((const struct config_frontend *)list)[i].name;
}

static const char *pool_name(const void *list, size_t i) {
        return ((const struct config_pool *)list)[i].name;
}

static const char *endpoint_name(const void *list, size_t i) {
        return ((const struct config_endpoint *)list)[i].name;
}

static struct named *sorted(struct arena *a, const void *list, size_t n, name_fn name) {
        struct named *names = arena_alloc(a, (n + 1) * sizeof(*names));

        for (size_t i = 0; names && i < n; i++)
                names[i] = (struct named){ name(list, i), i };
        if (names)
                named_sort(names, n);
        return names;
}

static int match(struct match *ret,
                 struct arena *a,
                 const void *before,
                 size_t n_before,
                 const void *after,
                 size_t n_after,
                 name_fn name) {
        struct named *b = sorted(a, before, n_before, name), *c = sorted(a, after, n_after, name);

        ret->to_after = arena_alloc(a, (n_before + 1) * sizeof(size_t));
        ret->to_before = arena_alloc(a, (n_after + 1) * sizeof(size_t));
        if (!b || !c || !ret->to_after || !ret->to_before)
                return -ENOMEM;
        memset(ret->to_after, 0xff, n_before * sizeof(size_t)); /* NONE */
        memset(ret->to_before, 0xff, n_after * sizeof(size_t));

        for (size_t i = 0, k = 0; i < n_before && k < n_after;) {
                int r = strcmp(b[i].name, c[k].name);

                if (r == 0) {
                        ret->to_after[b[i].index] = c[k].index;
                        ret->to_before[c[k].index] = b[i].index;
                }
                i += r <= 0;
                k += r >= 0;
        }
        return 0;
}

static int match_all(struct diff *d) {
        const struct config *b = d->before, *a = d->after;
        int r;

        r = match(&d->frontends, &d->arena, b->frontends, b->n_frontends, a->frontends,
                  a->n_frontends, frontend_name);
        if (r < 0)
                return r;
        r = match(&d->pools, &d->arena, b->pools, b->n_pools, a->pools, a->n_pools, pool_name);
        if (r < 0)
                return r;

        d->backends = arena_alloc(&d->arena, (a->n_pools + 1) * sizeof(*d->backends));
        if (!d->backends)
                return -ENOMEM;
        for (size_t i = 0; i < a->n_pools && r == 0; i++) {
                size_t was = d->pools.to_before[i];

                if (was != NONE)
                        r = match(&d->backends[i], &d->arena, b->pools[was].endpoints,
                                  b->pools[was].n_endpoints, a->pools[i].endpoints,
                                  a->pools[i].n_endpoints, endpoint_name);
        }
        return r;
}

/* --- what is added and removed -------------------------------------------------------------- */

static void tell(const struct diff *d,
                 enum config_action action,
                 enum config_thing thing,
                 const char *pool,
                 const char *name,
                 const char *text) {
        struct config_difference difference = {
                .action = action, .thing = thing, .pool = pool, .name = name, .text = text
        };

        d->fn(&difference, d->userdata);
}

/* Listeners are few: each is compared with each. */
static bool listens(const struct config_frontend *f, const struct addr *a) {
        for (size_t i = 0; i < f->n_listen; i++) {
                if (addr_equal(&f->listen[i], a))
                        return true;
        }
        return false;
}

static void tell_listeners(const struct diff *d,
                           enum config_action action,
                           const struct config_frontend *of,
                           const struct config_frontend *other) {
        char address[ADDR_TEXT_MAX], text[128];

        snprintf(text, sizeof(text), "frontend %s", of->name);
        for (size_t i = 0; i < of->n_listen; i++) {
                if (!listens(other, &of->listen[i]))
                        tell(d, action, CONFIG_THING_LISTENER, NULL,
                             addr_text(&of->listen[i], address), text);
        }
}

/* "listen 10.20.0.5:80, [::1]:80 and 3 more, backend web" */
static void tell_frontend(const struct diff *d,
                          enum config_action action,
                          const struct config *c,
                          const struct config_frontend *f) {
        char one[ADDR_TEXT_MAX], two[ADDR_TEXT_MAX] = "", more[32] = "";
        char text[2 * ADDR_TEXT_MAX + 160];

        if (f->n_listen > 1)
                addr_text(&f->listen[1], two);
        if (f->n_listen > 2)
                snprintf(more, sizeof(more), " and %zu more", f->n_listen - 2);
        snprintf(text, sizeof(text), "listen %s%s%s%s, backend %s", addr_text(&f->listen[0], one),
                 *two ? ", " : "", two, more, c->pools[f->pool].name);
        tell(d, action, CONFIG_THING_FRONTEND, NULL, f->name, text);
}

static void tell_pool(const struct diff *d,
                      enum config_action action,
                      const struct config_pool *p) {
        char text[32];

        snprintf(text, sizeof(text), "%zu backend%s", p->n_endpoints,
                 p->n_endpoints == 1 ? "" : "s");
        tell(d, action, CONFIG_THING_POOL, NULL, p->name, text);
}

/* Of a new backend what is not the default: "weight 3, backup true". */
static void tell_backend(const struct diff *d,
                         enum config_action action,
                         const struct config_pool *p,
                         const struct config_endpoint *e) {
        char text[96];
        size_t n = 0;

        text[0] = '\0';
        if (action == CONFIG_ADDED && e->weight != 1)
                n += (size_t)snprintf(text + n, sizeof(text) - n, "weight %u", e->weight);
        if (action == CONFIG_ADDED && e->backup)
                n += (size_t)snprintf(text + n, sizeof(text) - n, "%sbackup true", n ? ", " : "");
        if (action == CONFIG_ADDED && e->max_connections > 0)
                snprintf(text + n, sizeof(text) - n, "%smax_connections %u", n ? ", " : "",
                         e->max_connections);
        tell(d, action, CONFIG_THING_BACKEND, p->name, e->name, text);
}

/* --- the three rounds ----------------------------------------------------------------------- */

static void tell_removed(const struct diff *d) {
        const struct config *b = d->before, *a = d->after;

        for (size_t i = 0; i < b->n_frontends; i++) {
                size_t is = d->frontends.to_after[i];

                if (is == NONE)
                        tell_frontend(d, CONFIG_REMOVED, b, &b->frontends[i]);
                else
                        tell_listeners(d, CONFIG_REMOVED, &b->frontends[i], &a->frontends[is]);
        }
        for (size_t i = 0; i < b->n_pools; i++) {
                const struct config_pool *p = &b->pools[i];
                size_t is = d->pools.to_after[i];

                if (is == NONE)
                        tell_pool(d, CONFIG_REMOVED, p);
                for (size_t k = 0; is != NONE && k < p->n_endpoints; k++) {
                        if (d->backends[is].to_after[k] == NONE)
                                tell_backend(d, CONFIG_REMOVED, p, &p->endpoints[k]);
                }
        }
}

static void tell_global(const char *name, const char *text, void *userdata) {
        tell(userdata, CONFIG_CHANGED, CONFIG_THING_GLOBAL, NULL, name, text);
}

/* Takes the text; "" says that nothing has changed. */
static void tell_changed(const struct diff *d,
                         enum config_thing thing,
                         const char *pool,
                         const char *name,
                         char *text) {
        if (*text)
                tell(d, CONFIG_CHANGED, thing, pool, name, text);
        str_freep(&text);
}

static int tell_changed_backends(const struct diff *d, size_t was, size_t is) {
        const struct config_pool *b = &d->before->pools[was], *a = &d->after->pools[is];

        for (size_t i = 0; i < a->n_endpoints; i++) {
                size_t k = d->backends[is].to_before[i];
                char *text;
                int r;

                if (k == NONE)
                        continue;
                r = settings_of_backend(&text, &b->endpoints[k], &a->endpoints[i]);
                if (r < 0)
                        return r;
                tell_changed(d, CONFIG_THING_BACKEND, a->name, a->endpoints[i].name, text);
        }
        return 0;
}

/* Where a frontend takes the first usable backend, their order is behaviour. */
static bool order_counts(const struct config *c, size_t pool) {
        for (size_t i = 0; i < c->n_frontends; i++) {
                const struct config_frontend *f = &c->frontends[i];

                if (config_uses(f, pool) && strcmp(f->balance->name, "first") == 0)
                        return true;
        }
        return false;
}

/* Those that stay, seen alone. */
static bool is_reordered(const struct match *m, size_t n_after) {
        size_t before = NONE;

        for (size_t i = 0; i < n_after; i++) {
                if (m->to_before[i] == NONE)
                        continue;
                if (before != NONE && m->to_before[i] < before)
                        return true;
                before = m->to_before[i];
        }
        return false;
}

/* Adds to the text of a pool. */
static int add_order(const struct diff *d, size_t is, char **text) {
        static const char what[] = "order of the backends";
        char *longer;

        if (!order_counts(d->after, is) ||
            !is_reordered(&d->backends[is], d->after->pools[is].n_endpoints))
                return 0;
        longer = **text ? str_printf("%s; %s", *text, what) : strdup(what);
        if (!longer)
                return -ENOMEM;
        str_freep(text);
        *text = longer;
        return 0;
}

static int tell_changed_pools(const struct diff *d) {
        struct settings_ends e = { .before = d->before, .after = d->after };

        for (size_t i = 0; i < d->after->n_pools; i++) {
                char *text;
                int r;

                e.index_before = d->pools.to_before[i];
                e.index_after = i;
                if (e.index_before == NONE)
                        continue;
                r = settings_of_pool(&text, &e);
                if (r < 0)
                        return r;
                r = add_order(d, i, &text);
                if (r < 0) {
                        str_freep(&text);
                        return r;
                }
                tell_changed(d, CONFIG_THING_POOL, NULL, d->after->pools[i].name, text);
                r = tell_changed_backends(d, e.index_before, i);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int tell_changed_all(struct diff *d) {
        struct settings_ends e = { .before = d->before, .after = d->after };
        int r;

        r = settings_of_daemon(&e, tell_global, d);
        for (size_t i = 0; i < d->after->n_frontends && r == 0; i++) {
                char *text;

                e.index_before = d->frontends.to_before[i];
                e.index_after = i;
                if (e.index_before == NONE)
                        continue;
                r = settings_of_frontend(&text, &e);
                if (r == 0)
                        tell_changed(d, CONFIG_THING_FRONTEND, NULL, d->after->frontends[i].name,
                                     text);
        }
        return r < 0 ? r : tell_changed_pools(d);
}

static void tell_added(const struct diff *d) {
        const struct config *b = d->before, *a = d->after;

        for (size_t i = 0; i < a->n_frontends; i++) {
                size_t was = d->frontends.to_before[i];

                if (was == NONE)
                        tell_frontend(d, CONFIG_ADDED, a, &a->frontends[i]);
                else
                        tell_listeners(d, CONFIG_ADDED, &a->frontends[i], &b->frontends[was]);
        }
        for (size_t i = 0; i < a->n_pools; i++) {
                const struct config_pool *p = &a->pools[i];
                bool is_new = d->pools.to_before[i] == NONE;

                if (is_new)
                        tell_pool(d, CONFIG_ADDED, p);
                for (size_t k = 0; !is_new && k < p->n_endpoints; k++) {
                        if (d->backends[i].to_before[k] == NONE)
                                tell_backend(d, CONFIG_ADDED, p, &p->endpoints[k]);
                }
        }
}

static int tell_all(struct diff *d) {
        int r;

        r = match_all(d);
        if (r < 0)
                return r;
        tell_removed(d);
        r = tell_changed_all(d);
        if (r < 0)
                return r;
        tell_added(d);
        return 0;
}

int config_diff(const struct config *before,
                const struct config *after,
                config_diff_fn fn,
                void *userdata) {
        struct diff d = { .before = before, .after = after, .fn = fn, .userdata = userdata };
        int r = tell_all(&d);

        arena_done(&d.arena);
        return r;
}
