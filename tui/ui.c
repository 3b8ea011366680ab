/* SPDX-License-Identifier: MIT */
/* State, order and selection. What keys do is in do.c, actions and their prompts are in act.c. */

#include "ui.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "act.h"
#include "filter.h"
#include "keys.h"

#define SORT_EVERY_MS 1000
#define SETTLED_MS    7000 /* unless history comes before, whose strips are drawn anew anyway */
#define MESSAGE_MS    3000

/* clang-format off */
const struct sort_info sorts[SORTS_COUNT] = {
#define X(id, word_, page_, method_)                                                               \
        [SORT_##id] = { .word = (word_), .page = PAGE_##page_, .method = (method_) },
        SORTS(X)
#undef X
};
const char *const page_titles[PAGES_COUNT] = {
#define X(id, title) [PAGE_##id] = (title),
        PAGES(X)
#undef X
};
/* clang-format on */

const uint32_t intervals_ms[] = { 200, 500, 1000, 2000, 5000, 10000, 30000, 60000 };
const size_t n_intervals = ELEMENTS(intervals_ms);

void ui_init(struct ui *ui) {
        *ui = (struct ui){ .interval = 2, .session = -1 };
        for (enum sort s = SORTS_COUNT; s > 0; s--)
                ui->sort[sorts[s - 1].page] = s - 1;
}

void ui_done(struct ui *ui) {
        act_forget(ui);
        free(ui->order);
        free(ui->place);
        free(ui->pool);
        free(ui->name);
        *ui = (struct ui){ 0 };
}

uint32_t ui_interval_ms(const struct ui *ui) {
        return intervals_ms[ui->interval];
}

void ui_say(struct ui *ui, uint64_t now_ms, const char *fmt, ...) {
        va_list ap;

        va_start(ap, fmt);
        vsnprintf(ui->message, sizeof(ui->message), fmt, ap);
        va_end(ap);
        ui->message_ms = now_ms + MESSAGE_MS;
}

bool ui_message_over(struct ui *ui, uint64_t now_ms) {
        if (!*ui->message || now_ms < ui->message_ms)
                return false;
        *ui->message = '\0';
        return true;
}

bool ui_prompting(const struct ui *ui) {
        return ui->mode >= MODE_WEIGHT;
}

/* ---- order ---- */

static int compare_int(int64_t a, int64_t b) {
        return a < b ? -1 : a > b;
}

/* Rates move all the time: what differs by less than it shows does not change places. */
static int compare_rate(double a, double b) {
        return compare_int((int64_t)(a * 10 + 0.5), (int64_t)(b * 10 + 0.5));
}

static int compare_names(const struct backend *a, const struct backend *b) {
        int r = strcmp(a->pool, b->pool);

        return r != 0 ? r : strcmp(a->name, b->name);
}

static int compare_trouble(const struct backend *a, const struct backend *b) {
        int r = compare_int(a->state, b->state);

        return r != 0 ? r : compare_rate(b->failed_per_s, a->failed_per_s);
}

static double traffic(const struct backend *b) {
        return b->in_per_s >= 0 ? b->in_per_s + b->out_per_s : 0;
}

static int compare_backends(const struct backend *a, const struct backend *b, enum sort sort) {
        int r;

        switch (sort) {
        case SORT_NAME:
                return strcmp(a->name, b->name);
        case SORT_POOL:
                return strcmp(a->pool, b->pool);
        case SORT_ACTIVE:
                return compare_int(b->active, a->active);
        case SORT_NEW:
                return compare_rate(b->new_per_s, a->new_per_s);
        case SORT_TRAFFIC:
                return compare_int((int64_t)traffic(b), (int64_t)traffic(a));
        case SORT_FAILED:
                return compare_rate(b->failed_per_s, a->failed_per_s);
        case SORT_SINCE:
                return compare_int((int64_t)b->since_s, (int64_t)a->since_s);
        default:
                r = compare_trouble(a, b);
                return r != 0 ? r : compare_int(b->active, a->active);
        }
}

struct sorting {
        const struct ui *ui;
        const struct model *m;
        bool settled; /* rows in the same trouble keep their places */
};

static int compare_rows(const void *left, const void *right, void *data) {
        const struct sorting *s = data;
        size_t a = *(const size_t *)left, b = *(const size_t *)right;
        enum page page = s->ui->page;
        int r = 0;

        if (s->settled)
                r = compare_trouble(&s->m->backends[a], &s->m->backends[b]);
        else if (page == PAGE_BACKENDS)
                r = compare_backends(&s->m->backends[a], &s->m->backends[b], s->ui->sort[page]);
        else if (page == PAGE_FRONTENDS && s->ui->sort[page] == SORT_F_ACTIVE)
                r = compare_int(s->m->frontends[b].active, s->m->frontends[a].active);
        else if (page == PAGE_FRONTENDS)
                r = strcmp(s->m->frontends[a].name, s->m->frontends[b].name);
        else if (page == PAGE_EVENTS)
                r = compare_int((int64_t)b, (int64_t)a);
        if (r == 0 && s->settled)
                return compare_int((int64_t)s->ui->place[a], (int64_t)s->ui->place[b]);
        if (r == 0 && page == PAGE_BACKENDS)
                return compare_names(&s->m->backends[a], &s->m->backends[b]);
        if (s->ui->inverted[page])
                r = -r;
        return r != 0 ? r : compare_int((int64_t)a, (int64_t)b);
}

static size_t rows_of(const struct ui *ui, const struct model *m) {
        const size_t n[PAGES_COUNT] = {
                [PAGE_BACKENDS] = m->n_backends,
                [PAGE_FRONTENDS] = m->n_frontends,
                [PAGE_EVENTS] = m->n_events,
                [PAGE_SESSIONS] = m->n_sessions,
        };

        return n[ui->page];
}

static struct filter_row row_texts(const struct ui *ui, const struct model *m, size_t i) {
        switch (ui->page) {
        case PAGE_FRONTENDS:
                return (struct filter_row){ .name = m->frontends[i].name,
                                            .pool = m->frontends[i].pool,
                                            .text = m->frontends[i].listen };
        case PAGE_EVENTS:
                return (struct filter_row){ .name = m->events[i].backend,
                                            .pool = m->events[i].pool,
                                            .text = m->events[i].text };
        case PAGE_SESSIONS:
                return (struct filter_row){ .name = m->sessions[i].client,
                                            .pool = m->sessions[i].backend,
                                            .state = m->sessions[i].state,
                                            .text = m->sessions[i].frontend };
        default:
                return (struct filter_row){ .name = m->backends[i].name,
                                            .pool = m->backends[i].pool,
                                            .state = states[m->backends[i].state].word,
                                            .text = m->backends[i].text };
        }
}

static bool order_fill(struct ui *ui, const struct model *m) {
        size_t n = rows_of(ui, m);

        if (n > ui->size_order) {
                size_t *order = reallocarray(ui->order, n, sizeof(*order));

                if (!order)
                        return false;
                ui->order = order;
                ui->size_order = n;
        }
        ui->n_order = 0;
        for (size_t i = 0; i < n; i++) {
                struct filter_row row = row_texts(ui, m, i);

                if (filter_fits(ui->filter, &row))
                        ui->order[ui->n_order++] = i;
        }
        return true;
}

/* Where the rows stand now, by the model's numbers; those that the filter hid come last. */
static bool places_fill(struct ui *ui, size_t n) {
        size_t *place = reallocarray(ui->place, n + 1, sizeof(*place));

        if (!place)
                return false;
        ui->place = place;
        for (size_t i = 0; i < n; i++)
                place[i] = n + i;
        for (size_t i = 0; i < ui->n_order; i++) {
                if (ui->order[i] < n)
                        place[ui->order[i]] = i;
        }
        return true;
}

/* Connections move with every sample. Were rows sorted by them each time, good ones would trade
 * places all the while, too fast to be read and at the cost of whole rows to the terminal; what is
 * worse off still moves up at once. */
static bool is_settled(struct ui *ui, size_t n, uint64_t now_ms, bool at_once) {
        return !at_once && ui->page == PAGE_BACKENDS && ui->sort[ui->page] == SORT_TROUBLE &&
               n == ui->n_settled && now_ms - ui->settled_ms + 50 < SETTLED_MS &&
               places_fill(ui, n);
}

/* Between two sortings rows keep their places, as long as the list is the same. */
void ui_refresh(struct ui *ui, const struct model *m, uint64_t now_ms, bool at_once) {
        struct sorting s = { .ui = ui, .m = m };
        bool due = now_ms - ui->sorted_ms + 50 >= SORT_EVERY_MS && !ui_prompting(ui);
        size_t n = rows_of(ui, m), known = 0;

        for (size_t i = 0; i < ui->n_order; i++)
                known = ui->order[i] >= known ? ui->order[i] + 1 : known;
        if (!at_once && !due && known <= n && (*ui->filter || ui->n_order == n))
                return;
        s.settled = is_settled(ui, n, now_ms, at_once);
        if (!order_fill(ui, m))
                return;
        if (!s.settled) {
                ui->settled_ms = now_ms;
                ui->n_settled = n;
        }
        if (ui->n_order > 1) /* NULL has nothing to sort, and qsort_r() wants none of it */
                qsort_r(ui->order, ui->n_order, sizeof(*ui->order), compare_rows, &s);
        ui->sorted_ms = now_ms;
}

/* ---- selection ---- */

static bool is_selected(const struct ui *ui, const struct model *m, size_t i) {
        if (ui->page == PAGE_BACKENDS)
                return ui->name && strcmp(m->backends[i].name, ui->name) == 0 &&
                       strcmp(m->backends[i].pool, ui->pool) == 0;
        return ui->page == PAGE_SESSIONS && m->sessions[i].id == ui->session;
}

/* By what it is; where that has gone, or never was chosen, by its place. */
size_t ui_selected(const struct ui *ui, const struct model *m) {
        size_t row = ui->row[ui->page], n = rows_of(ui, m);

        for (size_t i = 0; i < ui->n_order; i++) {
                if (ui->order[i] < n && is_selected(ui, m, ui->order[i]))
                        return i;
        }
        return row < ui->n_order ? row : ui->n_order > 0 ? ui->n_order - 1 : 0;
}

unsigned ui_select(struct ui *ui, const struct model *m, size_t row) {
        char *pool, *name;

        if (ui->n_order == 0)
                return 0;
        row = row < ui->n_order ? row : ui->n_order - 1;
        ui->row[ui->page] = row;
        if (ui->order[row] >= rows_of(ui, m))
                return 0;
        if (ui->page == PAGE_SESSIONS)
                ui->session = m->sessions[ui->order[row]].id;
        if (ui->page != PAGE_BACKENDS)
                return DO_DRAW;

        pool = strdup(m->backends[ui->order[row]].pool);
        name = strdup(m->backends[ui->order[row]].name);
        if (!pool || !name) {
                free(pool);
                free(name);
                return 0;
        }
        free(ui->pool);
        free(ui->name);
        ui->pool = pool;
        ui->name = name;
        return DO_DRAW;
}

struct backend *ui_backend(const struct ui *ui, const struct model *m) {
        size_t row;

        if (ui->page != PAGE_BACKENDS)
                return NULL;
        if (ui->mode == MODE_DETAIL && ui->name)
                return model_find(m, ui->pool, ui->name);
        row = ui_selected(ui, m);
        if (row >= ui->n_order || ui->order[row] >= m->n_backends)
                return NULL;
        return &m->backends[ui->order[row]];
}

size_t ui_tagged(const struct model *m) {
        size_t n = 0;

        for (size_t i = 0; i < m->n_backends; i++)
                n += m->backends[i].tagged;
        return n;
}

/* ---- keys ---- */

/* Typing: the new text, and whether that was a key of typing at all. UTF-8 comes byte by byte or as
 * a code point; both are kept as bytes. */
bool ui_type(char *typed, size_t size, int key) {
        size_t n = strlen(typed);

        if (key == KEY_RUBOUT || key == '\b') {
                while (n > 0 && ((unsigned char)typed[n - 1] & 0xc0) == 0x80)
                        n--;
                typed[n > 0 ? n - 1 : 0] = '\0';
                return true;
        }
        if (key == KEY_CTRL_U) {
                *typed = '\0';
                return true;
        }
        if (key < ' ' || key >= 0x110000)
                return false;
        if (key < 0x80 && n + 1 < size) {
                typed[n++] = (char)key;
        } else if (key >= 0x80 && n + 4 < size) {
                if (key >= 0x10000) {
                        typed[n++] = (char)(0xf0 | key >> 18);
                        typed[n++] = (char)(0x80 | (key >> 12 & 0x3f));
                        typed[n++] = (char)(0x80 | (key >> 6 & 0x3f));
                } else if (key >= 0x800) {
                        typed[n++] = (char)(0xe0 | key >> 12);
                        typed[n++] = (char)(0x80 | (key >> 6 & 0x3f));
                } else {
                        typed[n++] = (char)(0xc0 | key >> 6);
                }
                typed[n++] = (char)(0x80 | (key & 0x3f));
        }
        typed[n] = '\0';
        return true;
}

static unsigned key_filter(struct ui *ui, struct model *m, int key, uint64_t now_ms) {
        if (key == KEY_ESC)
                strcpy(ui->filter, ui->filter_before);
        else if (key != KEY_RETURN && ui_type(ui->filter, sizeof(ui->filter), key)) {
                ui_refresh(ui, m, now_ms, true);
                return DO_DRAW;
        } else if (key == KEY_TO_DOWN || key == KEY_TO_UP) {
                return key_find(key)->run(ui, m, key, now_ms);
        }
        ui->mode = MODE_TABLE;
        ui_refresh(ui, m, now_ms, true);
        return DO_DRAW;
}

static unsigned key_help(struct ui *ui, int key) {
        size_t last = n_keys > ui->rows_shown ? n_keys - ui->rows_shown : 0;
        const struct key_row *row = key_find(key);
        size_t page = ui->rows_shown > 1 ? ui->rows_shown - 1 : 1;

        if (!row || row->run == do_quit || row->run == do_help || row->run == do_escape ||
            row->run == do_detail)
                ui->mode = MODE_TABLE;
        else if (row->run == do_down)
                ui->help_top++;
        else if (row->run == do_up && ui->help_top > 0)
                ui->help_top--;
        else if (row->run == do_page_down)
                ui->help_top += page;
        else if (row->run == do_page_up)
                ui->help_top -= ui->help_top < page ? ui->help_top : page;
        else if (row->run == do_top)
                ui->help_top = 0;
        else if (row->run == do_end)
                ui->help_top = last;
        ui->help_top = ui->help_top < last ? ui->help_top : last;
        return DO_DRAW;
}

static unsigned key_menu(struct ui *ui, struct model *m, int key, uint64_t now_ms) {
        const struct key_row *row = key_find(key);
        size_t n = 0;

        for (enum sort s = 0; s < SORTS_COUNT; s++)
                n += sorts[s].page == ui->page;
        if (row && row->run == do_down) {
                ui->menu = ui->menu + 1 < n ? ui->menu + 1 : ui->menu;
                return DO_DRAW;
        }
        if (row && row->run == do_up) {
                ui->menu -= ui->menu > 0;
                return DO_DRAW;
        }
        ui->mode = MODE_TABLE;
        if (key != KEY_RETURN)
                return DO_DRAW;
        for (enum sort s = 0, i = 0; s < SORTS_COUNT; s++) {
                if (sorts[s].page == ui->page && i++ == ui->menu)
                        ui->sort[ui->page] = s;
        }
        ui_refresh(ui, m, now_ms, true);
        return DO_DRAW | (ui->page == PAGE_SESSIONS ? DO_SESSIONS : 0);
}

unsigned ui_key(struct ui *ui, struct model *m, int key, uint64_t now_ms) {
        const struct key_row *row;

        *ui->message = '\0';
        if (key == KEY_CTRL_C)
                return DO_QUIT;
        switch (ui->mode) {
        case MODE_FILTER:
                return key_filter(ui, m, key, now_ms);
        case MODE_HELP:
                return key_help(ui, key);
        case MODE_SORT:
                return key_menu(ui, m, key, now_ms);
        case MODE_WEIGHT:
        case MODE_CONFIRM:
        case MODE_DANGER:
                return act_key(ui, m, key, now_ms);
        default:
                row = key_find(key);
                return row ? row->run(ui, m, key, now_ms) : DO_DRAW;
        }
}
