/* SPDX-License-Identifier: MIT */
/* The values in force: the structs of the two dialects, walked along the schema once more. */

#include <stdio.h>
#include <string.h>

#include "config/build.h"
#include "config/value.h"
#include "core/str.h"

struct teller {
        const struct config *config;
        config_value_fn fn;
        void *userdata;
};

static const char *source_text(const struct value *v, char *buf, size_t size) {
        switch (v->source) {
        case VALUE_FILE:
                snprintf(buf, size, "line %u", v->line);
                return buf;
        case VALUE_TUNED:
                snprintf(buf, size, "tuned for %u backend%s", v->line, v->line == 1 ? "" : "s");
                return buf;
        case VALUE_SYSTEM:
                return "system";
        default:
                return "default";
        }
}

static void tell(const struct teller *t,
                 const char *path,
                 const struct field *f,
                 const struct value *v) {
        char number[VALUE_TEXT_MAX], source[64];
        struct config_value cv = { .path = path };

        if (v->source == VALUE_UNSET)
                return;

        cv.value = value_text(f, v, number);
        cv.source = source_text(v, source, sizeof(source));
        t->fn(&cv, t->userdata);
}

static void tell_section(const struct teller *t,
                         const struct section *s,
                         const void *raw,
                         const char *path);

static const char *item_name(const struct section *s, const void *raw) {
        const struct field *f = section_find(s, "name");

        return f ? field_value(f, (void *)raw)->s : NULL;
}

static void tell_items(const struct teller *t,
                       const struct field *f,
                       const struct value *v,
                       const char *path) {
        const struct pair *pairs = v->list.items;
        const struct value *texts = v->list.items;

        for (size_t i = 0; i < v->list.n; i++) {
                const void *item = (char *)v->list.items + i * (f->section ? f->section->size : 0);
                const char *name = f->type == FIELD_LIST ? item_name(f->section, item)
                                   : field_has_pairs(f)  ? pairs[i].key
                                                         : NULL;
                _cleanup_(str_freep) char *here =
                        name ? str_printf("%s.%s", path, name) : str_printf("%s[%zu]", path, i);

                if (!here)
                        return;
                if (f->type == FIELD_LIST)
                        tell_section(t, f->section, item, here);
                else
                        tell(t, here, f, field_has_pairs(f) ? &pairs[i].value : &texts[i]);
        }
}

static bool is_tcp(const struct section *s, const void *raw) {
        const struct field *protocol = section_find(s, "protocol");

        return field_value(protocol, (void *)raw)->u != CONFIG_HTTP;
}

/* In the simple dialect metrics are off unless the section is there. */
static bool is_absent(const struct teller *t,
                      const struct section *s,
                      const void *raw,
                      const struct field *f) {
        const struct value *v = field_value(f, (void *)raw);

        if ((f->flags & FIELD_OPTIONAL) && v->source == VALUE_UNSET)
                return true;
        if ((f->flags & FIELD_HTTP_ONLY) && is_tcp(s, raw))
                return true;
        return t->config->dialect == CONFIG_SIMPLE && strcmp(f->name, "metrics") == 0 &&
               v->source == VALUE_UNSET;
}

static void tell_section(const struct teller *t,
                         const struct section *s,
                         const void *raw,
                         const char *path) {
        for (size_t i = 0; i < s->n_fields; i++) {
                const struct field *f = &s->fields[i];
                const struct value *v = field_value(f, (void *)raw);
                _cleanup_(str_freep) char *here =
                        str_printf("%s%s%s", path, *path ? "." : "", f->name);

                if (!here)
                        return;
                if (is_absent(t, s, raw, f))
                        continue;
                if (f->type == FIELD_SECTION)
                        tell_section(t, f->section, v->section, here);
                else if (f->type == FIELD_LIST || field_has_texts(f) || field_has_pairs(f))
                        tell_items(t, f, v, here);
                else
                        tell(t, here, f, v);
        }
}

void config_values(const struct config *c, config_value_fn fn, void *userdata) {
        const struct loaded *l = container_of((struct config *)c, struct loaded, config);
        struct teller t = { .config = c, .fn = fn, .userdata = userdata };

        tell_section(&t, schema_root(c->dialect), l->raw, "");
}
