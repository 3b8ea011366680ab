/* SPDX-License-Identifier: MIT */
/* The table of each page: its columns, and what stands in their cells. */

#include <stdio.h>
#include <string.h>

#include "core/str.h"
#include "paint.h"

enum column_id {
        COL_STATE,
        COL_BACKEND,
        COL_POOL,
        COL_WEIGHT,
        COL_ACTIVE,
        COL_PEAK,
        COL_NEW,
        COL_IN,
        COL_OUT,
        COL_RTT,
        COL_ERRORS,
        COL_FAILED,
        COL_CHECK,
        COL_SINCE,
        COL_HISTORY,
        COL_NAME,
        COL_LISTEN,
        COL_PROTOCOL,
        COL_METHOD,
        COL_MAX,
        COL_WAITING,
        COL_REJECTED,
        COL_TOTAL,
        COL_TIME,
        COL_LEVEL,
        COL_TEXT,
        COL_ID,
        COL_AGE,
        COL_IDLE,
        COL_CLIENT,
        COL_RETRANS,
        COL_UNSENT,
        COL_SLOW,
};

/* clang-format off */
static const struct column backend_columns[] = {
        { COL_STATE,   "STATE",       5, 0, 0, 0, false },
        { COL_BACKEND, "BACKEND",     20, 6, 48, 0, false },
        { COL_POOL,    "POOL",        4, 0, 16, 3, false },
        { COL_WEIGHT,  "W",           3, 0, 0, 2, true },
        { COL_ACTIVE,  "ACT",         5, 0, 0, 0, true },
        { COL_PEAK,    "PEAK",        5, 0, 0, 1, true },
        { COL_NEW,     "CONN/S",      6, 0, 0, 9, true },
        { COL_IN,      "IN/s",        5, 0, 0, 4, true },
        { COL_OUT,     "OUT/s",       5, 0, 0, 4, true },
        { COL_RTT,     "RTTms",       5, 0, 0, 8, true },
        { COL_ERRORS,  "TMO/REF/OTH", 11, 0, 0, 5, true },
        { COL_FAILED,  "FAIL/s",      6, 0, 0, 0, true },
        { COL_CHECK,   "CHK",         3, 0, 0, 6, true },
        { COL_SINCE,   "SINCE",       5, 0, 0, 7, true },
        { COL_HISTORY, "HIST 60s",    12, 6, 0, 10, false },
};
static const struct column narrow_columns[] = {
        { COL_STATE,   "STATE",   5, 0, 0, 0, false },
        { COL_BACKEND, "BACKEND", 17, 4, 48, 0, false },
        { COL_ACTIVE,  "ACT",     4, 0, 0, 3, true },
        { COL_FAILED,  "ERR",     3, 0, 0, 2, true },
        { COL_HISTORY, "HIST",    6, 0, 0, 1, false },
};
static const struct column frontend_columns[] = {
        { COL_NAME,     "FRONTEND", 12, 4, 32, 0, false },
        { COL_LISTEN,   "LISTEN",   22, 8, 64, 4, false },
        { COL_PROTOCOL, "PROTO",    5, 0, 0, 1, false },
        { COL_METHOD,   "METHOD",   12, 0, 20, 2, false },
        { COL_POOL,     "POOL",     8, 4, 24, 3, false },
        { COL_ACTIVE,   "ACT",      5, 0, 0, 0, true },
        { COL_MAX,      "MAX",      6, 0, 0, 7, true },
        { COL_WAITING,  "WAIT",     5, 0, 0, 8, true },
        { COL_NEW,      "CONN/S",   6, 0, 0, 9, true },
        { COL_REJECTED, "REJ/s",    5, 0, 0, 10, true },
        { COL_TOTAL,    "TOTAL",    6, 0, 0, 5, true },
        { COL_ERRORS,   "REJECTED", 8, 0, 0, 6, true },
};
static const struct column event_columns[] = {
        { COL_TIME,    "TIME",    8, 0, 0, 0, false },
        { COL_LEVEL,   "LEVEL",   5, 0, 0, 2, false },
        { COL_POOL,    "POOL",    8, 0, 16, 1, false },
        { COL_BACKEND, "BACKEND", 20, 8, 48, 3, false },
        { COL_TEXT,    "EVENT",   28, 4, 400, 0, false },
};
static const struct column session_columns[] = {
        { COL_ID,      "ID",      8, 0, 0, 2, true },
        { COL_AGE,     "AGE",     4, 0, 0, 0, true },
        { COL_IDLE,    "IDLE",    4, 0, 0, 6, true },
        { COL_CLIENT,  "CLIENT",  20, 8, 47, 0, false },
        { COL_BACKEND, "BACKEND", 20, 8, 64, 5, false },
        { COL_IN,      "IN",      5, 0, 0, 7, true },
        { COL_OUT,     "OUT",     5, 0, 0, 8, true },
        { COL_RTT,     "RTTms c/s", 11, 0, 0, 4, true },
        { COL_RETRANS, "RETR c/s", 8, 0, 0, 3, true },
        { COL_UNSENT,  "UNSENT c/s", 11, 0, 0, 1, true },
        { COL_SLOW,    "SLOW",    6, 0, 0, 9, false },
        { COL_STATE,   "STATE",   7, 0, 0, 1, false },
};

struct columns {
        struct column all[LAYOUT_COLUMNS_MAX]; /* as wide as these rows want them */
        size_t n, start;
};
/* clang-format on */

enum style style_of(enum state s) {
        static const enum style styles[STATES_COUNT] = {
                [STATE_DOWN] = STYLE_DOWN,   [STATE_COOL] = STYLE_COOL, [STATE_DRAIN] = STYLE_DRAIN,
                [STATE_MAINT] = STYLE_MAINT, [STATE_UP] = STYLE_PLAIN,
        };

        return styles[s];
}

/* ---- which columns ---- */

static struct columns columns_of(enum page page, size_t width) {
        static const struct {
                const struct column *columns;
                size_t n;
        } pages[PAGES_COUNT] = {
                [PAGE_BACKENDS] = { backend_columns, ELEMENTS(backend_columns) },
                [PAGE_FRONTENDS] = { frontend_columns, ELEMENTS(frontend_columns) },
                [PAGE_EVENTS] = { event_columns, ELEMENTS(event_columns) },
                [PAGE_SESSIONS] = { session_columns, ELEMENTS(session_columns) },
        };
        struct columns c = { .n = pages[page].n, .start = 3 };

        memcpy(c.all, pages[page].columns, c.n * sizeof(*c.all));
        if (width >= LAYOUT_NARROW)
                return c;
        c.start = 1;
        if (page == PAGE_BACKENDS) {
                c.n = ELEMENTS(narrow_columns);
                memcpy(c.all, narrow_columns, sizeof(narrow_columns));
        }
        return c;
}

static const char *name_at(const struct model *m, enum page page, uint8_t id, size_t i) {
        switch (page) {
        case PAGE_FRONTENDS:
                return id == COL_NAME     ? m->frontends[i].name
                       : id == COL_LISTEN ? m->frontends[i].listen
                       : id == COL_METHOD ? m->frontends[i].method
                                          : m->frontends[i].pool;
        case PAGE_EVENTS:
                return id == COL_TEXT      ? m->events[i].text
                       : id == COL_BACKEND ? m->events[i].backend
                                           : m->events[i].pool;
        case PAGE_SESSIONS:
                return id == COL_CLIENT ? m->sessions[i].client : m->sessions[i].backend;
        default:
                return id == COL_POOL ? m->backends[i].pool : m->backends[i].name;
        }
}

/* A column takes no more room than its longest text needs. */
static void want_widths(struct columns *c, const struct ui *ui, const struct model *m) {
        for (size_t i = 0; i < c->n; i++) {
                struct column *col = &c->all[i];
                size_t longest = 0;

                for (size_t r = 0; col->most > 0 && r < ui->n_order; r++) {
                        const char *text = name_at(m, ui->page, col->id, ui->order[r]);
                        size_t n = str_cells(text, strlen(text));

                        longest = n > longest ? n : longest;
                }
                if (col->most > longest)
                        col->most = longest;
        }
}

static struct table_layout table_of(const struct ui *ui, const struct model *m, size_t width) {
        struct columns c = columns_of(ui->page, width);

        want_widths(&c, ui, m);
        for (size_t i = 0; i < c.n && width >= 150; i++) {
                if (c.all[i].id == COL_HISTORY) {
                        c.all[i].width = 24;
                        c.all[i].head = "HIST 120s";
                }
        }
        return layout_columns(c.all, c.n, c.start, width, ui->scroll);
}

enum sort paint_sort_at(const struct ui *ui, const struct model *m, size_t columns, size_t column) {
        static const struct {
                enum column_id id;
                enum sort sort;
        } by[] = {
                { COL_STATE, SORT_TROUBLE },   { COL_BACKEND, SORT_NAME },
                { COL_POOL, SORT_POOL },       { COL_ACTIVE, SORT_ACTIVE },
                { COL_NEW, SORT_NEW },         { COL_IN, SORT_TRAFFIC },
                { COL_OUT, SORT_TRAFFIC },     { COL_FAILED, SORT_FAILED },
                { COL_SINCE, SORT_SINCE },     { COL_NAME, SORT_F_NAME },
                { COL_ACTIVE, SORT_F_ACTIVE }, { COL_AGE, SORT_AGE },
                { COL_IDLE, SORT_IDLE },       { COL_IN, SORT_BYTES },
                { COL_OUT, SORT_BYTES },       { COL_RTT, SORT_RTT },
                { COL_RETRANS, SORT_RETRANS },
        };
        struct table_layout t = table_of(ui, m, columns);

        for (size_t i = 0; i < t.n; i++) {
                if (column < t.places[i].column || column > t.places[i].column + t.places[i].width)
                        continue;
                for (size_t b = 0; b < ELEMENTS(by); b++) {
                        if (by[b].id == t.places[i].id && sorts[by[b].sort].page == ui->page)
                                return by[b].sort;
                }
        }
        return SORTS_COUNT;
}

/* ---- cells ---- */

#define CELL_MAX 512

struct place_on {
        struct canvas *c;
        size_t row;
        const struct place *at;
};

static void put_text(const struct place_on *p, enum style style, const char *text) {
        size_t room = p->at->width, n = str_cells(text, strlen(text)), column = p->at->column;
        _cleanup_(str_freep) char *shorter = NULL;

        if (n > room && !p->at->right) {
                shorter = str_squeeze(text, room);
                text = shorter ? shorter : "?";
        }
        if (p->at->right && n < room)
                column += room - n;
        canvas_put(p->c, p->row, column, p->at->column + room - column, style, text);
}

void paint_strip(struct canvas *c,
                 size_t row,
                 size_t column,
                 size_t width,
                 const struct strip *strip,
                 int64_t most,
                 enum chars chars) {
        size_t n = strip->n < width ? strip->n : width;

        column += width - n;
        for (size_t i = 0; i < n; i++) {
                int64_t v = strip->active[strip->n - n + i];

                canvas_put(c, row, column + i, 1, STYLE_PLAIN,
                           v < 0 ? "x" : text_level(chars, v, most));
        }
}

static void put_strip(const struct place_on *p,
                      const struct ui *ui,
                      const struct model *m,
                      const struct backend *b) {
        const struct pool *pool = model_pool(m, b->pool);
        size_t width = p->at->width, n = b->strip.n < width ? b->strip.n : width;

        for (size_t i = 0; i < n; i++) {
                int64_t v = b->strip.active[b->strip.n - n + i];

                canvas_put(p->c, p->row, p->at->column + width - n + i, 1, STYLE_PLAIN,
                           v < 0 ? "x" : text_level(ui->chars, v, pool ? pool->peak_cell : v));
        }
}

static const char *check_text(const struct backend *b, char buf[static TEXT_MAX]) {
        const struct check *k = &b->check;

        if (!*k->type || strcmp(k->type, "none") == 0 || !*k->result)
                return "-";
        if (b->state == STATE_DOWN)
                snprintf(buf, TEXT_MAX, "%lld/%lld", (long long)k->passed_in_a_row,
                         (long long)k->rise);
        else if (k->failed_in_a_row > 0)
                snprintf(buf, TEXT_MAX, "%lld/%lld",
                         (long long)(k->failed_in_a_row < k->fall ? k->failed_in_a_row : k->fall),
                         (long long)k->fall);
        else
                return "ok";
        return buf;
}

static const char *errors_text(const struct backend *b, char buf[static CELL_MAX]) {
        char t[TEXT_MAX], r[TEXT_MAX], o[TEXT_MAX];
        int n = snprintf(buf, CELL_MAX, "%lld/%lld/%lld", (long long)b->timeout,
                         (long long)b->refused, (long long)b->other);

        if (n > 11)
                snprintf(buf, CELL_MAX, "%s/%s/%s", text_bytes((double)b->timeout, t),
                         text_bytes((double)b->refused, r), text_bytes((double)b->other, o));
        return buf;
}

static const char *age_since(uint64_t since_s, uint64_t now_s, char buf[static TEXT_MAX]) {
        if (since_s == 0)
                return "-";
        return text_age(now_s > since_s ? (int64_t)(now_s - since_s) : 0, buf);
}

static const char *number(int64_t n, char buf[static TEXT_MAX]) {
        snprintf(buf, TEXT_MAX, "%lld", (long long)n);
        return buf;
}

static void backend_cell(const struct place_on *p,
                         const struct ui *ui,
                         const struct model *m,
                         const struct backend *b) {
        char buf[CELL_MAX];
        enum style style = p->at->id == COL_STATE ? style_of(b->state) : STYLE_PLAIN;
        const char *text = "";

        switch (p->at->id) {
        case COL_STATE:
                text = states[b->state].word;
                break;
        case COL_BACKEND:
                text = b->name;
                break;
        case COL_POOL:
                text = b->pool;
                break;
        case COL_WEIGHT:
                text = number(b->weight, buf);
                break;
        case COL_ACTIVE:
                text = text_count(b->active, buf);
                break;
        case COL_PEAK:
                text = text_count(b->peak, buf);
                break;
        case COL_NEW:
                text = text_rate(b->new_per_s, buf);
                break;
        case COL_IN:
                text = text_bytes(b->in_per_s, buf);
                break;
        case COL_OUT:
                text = text_bytes(b->out_per_s, buf);
                break;
        case COL_RTT:
                text = b->check.duration_ms < 0 ? "-" : text_count(b->check.duration_ms, buf);
                break;
        case COL_ERRORS:
                text = errors_text(b, buf);
                break;
        case COL_FAILED:
                text = text_rate(b->failed_per_s, buf);
                break;
        case COL_CHECK:
                text = check_text(b, buf);
                break;
        case COL_SINCE:
                text = age_since(b->since_s, ui->data_real_s, buf);
                break;
        case COL_HISTORY:
                put_strip(p, ui, m, b);
                return;
        }
        put_text(p, style, text);
}

static void frontend_cell(const struct place_on *p, const struct frontend *f) {
        char buf[TEXT_MAX];
        const char *text = "";
        bool full = f->max > 0 && f->active * 10 >= f->max * 8;

        switch (p->at->id) {
        case COL_NAME:
                text = f->name;
                break;
        case COL_LISTEN:
                text = f->listen;
                break;
        case COL_PROTOCOL:
                text = f->protocol;
                break;
        case COL_METHOD:
                text = f->method;
                break;
        case COL_POOL:
                text = f->pool;
                break;
        case COL_ACTIVE:
                text = text_count(f->active, buf);
                break;
        case COL_MAX:
                text = f->max > 0 ? text_count(f->max, buf) : "-";
                break;
        case COL_WAITING:
                text = text_count(f->waiting, buf);
                break;
        case COL_NEW:
                text = f->new_per_s < 0 ? "-" : text_rate(f->new_per_s, buf);
                break;
        case COL_REJECTED:
                text = f->rejected_per_s < 0 ? "-" : text_rate(f->rejected_per_s, buf);
                break;
        case COL_TOTAL:
                text = text_count(f->total, buf);
                break;
        case COL_ERRORS:
                text = text_count(f->rejected, buf);
                break;
        }
        put_text(p, full && p->at->id == COL_ACTIVE ? STYLE_ALARM : STYLE_PLAIN, text);
}

static void event_cell(const struct place_on *p, const struct event *e) {
        char buf[TEXT_MAX];
        enum style style = e->level == 'E'   ? STYLE_DOWN
                           : e->level == 'W' ? STYLE_DRAIN
                                             : STYLE_PLAIN;

        switch (p->at->id) {
        case COL_TIME:
                put_text(p, STYLE_PLAIN, text_clock(e->real_s, buf));
                break;
        case COL_LEVEL:
                put_text(p, style, e->level == 'E' ? "ERROR" : e->level == 'W' ? "WARN" : "INFO");
                break;
        case COL_POOL:
                put_text(p, STYLE_PLAIN, e->pool);
                break;
        case COL_BACKEND:
                put_text(p, STYLE_PLAIN, e->backend);
                break;
        case COL_TEXT:
                put_text(p, STYLE_PLAIN, e->text);
                break;
        }
}

static const char *pair(const int64_t v[static 2], bool ms, char buf[static CELL_MAX]) {
        char side[2][TEXT_MAX];

        for (int i = 0; i < 2; i++) {
                if (v[i] < 0)
                        strcpy(side[i], "-");
                else if (ms && v[i] < 9950)
                        snprintf(side[i], TEXT_MAX, "%.1f", (double)v[i] / 1000);
                else
                        text_bytes(ms ? (double)(v[i] / 1000) : (double)v[i], side[i]);
        }
        snprintf(buf, CELL_MAX, "%s/%s", side[0], side[1]);
        return buf;
}

static void session_cell(const struct place_on *p, const struct session *s) {
        char buf[CELL_MAX];
        const char *text = "";

        switch (p->at->id) {
        case COL_ID:
                text = number(s->id, buf);
                break;
        case COL_AGE:
                text = text_age(s->age_ms / 1000, buf);
                break;
        case COL_IDLE:
                text = text_age(s->idle_ms / 1000, buf);
                break;
        case COL_CLIENT:
                text = s->client;
                break;
        case COL_BACKEND:
                text = s->backend;
                break;
        case COL_IN:
                text = text_bytes((double)s->bytes_in, buf);
                break;
        case COL_OUT:
                text = text_bytes((double)s->bytes_out, buf);
                break;
        case COL_RTT:
                text = pair(s->rtt_us, true, buf);
                break;
        case COL_RETRANS:
                text = pair(s->retransmits, false, buf);
                break;
        case COL_UNSENT:
                text = pair(s->unsent, false, buf);
                break;
        case COL_SLOW:
                text = *s->slow ? s->slow : "-";
                break;
        case COL_STATE:
                text = s->state;
                break;
        }
        put_text(p, p->at->id == COL_SLOW && *s->slow ? STYLE_DRAIN : STYLE_PLAIN, text);
}

static void paint_cell(const struct place_on *p,
                       const struct ui *ui,
                       const struct model *m,
                       size_t i) {
        switch (ui->page) {
        case PAGE_FRONTENDS:
                frontend_cell(p, &m->frontends[i]);
                break;
        case PAGE_EVENTS:
                event_cell(p, &m->events[i]);
                break;
        case PAGE_SESSIONS:
                session_cell(p, &m->sessions[i]);
                break;
        default:
                backend_cell(p, ui, m, &m->backends[i]);
        }
}

/* ---- rows ---- */

static void paint_row(struct canvas *c,
                      const struct ui *ui,
                      const struct model *m,
                      const struct table_layout *t,
                      size_t row,
                      size_t i,
                      bool selected) {
        bool tagged = ui->page == PAGE_BACKENDS && m->backends[i].tagged;
        size_t mark = t->n > 0 && t->places[0].column > 1 ? 1 : 0;

        c->reverse = selected;
        if (selected)
                canvas_fill(c, row, 0, STYLE_PLAIN);
        canvas_put(c, row, mark, 1, STYLE_PLAIN, tagged ? "*" : selected ? ">" : " ");
        for (size_t p = 0; p < t->n; p++) {
                struct place_on on = { .c = c, .row = row, .at = &t->places[p] };

                paint_cell(&on, ui, m, i);
        }
        c->reverse = false;
}

static void paint_heads(struct canvas *c, const struct table_layout *t, size_t row) {
        canvas_fill(c, row, 0, STYLE_HEAD);
        if (t->n > 0 && t->places[0].column > 1)
                canvas_put(c, row, 1, 1, STYLE_HEAD, "T");
        for (size_t i = 0; i < t->n; i++) {
                const struct place *p = &t->places[i];
                size_t n = strlen(p->head), column = p->column;

                if (p->right && n < p->width)
                        column += p->width - n;
                canvas_put(c, row, column, p->column + p->width - column, STYLE_HEAD, p->head);
        }
}

void paint_table(struct canvas *c, struct ui *ui, const struct model *m, const struct layout *l) {
        struct table_layout t = table_of(ui, m, c->columns);
        size_t selected = ui_selected(ui, m), *top = &ui->top[ui->page];

        ui->scroll = t.scrolled;
        ui->rows_shown = l->rows;
        paint_heads(c, &t, l->table_head);
        *top = layout_top(*top, selected, ui->n_order, l->rows);
        for (size_t r = 0; r < l->rows && *top + r < ui->n_order; r++)
                paint_row(c, ui, m, &t, l->first + r, ui->order[*top + r],
                          *top + r == selected && !ui->batch);
        if (ui->n_order == 0)
                canvas_printf(c, l->first, 1, STYLE_FAINT, "no %s%s", page_titles[ui->page],
                              *ui->filter ? " fit the filter; Esc clears it" : "");
        c->cursor_row = l->first + (selected - *top < l->rows ? selected - *top : 0);
        c->cursor_column = 0;
}
