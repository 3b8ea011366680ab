/* SPDX-License-Identifier: MIT */

#include <string.h>

#include "bal/exit.h"
#include "cli/verb.h"
#include "core/diag.h"
#include "core/str.h"

static int explain_unknown(struct cli *c) {
        const char *names[DIAG_CODES + 1] = { NULL };
        const char *meant;

        for (unsigned i = 0; i < DIAG_CODES; i++)
                names[i] = diag_info((enum diag_code)i)->name;
        meant = str_closest(c->args.operand, names);
        if (meant)
                return verb_fail(c, BAL_EXIT_USAGE, "unknown code '%s'; did you mean '%s'?",
                                 c->args.operand, meant);
        return verb_fail(c, BAL_EXIT_USAGE, "unknown code '%s'; codes are %s to %s and the like",
                         c->args.operand, names[0], names[DIAG_CODES - 1]);
}

static json_t *explain_document(const struct diag_info *info) {
        json_t *doc = out_document("bal.explain");

        if (doc && json_object_set_new(doc, "code", out_text(info->name)) == 0 &&
            json_object_set_new(doc, "title", out_text(info->title)) == 0 &&
            json_object_set_new(doc, "explanation", out_text(info->explanation)) == 0 &&
            json_object_set_new(doc, "wrong", out_text(info->wrong)) == 0 &&
            json_object_set_new(doc, "right", out_text(info->right)) == 0)
                return doc;
        json_decref(doc);
        return NULL;
}

static void explain_example(struct out *o,
                            const char *title,
                            enum colour colour,
                            const char *text) {
        if (!text || !*text)
                return;
        out_printf(o, "\n");
        out_paint(o, colour, title);
        out_printf(o, "\n");
        while (*text) {
                size_t n = strcspn(text, "\n");

                out_printf(o, "    %.*s\n", (int)n, text);
                text += n + (text[n] == '\n');
        }
}

int explain_run(struct cli *c) {
        const struct diag_info *info;
        enum diag_code code;

        if (diag_find(&code, c->args.operand) < 0)
                return explain_unknown(c);
        info = diag_info(code);
        if (args_has(&c->args, OPTION_BIT(JSON))) {
                out_json(&c->out, explain_document(info));
                return BAL_EXIT_OK;
        }
        out_paint(&c->out, BOLD, info->name);
        out_printf(&c->out, ": %s\n", info->title);
        if (args_has(&c->args, OPTION_BIT(BRIEF)))
                return BAL_EXIT_OK;
        out_printf(&c->out, "%s\n", info->explanation);
        explain_example(&c->out, "wrong:", RED, info->wrong);
        explain_example(&c->out, "right:", GREEN, info->right);
        return BAL_EXIT_OK;
}
