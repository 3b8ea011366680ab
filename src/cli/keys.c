/* SPDX-License-Identifier: MIT */
/* `bal config keys`: the table of the schema, as people and as programs want it. */

#include "config/keys.h"

#include <stdlib.h>

#include "bal/exit.h"
#include "cli/table.h"
#include "cli/verb.h"
#include "core/str.h"

/* "tcp | http", "number, ms" */
static char *key_type(const struct config_key *k) {
        char *text = NULL;

        if (!k->choices)
                return str_printf("%s%s%s", k->type, k->unit ? ", " : "", k->unit ? k->unit : "");
        for (size_t i = 0; k->choices[i] && (text || i == 0); i++) {
                char *more = str_printf("%s%s%s", i ? text : "", i ? " | " : "", k->choices[i]);

                free(text);
                text = more;
        }
        return text;
}

static void key_row(const struct config_key *k, void *userdata) {
        _cleanup_(str_freep) char *type = key_type(k);
        struct table *t = userdata;
        const char *dflt = k->required ? "required" : k->tuned ? k->tuned : k->dflt ? k->dflt : "-";

        table_add(t, PLAIN, "%s", k->path);
        table_add(t, CYAN, "%s", type ? type : k->type);
        table_add(t, PLAIN, "%s", dflt);
        table_add(t, PLAIN, "%s%s", k->help, k->historic ? " (historic, ignored)" : "");
}

static void keys_text(struct cli *c) {
        static const struct {
                enum config_dialect dialect;
                const char *title;
        } dialects[] = { { CONFIG_SIMPLE, "simple form" },
                         { CONFIG_FULL, "full form, the one with 'frontends'" } };

        for (size_t i = 0; i < ELEMENTS(dialects); i++) {
                _cleanup_(table_done) struct table t = { .columns = 4, .indent = "  " };

                config_keys(dialects[i].dialect, key_row, &t);
                out_paint(&c->out, BOLD, dialects[i].title);
                out_printf(&c->out, "\n");
                table_print(&c->out, &t);
                out_printf(&c->out, "\n");
        }
        out_printf(&c->out, "Four defaults: with 'runtime' in the file | up to 2 backends | 3 to 5 "
                            "| more\n");
}

int keys_run(struct cli *c) {
        json_t *doc;

        if (!args_has(&c->args, OPTION_BIT(JSON))) {
                keys_text(c);
                return BAL_EXIT_OK;
        }
        doc = out_document("bal.config_keys");
        if (doc && json_object_set_new(doc, "keys", config_keys_json()) < 0) {
                json_decref(doc);
                doc = NULL;
        }
        out_json(&c->out, doc);
        return BAL_EXIT_OK;
}
