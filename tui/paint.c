/* SPDX-License-Identifier: MIT */
/* The whole screen: what is above and below the table, and the pages that take its place. */

#include "paint.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/str.h"
#include "keys.h"

/* ---- below the table ---- */

/* "12:04:28 10.20.0.17:8080 UP -> DOWN refused" */
static size_t put_event(struct canvas *c, size_t row, size_t column, const struct event *e) {
        char clock[TEXT_MAX];

        return canvas_printf(c, row, column, STYLE_PLAIN, "%s %s%s%s", text_clock(e->real_s, clock),
                             e->state ? e->backend : "", e->state ? " " : "", e->text);
}

/* The newest ones next to each other, as many as fit; changes of state before anything else. */
static void paint_events(struct canvas *c, const struct model *m, size_t row) {
        size_t column = 1;

        for (size_t i = m->n_events; i > 0 && column + 20 < c->columns; i--) {
                if (m->events[i - 1].state)
                        column = put_event(c, row, column, &m->events[i - 1]) + 4;
        }
        if (column == 1 && m->n_events > 0)
                put_event(c, row, column, &m->events[m->n_events - 1]);
}

static void paint_separator(struct canvas *c, const struct ui *ui, size_t row) {
        size_t first = ui->top[ui->page], last = first + ui->rows_shown, column;

        last = last < ui->n_order ? last : ui->n_order;
        column = canvas_printf(c, row, 1, STYLE_FAINT, "-- %zu-%zu of %zu%s, %s%s ",
                               ui->n_order > 0 ? first + 1 : 0, last, ui->n_order,
                               ui->page == PAGE_BACKENDS ? "" : " ",
                               ui->page == PAGE_BACKENDS && ui->sort[ui->page] == SORT_TROUBLE
                                       ? "worst first"
                                       : sorts[ui->sort[ui->page]].word,
                               ui->inverted[ui->page] ? ", inverted" : "");
        while (column + 1 < c->columns)
                column = canvas_put(c, row, column, 1, STYLE_FAINT, "-");
}

static void paint_status(struct canvas *c, const struct ui *ui, const struct model *m, size_t row) {
        canvas_printf(c, row, 1, STYLE_FAINT, "Filter: %s   Sort: %s%s   Tagged: %zu   Socket: %s",
                      *ui->filter ? ui->filter : "none", sorts[ui->sort[ui->page]].word,
                      ui->inverted[ui->page] ? " inverted" : "", ui_tagged(m), ui->socket);
}

static void since_text(const struct backend *b, uint64_t now_s, char *buf, size_t size) {
        char age[TEXT_MAX], clock[TEXT_MAX];

        if (b->since_s == 0)
                snprintf(buf, size, "%s", states[b->state].word);
        else
                snprintf(buf, size, "%s %s  since %s", states[b->state].word,
                         text_age(now_s > b->since_s ? (int64_t)(now_s - b->since_s) : 0, age),
                         text_clock(b->since_s, clock));
}

static void paint_five(struct canvas *c,
                       const struct ui *ui,
                       const struct model *m,
                       const struct backend *b,
                       size_t row) {
        struct advice a;
        char since[96];
        size_t column;
        struct strip strip = { .n = b->strip.n };
        const struct pool *p = model_pool(m, b->pool);

        advise(&a, b);
        since_text(b, ui->data_real_s, since, sizeof(since));
        column = canvas_printf(c, row, 1, STYLE_STRONG, "%s  ", b->name);
        column = canvas_printf(c, row, column, style_of(b->state), "%s", since);
        if (*b->reason)
                canvas_printf(c, row, column + 2, STYLE_PLAIN, "reason %s   %s", b->reason,
                              b->text);
        canvas_printf(c, row + 1, 1, STYLE_PLAIN, "  what_happened  %s", a.what);
        canvas_printf(c, row + 2, 1, STYLE_PLAIN, "  why_likely     %s", a.why);
        canvas_printf(c, row + 3, 1, STYLE_PLAIN, "  do_this_now    %s", a.now);
        canvas_put(c, row + 4, 1, SIZE_MAX, STYLE_PLAIN, "  history 2m");
        for (size_t i = 0; i < strip.n; i++)
                strip.active[i] = b->strip.active[i];
        paint_strip(c, row + 4, 18, STRIP_CELLS, &strip, p ? p->peak_cell : 0, ui->chars);
        canvas_printf(c, row + 4, 18 + STRIP_CELLS + 2, STYLE_PLAIN,
                      "peak %lld   x = down   Enter: ten minutes", (long long)b->peak);
}

void paint_few(struct canvas *c, const struct ui *ui, const struct model *m, size_t row, size_t n) {
        const struct backend *b = ui_backend(ui, m);
        const struct event *e = b ? model_event_of(m, b) : NULL;
        struct advice a;
        size_t column;

        if (b && n == 5) {
                paint_five(c, ui, m, b, row);
                return;
        }
        if (!b || n == 0) {
                if (n > 0 && m->n_events > 0)
                        put_event(c, row, 1, &m->events[m->n_events - 1]);
                return;
        }
        advise(&a, b);
        column = canvas_printf(c, row, 1, STYLE_PLAIN, "%s ", b->name);
        column = canvas_printf(c, row, column, style_of(b->state), "%s", states[b->state].word);
        canvas_printf(c, row, column + 1, STYLE_PLAIN, "%s", a.brief);
        if (!e && m->n_events > 0)
                e = &m->events[m->n_events - 1];
        if (e)
                put_event(c, row + 1, 1, e);
}

/* ---- one backend on the whole screen ---- */

struct facts {
        struct canvas *c;
        size_t row, end;
};

PRINTF(3, 4) static void fact(struct facts *f, const char *label, const char *fmt, ...) {
        char text[ADVICE_MAX];
        va_list ap;

        if (f->row >= f->end)
                return;
        va_start(ap, fmt);
        vsnprintf(text, sizeof(text), fmt, ap);
        va_end(ap);
        canvas_put(f->c, f->row, 1, SIZE_MAX, STYLE_FAINT, label);
        canvas_put(f->c, f->row++, 17, SIZE_MAX, STYLE_PLAIN, text);
}

static void traffic_facts(struct facts *f, const struct backend *b) {
        char in[TEXT_MAX], out[TEXT_MAX], all_in[TEXT_MAX], all_out[TEXT_MAX], limit[TEXT_MAX];

        *limit = '\0';
        if (b->max_connections > 0)
                snprintf(limit, sizeof(limit), " of %lld", (long long)b->max_connections);
        fact(f, "connections", "%lld%s now, peak %lld, %.1f/s new, %lld since the start",
             (long long)b->active, limit, (long long)b->peak, b->new_per_s, (long long)b->total);
        fact(f, "traffic", "in %s/s, out %s/s; %s and %s bytes since the start",
             text_bytes(b->in_per_s, in), text_bytes(b->out_per_s, out),
             text_bytes((double)b->bytes_in, all_in), text_bytes((double)b->bytes_out, all_out));
        fact(f, "failed",
             "%.1f/s; timeout %lld, refused %lld, other %lld, closed %lld; %lld changes of state",
             b->failed_per_s, (long long)b->timeout, (long long)b->refused, (long long)b->other,
             (long long)b->closed, (long long)b->state_changes);
}

static void setting_facts(struct facts *f, const struct backend *b) {
        char file[64] = "";

        if (b->weight != b->weight_configured)
                snprintf(file, sizeof(file), " (the file says %lld)",
                         (long long)b->weight_configured);
        fact(f, "pool", "%s, weight %lld%s%s", b->pool, (long long)b->weight, file,
             b->backup ? ", backup" : "");
        if (strcmp(b->check.type, "none") == 0)
                fact(f, "check", "none");
        else
                fact(f, "check",
                     "%s every %.1fs: %s, %lldms; failed %lld of %lld, passed %lld of %lld",
                     b->check.type, (double)b->check.interval_ms / 1000,
                     *b->check.result ? b->check.result : "-",
                     (long long)(b->check.duration_ms > 0 ? b->check.duration_ms : 0),
                     (long long)b->check.failed_in_a_row, (long long)b->check.fall,
                     (long long)b->check.passed_in_a_row, (long long)b->check.rise);
}

static int64_t highest(const struct strip *s) {
        int64_t most = 0;

        for (size_t i = 0; i < s->n; i++)
                most = s->active[i] > most ? s->active[i] : most;
        return most;
}

/* Ten minutes: as wide as there is room for, in one row or in several. */
static void strip_facts(struct facts *f, const struct ui *ui) {
        const struct strip *s = &ui->detail;
        size_t width = f->c->columns > 19 ? f->c->columns - 18 : 1, done = 0;
        int64_t most = highest(s);

        if (f->row < f->end)
                canvas_printf(f->c, f->row, 1, STYLE_FAINT, "history %zum", (s->n * 5 + 59) / 60);
        while (done < s->n && f->row < f->end) {
                struct strip part = { .n = s->n - done < width ? s->n - done : width };

                memcpy(part.active, s->active + done, part.n * sizeof(*part.active));
                paint_strip(f->c, f->row++, 17, part.n, &part, most, ui->chars);
                done += part.n;
        }
        if (s->n > 0)
                fact(f, "", "peak %lld connections; the newest on the right; x = down",
                     (long long)most);
        else
                f->row++;
}

static void event_facts(struct facts *f, const struct model *m, const struct backend *b) {
        const char *label = "events";

        for (size_t i = m->n_events; i > 0 && f->row < f->end; i--) {
                const struct event *e = &m->events[i - 1];
                char clock[TEXT_MAX];

                if (strcmp(e->backend, b->name) != 0 || strcmp(e->pool, b->pool) != 0)
                        continue;
                fact(f, label, "%s %s", text_clock(e->real_s, clock), e->text);
                label = "";
        }
}

void paint_detail(struct canvas *c, const struct ui *ui, const struct model *m) {
        const struct backend *b = ui_backend(ui, m);
        struct facts f = { .c = c, .row = 2, .end = c->rows > 1 ? c->rows - 1 : 1 };
        struct advice a;
        char since[96];

        if (!b) {
                canvas_put(c, 2, 1, SIZE_MAX, STYLE_FAINT, "this backend is gone; Esc goes back");
                return;
        }
        advise(&a, b);
        since_text(b, ui->data_real_s, since, sizeof(since));
        canvas_printf(c, 1, canvas_printf(c, 1, 1, STYLE_STRONG, "%s  ", b->name),
                      style_of(b->state), "%s%s", since, b->tagged ? "  *tagged" : "");
        if (*b->text)
                fact(&f, "reason", "%s", b->text);
        fact(&f, "what_happened", "%s", a.what);
        fact(&f, "why_likely", "%s", a.why);
        fact(&f, "do_this_now", "%s", a.now);
        setting_facts(&f, b);
        traffic_facts(&f, b);
        strip_facts(&f, ui);
        event_facts(&f, m, b);
}

/* ---- other pages ---- */

static void paint_help(struct canvas *c, struct ui *ui) {
        size_t rows = c->rows > 3 ? c->rows - 3 : 1;

        ui->rows_shown = rows;
        canvas_put(c, 1, 1, SIZE_MAX, STYLE_STRONG, "Keys");
        canvas_put(c, 1, 17, SIZE_MAX, STYLE_FAINT,
                   "Esc and a digit within a second: F1 to F10. Esc goes back.");
        for (size_t i = 0; i < rows && ui->help_top + i < n_keys; i++) {
                const struct key_row *k = &keys[ui->help_top + i];

                canvas_put(c, 2 + i, 1, 15, STYLE_STRONG, k->names);
                canvas_put(c, 2 + i, 17, SIZE_MAX, STYLE_PLAIN, k->help);
        }
}

static void paint_menu(struct canvas *c, const struct ui *ui) {
        size_t row = 2, n = 0;

        canvas_printf(c, 1, 1, STYLE_STRONG, "Sort %s by", page_titles[ui->page]);
        for (enum sort s = 0; s < SORTS_COUNT; s++) {
                if (sorts[s].page != ui->page)
                        continue;
                c->reverse = n == ui->menu;
                canvas_printf(c, row + n, 1, STYLE_PLAIN, "%s %-14s", n == ui->menu ? ">" : " ",
                              sorts[s].word);
                if (n == ui->menu)
                        c->cursor_row = row + n < c->rows ? row + n : 0;
                n++;
        }
        c->reverse = false;
}

/* Nobody answers yet: the three parts, and what has been tried. */
static void paint_waiting(struct canvas *c, const struct ui *ui) {
        bool no_right = strstr(ui->link_why, "Permission denied");

        canvas_printf(c, 2, 1, STYLE_PLAIN, "what_happened: no daemon answers on %s", ui->link_why);
        if (no_right) {
                canvas_printf(c, 3, 1, STYLE_PLAIN,
                              "why_likely:    user '%s' is not in group 'bal'", ui->user);
                canvas_printf(c, 4, 1, STYLE_PLAIN,
                              "do_this_now:   sudo usermod -aG bal %s, log in again", ui->user);
        } else {
                canvas_put(c, 3, 1, SIZE_MAX, STYLE_PLAIN, "why_likely:    bal is not running");
                canvas_put(c, 4, 1, SIZE_MAX, STYLE_PLAIN,
                           "do_this_now:   bal check && systemctl start bal");
        }
        canvas_put(c, 6, 1, SIZE_MAX, STYLE_FAINT, "It goes on as soon as bal answers; q quits.");
}

/* ---- the last row ---- */

static const char *bar_text(const struct key_row *k, const struct layout *l) {
        return k->bar[l->wide ? 0 : l->narrow ? 2 : 1];
}

/* Quit comes last and never gives way: the others share what it leaves. */
static void paint_bar(struct canvas *c, const struct layout *l, size_t row) {
        const char *quit = bar_text(&keys[n_keys - 1], l);
        size_t gap = l->wide ? 2 : 1, column = 1, end = c->columns - 1;

        end = end > strlen(quit) + gap ? end - strlen(quit) - gap : 0;
        for (size_t i = 0; i + 1 < n_keys; i++) {
                const char *text = bar_text(&keys[i], l);

                if (!text)
                        continue;
                if (column + strlen(text) > end)
                        break;
                column = canvas_put(c, row, column, SIZE_MAX, STYLE_BAR, text) + gap;
        }
        canvas_put(c, row, column, SIZE_MAX, STYLE_BAR, quit);
}

static void paint_bottom(struct canvas *c,
                         const struct ui *ui,
                         const struct model *m,
                         const struct layout *l,
                         size_t row) {
        char prompt[MESSAGE_MAX * 2];
        size_t column;

        c->dim = c->reverse = false;
        canvas_fill(c, row, 0, STYLE_PLAIN);
        ui_prompt(ui, m, prompt, sizeof(prompt));
        if (*prompt) {
                size_t n = str_cells(prompt, strlen(prompt));
                const char *text = prompt;

                /* what is typed stands at the end, so the end is what has to be seen */
                while (n + 2 > c->columns && *text) {
                        size_t cut = str_fit(text, strlen(text), 1);

                        text += cut > 0 ? cut : str_fit(text, strlen(text), 2);
                        n = str_cells(text, strlen(text));
                }
                column = canvas_put(c, row, n + 1 < c->columns ? 1 : 0, SIZE_MAX, STYLE_PROMPT,
                                    text);
                c->cursor_row = row;
                c->cursor_column = column < c->columns ? column : c->columns - 1;
        } else if (*ui->message) {
                canvas_put(c, row, 1, SIZE_MAX, STYLE_PROMPT, ui->message);
        } else {
                paint_bar(c, l, row);
        }
}

/* Too small for a table: one line, or the prompt. */
static void paint_tiny(struct canvas *c,
                       const struct ui *ui,
                       const struct model *m,
                       const struct layout *l) {
        if (ui_prompting(ui) || ui->mode == MODE_FILTER || *ui->message)
                paint_bottom(c, ui, m, l, 0);
        else
                paint_line(c, ui, m);
}

static void paint_main(struct canvas *c,
                       struct ui *ui,
                       const struct model *m,
                       const struct layout *l) {
        paint_table(c, ui, m, l);
        if (l->n_separator > 0)
                paint_separator(c, ui, l->separator);
        paint_few(c, ui, m, l->detail, l->n_detail);
        if (l->n_event > 0)
                paint_events(c, m, l->event);
        if (l->n_status > 0)
                paint_status(c, ui, m, l->status);
}

void paint(struct canvas *c, struct ui *ui, const struct model *m) {
        struct layout l = layout_rows(c->columns, c->rows);

        canvas_clear(c);
        if (l.line) {
                paint_tiny(c, ui, m, &l);
                return;
        }
        paint_head(c, ui, m, ui->mode == MODE_TABLE || ui->mode > MODE_SORT ? l.head_rows : 1);
        if (ui->mode == MODE_HELP)
                paint_help(c, ui);
        else if (!m->valid)
                paint_waiting(c, ui);
        else if (ui->mode == MODE_SORT)
                paint_menu(c, ui);
        else if (ui->mode == MODE_DETAIL)
                paint_detail(c, ui, m);
        else
                paint_main(c, ui, m, &l);
        paint_bottom(c, ui, m, &l, l.bar);
}

int paint_batch(struct canvas *c, struct ui *ui, const struct model *m, size_t columns) {
        struct layout l = { .narrow = columns < LAYOUT_NARROW, .wide = columns >= LAYOUT_WIDE };
        int r;

        l.head_rows = l.narrow ? 4 : 5;
        l.table_head = l.head_rows + 1;
        l.first = l.table_head + 1;
        l.rows = ui->n_order > 0 ? ui->n_order : 1;
        ui->batch = true;
        r = canvas_resize(c, columns, l.first + l.rows);
        if (r < 0)
                return r;
        paint_head(c, ui, m, l.head_rows);
        paint_table(c, ui, m, &l);
        return 0;
}
