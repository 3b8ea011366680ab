/* SPDX-License-Identifier: MIT */

#include "keys.h"

#define F(n) (KEY_F1 + (n)-1)

/* In the order of the help. F2, F7, F8 and F9 stay unbound: elsewhere they mean set-up, nice,
 * disable all and kill. No F-key changes a backend. */
/* clang-format off */
const struct key_row keys[] = {
        { { '?', 'h', F(1) }, "? h F1", "this help",
          { "? Help", "?Help", "?Help" }, do_help },
        { { '/', F(4) }, "/ F4", "filter: all words fit; a|b either, !a not, state:down, pool:web",
          { "/ Filter", "/Filter", "/Find" }, do_filter },
        { { 's' }, "s", "sort by the next column",
          { "s Sort", "sSort", "sSort" }, do_sort },
        { { 'S', F(6) }, "S F6", "choose the column to sort by", { 0 }, do_sort_menu },
        { { 'I' }, "I", "sort the other way round", { 0 }, do_invert },
        { { 'j', KEY_TO_DOWN }, "j Down", "next row", { 0 }, do_down },
        { { 'k', KEY_TO_UP }, "k Up", "row before", { 0 }, do_up },
        { { 'g', KEY_TO_TOP }, "g Home", "first row", { 0 }, do_top },
        { { 'G', KEY_TO_END }, "G End", "last row", { 0 }, do_end },
        { { KEY_CTRL_D, KEY_PAGE_DOWN }, "Ctrl-d PgDn", "a screen down", { 0 }, do_page_down },
        { { KEY_CTRL_U, KEY_PAGE_UP }, "Ctrl-u PgUp", "a screen up", { 0 }, do_page_up },
        { { KEY_TO_LEFT, KEY_TO_RIGHT }, "Left Right", "other columns, where some have no room",
          { 0 }, do_scroll },
        { { 'n', 'N' }, "n N", "next and previous backend that is DOWN or COOL", { 0 }, do_trouble },
        { { '1', '2', '3', '4' }, "1 2 3 4", "backends, frontends, events, sessions",
          { 0 }, do_view },
        { { '\t', KEY_BACK_TAB }, "Tab Shift-Tab", "next and previous of these", { 0 }, do_view },
        { { KEY_RETURN }, "Enter", "all about one backend; Enter or Esc goes back",
          { "Enter Detail", "EnterMore", NULL }, do_detail },
        { { KEY_ESC }, "Esc", "back; clear the filter", { 0 }, do_escape },
        { { ' ' }, "Space", "tag the backend: actions are about all tagged ones",
          { "Space Tag", "SpcTag", NULL }, do_tag },
        { { 'u' }, "u", "untag all", { 0 }, do_untag },
        { { 'd' }, "d", "drain: no new connections, old ones stay",
          { "d Drain", "dDrain", "dDrain" }, do_action },
        { { 'x' }, "x", "maint: out of service, and not checked",
          { "x Maint", "xMaint", NULL }, do_action },
        { { 'e' }, "e", "enable: back into service",
          { "e Enable", "eEnable", "eEnable" }, do_action },
        { { 'w' }, "w", "weight, 0 to 256", { 0 }, do_action },
        { { 'a' }, "a", "admin on or off: actions need it", { 0 }, do_admin },
        { { 'p', 'Z' }, "p Z", "pause, resume",
          { "p Pause", "pPause", NULL }, do_pause },
        { { '+', '-' }, "+ -", "slower, faster: every 0.2 to 60 s",
          { "+/- Speed", NULL, NULL }, do_speed },
        { { 'r' }, "r", "ask the daemon now", { 0 }, do_sample },
        { { KEY_CTRL_L }, "Ctrl-l", "paint the screen again", { 0 }, do_repaint },
        { { 'y' }, "y", "copy the selected name (OSC 52)", { 0 }, do_copy },
        { { 'm' }, "m", "mouse on or off", { 0 }, do_mouse },
        { { 'q', F(10), KEY_CTRL_C }, "q F10 Ctrl-c", "quit",
          { "q Quit", "qQuit", "qQuit" }, do_quit },
};
/* clang-format on */

const size_t n_keys = ELEMENTS(keys);

const struct key_row *key_find(int key) {
        for (size_t i = 0; i < n_keys; i++) {
                for (size_t k = 0; k < KEYS_PER_ROW && keys[i].keys[k]; k++) {
                        if (keys[i].keys[k] == key)
                                return &keys[i];
                }
        }
        return NULL;
}
