/* SPDX-License-Identifier: MIT */

#include "config/walk.h"

#include <string.h>

#include "config/value.h"
#include "config/walk_lists.h"
#include "core/str.h"

static int walk_section(struct walk *w,
                        const struct section *s,
                        void *raw,
                        struct node *map,
                        const struct scope *scope);

/* --- values --------------------------------------------------------------------------------- */

static int walk_subsection(struct walk *w,
                           const struct field *f,
                           struct value *v,
                           struct node *key,
                           struct node *n,
                           const struct scope *scope) {
        if (!walk_shape(w, f, key, n, NODE_MAP, scope))
                return 0;

        v->section = arena_alloc(w->arena, f->section->size);
        if (!v->section)
                return -ENOMEM;
        v->source = VALUE_FILE;
        return walk_section(w, f->section, v->section, n, scope);
}

static const char *item_name(const struct section *s, const struct node *item) {
        const struct field *f = section_find(s, "name");
        struct value v;

        if (!f || item->kind != NODE_MAP)
                return NULL;
        for (const struct node *key = item->first; key; key = key->next) {
                if (key->kind == NODE_SCALAR && strcmp(key->text, "name") == 0 &&
                    key->value->kind == NODE_SCALAR && strlen(key->value->text) == key->value->n &&
                    value_parse(&v, f, key->value->text) == VERDICT_OK)
                        return key->value->text;
        }
        return NULL;
}

static int walk_list(struct walk *w,
                     const struct field *f,
                     struct value *v,
                     struct node *key,
                     struct node *n,
                     const struct scope *scope) {
        const struct field item_field = { .name = "entry", .type = FIELD_SECTION };
        char *items;
        unsigned i = 0;
        int r;

        if (!walk_shape(w, f, key, n, NODE_LIST, scope))
                return 0;

        items = arena_alloc(w->arena, n->n_children * f->section->size);
        if (!items)
                return -ENOMEM;
        v->list.items = items;
        v->list.n = n->n_children;
        v->source = VALUE_FILE;

        for (struct node *item = n->first; item && !problems_enough(w->ctx);
             item = item->next, i++) {
                struct scope here = { .up = scope,
                                      .name = item_name(f->section, item),
                                      .index = i };

                if (!walk_shape(w, &item_field, NULL, item, NODE_MAP, &here)) {
                        v->source = VALUE_BAD;
                        continue;
                }
                r = walk_section(w, f->section, items + i * f->section->size, item, &here);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int walk_value(struct walk *w,
                      const struct field *f,
                      struct value *v,
                      struct node *key,
                      struct node *n,
                      const struct scope *scope) {
        v->source = VALUE_BAD;
        v->line = n->line;
        v->key = key;
        v->node = n;

        if (field_has_texts(f))
                return walk_texts(w, f, v, key, n, scope);
        if (field_has_pairs(f))
                return walk_map(w, f, v, key, n, scope);

        switch (f->type) {
        case FIELD_SECTION:
                return walk_subsection(w, f, v, key, n, scope);
        case FIELD_LIST:
                return walk_list(w, f, v, key, n, scope);
        case FIELD_STATUS:
                return walk_statuses(w, f, v, key, n, scope);
        case FIELD_ACCESS:
                return walk_access(w, f, v, key, n, scope);
        default:
                if (value_read(v, w->ctx, scope, f, key, n) == 0)
                        v->source = VALUE_FILE;
                return 0;
        }
}

/* --- keys ----------------------------------------------------------------------------------- */

static int walk_key(struct walk *w,
                    const struct section *s,
                    void *raw,
                    struct node *key,
                    const struct scope *scope,
                    uint64_t *covered) {
        struct scope here = { .up = scope, .key = key->text };
        const struct field *f;
        struct value *v;
        int r;

        if (key->reported)
                return 0;
        if (key->kind != NODE_SCALAR) {
                walk_report_no_word(w, key, scope);
                return 0;
        }

        f = strlen(key->text) == key->n ? section_find(s, key->text) : NULL;
        if (!f) {
                f = walk_report_unknown(w, s, raw, key, scope);
                if (f)
                        *covered |= UINT64_C(1) << (f - s->fields);
                return 0;
        }

        v = field_value(f, raw);
        if (v->source != VALUE_UNSET) {
                walk_report_duplicate(w, v->key, key, scope);
                return 0;
        }

        r = walk_value(w, f, v, key, key->value, &here);
        if (r < 0)
                return r;
        if (f->flags & FIELD_HISTORIC)
                walk_warn_historic(w, key, &here);
        return 0;
}

/* The port of a backend: not needed where the host is a Unix socket or is wrong itself. */
static bool is_excused(const struct section *s, const struct field *f, void *raw) {
        const struct field *host = section_find(s, "host");
        const struct value *v = host ? field_value(host, raw) : NULL;

        if (!(f->flags & FIELD_TCP_ONLY) || !v)
                return false;
        return v->source == VALUE_BAD ||
               (v->source == VALUE_FILE && strncmp(v->s, "unix:", strlen("unix:")) == 0);
}

static int walk_section(struct walk *w,
                        const struct section *s,
                        void *raw,
                        struct node *map,
                        const struct scope *scope) {
        uint64_t covered = 0; /* keys of which a misspelt form is there */
        int r;

        for (struct node *key = map->first; key && !problems_enough(w->ctx); key = key->next) {
                r = walk_key(w, s, raw, key, scope, &covered);
                if (r < 0)
                        return r;
        }

        for (size_t i = 0; i < s->n_fields && !w->ctx->partial; i++) {
                const struct field *f = &s->fields[i];

                if ((f->flags & (FIELD_REQUIRED | FIELD_TCP_ONLY)) && !(covered >> i & 1) &&
                    field_value(f, raw)->source == VALUE_UNSET && !is_excused(s, f, raw))
                        walk_report_missing(w, s, f, map, scope);
        }
        return 0;
}

static const struct node *key_find(const struct node *root, const char *name) {
        for (const struct node *key = root->first; key; key = key->next) {
                if (key->kind == NODE_SCALAR && strcmp(key->text, name) == 0)
                        return key;
        }
        return NULL;
}

/* `frontends` decides. Where it is missing or misspelt, the other keys that only the full dialect
 * has speak for it, so that its absence is one error and not a dozen. */
enum config_dialect walk_dialect(const struct node *root) {
        if (root->kind != NODE_MAP)
                return CONFIG_SIMPLE;
        if (key_find(root, "frontends"))
                return CONFIG_FULL;

        for (const struct node *key = root->first; key; key = key->next) {
                if (key->kind == NODE_SCALAR && section_find(&schema_simple, key->text) &&
                    strcmp(key->text, "backends") != 0)
                        return CONFIG_SIMPLE;
        }
        for (const struct node *key = root->first; key; key = key->next) {
                if (key->kind == NODE_SCALAR &&
                    (section_find(&schema_full, key->text) ||
                     str_distance(key->text, "frontends", 2) <= 2) &&
                    strcmp(key->text, "backends") != 0)
                        return CONFIG_FULL;
        }
        return CONFIG_SIMPLE;
}

int walk(void *raw,
         struct context *ctx,
         struct arena *a,
         const struct section *s,
         struct node *root) {
        struct walk w = { .ctx = ctx, .arena = a };

        if (s == &schema_full)
                w.frontends = key_find(root, "frontends");
        return walk_section(&w, s, raw, root, NULL);
}
