/* SPDX-License-Identifier: MIT */
/* `bal doctor`: which checks, for which backend, and what comes out of it. Nothing is changed. */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bal/exit.h"
#include "cli/doc.h"
#include "cli/doctor/exam.h"
#include "cli/doctor/screen.h"
#include "cli/names.h"
#include "core/clock.h"
#include "core/str.h"

#define FILE_WAIT_MS 800 /* a file that is not found by then lies on a sick server */

enum plugin_exit { PLUGIN_OK, PLUGIN_WARNING, PLUGIN_CRITICAL, PLUGIN_UNKNOWN };

struct doctor {
        struct cli *c;
        struct facts facts;
        struct exam exam;
        struct visit *visits;
        struct doctor_report report;
        uint32_t wanted; /* bit n: checks[n] */
        bool live;       /* rows are printed as they come */
        char *pool, *backend;
};

static void doctor_done(struct doctor *d) {
        for (size_t i = 0; i < d->report.n; i++)
                finding_done(&d->visits[i].finding);
        free(d->visits);
        facts_done(&d->facts);
        if (d->exam.config_tried)
                diags_done(&d->exam.diags);
        config_unref(d->exam.config);
        str_freep(&d->pool);
        str_freep(&d->backend);
}

/* ---- which checks ---- */

static int id_find(const char *id, size_t n) {
        for (size_t i = 0; i < n_checks; i++)
                if (strlen(checks[i].id) == n && strncmp(checks[i].id, id, n) == 0)
                        return (int)i;
        return -ENOENT;
}

static uint32_t bit_of(const char *id) {
        return 1U << id_find(id, strlen(id));
}

static int unknown_id(struct cli *c, const char *id, size_t n) {
        _cleanup_(str_freep) char *word = str_printf("%.*s", (int)n, id), *all = NULL;
        const char *words[32] = { NULL };
        const char *meant;

        for (size_t i = 0; i < n_checks && i + 1 < ELEMENTS(words); i++) {
                words[i] = checks[i].id;
                words_append(&all, "%s", checks[i].id);
        }
        meant = word ? str_closest(word, words) : NULL;
        if (meant)
                return verb_misused(c, "unknown check '%s'; did you mean '%s'?", word, meant);
        return verb_misused(c, "unknown check '%s'; there are: %s", word ? word : "?",
                            all ? all : "");
}

/* "config,bind": 0, or an exit code. */
static int ids_add(struct cli *c, uint32_t *bits, const char *list) {
        while (*list) {
                size_t n = strcspn(list, ",");
                int i = n > 0 ? id_find(list, n) : 0;

                if (i < 0)
                        return unknown_id(c, list, n);
                if (n > 0)
                        *bits |= 1U << i;
                list += n + (list[n] == ',');
        }
        return BAL_EXIT_OK;
}

static int choose(struct doctor *d) {
        const struct args *a = &d->c->args;
        uint32_t only = 0, skip = 0;
        int code = BAL_EXIT_OK;

        for (size_t i = 0; i < a->n_only && code == BAL_EXIT_OK; i++)
                code = ids_add(d->c, &only, a->only[i]);
        for (size_t i = 0; i < a->n_skip && code == BAL_EXIT_OK; i++)
                code = ids_add(d->c, &skip, a->skip[i]);
        if (code != BAL_EXIT_OK)
                return code;
        if (only == 0 && a->backend) /* one backend: what has to do with it */
                only = bit_of("config") | bit_of("dns") | bit_of("backend");
        d->wanted = (only ? only : (1U << n_checks) - 1) & ~skip;
        if (d->wanted == 0)
                return verb_misused(d->c, "no check is left to be made");
        return BAL_EXIT_OK;
}

static bool any_needs_file(const struct doctor *d) {
        for (size_t i = 0; i < n_checks; i++)
                if (d->wanted & (1U << i) && checks[i].needs_file)
                        return true;
        return false;
}

/* ---- before the checks ---- */

PRINTF(3, 4) static int fail(struct doctor *d, int code, const char *fmt, ...) {
        _cleanup_(str_freep) char *text = NULL;
        va_list ap;

        va_start(ap, fmt);
        if (vasprintf(&text, fmt, ap) < 0)
                text = NULL;
        va_end(ap);
        if (!d->exam.plugin)
                return verb_fail(d->c, code, "%s", text ? text : "out of memory");
        out_printf(&d->c->out, "BAL UNKNOWN: ");
        out_clean(&d->c->out, text ? text : "out of memory");
        out_printf(&d->c->out, "\n");
        return PLUGIN_UNKNOWN;
}

static int need_file(struct doctor *d) {
        const struct fact_file *file = facts_file(&d->facts, FILE_WAIT_MS);
        const struct fact_daemon *daemon;

        if (!file || file->error != -ENOENT || file->of_daemon || !any_needs_file(d))
                return BAL_EXIT_OK;
        if (d->c->args.config)
                return fail(d, BAL_EXIT_NO_INPUT, "no configuration file %s", file->path);
        daemon = facts_daemon(&d->facts, FACTS_LIMIT_MS);
        if (!daemon || daemon->result != ASK_ABSENT) /* there is one, and its file we cannot know */
                return BAL_EXIT_OK;
        return fail(d, BAL_EXIT_NO_INPUT,
                    "no configuration file: neither ~/.bal/config.yaml nor /etc/bal/config.yaml "
                    "is there; 'bal start' writes %s",
                    file->path);
}

static json_t *backends_of(const struct config *c) {
        json_t *list = json_array();

        for (size_t i = 0; i < c->n_pools; i++)
                for (size_t k = 0; k < c->pools[i].n_endpoints; k++)
                        json_array_append_new(list,
                                              json_pack("{s:s, s:s}", "pool", c->pools[i].name,
                                                        "name", c->pools[i].endpoints[k].name));
        return json_pack("{s:o}", "backends", list);
}

/* Which one is meant by --backend. When the file cannot be used, its check says so. */
static int choose_backend(struct doctor *d) {
        const char *text = d->c->args.backend;
        _cleanup_(str_freep) char *problem = NULL;
        const struct config *config;
        struct backend_name name;
        json_t *doc;
        int r, code;

        config = text ? exam_config(&d->exam) : NULL;
        if (!config)
                return BAL_EXIT_OK;
        doc = backends_of(config);
        r = name_find(&name, doc, text, &problem);
        if (r == 0) {
                words_set(&d->pool, "%s", name.pool);
                words_set(&d->backend, "%s", name.name);
                d->exam.pool = d->pool;
                d->exam.backend = d->backend;
        }
        code = r == 0 ? BAL_EXIT_OK : verb_misused(d->c, "%s", problem ? problem : "out of memory");
        json_decref(doc);
        return code;
}

/* ---- the checks ---- */

static void on_over(struct visit *v, void *userdata) {
        struct doctor *d = userdata;

        (void)v;
        if (d->live)
                screen_rows(&d->c->out, &d->report);
}

static void on_tick(void *userdata) {
        struct doctor *d = userdata;

        facts_reap(&d->facts, clock_mono_ms());
}

static void set_time(struct doctor_report *r) {
        char text[CLOCK_TEXT_MAX];

        clock_text(clock_real_us(), text);
        snprintf(r->time, sizeof(r->time), "%.19sZ", text);
        if (gethostname(r->hostname, sizeof(r->hostname) - 1) < 0)
                r->hostname[0] = '\0';
}

static void examine(struct doctor *d) {
        const struct run_hooks hooks = { .over = on_over, .tick = on_tick, .userdata = d };

        for (size_t i = 0; i < n_checks; i++)
                if (d->wanted & (1U << i))
                        d->visits[d->report.n++].check = &checks[i];
        d->report.visits = d->visits;
        if (d->live)
                screen_head(&d->c->out, &d->report);
        run_all(d->visits, d->report.n, &d->exam, &hooks);
        d->report.elapsed_ms = clock_mono_ms() - d->report.started_ms;
}

/* ---- what comes out ---- */

static json_t *protection(struct doctor *d) {
        json_t *head = facts_head(&d->facts);
        const json_t *mode = json_object_get(head, "protection_mode");
        json_t *copy = mode ? json_pack("{s:b, s:O?}", "enabled", doc_bool(mode, "enabled"),
                                        "reason", json_object_get(mode, "reason"))
                            : NULL;

        json_decref(head);
        return copy;
}

static int exit_of(const struct doctor *d, enum level worst) {
        bool strict = args_has(&d->c->args, OPTION_BIT(STRICT));

        if (strict && worst == LEVEL_WARN)
                worst = LEVEL_CRITICAL;
        if (d->exam.plugin)
                return worst == LEVEL_CRITICAL ? PLUGIN_CRITICAL
                       : worst == LEVEL_WARN   ? PLUGIN_WARNING
                                               : PLUGIN_OK;
        return worst == LEVEL_CRITICAL ? BAL_EXIT_FAILED : BAL_EXIT_OK;
}

static int tell(struct doctor *d) {
        struct out *o = &d->c->out;

        if (d->exam.plugin)
                screen_plugin(o, &d->report);
        else if (args_has(&d->c->args, OPTION_BIT(JSON)))
                out_json(o, screen_document(&d->report, protection(d)));
        else if (args_has(&d->c->args, OPTION_BIT(BRIEF)))
                screen_brief(o, &d->report);
        else
                screen_verdict(o, &d->report);
        return exit_of(d, screen_counts(&d->report).worst);
}

int doctor_run(struct cli *c) {
        _cleanup_(doctor_done) struct doctor d = { .c = c, .report.started_ms = clock_mono_ms() };
        const struct args *a = &c->args;
        int code, r;

        d.facts.head_fd = d.facts.backends_fd = d.facts.path_fd[0] = d.facts.path_fd[1] = -EBADF;
        d.facts.daemon_helper.end_fd = d.facts.file_helper.end_fd = -EBADF;
        d.exam.plugin = args_has(a, OPTION_BIT(PLUGIN));
        d.live = !d.exam.plugin && !args_has(a, OPTION_BIT(JSON) | OPTION_BIT(BRIEF));
        if (d.exam.plugin && args_has(a, OPTION_BIT(JSON)))
                return verb_misused(c, "--plugin and --json exclude each other");
        code = choose(&d);
        if (code != BAL_EXIT_OK)
                return code;

        r = facts_start(&d.facts, c);
        d.visits = calloc(n_checks, sizeof(*d.visits));
        if (r < 0 || !d.visits)
                return fail(&d, BAL_EXIT_FAILED, "cannot begin: %s", strerror(r < 0 ? -r : ENOMEM));
        d.exam.cli = c;
        d.exam.facts = &d.facts;
        d.exam.config_checked = d.wanted & bit_of("config");
        d.report.all_rows = args_has(a, OPTION_BIT(VERBOSE) | OPTION_BIT(ONLY));
        set_time(&d.report);
        code = need_file(&d);
        if (code == BAL_EXIT_OK)
                code = choose_backend(&d);
        if (code != BAL_EXIT_OK)
                return code;
        examine(&d);
        return tell(&d);
}
