/* SPDX-License-Identifier: MIT */
/* `bal config keys`: the table of the schema, as people and as programs want it. */

#include <stdlib.h>
#include <string.h>

#include "bal/exit.h"
#include "cli/table.h"
#include "cli/verb.h"
#include "config/schema.h"
#include "core/str.h"

#define KEYS_DEPTH_MAX 8 /* of sections in each other; the schema has four */

struct keys {
        const char *dialect;
        json_t *list;        /* or NULL */
        struct table *table; /* or NULL */
        bool failed;         /* out of memory */
};

/* "200", "500 / 700 / 1000" by the number of backends; NULL: none. */
static char *key_default(const struct field *f) {
        const struct tuning *t = f->tuning;

        if (f->dflt)
                return str_printf("%s", f->dflt);
        if (!t)
                return NULL;
        if (t->small == t->medium && t->medium == t->large)
                return str_printf("%u", t->small);
        return str_printf("%u up to 2 backends, %u up to 5, %u above", t->small, t->medium,
                          t->large);
}

/* "tcp | http", "number ms" */
static char *key_type(const struct field *f) {
        char *text = NULL;

        if (!f->choices)
                return str_printf("%s%s%s", field_type_text(f->type), f->unit ? " " : "",
                                  f->unit ? f->unit : "");
        for (size_t i = 0; f->choices[i] && (text || i == 0); i++) {
                char *more = str_printf("%s%s%s", i ? text : "", i ? " | " : "", f->choices[i]);

                free(text);
                text = more;
        }
        return text;
}

static bool is_number(const struct field *f) {
        return f->type == FIELD_INT || f->type == FIELD_DURATION;
}

static void key_row(struct keys *k, const struct field *f, const char *path) {
        _cleanup_(str_freep) char *dflt = key_default(f), *type = key_type(f);
        bool required = f->flags & FIELD_REQUIRED;

        table_add(k->table, PLAIN, "%s", path);
        table_add(k->table, CYAN, "%s", type ? type : "");
        table_add(k->table, PLAIN, "%s", required ? "required" : dflt ? dflt : "-");
        table_add(k->table, PLAIN, "%s", f->help ? f->help : "");
}

static json_t *key_json(const struct keys *k, const struct field *f, const char *path) {
        _cleanup_(str_freep) char *dflt = key_default(f);
        json_t *key = json_pack("{s:s, s:s, s:s, s:b, s:o, s:o, s:o}", "dialect", k->dialect,
                                "path", path, "type", field_type_text(f->type), "required",
                                (f->flags & FIELD_REQUIRED) != 0, "default", out_text(dflt), "unit",
                                out_text(f->unit), "help", out_text(f->help));
        json_t *choices;
        int r = 0;

        if (!key)
                return NULL;
        if (is_number(f)) {
                r |= json_object_set_new(key, "min", json_integer((json_int_t)f->min));
                r |= json_object_set_new(key, "max", json_integer((json_int_t)f->max));
        }
        if (f->choices) {
                choices = json_array();
                for (size_t i = 0; f->choices[i]; i++)
                        r |= json_array_append_new(choices, json_string(f->choices[i]));
                r |= json_object_set_new(key, "choices", choices);
        }
        if (r == 0)
                return key;
        json_decref(key);
        return NULL;
}

static void key_add(struct keys *k, const struct field *f, const char *path) {
        if (k->table)
                key_row(k, f, path);
        else if (json_array_append_new(k->list, key_json(k, f, path)) < 0)
                k->failed = true;
}

static void walk(struct keys *k, const struct section *s, const char *prefix, unsigned depth) {
        for (size_t i = 0; i < s->n_fields; i++) {
                const struct field *f = &s->fields[i];
                bool list = f->type == FIELD_LIST;
                _cleanup_(str_freep) char *path =
                        str_printf("%s%s%s", prefix, f->name, list ? "[]" : "");
                _cleanup_(str_freep) char *below = str_printf("%s.", path ? path : "");

                if (!path || !below) {
                        k->failed = true;
                        return;
                }
                key_add(k, f, path);
                if (f->section && depth < KEYS_DEPTH_MAX)
                        walk(k, f->section, below, depth + 1);
        }
}

static void keys_text(struct cli *c) {
        static const struct {
                enum config_dialect dialect;
                const char *title;
        } dialects[] = { { CONFIG_SIMPLE, "simple form" },
                         { CONFIG_FULL, "full form (the one with 'frontends')" } };

        for (size_t i = 0; i < ELEMENTS(dialects); i++) {
                _cleanup_(table_done) struct table t = { .columns = 4, .indent = "  " };
                struct keys k = { .table = &t };

                walk(&k, schema_root(dialects[i].dialect), "", 0);
                out_printf(&c->out, "%s", i ? "\n" : "");
                out_paint(&c->out, BOLD, dialects[i].title);
                out_printf(&c->out, "\n");
                table_print(&c->out, &t);
        }
        out_printf(&c->out, "\nThree defaults: up to 2 backends / 3 to 5 / more.\n");
}

int keys_run(struct cli *c) {
        struct keys k = { .list = json_array() };
        json_t *doc;

        if (!args_has(&c->args, OPTION_BIT(JSON))) {
                json_decref(k.list);
                keys_text(c);
                return BAL_EXIT_OK;
        }
        k.failed = !k.list;
        k.dialect = "simple";
        walk(&k, schema_root(CONFIG_SIMPLE), "", 0);
        k.dialect = "full";
        walk(&k, schema_root(CONFIG_FULL), "", 0);
        doc = out_document("bal.config_keys");
        if (!doc || json_object_set_new(doc, "keys", k.list) < 0 || k.failed) {
                json_decref(doc);
                return verb_fail(c, BAL_EXIT_FAILED, "out of memory");
        }
        out_json(&c->out, doc);
        return BAL_EXIT_OK;
}
