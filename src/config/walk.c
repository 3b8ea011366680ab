/* SPDX-License-Identifier: MIT */

#include "config/walk.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "config/value.h"
#include "core/str.h"

#define KEYS_MAX 64 /* of one section; bits of a mask */

struct walk {
        struct context *ctx;
        struct arena *arena;
        const struct node *frontends; /* the key that made it the full dialect, or NULL */
};

static int walk_section(struct walk *w,
                        const struct section *s,
                        void *raw,
                        struct node *map,
                        const struct scope *scope);

/* --- problems of keys ----------------------------------------------------------------------- */

static const char *noun_of(const struct section *s) { /* "backend" */
        return strchr(s->noun, ' ') + 1;
}

static const char *thing_of(const struct section *s) {
        return s == &schema_simple || s == &schema_full ? "file" : noun_of(s);
}

static char *where_of(const struct scope *scope) { /* "in backends[0]" */
        _cleanup_(str_freep) char *path = scope_text(scope);

        return path && *path ? str_printf("in %s", path) : strdup("at the top level");
}

static char *names_of(const struct section *s) { /* "host port weight" */
        char *text = strdup("");

        for (size_t i = 0; text && i < s->n_fields; i++) {
                char *longer = str_printf("%s%s%s", text, i > 0 ? " " : "", s->fields[i].name);

                free(text);
                text = longer;
        }
        return text;
}

/* What a key is called in the other dialect, or by other balancers. */
static const struct synonym {
        const char *noun; /* of the section */
        const char *name, *is;
} synonyms[] = {
        { "a server", "host", "address" },         { "a server", "port", "address" },
        { "a backend", "address", "host" },        { "a frontend", "port", "listen" },
        { "a frontend", "bind", "listen" },        { "a frontend", "bind_address", "listen" },
        { "a frontend", "address", "listen" },     { "a frontend", "method", "algorithm" },
        { "a frontend", "pool", "backend" },       { "a frontend", "mode", "protocol" },
        { "a pool", "backends", "servers" },       { "a top-level", "algorithm", "method" },
        { "a top-level", "bind", "bind_address" }, { "a top-level", "servers", "backends" },
        { "a top-level", "pools", "backends" },
};

static const struct field *synonym_find(const struct section *s, const char *name) {
        for (size_t i = 0; i < ELEMENTS(synonyms); i++) {
                if (strcmp(synonyms[i].noun, s->noun) == 0 && strcmp(synonyms[i].name, name) == 0)
                        return section_find(s, synonyms[i].is);
        }
        return NULL;
}

static const struct field *closest_field(const struct section *s, const char *name) {
        const char *names[KEYS_MAX + 1] = { NULL };
        _cleanup_(str_freep) char *plain = strndup(name, 64);
        const char *closest;

        for (char *p = plain; p && *p; p++)
                *p = *p == '-' || *p == ' ' ? '_' : (char)tolower((unsigned char)*p);
        for (size_t i = 0; i < s->n_fields && i < KEYS_MAX; i++)
                names[i] = s->fields[i].name;
        closest = plain ? str_closest(plain, names) : NULL;
        return closest ? section_find(s, closest) : NULL;
}

/* Where else in the file a key of that name belongs: "backends[].failover"; NULL: nowhere. */
static char *home_of(const struct section *s, const char *name) {
        for (size_t i = s->n_fields; i-- > 0;) { /* what is meant is rather a pool's than global */
                const struct field *f = &s->fields[i];
                const char *mark = f->type == FIELD_LIST ? "[]" : "";
                _cleanup_(str_freep) char *below = NULL;

                if (!f->section)
                        continue;
                if (section_find(f->section, name))
                        return str_printf("%s%s", f->name, mark);
                below = home_of(f->section, name);
                if (below)
                        return str_printf("%s%s.%s", f->name, mark, below);
        }
        return NULL;
}

/* The line as it should read: "port: 8080". NULL when it is too long to be repeated. */
static char *corrected_line(const struct context *ctx, const struct node *key, const char *name) {
        size_t n, start = 0, at, end;
        const char *line = text_line(ctx->text, key->line, &n);

        while (start < n && (line[start] == ' ' || line[start] == '\t'))
                start++;
        while (n > start && line[n - 1] == ' ')
                n--;
        at = text_offset(line, n, key->column);
        end = text_offset(line, n, key->end_column);
        if (n - start > 60 || at < start || end < at || end > n || key->end_line != key->line)
                return NULL;
        return str_printf("%.*s%s%.*s", (int)(at - start), line + start, name, (int)(n - end),
                          line + end);
}

static char *consequence(const struct section *s, const struct field *f, const void *raw) {
        const struct value *v = field_value(f, (void *)raw);

        if (v->source != VALUE_UNSET)
                return strdup("");
        if (f->flags & (FIELD_REQUIRED | FIELD_TCP_ONLY))
                return str_printf(", so this %s has no %s", thing_of(s), f->name);
        return str_printf(", so %s keeps its default", f->name);
}

static void describe_closest(struct walk *w,
                             struct diag *p,
                             const struct section *s,
                             const struct field *f,
                             const struct node *key,
                             const void *raw) {
        _cleanup_(str_freep) char *q = quoted(key->text), *names = names_of(s),
                                  *so = consequence(s, f, raw),
                                  *line = corrected_line(w->ctx, key, f->name), *clean = NULL;

        p->label = str_printf("did you mean '%s'?", f->name);
        p->brief = str_printf("unknown key %s, did you mean '%s'?", q, f->name);
        p->what_happened = str_printf("%s is not %s key%s", q, s->noun, so);
        p->why_likely = str_printf("typing error; keys: %s", names);
        clean = line ? str_clean(line) : NULL;
        if (clean)
                p->do_this_now =
                        str_printf("change line %u to '%s', then run: bal check", key->line, clean);
        else
                p->do_this_now = str_printf("change %s to '%s' in line %u, then run: bal check", q,
                                            f->name, key->line);
}

static void describe_synonym(struct diag *p,
                             const struct section *s,
                             const struct field *f,
                             const struct node *key) {
        _cleanup_(str_freep) char *q = quoted(key->text), *names = names_of(s);

        p->label = str_printf("called '%s' here", f->name);
        p->brief = str_printf("unknown key %s, called '%s' here", q, f->name);
        p->what_happened = str_printf("%s is not %s key", q, s->noun);
        p->why_likely = str_printf("keys here: %s", names);
        p->do_this_now = str_printf("write '%s': %s", f->name, f->help);
}

static void describe_elsewhere(struct diag *p,
                               const struct section *s,
                               const struct node *key,
                               const char *home) {
        _cleanup_(str_freep) char *q = quoted(key->text), *names = names_of(s);

        p->brief = str_printf("unknown key %s", q);
        p->what_happened = str_printf("%s is not %s key", q, s->noun);
        p->why_likely = str_printf("keys here: %s", names);
        if (home) {
                p->label = str_printf("it belongs to %s", home);
                p->do_this_now = str_printf("move %s from line %u to %s, then run: bal check", q,
                                            key->line, home);
        } else {
                p->label = str_printf("not %s key", s->noun);
                p->do_this_now =
                        str_printf("remove %s in line %u, then run: bal check", q, key->line);
        }
}

static void report_dialect(struct walk *w, const struct scope *scope, const struct node *key) {
        struct diag p = problem(w->ctx, DIAG_E019, scope, key);
        _cleanup_(str_freep) char *q = quoted(key->text);

        p.message = str_printf("%s belongs to the simple dialect, this file is in the full one", q);
        p.brief = str_printf("%s belongs to the simple dialect", q);
        p.label = strdup("not beside 'frontends'");
        problem_other(w->ctx, &p, w->frontends, "makes it the full dialect");
        p.why_likely = strdup("parts of two files were put together");
        p.do_this_now = strdup("see bal-config(5) for its place in the full dialect, or remove it");
        problem_add(w->ctx, &p);
}

/* Returns the key that was most likely meant, or NULL. */
static const struct field *report_unknown(struct walk *w,
                                          const struct section *s,
                                          const void *raw,
                                          const struct node *key,
                                          const struct scope *scope) {
        const struct field *synonym = synonym_find(s, key->text);
        const struct field *f = synonym ? synonym : closest_field(s, key->text);
        struct scope here = { .up = scope, .key = key->text };
        _cleanup_(str_freep) char *q = quoted(key->text), *where = where_of(scope), *home = NULL;
        struct diag p;

        if (s == &schema_full && w->frontends && section_find(&schema_simple, key->text)) {
                report_dialect(w, &here, key);
                return NULL;
        }

        p = problem(w->ctx, DIAG_E014, &here, key);
        problem_before(w->ctx, &p);
        p.message = str_printf("unknown key %s %s", q, where);
        if (synonym) {
                describe_synonym(&p, s, f, key);
        } else if (f) {
                describe_closest(w, &p, s, f, key, raw);
        } else {
                home = home_of(w->frontends ? &schema_full : &schema_simple, key->text);
                describe_elsewhere(&p, s, key, home);
        }
        problem_add(w->ctx, &p);
        return f;
}

static void report_duplicate(struct walk *w,
                             const struct node *first,
                             const struct node *key,
                             const struct scope *scope) {
        struct scope here = { .up = scope, .key = key->text };
        struct diag p = problem(w->ctx, DIAG_E015, &here, key);
        _cleanup_(str_freep) char *q = quoted(key->text), *where = where_of(scope);

        p.message = str_printf("%s is given twice %s", q, where);
        p.brief = str_printf("%s is given twice, first in line %u", q, first->line);
        p.label = strdup("given again");
        problem_other(w->ctx, &p, first, "first given here");
        p.do_this_now = first->line != key->line
                                ? str_printf("remove line %u or line %u", first->line, key->line)
                                : str_printf("remove one of the two in line %u", key->line);
        problem_add(w->ctx, &p);
}

static void report_no_word(struct walk *w, const struct node *key, const struct scope *scope) {
        struct diag p = problem(w->ctx, DIAG_E017, scope, key);
        _cleanup_(str_freep) char *where = where_of(scope);

        p.at.end_column = 0;
        p.message = str_printf("a key that is not a word %s", where);
        p.brief = strdup("a key that is not a word");
        p.label = strdup("a word is wanted");
        p.do_this_now = strdup("write 'key: value' with a single word as the key");
        problem_add(w->ctx, &p);
}

static void report_missing(struct walk *w,
                           const struct section *s,
                           const struct field *f,
                           const struct node *map,
                           const struct scope *scope) {
        struct scope here = { .up = scope, .key = f->name };
        struct diag p = problem(w->ctx, DIAG_E020, &here, map);
        _cleanup_(str_freep) char *path = scope_text(scope);

        p.at.end_column = 0;
        p.message = str_printf("%s has no %s", path && *path ? path : "the file", f->name);
        p.brief = str_printf("'%s' is missing", f->name);
        p.label = str_printf("'%s' is missing in this %s", f->name, thing_of(s));
        p.why_likely = str_printf("%s is required: %s", f->name, f->help);
        p.do_this_now = str_printf("add %s: ... to this %s", f->name, thing_of(s));
        problem_add(w->ctx, &p);
}

/* --- problems of sections and lists --------------------------------------------------------- */

static void report_kind(struct walk *w,
                        const struct field *f,
                        const struct node *n,
                        const struct scope *scope) {
        struct diag p = problem(w->ctx, DIAG_E016, scope, n);
        const char *is = n->kind == NODE_LIST  ? "a list"
                         : n->kind == NODE_MAP ? "a section"
                                               : "a text";

        if (n->kind != NODE_SCALAR)
                p.at.end_column = 0;
        p.message = str_printf("wrong type for %s", p.path);
        p.label = str_printf("%s, %s is wanted", is, field_type_text(f->type));
        p.brief = strdup(p.label ? p.label : "");
        if (f->type == FIELD_LIST)
                p.do_this_now = str_printf("start each entry of %s with '- ' on a line of its own",
                                           f->name);
        else if (!f->section && f->type == FIELD_SECTION)
                p.do_this_now = strdup("write the entry as keys with their values");
        else
                p.do_this_now = str_printf("write keys below %s, indented by two spaces", f->name);
        problem_add(w->ctx, &p);
}

static void report_empty(struct walk *w, const struct node *at, const struct scope *scope) {
        struct diag p = problem(w->ctx, DIAG_E025, scope, at);

        p.message = str_printf("%s has no value", p.path);
        p.brief = strdup("no value");
        p.label = strdup("no value");
        p.do_this_now = strdup("give it entries, or remove it");
        problem_add(w->ctx, &p);
}

static void report_count(struct walk *w,
                         const struct field *f,
                         const struct node *n,
                         const struct scope *scope) {
        bool few = n->n_children < f->min;
        struct diag p = problem(w->ctx, few ? DIAG_E026 : DIAG_E027, scope, n);

        if (!few)
                p.at.end_column = 0;
        p.message = few ? str_printf("%s is empty", p.path)
                        : str_printf("%s has too many entries", p.path);
        p.label = few ? strdup("at least one entry is needed")
                      : str_printf("%zu entries, at most %llu", n->n_children,
                                   (unsigned long long)f->max);
        p.brief = strdup(p.label ? p.label : "");
        p.do_this_now = few ? str_printf("add an entry to %s", f->name)
                            : str_printf("keep at most %llu entries", (unsigned long long)f->max);
        problem_add(w->ctx, &p);
}

/* True: a list or section as wanted, with a number of entries in range. Else it is reported. */
static bool check_shape(struct walk *w,
                        const struct field *f,
                        const struct node *key,
                        struct node *n,
                        enum node_kind kind,
                        const struct scope *scope) {
        if (n->reported)
                return false;

        if (node_is_null(n))
                report_empty(w, n->n == 0 && key ? key : n, scope);
        else if (n->kind != kind)
                report_kind(w, f, n, scope);
        else if (f->type != FIELD_SECTION && n->n_children < f->min && !w->ctx->partial)
                report_count(w, f, n, scope);
        else if (f->type != FIELD_SECTION && n->n_children > f->max)
                report_count(w, f, n, scope);
        else
                return true;

        n->reported = true;
        return false;
}

/* --- values --------------------------------------------------------------------------------- */

static void value_given(struct value *v, const struct node *key, const struct node *n) {
        v->source = VALUE_FILE;
        v->line = n->line;
        v->key = key;
        v->node = n;
}

static int walk_subsection(struct walk *w,
                           const struct field *f,
                           struct value *v,
                           struct node *key,
                           struct node *n,
                           const struct scope *scope) {
        if (!check_shape(w, f, key, n, NODE_MAP, scope))
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

        if (!check_shape(w, f, key, n, NODE_LIST, scope))
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

                if (!check_shape(w, &item_field, NULL, item, NODE_MAP, &here)) {
                        v->source = VALUE_BAD;
                        continue;
                }
                r = walk_section(w, f->section, items + i * f->section->size, item, &here);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int walk_listen(struct walk *w,
                       const struct field *f,
                       struct value *v,
                       struct node *key,
                       struct node *n,
                       const struct scope *scope) {
        struct node *first = n->kind == NODE_LIST ? n->first : n;
        struct value *items;
        size_t i = 0;

        if (n->kind == NODE_LIST && !check_shape(w, f, key, n, NODE_LIST, scope))
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

static void report_header(struct walk *w, const struct node *key, const struct scope *scope) {
        struct diag p = problem(w->ctx, DIAG_E042, scope, key);
        _cleanup_(str_freep) char *q = quoted(key->text);

        p.message = str_printf("%s is not the name of a header", q);
        p.label = strdup("not the name of a header");
        p.do_this_now = strdup("use letters, digits and '-', at most 128 characters");
        problem_add(w->ctx, &p);
}

/* At most 64 of them, so comparing each with each is fine. Case does not tell headers apart. */
static const struct pair *pair_find(const struct pair *pairs, size_t n, const char *key) {
        for (size_t i = 0; i < n; i++) {
                if (strcasecmp(pairs[i].key, key) == 0)
                        return &pairs[i];
        }
        return NULL;
}

static bool walk_pair(struct walk *w,
                      struct pair *pairs,
                      size_t n,
                      struct node *key,
                      const struct scope *scope) {
        static const struct field text = { .name = "header", .type = FIELD_STRING, .max = 4096 };
        struct scope here = { .up = scope, .key = key->text };
        const struct pair *twice;

        if (key->kind != NODE_SCALAR) {
                report_no_word(w, key, scope);
                return false;
        }
        if (key->reported)
                return false;
        if (strlen(key->text) != key->n || !is_header_name(key->text)) {
                report_header(w, key, &here);
                return false;
        }

        twice = pair_find(pairs, n, key->text);
        if (twice) {
                report_duplicate(w, twice->value.key, key, scope);
                return false;
        }

        pairs[n].key = key->text;
        pairs[n].value.source = VALUE_BAD;
        pairs[n].value.key = key;
        if (value_read(&pairs[n].value, w->ctx, &here, &text, key, key->value) == 0)
                value_given(&pairs[n].value, key, key->value);
        return true;
}

static int walk_map(struct walk *w,
                    const struct field *f,
                    struct value *v,
                    struct node *key,
                    struct node *n,
                    const struct scope *scope) {
        struct pair *pairs;

        if (!check_shape(w, f, key, n, NODE_MAP, scope))
                return 0;

        pairs = arena_alloc(w->arena, n->n_children * sizeof(*pairs));
        if (!pairs)
                return -ENOMEM;

        v->list.items = pairs;
        v->source = VALUE_FILE;
        for (struct node *k = n->first; k; k = k->next)
                v->list.n += walk_pair(w, pairs, v->list.n, k, scope);
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

        switch (f->type) {
        case FIELD_SECTION:
                return walk_subsection(w, f, v, key, n, scope);
        case FIELD_LIST:
                return walk_list(w, f, v, key, n, scope);
        case FIELD_LISTEN:
                return walk_listen(w, f, v, key, n, scope);
        case FIELD_MAP:
                return walk_map(w, f, v, key, n, scope);
        default:
                if (value_read(v, w->ctx, scope, f, key, n) == 0)
                        v->source = VALUE_FILE;
                return 0;
        }
}

/* --- keys ----------------------------------------------------------------------------------- */

static bool is_switched_off(const struct field *f, const struct value *v) {
        if (f->type == FIELD_BOOL)
                return v->source == VALUE_FILE && v->u == 0;
        if (f->type != FIELD_SECTION || v->source != VALUE_FILE)
                return false;

        for (size_t i = 0; i < f->section->n_fields; i++) {
                const struct field *g = &f->section->fields[i];
                const struct value *u = field_value(g, v->section);

                if (g->flags & FIELD_SWITCH) /* one that is wrong is reported already */
                        return u->source == VALUE_BAD || (u->source == VALUE_FILE && u->u == 0);
        }
        return false;
}

static void warn_later(struct walk *w, const struct node *key, const struct scope *scope) {
        struct diag p = problem(w->ctx, DIAG_W002, scope, key);

        p.message = str_printf("%s is accepted, but not acted upon by this version", p.path);
        p.brief = str_printf("'%s' is accepted, but not acted upon by this version", key->text);
        p.label = strdup("not acted upon yet");
        p.do_this_now = strdup("keep it for a later version, or remove it");
        problem_add(w->ctx, &p);
}

static void warn_historic(struct walk *w, const struct node *key, const struct scope *scope) {
        struct diag p = problem(w->ctx, DIAG_W001, scope, key);

        p.message = str_printf("'%s' is a key of earlier versions and is ignored", key->text);
        p.brief = str_printf("'%s' is ignored", key->text);
        p.label = strdup("ignored");
        p.do_this_now = str_printf("remove line %u", key->line);
        problem_add(w->ctx, &p);
}

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
                report_no_word(w, key, scope);
                return 0;
        }

        f = strlen(key->text) == key->n ? section_find(s, key->text) : NULL;
        if (!f) {
                f = report_unknown(w, s, raw, key, scope);
                if (f)
                        *covered |= UINT64_C(1) << (f - s->fields);
                return 0;
        }

        v = field_value(f, raw);
        if (v->source != VALUE_UNSET) {
                report_duplicate(w, v->key, key, scope);
                return 0;
        }

        r = walk_value(w, f, v, key, key->value, &here);
        if (r < 0)
                return r;
        if (f->flags & FIELD_HISTORIC)
                warn_historic(w, key, &here);
        else if ((f->flags & FIELD_LATER) && v->source != VALUE_BAD && !is_switched_off(f, v))
                warn_later(w, key, &here);
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
                        report_missing(w, s, f, map, scope);
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
