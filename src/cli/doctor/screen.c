/* SPDX-License-Identifier: MIT */

#include "cli/doctor/screen.h"

#include <string.h>

#include "core/str.h"

#define PARTS_INDENT "             " /* below the summary's column, less two */

/* On the screen the answers that come first stand first, and names and backends, which may take a
 * second, behind them. */
static const char *const order[] = { "config",    "daemon",  "pid",     "bind",       "fds",
                                     "conntrack", "dns",     "backend", "protection", "waiting",
                                     "sockets",   "backlog", "ports",   "metrics",    "log",
                                     "unit",      "version" };

static const enum colour colours
        [LEVELS_COUNT] = { [LEVEL_OK] = GREEN, [LEVEL_WARN] = YELLOW, [LEVEL_CRITICAL] = RED };

struct doctor_counts screen_counts(const struct doctor_report *r) {
        struct doctor_counts c = { .worst = LEVEL_OK };

        for (size_t i = 0; i < r->n; i++) {
                enum level l = r->visits[i].finding.level;

                c.of[l]++;
                c.worst = l > c.worst ? l : c.worst;
        }
        return c;
}

static struct visit *visit_find(const struct doctor_report *r, const char *id) {
        for (size_t i = 0; i < r->n; i++)
                if (strcmp(r->visits[i].check->id, id) == 0)
                        return &r->visits[i];
        return NULL;
}

static void print_level(struct out *o, enum level l, size_t width) {
        out_paint(o, colours[l], level_word(l));
        out_spaces(o, width - strlen(level_word(l)));
}

/* ---- rows ---- */

void screen_head(struct out *o, const struct doctor_report *r) {
        out_printf(o, "bal doctor  ");
        out_clean(o, r->hostname);
        out_printf(o, "  %s  %zu check%s\n", r->time, r->n, r->n == 1 ? "" : "s");
        out_finish(o);
}

static void print_row(struct out *o, const struct visit *v) {
        const struct finding *f = &v->finding;

        out_printf(o, "  ");
        print_level(o, f->level, sizeof("CRITICAL"));
        out_printf(o, "%-11s ", v->check->id);
        out_clean(o, f->summary ? f->summary : "?");
        out_printf(o, "\n");
        if (f->level == LEVEL_OK)
                return;
        out_part(o, PARTS_INDENT, "what_happened", f->what_happened);
        out_part(o, PARTS_INDENT, "why_likely", f->why_likely);
        out_part(o, PARTS_INDENT, "do_this_now", f->do_this_now);
}

void screen_rows(struct out *o, struct doctor_report *r) {
        for (; r->printed < ELEMENTS(order); r->printed++) {
                const struct visit *v = visit_find(r, order[r->printed]);

                if (!v)
                        continue;
                if (!v->over)
                        break;
                if (v->finding.level == LEVEL_OK && !v->check->shown && !r->all_rows)
                        r->folded++;
                else
                        print_row(o, v);
        }
        out_finish(o);
}

/* ",backend" of those that are not well; NULL: all are, or no memory. */
static char *troubled(const struct doctor_report *r) {
        char *ids = NULL;

        for (size_t i = 0; i < ELEMENTS(order); i++) {
                const struct visit *v = visit_find(r, order[i]);
                char *more;

                if (!v || v->finding.level == LEVEL_OK)
                        continue;
                more = str_printf("%s%s%s", ids ? ids : "", ids ? "," : "", v->check->id);
                str_freep(&ids);
                ids = more;
        }
        return ids;
}

void screen_verdict(struct out *o, const struct doctor_report *r) {
        struct doctor_counts c = screen_counts(r);
        _cleanup_(str_freep) char *ids = troubled(r);

        if (r->folded > 0)
                out_printf(o, "  + %zu more OK (bal doctor --verbose)\n", r->folded);
        out_printf(o, "\nbal doctor: ");
        out_paint(o, colours[c.worst], level_word(c.worst));
        out_printf(o, ": %zu critical, %zu warning%s, %zu ok in %.2f s\n", c.of[LEVEL_CRITICAL],
                   c.of[LEVEL_WARN], c.of[LEVEL_WARN] == 1 ? "" : "s", c.of[LEVEL_OK],
                   (double)r->elapsed_ms / 1000);
        if (ids)
                out_printf(o, "  next: fix %s rows%s, then run: bal doctor --only %s\n",
                           level_word(c.worst), c.worst == LEVEL_CRITICAL ? " first" : "", ids);
        else
                out_printf(o, "  next: bal status\n");
}

/* ---- one line ---- */

/* The first of the worst. */
static const struct visit *worst(const struct doctor_report *r, enum level level) {
        for (size_t i = 0; i < ELEMENTS(order); i++) {
                const struct visit *v = visit_find(r, order[i]);

                if (v && v->finding.level == level)
                        return v;
        }
        return NULL;
}

/* On one line: lines become sentences. */
static void print_worst(struct out *o, const struct visit *v, bool plugin) {
        const struct finding *f = &v->finding;
        _cleanup_(str_freep) char *copy = f->what_happened ? strdup(f->what_happened) : NULL,
                                  *text = NULL;
        char *rest = copy, *line;

        words_set(&text, "%s: %s", v->check->id, f->summary ? f->summary : "?");
        for (bool first = true; (line = strsep(&rest, "\n")); first = false)
                words_set(&text, "%s%s%s", text ? text : "", first ? " (" : "; ", line);
        if (copy)
                words_set(&text, "%s)", text ? text : "");
        for (char *c = text; plugin && c && *c; c++)
                *c = *c == '|' ? '/' : *c; /* it begins the numbers */
        out_clean(o, text);
}

void screen_brief(struct out *o, const struct doctor_report *r) {
        struct doctor_counts c = screen_counts(r);
        bool first = true;

        for (int l = LEVEL_CRITICAL; l >= LEVEL_OK; l--) {
                if (c.of[l] == 0)
                        continue;
                out_printf(o, "%s", first ? "" : " ");
                out_paint(o, colours[l], level_word(l));
                out_printf(o, " %zu", c.of[l]);
                first = false;
        }
        if (c.worst != LEVEL_OK) {
                out_printf(o, "  ");
                print_worst(o, worst(r, c.worst), false);
        }
        out_printf(o, "\n");
}

void screen_plugin(struct out *o, const struct doctor_report *r) {
        static const char *const words[] = { "OK", "WARNING", "CRITICAL" };
        struct doctor_counts c = screen_counts(r);

        out_printf(o, "BAL %s: %zu critical, %zu warning%s, %zu ok", words[c.worst],
                   c.of[LEVEL_CRITICAL], c.of[LEVEL_WARN], c.of[LEVEL_WARN] == 1 ? "" : "s",
                   c.of[LEVEL_OK]);
        if (c.worst != LEVEL_OK) {
                out_printf(o, "; ");
                print_worst(o, worst(r, c.worst), true);
        }
        out_printf(o, " | critical=%zu warnings=%zu time=%.2fs", c.of[LEVEL_CRITICAL],
                   c.of[LEVEL_WARN], (double)r->elapsed_ms / 1000);
        for (size_t i = 0; i < r->n; i++) {
                if (r->visits[i].finding.perf)
                        out_printf(o, " ");
                if (r->visits[i].finding.perf)
                        out_clean(o, r->visits[i].finding.perf);
        }
        out_printf(o, "\n");
}

/* ---- JSON ---- */

static json_t *check_document(const struct visit *v) {
        const struct finding *f = &v->finding;

        return json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:I}", "name", v->check->id, "level",
                         level_key(f->level), "summary", out_text(f->summary ? f->summary : ""),
                         "hint", out_text(f->do_this_now), "what_happened",
                         out_text(f->what_happened), "why_likely", out_text(f->why_likely),
                         "do_this_now", out_text(f->do_this_now), "duration_ms",
                         (json_int_t)v->duration_ms);
}

json_t *screen_document(const struct doctor_report *r, json_t *protection) {
        struct doctor_counts c = screen_counts(r);
        json_t *doc = out_document("bal.doctor"), *list = json_array();
        int bad = 0;

        for (size_t i = 0; i < r->n; i++)
                bad |= json_array_append_new(list, check_document(&r->visits[i]));
        if (!protection)
                protection = json_pack("{s:b, s:n}", "enabled", 0, "reason");
        bad |= json_object_set_new(doc, "verdict", json_string(level_word(c.worst)));
        bad |= json_object_set_new(doc, "hostname", out_text(r->hostname));
        bad |= json_object_set_new(doc, "time", json_string(r->time));
        bad |= json_object_set_new(doc, "elapsed_ms", json_integer((json_int_t)r->elapsed_ms));
        bad |= json_object_set_new(
                doc, "counts",
                json_pack("{s:I, s:I, s:I}", "critical", (json_int_t)c.of[LEVEL_CRITICAL], "warn",
                          (json_int_t)c.of[LEVEL_WARN], "ok", (json_int_t)c.of[LEVEL_OK]));
        bad |= json_object_set_new(doc, "protection_mode", protection);
        bad |= json_object_set_new(doc, "checks", list);
        if (!bad)
                return doc;
        json_decref(doc);
        return NULL;
}
