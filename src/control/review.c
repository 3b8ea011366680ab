/* SPDX-License-Identifier: MIT */

#include "control/review.h"

#include <string.h>

#include "core/log.h"

#define LOG_MODULE "reload"

#define LOAD(x) atomic_load_explicit(&(x), memory_order_relaxed)

/* Finds pools and backends by name. What is asked for comes nearly in the order of the file, so
 * each search begins at the last find; then thousands do not cost their square. */
struct finder {
        const struct config *config;
        size_t pool, backend; /* where to begin; of the last find after that */
};

static bool find_pool(struct finder *f, const char *name) {
        const struct config *c = f->config;

        for (size_t k = 0; k < c->n_pools; k++) {
                size_t i = (f->pool + k) % c->n_pools;

                if (strcmp(c->pools[i].name, name) != 0)
                        continue;
                if (i != f->pool)
                        f->backend = 0;
                f->pool = i;
                return true;
        }
        return false;
}

static bool find_backend(struct finder *f, const char *pool, const char *name) {
        const struct config_pool *p;

        if (!find_pool(f, pool))
                return false;
        p = &f->config->pools[f->pool];
        for (size_t k = 0; k < p->n_endpoints; k++) {
                size_t i = (f->backend + k) % p->n_endpoints;

                if (strcmp(p->endpoints[i].name, name) != 0)
                        continue;
                f->backend = i;
                return true;
        }
        return false;
}

/* ---- differences ---- */

struct reviewing {
        struct review *review;
        const struct upstream *now;
        struct finder before, after;
};

static const struct config_pool *pool_of(const struct finder *f) {
        return &f->config->pools[f->pool];
}

static void count_removed_pool(struct reviewing *x, const char *name) {
        const struct upstream_pool *pool;

        if (!find_pool(&x->before, name))
                return;
        pool = &x->now->pools[x->before.pool];
        x->review->backends.removed += pool->n_endpoints;
        for (size_t i = 0; i < pool->n_endpoints; i++)
                x->review->draining += endpoint_active(pool->endpoints[i].endpoint);
}

static void count_removed_backend(struct reviewing *x, const char *pool, const char *name) {
        const struct upstream_pool *p;

        x->review->backends.removed++;
        if (!find_backend(&x->before, pool, name))
                return;
        p = &x->now->pools[x->before.pool];
        x->review->draining += endpoint_active(p->endpoints[x->before.backend].endpoint);
}

static void count(struct reviewing *x, const struct config_difference *d) {
        struct review *r = x->review;

        r->n_changes++;
        if (d->thing == CONFIG_THING_POOL && d->action == CONFIG_REMOVED)
                count_removed_pool(x, d->name);
        else if (d->thing == CONFIG_THING_POOL && d->action == CONFIG_ADDED)
                r->backends.added +=
                        find_pool(&x->after, d->name) ? pool_of(&x->after)->n_endpoints : 0;
        else if (d->thing == CONFIG_THING_BACKEND && d->action == CONFIG_REMOVED)
                count_removed_backend(x, d->pool, d->name);
        else if (d->thing == CONFIG_THING_BACKEND && d->action == CONFIG_ADDED)
                r->backends.added++;
        else if (d->thing == CONFIG_THING_BACKEND)
                r->backends.changed++;
}

static void on_difference(const struct config_difference *d, void *userdata) {
        struct reviewing *x = userdata;

        count(x, d);
        if (json_array_size(x->review->changes) < REVIEW_CHANGES_MAX)
                json_array_append_new(x->review->changes,
                                      json_pack("{s:s, s:s, s:s?, s:s, s:s}", "action",
                                                config_action_word(d->action), "object",
                                                config_thing_word(d->thing), "pool", d->pool,
                                                "name", d->name, "text", d->text));
}

/* ---- what was set live ---- */

/* Whoever set a weight by hand hears when the file takes it away: upstream_publish() does so where
 * the file's own weight has changed. */
static bool weight_gives_way(struct finder *after, const struct endpoint *e) {
        const struct config_endpoint *c;

        if (LOAD(e->weight) == e->file_weight || !find_backend(after, e->pool, e->name))
                return false;
        c = &pool_of(after)->endpoints[after->backend];
        return c->weight != e->file_weight && c->weight != LOAD(e->weight);
}

static void add_notes(struct reviewing *x) {
        struct finder after = { .config = x->after.config };
        size_t n = 0;

        for (size_t i = 0; i < x->now->config->n_pools; i++)
                for (size_t j = 0; j < x->now->pools[i].n_endpoints; j++) {
                        const struct endpoint *e = x->now->pools[i].endpoints[j].endpoint;

                        if (!weight_gives_way(&after, e) || ++n > REVIEW_NOTES_MAX)
                                continue;
                        json_array_append_new(
                                x->review->notes,
                                json_sprintf("%s/%s: the weight %u that was set live gives way to "
                                             "the %u of the file",
                                             e->pool, e->name, LOAD(e->weight),
                                             pool_of(&after)->endpoints[after.backend].weight));
                }
        if (n > REVIEW_NOTES_MAX)
                json_array_append_new(x->review->notes,
                                      json_sprintf("%zu more weights that were set live give way "
                                                   "to those of the file",
                                                   n - REVIEW_NOTES_MAX));
}

/* ---- all of it ---- */

int review_make(struct review *ret, const struct upstream *now, const struct config *next) {
        struct reviewing x = { .review = ret,
                               .now = now,
                               .before = { .config = now->config },
                               .after = { .config = next } };

        *ret = (struct review){ .changes = json_array(), .notes = json_array() };
        if (!ret->changes || !ret->notes)
                return -ENOMEM;
        add_notes(&x);
        return config_diff(now->config, next, on_difference, &x);
}

static bool is_text(const json_t *change, const char *key, const char *wanted) {
        const char *text = json_string_value(json_object_get(change, key));

        return text && strcmp(text, wanted) == 0;
}

static bool was_added(const struct review *r, const struct endpoint *e) {
        const json_t *change;
        size_t i;

        json_array_foreach(r->changes, i, change)
                if (is_text(change, "action", "added") && is_text(change, "object", "backend") &&
                    is_text(change, "pool", e->pool) && is_text(change, "name", e->name))
                        return true;
        return false;
}

void review_note_marks(struct review *r, const struct upstream *now) {
        for (size_t i = 0; r->notes && i < now->config->n_pools; i++)
                for (size_t j = 0; j < now->pools[i].n_endpoints; j++) {
                        const struct endpoint *e = now->pools[i].endpoints[j].endpoint;

                        if (LOAD(e->admin) == ADMIN_READY || !was_added(r, e) ||
                            json_array_size(r->notes) > REVIEW_NOTES_MAX)
                                continue;
                        json_array_append_new(
                                r->notes,
                                json_sprintf("%s/%s: comes back in %s, as it left; bal backend "
                                             "enable %s/%s puts it into service",
                                             e->pool, e->name, admin_state_word(LOAD(e->admin)),
                                             e->pool, e->name));
                }
}

void review_done(struct review *r) {
        json_decref(r->changes);
        json_decref(r->notes);
        *r = (struct review){ 0 };
}

static const char *member(const json_t *change, const char *key) {
        return json_string_value(json_object_get(change, key));
}

void review_log(const struct review *r) {
        const json_t *note;
        json_t *change;
        size_t i;

        json_array_foreach(r->changes, i, change) {
                if (i == REVIEW_LINES_MAX)
                        break;
                log_info(config_change, "the configuration has changed",
                         F_STR("action", member(change, "action")),
                         F_STR("object", member(change, "object")),
                         F_STR("pool", member(change, "pool")),
                         F_STR("name", member(change, "name")),
                         F_STR("text", member(change, "text")));
        }
        if (r->n_changes > REVIEW_LINES_MAX)
                log_info(config_change, "there are more changes of the configuration",
                         F_U64("more", r->n_changes - REVIEW_LINES_MAX));
        json_array_foreach(r->notes, i, note)
                log_info(config_change, "a live setting has given way to the file",
                         F_STR("text", json_string_value(note)));
}
