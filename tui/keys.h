/* SPDX-License-Identifier: MIT */
/* tui/keys.h - the one table of keys: their help and the key bar are made of its rows too. */
#pragma once

#include "ui.h"

/* Keys that are no letters, out of the way of Unicode. F1 to F12 follow each other. */
enum key {
        KEY_CTRL_C = 3,
        KEY_CTRL_D = 4,
        KEY_CTRL_L = 12,
        KEY_RETURN = 13,
        KEY_CTRL_U = 21,
        KEY_ESC = 27,
        KEY_RUBOUT = 127,
        KEY_FIRST = 0x200000,
        KEY_TO_UP = KEY_FIRST,
        KEY_TO_DOWN,
        KEY_TO_LEFT,
        KEY_TO_RIGHT,
        KEY_TO_TOP,
        KEY_TO_END,
        KEY_PAGE_UP,
        KEY_PAGE_DOWN,
        KEY_BACK_TAB,
        KEY_F1,
        KEY_F12 = KEY_F1 + 11,
};

#define KEYS_PER_ROW 4

typedef unsigned (*key_fn)(struct ui *ui, struct model *m, int key, uint64_t now_ms);

struct key_row {
        int keys[KEYS_PER_ROW]; /* 0: no more */
        const char *names;      /* as in the help: "/ F4" */
        const char *help;
        const char *bar[3]; /* in the key bar: wide, on 80 columns, narrow; NULL: not there */
        key_fn run;         /* on the table and on the page of one backend */
};

extern const struct key_row keys[];
extern const size_t n_keys;

const struct key_row *key_find(int key); /* NULL */

unsigned do_down(struct ui *ui, struct model *m, int key, uint64_t now_ms);
unsigned do_up(struct ui *ui, struct model *m, int key, uint64_t now_ms);
unsigned do_top(struct ui *ui, struct model *m, int key, uint64_t now_ms);
unsigned do_end(struct ui *ui, struct model *m, int key, uint64_t now_ms);
unsigned do_page_down(struct ui *ui, struct model *m, int key, uint64_t now_ms);
unsigned do_page_up(struct ui *ui, struct model *m, int key, uint64_t now_ms);
unsigned do_scroll(struct ui *ui, struct model *m, int key, uint64_t now_ms);
unsigned do_view(struct ui *ui, struct model *m, int key, uint64_t now_ms);
unsigned do_filter(struct ui *ui, struct model *m, int key, uint64_t now_ms);
unsigned do_escape(struct ui *ui, struct model *m, int key, uint64_t now_ms);
unsigned do_trouble(struct ui *ui, struct model *m, int key, uint64_t now_ms);
unsigned do_sort(struct ui *ui, struct model *m, int key, uint64_t now_ms);
unsigned do_sort_menu(struct ui *ui, struct model *m, int key, uint64_t now_ms);
unsigned do_invert(struct ui *ui, struct model *m, int key, uint64_t now_ms);
unsigned do_detail(struct ui *ui, struct model *m, int key, uint64_t now_ms);
unsigned do_tag(struct ui *ui, struct model *m, int key, uint64_t now_ms);
unsigned do_untag(struct ui *ui, struct model *m, int key, uint64_t now_ms);
unsigned do_action(struct ui *ui, struct model *m, int key, uint64_t now_ms);
unsigned do_admin(struct ui *ui, struct model *m, int key, uint64_t now_ms);
unsigned do_pause(struct ui *ui, struct model *m, int key, uint64_t now_ms);
unsigned do_speed(struct ui *ui, struct model *m, int key, uint64_t now_ms);
unsigned do_repaint(struct ui *ui, struct model *m, int key, uint64_t now_ms);
unsigned do_sample(struct ui *ui, struct model *m, int key, uint64_t now_ms);
unsigned do_copy(struct ui *ui, struct model *m, int key, uint64_t now_ms);
unsigned do_mouse(struct ui *ui, struct model *m, int key, uint64_t now_ms);
unsigned do_help(struct ui *ui, struct model *m, int key, uint64_t now_ms);
unsigned do_quit(struct ui *ui, struct model *m, int key, uint64_t now_ms);
