/* SPDX-License-Identifier: MIT */
/* The rows above the table, each for wide terminals, for 80 columns and for narrow ones. */

#include <stdio.h>
#include <string.h>

#include "paint.h"

#define ROOMY 125 /* columns that all counts of a large pool need beside a long gauge */

struct head {
        struct canvas *c;
        const struct ui *ui;
        const struct model *m;
        bool narrow, wide;
        bool roomy;       /* wide enough for long gauges beside all that there is to tell */
        size_t long_from; /* columns from which on a gauge has 20 cells */
};

static uint64_t now_s(const struct head *h) {
        return h->ui->data_real_s;
}

/* "LIVE 1.0s", "STALE 4s", "RECONNECTING 4s (retry 1s)" */
static void link_text(const struct ui *ui, bool narrow, char *buf, size_t size) {
        char away[TEXT_MAX];

        text_age((int64_t)ui->link_s, away);
        switch (ui->link) {
        case LINK_LIVE:
                snprintf(buf, size, narrow ? "LIVE %gs" : "LIVE %.1fs",
                         (double)ui_interval_ms(ui) / 1000);
                break;
        case LINK_STALE:
                snprintf(buf, size, "STALE %s", away);
                break;
        case LINK_PAUSED:
                snprintf(buf, size, "PAUSED");
                break;
        case LINK_WAITING:
                snprintf(buf, size, "WAITING %s", away);
                break;
        case LINK_RECONNECTING:
                if (narrow)
                        snprintf(buf, size, "RECONNECTING %s", away);
                else
                        snprintf(buf, size, "RECONNECTING %s (retry %gs)", away,
                                 (double)ui->retry_ms / 1000);
        }
}

static bool is_away(const struct ui *ui) {
        return ui->link == LINK_RECONNECTING || ui->link == LINK_WAITING;
}

/* What stands at the right end of the title. */
static void title_right(const struct head *h, char *buf, size_t size) {
        char link[96], clock[TEXT_MAX];
        const char *right = is_away(h->ui) ? "read-only" : h->ui->admin ? "admin" : "ro";

        link_text(h->ui, h->narrow, link, sizeof(link));
        text_clock(now_s(h), clock);
        if (!h->m->valid)
                snprintf(buf, size, "%s %s ", link, h->narrow ? "" : right);
        else if (h->narrow)
                snprintf(buf, size, "%s   %s", link, clock);
        else if (is_away(h->ui))
                snprintf(buf, size, "%s  data from %s  %s ", link, clock, right);
        else
                snprintf(buf, size, "%s %s%s %s%s ", link, h->wide ? " " : "", right,
                         h->wide ? " " : "", clock);
}

static const char *trouble(const struct model *m) {
        if (m->restarting)
                return "  RESTARTING";
        return m->draining ? "  STOPPING" : m->log_failed ? "  NO LOG" : "";
}

static size_t title_left(const struct head *h) {
        char up[TEXT_MAX], age[TEXT_MAX];
        const struct model *m = h->m;

        if (!m->valid)
                return canvas_printf(h->c, 0, 1, STYLE_TITLE, "bal-top");
        if (h->narrow)
                return canvas_printf(h->c, 0, 1, STYLE_TITLE, "%s  ", m->hostname);
        text_up(m->uptime_s, up);
        if (is_away(h->ui))
                return canvas_printf(h->c, 0, 1, STYLE_TITLE, "bal-top %s", m->hostname);
        if (!h->wide)
                return canvas_printf(h->c, 0, 1, STYLE_TITLE, "bal-top %s  up %s  cfg #%lld%s",
                                     m->hostname, up, (long long)m->config_number, trouble(m));
        text_age((int64_t)(now_s(h) - m->config_s), age);
        return canvas_printf(h->c, 0, 1, STYLE_TITLE,
                             "bal-top %s  %s  pid %lld  up %s  config #%lld %s ago%s", m->version,
                             m->hostname, (long long)m->pid, up, (long long)m->config_number, age,
                             trouble(m));
}

/* A long host name gives way to what stands right of it. */
static void paint_title(const struct head *h) {
        char right[192];
        size_t n, left, start;

        canvas_fill(h->c, 0, 0, STYLE_TITLE);
        title_right(h, right, sizeof(right));
        left = title_left(h);
        n = strlen(right);
        start = h->c->columns > n ? h->c->columns - n : 0;
        if (h->narrow && left + 1 < start)
                start = left;
        if (left >= start && start > 0)
                canvas_put(h->c, 0, start - 1, 1, STYLE_TITLE, " ");
        canvas_put(h->c, 0, start, SIZE_MAX, STYLE_TITLE, right);
}

static size_t paint_gauge(const struct head *h, size_t row, int64_t n, int64_t of) {
        size_t width = h->roomy ? 40 : h->c->columns >= h->long_from ? 20 : 10, full = 0;
        char bar[64] = "";

        if (of > 0 && n > 0)
                full = n >= of ? width : (size_t)((double)n * (double)width / (double)of);
        if (n > 0 && full == 0 && of > 0)
                full = 1;
        memset(bar, '|', full);
        return canvas_printf(h->c, row, 10, STYLE_PLAIN, "[%-*s] ", (int)width, bar);
}

static size_t paint_count(const struct head *h, size_t row, size_t column, enum state s) {
        static const char *const wide[] = { "down", "cool", "drain", "maint" };
        size_t n = h->m->count[s];

        return canvas_printf(h->c, row, column, n > 0 ? style_of(s) : STYLE_PLAIN, "%zu %s", n,
                             wide[s]);
}

static size_t gap_of(const struct head *h) {
        return h->roomy ? 3 : 1;
}

/* Only while there are any. */
static size_t paint_held(const struct head *h, size_t row, size_t column) {
        char count[TEXT_MAX];

        if (h->m->held == 0)
                return column;
        return canvas_printf(h->c, row, column, STYLE_ALARM, "%s held",
                             text_count(h->m->held, count)) +
               gap_of(h);
}

static size_t paint_queued(const struct head *h, size_t row, size_t column) {
        char count[TEXT_MAX];

        if (h->m->queued == 0)
                return column;
        return canvas_printf(h->c, row, column, STYLE_PLAIN, "%s queued",
                             text_count(h->m->queued, count)) +
               gap_of(h);
}

/* Where there is no room for all of it, clients that no backend can take are told first. */
static void paint_backends(const struct head *h, size_t row) {
        size_t column;

        canvas_put(h->c, row, 1, SIZE_MAX, STYLE_PLAIN, "Backends");
        column = paint_gauge(h, row, (int64_t)h->m->count[STATE_UP], (int64_t)h->m->n_backends);
        column = canvas_printf(h->c, row, column, STYLE_PLAIN, "%zu/%zu up", h->m->count[STATE_UP],
                               h->m->n_backends);
        column = paint_held(h, row, column + (h->roomy ? 3 : 2));
        for (enum state s = STATE_DOWN; s < STATE_UP; s++)
                column = paint_count(h, row, column, s) + gap_of(h);
        paint_queued(h, row, column);
}

static size_t paint_load(const struct head *h, size_t row, size_t column) {
        const struct model *m = h->m;

        if (m->max <= 0)
                return canvas_printf(h->c, row, column, STYLE_PLAIN, "%lld", (long long)m->active);
        return canvas_printf(h->c, row, column,
                             m->active * 10 >= m->max * 8 ? STYLE_ALARM : STYLE_PLAIN,
                             "%lld/%lld %lld%%", (long long)m->active, (long long)m->max,
                             (long long)(m->active * 100 / m->max));
}

static void paint_conns(const struct head *h, size_t row) {
        const struct model *m = h->m;
        size_t column, width = h->wide ? 12 : 10;
        char rate[TEXT_MAX];

        canvas_put(h->c, row, 1, SIZE_MAX, STYLE_PLAIN, "Conns");
        column = paint_gauge(h, row, m->active, m->max);
        column = paint_load(h, row, column);
        column = canvas_printf(h->c, row, column, STYLE_PLAIN,
                               h->wide ? "   new %s/s  " : "  new %s/s ",
                               text_rate(m->new_per_s, rate));
        paint_strip(h->c, row, column, width, &m->all, m->peak, h->ui->chars);
        if (h->wide)
                canvas_printf(h->c, row, column + width, STYLE_PLAIN, "  peak %lld",
                              (long long)m->peak);
}

static void paint_errors(const struct head *h, size_t row) {
        const struct model *m = h->m;
        char in[TEXT_MAX], out[TEXT_MAX];
        size_t column;

        text_bytes(m->in_per_s, in);
        text_bytes(m->out_per_s, out);
        if (h->wide) {
                canvas_printf(h->c, row, 1, STYLE_PLAIN, "Traffic  in %s%s/s   out %s%s/s", in,
                              *in == '-' ? "" : "B", out, *out == '-' ? "" : "B");
                column = canvas_printf(h->c, row, 41, STYLE_PLAIN,
                                       "Errors/s  timeout %.1f  refused %.1f  other %.1f",
                                       m->timeout_per_s, m->refused_per_s, m->other_per_s);
                canvas_printf(h->c, row, column + 5,
                              m->rejected_per_s >= 0.05 ? STYLE_ALARM : STYLE_PLAIN,
                              "Rejected/s %.1f", m->rejected_per_s);
                return;
        }
        column = canvas_printf(h->c, row, 1, STYLE_PLAIN, "Errors/s tmo %.1f ref %.1f oth %.1f",
                               m->timeout_per_s, m->refused_per_s, m->other_per_s);
        column = canvas_printf(h->c, row, column + 3,
                               m->rejected_per_s >= 0.05 ? STYLE_ALARM : STYLE_PLAIN, "Rej/s %.1f",
                               m->rejected_per_s);
        canvas_printf(h->c, row, column + 3, STYLE_PLAIN, "In %s/s Out %s/s", in, out);
}

static void protect_on(const struct head *h, size_t row, const struct pool *p) {
        char on[TEXT_MAX];
        uint64_t since = p->since_s > 0 && now_s(h) > p->since_s ? now_s(h) - p->since_s : 0;

        canvas_fill(h->c, row, 0, STYLE_HEAD);
        canvas_printf(h->c, row, 1, STYLE_HEAD,
                      "Protect  ON %s %s   stable %lld/%lld to leave   backoff x2.0   %s",
                      text_took((int64_t)since, on), p->reason, (long long)p->successes,
                      (long long)p->stable, h->m->n_pools > 1 ? p->name : "");
}

static void paint_protect(const struct head *h, size_t row) {
        const struct pool *p = model_worst_pool(h->m);
        char clock[TEXT_MAX], took[TEXT_MAX];
        size_t column;

        if (!p) {
                canvas_put(h->c, row, 1, SIZE_MAX, STYLE_PLAIN, "Protect  -");
                return;
        }
        if (p->protected) {
                protect_on(h, row, p);
                return;
        }
        column = canvas_printf(h->c, row, 1, STYLE_PLAIN,
                               "Protect  OFF  %sfailures %lld/%lld in %llds%s", h->wide ? " " : "",
                               (long long)p->failures, (long long)p->trigger,
                               (long long)p->window_ms / 1000, h->wide ? " window" : "");
        if (p->since_s > 0 && p->last_ms >= 0)
                canvas_printf(h->c, row, column + 3, STYLE_PLAIN, "last ON %s for %s",
                              text_clock(p->since_s - (uint64_t)p->last_ms / 1000, clock),
                              text_age(p->last_ms / 1000, took));
}

/* ---- narrow ---- */

static size_t short_states(const struct head *h, size_t row, size_t column) {
        static const char *const words[] = { "DN", "CL", "DR", "MT" };

        column = canvas_printf(h->c, row, column, STYLE_PLAIN, "UP %zu/%zu", h->m->count[STATE_UP],
                               h->m->n_backends) +
                 2;
        column = paint_held(h, row, column);
        for (enum state s = STATE_DOWN; s < STATE_UP; s++)
                column = canvas_printf(h->c, row, column,
                                       h->m->count[s] > 0 ? style_of(s) : STYLE_PLAIN, "%s %zu",
                                       words[s], h->m->count[s]) +
                         1;
        return paint_queued(h, row, column);
}

static size_t short_conns(const struct head *h, size_t row, size_t column) {
        char rate[TEXT_MAX];

        column = canvas_put(h->c, row, column, SIZE_MAX, STYLE_PLAIN, "conn ");
        column = paint_load(h, row, column);
        return canvas_printf(h->c, row, column, STYLE_PLAIN, "  +%s/s",
                             text_rate(h->m->new_per_s, rate));
}

static void short_protect(const struct head *h, size_t row) {
        const struct model *m = h->m;
        const struct pool *p = model_worst_pool(m);
        char errors[TEXT_MAX], rejected[TEXT_MAX];
        bool on = p && p->protected;

        if (on)
                canvas_fill(h->c, row, 0, STYLE_HEAD);
        canvas_printf(h->c, row, 1, on ? STYLE_HEAD : STYLE_PLAIN,
                      "PROT %s %lld/%lld   err/s %s  rej/s %s", on ? "ON" : "off",
                      p ? (long long)(on ? p->successes : p->failures) : 0,
                      p ? (long long)(on ? p->stable : p->trigger) : 0,
                      text_rate(m->timeout_per_s + m->refused_per_s + m->other_per_s, errors),
                      text_rate(m->rejected_per_s, rejected));
}

void paint_head(struct canvas *c, const struct ui *ui, const struct model *m, size_t rows) {
        struct head h = { .c = c, .ui = ui, .m = m };

        h.narrow = c->columns < LAYOUT_NARROW;
        h.wide = c->columns >= LAYOUT_WIDE;
        h.roomy = h.wide && (c->columns >= ROOMY || m->held + m->queued == 0);
        h.long_from = m->held + m->queued == 0 ? 70 : LAYOUT_WIDE;
        c->dim = false;
        paint_title(&h);
        c->dim = ui->link == LINK_RECONNECTING || ui->link == LINK_STALE;
        if (!m->valid)
                return;
        if (rows == 5) {
                paint_backends(&h, 1);
                paint_conns(&h, 2);
                paint_errors(&h, 3);
                paint_protect(&h, 4);
        } else if (rows == 4) {
                short_states(&h, 1, 1);
                short_conns(&h, 2, 1);
                short_protect(&h, 3);
        } else if (rows == 2) {
                short_conns(&h, 1, short_states(&h, 1, 1) + 1);
        }
}

void paint_line(struct canvas *c, const struct ui *ui, const struct model *m) {
        const struct pool *p = model_worst_pool(m);
        char count[TEXT_MAX], held[TEXT_MAX];

        if (!m->valid) {
                canvas_put(c, 0, 0, SIZE_MAX, STYLE_PLAIN, ui->link == LINK_LIVE ? "" : "waiting");
                return;
        }
        c->dim = ui->link == LINK_RECONNECTING || ui->link == LINK_STALE;
        canvas_printf(c, 0, 0, STYLE_PLAIN, "%zu/%zuup P:%s %sc%s%s%s", m->count[STATE_UP],
                      m->n_backends, p && p->protected ? "ON" : "off", text_count(m->active, count),
                      m->held > 0 ? " H:" : "", m->held > 0 ? text_count(m->held, held) : "",
                      ui->link == LINK_LIVE || ui->link == LINK_PAUSED ? "" : " AWAY");
}
