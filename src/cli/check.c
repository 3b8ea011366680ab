/* SPDX-License-Identifier: MIT */
/* `bal check`: everything that is wrong with a configuration, in one run, without the network. */

#include <string.h>

#include "bal/client.h"
#include "bal/exit.h"
#include "cli/show.h"
#include "cli/table.h"
#include "cli/verb.h"
#include "config/config.h"
#include "config/find.h"
#include "config/report.h"
#include "control/limits.h"
#include "core/str.h"

struct check {
        char *path;
        struct config *config; /* NULL: there are errors */
        struct diags diags;
        int result; /* of config_load() */
};

static void check_done(struct check *k) {
        str_freep(&k->path);
        k->config = config_unref(k->config);
        diags_done(&k->diags);
}

static int check_code(const struct cli *c, const struct check *k) {
        switch (k->result) {
        case 0:
                if (args_has(&c->args, OPTION_BIT(STRICT)) && k->diags.n_warnings > 0)
                        return BAL_EXIT_CONFIG;
                return BAL_EXIT_OK;
        case -EINVAL:
        case -EFBIG:
                return BAL_EXIT_CONFIG;
        case -EACCES:
        case -EPERM:
                return BAL_EXIT_NO_RIGHT;
        case -ENOMEM:
                return BAL_EXIT_FAILED;
        default:
                return BAL_EXIT_NO_INPUT;
        }
}

static void json_value(const struct config_value *v, void *userdata) {
        json_t *value = json_pack("{s:o, s:o, s:o}", "key", out_text(v->path), "value",
                                  out_text(v->value), "source", out_text(v->source));

        json_array_append_new(userdata, value); /* a row that had no memory is missing */
}

static json_t *check_document(const struct cli *c, const struct check *k) {
        json_t *doc = out_document("bal.check");
        int r = 0;

        if (!doc)
                return NULL;
        r |= json_object_set_new(doc, "config_path", out_text(k->path));
        r |= json_object_set_new(doc, "errors", report_errors(&k->diags));
        r |= json_object_set_new(doc, "warnings", report_warnings(&k->diags));
        r |= json_object_set_new(
                doc, "backend_count",
                json_integer(k->config ? (json_int_t)config_backends(k->config) : 0));
        r |= json_object_set_new(doc, "diagnostics", report_diagnostics(&k->diags));
        if (k->config && args_has(&c->args, OPTION_BIT(VERBOSE))) {
                json_t *values = json_array();

                config_values(k->config, json_value, values);
                r |= json_object_set_new(doc, "values", values);
        }
        if (r == 0)
                return doc;
        json_decref(doc);
        return NULL;
}

static void table_value(const struct config_value *v, void *userdata) {
        struct table *t = userdata;

        table_add(t, PLAIN, "%s", v->path);
        table_add(t, PLAIN, "%s", v->value);
        table_add(t, CYAN, "%s", v->source);
}

static void check_values(struct out *o, const struct config *c) {
        _cleanup_(table_done) struct table t = { .columns = 3, .cells_max = 60, .indent = "  " };

        out_printf(o, "values in force:\n");
        config_values(c, table_value, &t);
        table_print(o, &t);
        out_printf(o, "\n");
}

/* Nothing is asked of the daemon; that somebody answers is enough to know what comes next. */
static bool daemon_answers(const struct cli *c) {
        struct bal_client *client = NULL;
        int r = bal_client_open(&client, BAL_SOCKET_STATUS, c->args.socket, NULL);

        bal_client_free(client);
        return r == 0;
}

static void check_verdict(struct cli *c, const struct check *k, int code) {
        const struct diag *first = show_first(&k->diags);
        struct out *o = &c->out;

        out_printf(o, "bal check: ");
        out_paint(o, code == BAL_EXIT_OK ? GREEN : RED, code == BAL_EXIT_OK ? "OK" : "FAILED");
        out_printf(o, ": ");
        if (code == BAL_EXIT_OK) {
                size_t backends = config_backends(k->config), pools = k->config->n_pools;

                out_clean(o, k->path);
                out_printf(o, ", %zu pool%s, %zu backend%s, ", pools, pools == 1 ? "" : "s",
                           backends, backends == 1 ? "" : "s");
                show_counts(o, &k->diags);
                out_printf(o, "\n  next: %s\n", daemon_answers(c) ? "bal graceful" : "bal doctor");
                return;
        }
        show_counts(o, &k->diags);
        out_printf(o, " in ");
        out_clean(o, k->path);
        out_printf(o, "%s\n", k->result == 0 ? " (--strict: warnings fail too)" : "");
        if (first && first->at.line > 0)
                out_printf(o, "  next: fix line %u first; more on a code: bal explain %s\n",
                           first->at.line, diag_info(first->code)->name);
        else if (first)
                out_printf(o, "  next: bal explain %s\n", diag_info(first->code)->name);
}

static void check_text(struct cli *c, const struct check *k, int code) {
        struct out *o = &c->out;

        if (args_has(&c->args, OPTION_BIT(BRIEF))) {
                show_diags_brief(o, &k->diags);
                return;
        }
        show_diags(o, &k->diags);
        if (!link_idle(&k->diags.list))
                out_printf(o, "\n");
        if (k->config && args_has(&c->args, OPTION_BIT(VERBOSE)))
                check_values(o, k->config);
        check_verdict(c, k, code);
}

/* Only with --verbose: it is a fact about this machine, not about the file. */
static void check_descriptors(struct check *k) {
        _cleanup_(str_freep) char *message = NULL, *remedy = NULL;
        struct limits limits;

        limits_plan(&limits, k->config, limits_hard());
        if (limits.max_sessions >= k->config->max_connections)
                return;
        message = str_printf("%u connections are more than %u descriptors carry: %u",
                             k->config->max_connections, limits.nofile, limits.max_sessions);
        remedy = str_printf("ulimit -n %u before bal start (a service: LimitNOFILE=%u), or fewer "
                            "connections",
                            limits.needed, limits.needed);
        diags_add(&k->diags, &(struct diag){ .level = DIAG_WARNING,
                                             .code = DIAG_W009,
                                             .at.file = k->path,
                                             .message = message,
                                             .do_this_now = remedy });
}

int check_run(struct cli *c) {
        _cleanup_(check_done) struct check k = { .path = NULL };
        int code, r;

        diags_init(&k.diags);
        r = config_find(&k.path, c->args.config);
        if (r == -ENOENT && c->args.config)
                return verb_fail(c, BAL_EXIT_NO_INPUT, "no configuration file %s", c->args.config);
        if (r == -ENOENT)
                return verb_fail(c, BAL_EXIT_NO_INPUT,
                                 "no configuration file: neither ~/.bal/config.yaml nor "
                                 "/etc/bal/config.yaml is there; 'bal start' writes %s",
                                 k.path);
        if (r < 0)
                return verb_fail(c, BAL_EXIT_FAILED, "cannot look for a configuration: %s",
                                 strerror(-r));

        k.result = config_load(&k.config, k.path, &k.diags);
        if (k.result == -ENOMEM)
                return verb_fail(c, BAL_EXIT_FAILED, "out of memory");
        if (k.config && args_has(&c->args, OPTION_BIT(VERBOSE)))
                check_descriptors(&k);
        code = check_code(c, &k);
        if (args_has(&c->args, OPTION_BIT(JSON)))
                out_json(&c->out, check_document(c, &k));
        else
                check_text(c, &k, code);
        return code;
}
