/* SPDX-License-Identifier: MIT */

#include "config/walk_lists.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "config/status.h"
#include "config/value_http.h"
#include "core/str.h"

bool walk_shape(struct walk *w,
                const struct field *f,
                const struct node *key,
                struct node *n,
                enum node_kind kind,
                const struct scope *scope) {
        if (n->reported)
                return false;

        if (node_is_null(n))
                walk_report_empty(w, n->n == 0 && key ? key : n, scope);
        else if (n->kind != kind)
                walk_report_kind(w, f, n, scope);
        else if (f->type != FIELD_SECTION && n->n_children < f->min && !w->ctx->partial)
                walk_report_count(w, f, n, scope);
        else if (f->type != FIELD_SECTION && n->n_children > f->max)
                walk_report_count(w, f, n, scope);
        else
                return true;

        n->reported = true;
        return false;
}

static void value_given(struct value *v, const struct node *key, const struct node *n) {
        v->source = VALUE_FILE;
        v->line = n->line;
        v->key = key;
        v->node = n;
}

/* --- lists ---------------------------------------------------------------------------------- */

int walk_texts(struct walk *w,
               const struct field *f,
               struct value *v,
               struct node *key,
               struct node *n,
               const struct scope *scope) {
        struct node *first = n->kind == NODE_LIST ? n->first : n;
        struct value *items;
        size_t i = 0;

        if (n->kind == NODE_LIST && !walk_shape(w, f, key, n, NODE_LIST, scope))
                return 0;

        v->list.n = n->kind == NODE_LIST ? n->n_children : 1;
        items = arena_alloc(w->arena, v->list.n * sizeof(*items));
        if (!items)
                return -ENOMEM;
        v->list.items = items;
        v->source = VALUE_FILE;

        for (struct node *item = first; item;
             item = n->kind == NODE_LIST ? item->next : NULL, i++) {
                struct scope here = { .up = scope, .index = (unsigned)i };

                items[i].source = VALUE_BAD;
                if (value_read(&items[i], w->ctx, n->kind == NODE_LIST ? &here : scope, f,
                               n->kind == NODE_LIST ? NULL : key, item) == 0)
                        value_given(&items[i], NULL, item);
                else
                        v->source = VALUE_BAD;
        }
        return 0;
}

/* One text or a list of them becomes one text: "200,300-399". */
int walk_statuses(struct walk *w,
                  const struct field *f,
                  struct value *v,
                  struct node *key,
                  struct node *n,
                  const struct scope *scope) {
        const struct field entries = {
                .name = f->name, .type = FIELD_LIST, .min = 1, .max = CONFIG_STATUS_MAX
        };
        bool list = n->kind == NODE_LIST, good = true;
        struct statuses statuses = { .n = 0 };
        char text[STATUS_TEXT_MAX];
        unsigned i = 0;

        if (list && !walk_shape(w, &entries, key, n, NODE_LIST, scope))
                return 0;
        for (struct node *item = list ? n->first : n; item; item = list ? item->next : NULL) {
                struct scope here = { .up = scope, .index = i++ };
                bool read = value_read(v, w->ctx, list ? &here : scope, f, list ? NULL : key,
                                       item) == 0;

                good = good && read && status_parse(&statuses, v->s, NULL) == STATUS_OK;
        }
        if (good && statuses.n > CONFIG_STATUS_MAX) {
                walk_report_statuses(w, n, statuses.n, scope);
                good = false;
        }
        if (!good || (list && !n->first))
                return 0;

        status_text(&statuses, text);
        v->s = arena_copy(w->arena, text, strlen(text));
        v->source = VALUE_FILE;
        return v->s ? 0 : -ENOMEM;
}

/* --- maps ----------------------------------------------------------------------------------- */

/* At most 64 of them, so comparing each with each is fine. Case does not tell headers apart. */
static const struct pair *pair_find(const struct pair *pairs, size_t n, const char *key) {
        for (size_t i = 0; i < n; i++) {
                if (strcasecmp(pairs[i].key, key) == 0)
                        return &pairs[i];
        }
        return NULL;
}

static bool is_removal(const struct field *f, const char *key) {
        return (f->flags & FIELD_RULES) && key[0] == '-';
}

static bool is_error_status(const char *text) {
        for (size_t i = 1; schema_statuses[i]; i++) {
                if (strcmp(schema_statuses[i], text) == 0)
                        return true;
        }
        return false;
}

/* False: reported. */
static bool check_key(struct walk *w,
                      const struct field *f,
                      const struct node *key,
                      const struct scope *here) {
        bool mark = (f->flags & FIELD_RULES) && (key->text[0] == '+' || key->text[0] == '-');
        bool whole = strlen(key->text) == key->n;

        if (f->type == FIELD_PAGES && (!whole || !is_error_status(key->text)))
                walk_report_page(w, key, here);
        else if (f->type == FIELD_MAP && (!whole || !is_header_name(key->text + mark)))
                walk_report_header(w, key, here);
        else
                return true;
        return false;
}

/* `-Server: ""` and `-Server:` are the same; another value would look like a condition. */
static bool read_removal(struct walk *w,
                         struct value *v,
                         const struct node *key,
                         const struct scope *here) {
        const struct node *n = key->value;

        if (n->kind == NODE_SCALAR && n->n > 0 && !node_is_null(n)) {
                walk_report_removal(w, key, here);
                return false;
        }
        v->s = "";
        return n->kind == NODE_SCALAR;
}

static int read_pair(struct walk *w,
                     const struct field *f,
                     struct pair *p,
                     struct node *key,
                     const struct scope *here) {
        static const struct field header = { .name = "header", .type = FIELD_STRING, .max = 4096 };
        static const struct field page = {
                .name = "error_pages", .type = FIELD_STRING, .min = 1, .max = 4095
        };

        if (is_removal(f, key->text) && key->value->kind == NODE_SCALAR)
                return read_removal(w, &p->value, key, here) ? 0 : -EINVAL;
        return value_read(&p->value, w->ctx, here, f->type == FIELD_PAGES ? &page : &header, key,
                          key->value);
}

static bool walk_pair(struct walk *w,
                      const struct field *f,
                      struct pair *pairs,
                      size_t n,
                      struct node *key,
                      const struct scope *scope) {
        struct scope here = { .up = scope, .key = key->text };
        const struct pair *twice;

        if (key->kind != NODE_SCALAR) {
                walk_report_no_word(w, key, scope);
                return false;
        }
        if (key->reported || !check_key(w, f, key, &here))
                return false;

        twice = pair_find(pairs, n, key->text);
        if (twice) {
                walk_report_duplicate(w, twice->value.key, key, scope);
                return false;
        }

        pairs[n].key = key->text;
        pairs[n].value.source = VALUE_BAD;
        pairs[n].value.key = key;
        if (read_pair(w, f, &pairs[n], key, &here) == 0)
                value_given(&pairs[n].value, key, key->value);
        return true;
}

int walk_map(struct walk *w,
             const struct field *f,
             struct value *v,
             struct node *key,
             struct node *n,
             const struct scope *scope) {
        struct pair *pairs;

        if (!walk_shape(w, f, key, n, NODE_MAP, scope))
                return 0;

        pairs = arena_alloc(w->arena, n->n_children * sizeof(*pairs));
        if (!pairs)
                return -ENOMEM;

        v->list.items = pairs;
        v->source = VALUE_FILE;
        for (struct node *k = n->first; k; k = k->next)
                v->list.n += walk_pair(w, f, pairs, v->list.n, k, scope);
        return 0;
}

/* --- one of several forms ------------------------------------------------------------------- */

/* { sample: 100 } as the text that stands for it, at the place of the number; NULL: another
 * section. *ret is in the arena. -ENOMEM. */
static int sample_node(struct node **ret, struct arena *a, const struct node *n) {
        const struct node *key = n->first;
        _cleanup_(str_freep) char *text = NULL;
        struct node *as_text;

        *ret = NULL;
        if (n->n_children != 1 || key->kind != NODE_SCALAR || strcmp(key->text, "sample") != 0 ||
            key->value->kind != NODE_SCALAR || strlen(key->value->text) != key->value->n ||
            key->value->reported)
                return 0;

        text = str_printf("sample: %s", key->value->text);
        as_text = arena_alloc(a, sizeof(*as_text));
        if (!text || !as_text)
                return -ENOMEM;
        *as_text = *key->value;
        as_text->n = strlen(text);
        as_text->text = arena_copy(a, text, as_text->n);
        *ret = as_text;
        return as_text->text ? 0 : -ENOMEM;
}

int walk_access(struct walk *w,
                const struct field *f,
                struct value *v,
                struct node *key,
                struct node *n,
                const struct scope *scope) {
        enum config_access_log log;
        char text[VALUE_TEXT_MAX];
        uint32_t sample;
        int r;

        if (n->kind == NODE_MAP) {
                struct node *as_text;

                r = sample_node(&as_text, w->arena, n);
                if (r < 0)
                        return r;
                n = as_text ? as_text : n;
        }
        if (value_read(v, w->ctx, scope, f, key, n) < 0)
                return 0;

        value_parse_access(&log, &sample, f, v->s);
        v->source = VALUE_FILE;
        if (log != CONFIG_ACCESS_ALL || strcmp(v->s, "all") == 0)
                return 0;
        snprintf(text, sizeof(text), "sample: %u", sample); /* in one spelling */
        v->s = arena_copy(w->arena, text, strlen(text));
        return v->s ? 0 : -ENOMEM;
}
