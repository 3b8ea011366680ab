/* SPDX-License-Identifier: MIT */

#include "config/walk_report.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "config/status.h"
#include "core/str.h"

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
        { "a server", "host", "address" },
        { "a server", "port", "address" },
        { "a backend", "address", "host" },
        { "a frontend", "port", "listen" },
        { "a frontend", "bind", "listen" },
        { "a frontend", "bind_address", "listen" },
        { "a frontend", "address", "listen" },
        { "a frontend", "method", "algorithm" },
        { "a frontend", "pool", "backend" },
        { "a frontend", "mode", "protocol" },
        { "a pool", "backends", "servers" },
        { "a top-level", "algorithm", "method" },
        { "a top-level", "bind", "bind_address" },
        { "a top-level", "servers", "backends" },
        { "a top-level", "pools", "backends" },
        { "a runtime", "slow_start", "slow_start_ms" },
        { "a runtime", "hold", "hold_ms" },
        { "a runtime", "connect_deadline", "connect_deadline_ms" },
        { "a pool", "slow_start_ms", "slow_start" },
        { "a pool", "hold_ms", "hold" },
        { "a pool", "connect_deadline_ms", "connect_deadline" },
        { "a route", "pool", "backend" },
        { "a route", "prefix", "path_prefix" },
        { "a route", "header", "headers" },
        { "a redirect", "status", "code" },
        { "a redirect", "location", "to" },
        { "a redirect", "url", "to" },
        { "a respond", "code", "status" },
        { "a respond", "text", "body" },
        { "an http", "idle_timeout", "keep_alive_timeout" },
        { "an http", "max_body", "max_body_bytes" },
        { "an http", "max_body_size", "max_body_bytes" },
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

/* { expected_status: 200,204 }: the comma has ended the value, and 204 is a key. */
static bool is_loose_status(const struct section *s, const struct node *key) {
        struct statuses statuses = { .n = 0 };

        return section_find(s, "expected_status") && node_is_null(key->value) &&
               status_parse(&statuses, key->text, NULL) == STATUS_OK;
}

static void describe_loose_status(struct diag *p, const struct node *key) {
        p->label = strdup("inside of { } a comma ends the value");
        p->brief = str_printf("'%s' stands behind a comma that ends the value", key->text);
        p->why_likely = strdup("a list of statuses without brackets");
        p->do_this_now =
                str_printf("write the list in brackets, as expected_status: [200, %s]", key->text);
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

const struct field *walk_report_unknown(struct walk *w,
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
        if (is_loose_status(s, key)) {
                describe_loose_status(&p, key);
        } else if (synonym) {
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

void walk_report_duplicate(struct walk *w,
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

void walk_report_no_word(struct walk *w, const struct node *key, const struct scope *scope) {
        struct diag p = problem(w->ctx, DIAG_E017, scope, key);
        _cleanup_(str_freep) char *where = where_of(scope);

        p.at.end_column = 0;
        p.message = str_printf("a key that is not a word %s", where);
        p.brief = strdup("a key that is not a word");
        p.label = strdup("a word is wanted");
        p.do_this_now = strdup("write 'key: value' with a single word as the key");
        problem_add(w->ctx, &p);
}

void walk_report_missing(struct walk *w,
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

void walk_report_kind(struct walk *w,
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

void walk_report_empty(struct walk *w, const struct node *at, const struct scope *scope) {
        struct diag p = problem(w->ctx, DIAG_E025, scope, at);

        p.message = str_printf("%s has no value", p.path);
        p.brief = strdup("no value");
        p.label = strdup("no value");
        p.do_this_now = strdup("give it entries, or remove it");
        problem_add(w->ctx, &p);
}

void walk_report_count(struct walk *w,
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

void walk_report_statuses(struct walk *w,
                          const struct node *n,
                          size_t count,
                          const struct scope *scope) {
        struct diag p = problem(w->ctx, DIAG_E027, scope, n);

        if (n->kind != NODE_SCALAR)
                p.at.end_column = 0;
        p.message = str_printf("%s has too many entries", p.path);
        p.label = str_printf("%zu statuses and ranges, at most %d", count, CONFIG_STATUS_MAX);
        p.brief = strdup(p.label ? p.label : "");
        p.do_this_now = strdup("put neighbours into one range, as 200-299");
        problem_add(w->ctx, &p);
}

void walk_report_header(struct walk *w, const struct node *key, const struct scope *scope) {
        struct diag p = problem(w->ctx, DIAG_E042, scope, key);
        _cleanup_(str_freep) char *q = quoted(key->text);

        p.message = str_printf("%s is not the name of a header", q);
        p.label = strdup("not the name of a header");
        p.do_this_now = strdup("use letters, digits and '-', at most 128 characters");
        problem_add(w->ctx, &p);
}

static char *error_statuses(void) { /* "400 403 ..." */
        char *text = strdup(schema_statuses[1]);

        for (size_t i = 2; text && schema_statuses[i]; i++) {
                char *longer = str_printf("%s %s", text, schema_statuses[i]);

                free(text);
                text = longer;
        }
        return text;
}

void walk_report_page(struct walk *w, const struct node *key, const struct scope *scope) {
        struct diag p = problem(w->ctx, DIAG_E022, scope, key);
        _cleanup_(str_freep) char *q = quoted(key->text), *statuses = error_statuses();

        p.message = str_printf("%s is not a status of an error page", q);
        p.label = strdup("bal never answers with it by itself");
        p.do_this_now = str_printf("use one of: %s", statuses);
        problem_add(w->ctx, &p);
}

/* `-Server: nginx` reads as if other servers might stay. */
void walk_report_removal(struct walk *w, const struct node *key, const struct scope *scope) {
        struct diag p = problem(w->ctx, DIAG_E038, scope, key->value);
        _cleanup_(str_freep) char *q = quoted(key->text);

        p.message = str_printf("%s removes the header, whatever its value", q);
        p.label = strdup("no value here");
        p.why_likely = strdup("'-' in front of a name means: remove");
        p.do_this_now =
                str_printf("write %s: \"\" to remove it, or leave the '-' out to set it", q);
        problem_add(w->ctx, &p);
}

void walk_warn_historic(struct walk *w, const struct node *key, const struct scope *scope) {
        struct diag p = problem(w->ctx, DIAG_W001, scope, key);

        p.message = str_printf("'%s' is a key of earlier versions and is ignored", key->text);
        p.brief = str_printf("'%s' is ignored", key->text);
        p.label = strdup("ignored");
        p.do_this_now = str_printf("remove line %u", key->line);
        problem_add(w->ctx, &p);
}
