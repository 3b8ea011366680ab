/* SPDX-License-Identifier: MIT */
/* What the keys of the table do. */

#include "act.h"
#include "keys.h"

#include <stdio.h>
#include <string.h>

static unsigned move_to(struct ui *ui, struct model *m, size_t row, uint64_t now_ms) {
        unsigned what = ui_select(ui, m, row);

        (void)now_ms;
        if (ui->mode == MODE_DETAIL) {
                ui->detail.n = 0;
                what |= DO_HISTORY;
        }
        return what;
}

unsigned do_down(struct ui *ui, struct model *m, int key, uint64_t now_ms) {
        (void)key;
        return move_to(ui, m, ui_selected(ui, m) + 1, now_ms);
}

unsigned do_up(struct ui *ui, struct model *m, int key, uint64_t now_ms) {
        size_t row = ui_selected(ui, m);

        (void)key;
        return move_to(ui, m, row > 0 ? row - 1 : 0, now_ms);
}

unsigned do_top(struct ui *ui, struct model *m, int key, uint64_t now_ms) {
        (void)key;
        return move_to(ui, m, 0, now_ms);
}

unsigned do_end(struct ui *ui, struct model *m, int key, uint64_t now_ms) {
        (void)key;
        return move_to(ui, m, SIZE_MAX, now_ms);
}

static size_t page_of(const struct ui *ui) {
        return ui->rows_shown > 1 ? ui->rows_shown - 1 : 1;
}

unsigned do_page_down(struct ui *ui, struct model *m, int key, uint64_t now_ms) {
        (void)key;
        return move_to(ui, m, ui_selected(ui, m) + page_of(ui), now_ms);
}

unsigned do_page_up(struct ui *ui, struct model *m, int key, uint64_t now_ms) {
        size_t row = ui_selected(ui, m), page = page_of(ui);

        (void)key;
        return move_to(ui, m, row > page ? row - page : 0, now_ms);
}

/* How far it can go the layout knows: what it did not do is taken back when it paints. */
unsigned do_scroll(struct ui *ui, struct model *m, int key, uint64_t now_ms) {
        (void)m;
        (void)now_ms;
        if (key == KEY_TO_RIGHT)
                ui->scroll++;
        else if (ui->scroll > 0)
                ui->scroll--;
        return DO_DRAW;
}

unsigned do_view(struct ui *ui, struct model *m, int key, uint64_t now_ms) {
        if (key == '\t')
                ui->page = (ui->page + 1) % PAGES_COUNT;
        else if (key == KEY_BACK_TAB)
                ui->page = (ui->page + PAGES_COUNT - 1) % PAGES_COUNT;
        else
                ui->page = (enum page)(key - '1');
        ui->mode = MODE_TABLE;
        ui->scroll = 0;
        ui->n_order = 0;
        ui_refresh(ui, m, now_ms, true);
        return DO_DRAW | (ui->page == PAGE_SESSIONS ? DO_SESSIONS : 0);
}

unsigned do_filter(struct ui *ui, struct model *m, int key, uint64_t now_ms) {
        (void)m;
        (void)key;
        (void)now_ms;
        strcpy(ui->filter_before, ui->filter);
        ui->mode = MODE_FILTER;
        return DO_DRAW;
}

unsigned do_escape(struct ui *ui, struct model *m, int key, uint64_t now_ms) {
        (void)key;
        if (ui->mode == MODE_DETAIL)
                ui->mode = MODE_TABLE;
        else
                *ui->filter = '\0';
        ui_refresh(ui, m, now_ms, true);
        return DO_DRAW;
}

/* Round and round; none: it stays. */
unsigned do_trouble(struct ui *ui, struct model *m, int key, uint64_t now_ms) {
        size_t row = ui_selected(ui, m), n = ui->n_order;

        if (ui->page != PAGE_BACKENDS)
                return DO_DRAW;
        for (size_t i = 1; i <= n; i++) {
                size_t next = key == 'n' ? (row + i) % n : (row + n - i % n) % n;

                if (ui->order[next] < m->n_backends &&
                    states[m->backends[ui->order[next]].state].trouble)
                        return move_to(ui, m, next, now_ms);
        }
        ui_say(ui, now_ms, "no backend here is DOWN or COOL");
        return DO_DRAW;
}

static unsigned sorted(struct ui *ui, struct model *m, uint64_t now_ms) {
        ui_refresh(ui, m, now_ms, true);
        ui_say(ui, now_ms, "sorted by %s%s", sorts[ui->sort[ui->page]].word,
               ui->inverted[ui->page] ? ", the other way round" : "");
        return DO_DRAW | (ui->page == PAGE_SESSIONS ? DO_SESSIONS : 0);
}

unsigned do_sort(struct ui *ui, struct model *m, int key, uint64_t now_ms) {
        enum sort s = ui->sort[ui->page];

        (void)key;
        do
                s = (s + 1) % SORTS_COUNT;
        while (sorts[s].page != ui->page);
        ui->sort[ui->page] = s;
        return sorted(ui, m, now_ms);
}

unsigned do_sort_menu(struct ui *ui, struct model *m, int key, uint64_t now_ms) {
        (void)m;
        (void)key;
        (void)now_ms;
        ui->mode = MODE_SORT;
        ui->menu = 0;
        for (enum sort s = 0; s < ui->sort[ui->page]; s++)
                ui->menu += sorts[s].page == ui->page;
        return DO_DRAW;
}

unsigned do_invert(struct ui *ui, struct model *m, int key, uint64_t now_ms) {
        (void)key;
        if (ui->page == PAGE_SESSIONS) {
                ui_say(ui, now_ms, "the daemon sends the foremost sessions only");
                return DO_DRAW;
        }
        ui->inverted[ui->page] = !ui->inverted[ui->page];
        return sorted(ui, m, now_ms);
}

unsigned do_detail(struct ui *ui, struct model *m, int key, uint64_t now_ms) {
        (void)key;
        (void)now_ms;
        if (ui->mode == MODE_DETAIL) {
                ui->mode = MODE_TABLE;
                return DO_DRAW;
        }
        if (!ui_backend(ui, m))
                return DO_DRAW;
        ui_select(ui, m, ui_selected(ui, m));
        ui->mode = MODE_DETAIL;
        ui->detail.n = 0;
        return DO_DRAW | DO_HISTORY;
}

unsigned do_tag(struct ui *ui, struct model *m, int key, uint64_t now_ms) {
        struct backend *b = ui_backend(ui, m);

        (void)key;
        if (!b)
                return DO_DRAW;
        b->tagged = !b->tagged;
        return ui->mode == MODE_DETAIL ? DO_DRAW : do_down(ui, m, KEY_TO_DOWN, now_ms) | DO_DRAW;
}

unsigned do_untag(struct ui *ui, struct model *m, int key, uint64_t now_ms) {
        (void)ui;
        (void)key;
        (void)now_ms;
        for (size_t i = 0; i < m->n_backends; i++)
                m->backends[i].tagged = false;
        return DO_DRAW;
}

unsigned do_action(struct ui *ui, struct model *m, int key, uint64_t now_ms) {
        enum act verb = key == 'd'   ? ACT_DRAIN
                        : key == 'x' ? ACT_MAINT
                        : key == 'e' ? ACT_ENABLE
                                     : ACT_WEIGHT;

        return act_begin(ui, m, verb, now_ms);
}

unsigned do_admin(struct ui *ui, struct model *m, int key, uint64_t now_ms) {
        (void)m;
        (void)key;
        if (ui->admin) {
                ui->admin = false;
                ui_say(ui, now_ms, "read-only again");
                return DO_DRAW;
        }
        ui->wants_admin = true;
        return DO_ADMIN | DO_DRAW;
}

unsigned do_pause(struct ui *ui, struct model *m, int key, uint64_t now_ms) {
        (void)m;
        (void)key;
        (void)now_ms;
        ui->paused = !ui->paused;
        return DO_DRAW | DO_PAUSE;
}

unsigned do_speed(struct ui *ui, struct model *m, int key, uint64_t now_ms) {
        (void)m;
        if (key == '+' && ui->interval + 1 < n_intervals)
                ui->interval++;
        else if (key == '-' && ui->interval > 0)
                ui->interval--;
        else
                return DO_DRAW;
        ui_say(ui, now_ms, "every %g s", (double)ui_interval_ms(ui) / 1000);
        return DO_DRAW | DO_INTERVAL;
}

unsigned do_repaint(struct ui *ui, struct model *m, int key, uint64_t now_ms) {
        (void)ui;
        (void)m;
        (void)key;
        (void)now_ms;
        return DO_DRAW | DO_REPAINT;
}

unsigned do_sample(struct ui *ui, struct model *m, int key, uint64_t now_ms) {
        (void)ui;
        (void)m;
        (void)key;
        (void)now_ms;
        return DO_SAMPLE;
}

unsigned do_copy(struct ui *ui, struct model *m, int key, uint64_t now_ms) {
        const struct backend *b = ui_backend(ui, m);

        (void)key;
        if (!b)
                return DO_DRAW;
        ui_say(ui, now_ms, "copied %s, if this terminal lets programs copy", b->name);
        return DO_DRAW | DO_COPY;
}

unsigned do_mouse(struct ui *ui, struct model *m, int key, uint64_t now_ms) {
        (void)m;
        (void)key;
        ui->mouse = !ui->mouse;
        ui_say(ui, now_ms,
               ui->mouse ? "mouse on: wheel, click on a row or on the head" : "mouse off");
        return DO_DRAW | DO_MOUSE;
}

unsigned do_help(struct ui *ui, struct model *m, int key, uint64_t now_ms) {
        (void)m;
        (void)key;
        (void)now_ms;
        ui->mode = MODE_HELP;
        ui->help_top = 0;
        return DO_DRAW;
}

unsigned do_quit(struct ui *ui, struct model *m, int key, uint64_t now_ms) {
        (void)ui;
        (void)m;
        (void)key;
        (void)now_ms;
        return DO_QUIT;
}
