/* SPDX-License-Identifier: MIT */

#include "config/keys.h"

#include <stdio.h>
#include <string.h>

#include "config/value_http.h"
#include "core/str.h"

struct lister {
        config_key_fn fn;
        void *userdata;
        bool simple; /* only this dialect has the column for `runtime` */
};

static void list_section(const struct lister *l, const struct section *s, const char *path);

static const char *number_text(const struct field *f, uint64_t n, char buf[static VALUE_TEXT_MAX]) {
        if (f->type == FIELD_DURATION)
                return duration_text(n, buf);
        if (f->type == FIELD_SIZE)
                return size_text(n, buf);
        snprintf(buf, VALUE_TEXT_MAX, "%llu", (unsigned long long)n);
        return buf;
}

static char *tuned_text(const struct lister *l, const struct field *f) {
        const struct tuning *t = f->tuning;
        char present[VALUE_TEXT_MAX], small[VALUE_TEXT_MAX], medium[VALUE_TEXT_MAX],
                large[VALUE_TEXT_MAX];

        if (!t)
                return NULL;
        number_text(f, t->present, present);
        number_text(f, t->small, small);
        number_text(f, t->medium, medium);
        number_text(f, t->large, large);
        return l->simple ? str_printf("%s | %s | %s | %s", present, small, medium, large)
                         : str_printf("%s | %s | %s", small, medium, large);
}

static void list_key(const struct lister *l, const struct field *f, const char *path) {
        char min[VALUE_TEXT_MAX], max[VALUE_TEXT_MAX];
        _cleanup_(str_freep) char *tuned = tuned_text(l, f);
        struct config_key k = {
                .path = path,
                .type = strchr(field_type_text(f->type), ' ') + 1, /* without its article */
                .unit = f->unit,
                .dflt = f->dflt,
                .tuned = tuned,
                .choices = f->choices,
                .help = f->help,
                .required = f->flags & (FIELD_REQUIRED | FIELD_TCP_ONLY),
                .historic = f->flags & FIELD_HISTORIC,
        };

        if (f->max > 0) {
                k.min = number_text(f, f->min, min);
                k.max = number_text(f, f->max, max);
        }
        l->fn(&k, l->userdata);
}

static void list_section(const struct lister *l, const struct section *s, const char *path) {
        for (size_t i = 0; i < s->n_fields; i++) {
                const struct field *f = &s->fields[i];
                _cleanup_(str_freep) char *here = NULL, *below = NULL;

                here = str_printf("%s%s%s", path, *path ? "." : "", f->name);
                if (!here)
                        return;
                list_key(l, f, here);
                if (!f->section)
                        continue;
                below = str_printf("%s%s", here, f->type == FIELD_LIST ? "[]" : "");
                if (below)
                        list_section(l, f->section, below);
        }
}

void config_keys(enum config_dialect dialect, config_key_fn fn, void *userdata) {
        struct lister l = { .fn = fn, .userdata = userdata, .simple = dialect == CONFIG_SIMPLE };

        list_section(&l, schema_root(dialect), "");
}

/* --- as JSON -------------------------------------------------------------------------------- */

struct json_lister {
        json_t *list;
        const char *dialect;
        bool failed;
};

static json_t *choices_json(const char *const *choices) {
        json_t *list;

        if (!choices)
                return json_null();
        list = json_array();
        for (size_t i = 0; list && choices[i]; i++)
                json_array_append_new(list, json_string(choices[i]));
        return list;
}

static void add_key(const struct config_key *k, void *userdata) {
        struct json_lister *l = userdata;
        json_t *o = json_pack("{s:s, s:s, s:s, s:s?, s:s?, s:s?, s:s?, s:s?, s:o, s:b, s:b, s:s}",
                              "dialect", l->dialect, "path", k->path, "type", k->type, "unit",
                              k->unit, "default", k->dflt, "tuned", k->tuned, "min", k->min, "max",
                              k->max, "choices", choices_json(k->choices), "required",
                              (int)k->required, "later", 0, "help", k->help);

        if (!o || json_array_append_new(l->list, o) < 0)
                l->failed = true;
}

json_t *config_keys_json(void) {
        struct json_lister l = { .list = json_array(), .dialect = "simple" };

        if (!l.list)
                return NULL;

        config_keys(CONFIG_SIMPLE, add_key, &l);
        l.dialect = "full";
        config_keys(CONFIG_FULL, add_key, &l);
        if (l.failed) {
                json_decref(l.list);
                return NULL;
        }
        return l.list;
}
