/* SPDX-License-Identifier: MIT */
/* tui/view.h - the terminal, by ncurses: a canvas goes out, keys come in. Nothing else of bal-top
 * knows about it. There is one, since there is one terminal. */
#pragma once

#include "canvas.h"

/* fallback: the name of the terminal type used instead of $TERM, if that is not known; else NULL.
 * -ENOTTY, -ENOENT: no usable terminal type. */
int view_open(bool colour, const char **ret_fallback);
void view_close(void);                                 /* any number of times */
void view_give_up(void);                               /* as far as a signal handler may */
void view_size(size_t *ret_columns, size_t *ret_rows); /* asks the terminal */
void view_draw(const struct canvas *c);
void view_repaint(void); /* with the next view_draw() all of it */
void view_mouse(bool on);
void view_copy(const char *text); /* OSC 52 */

#define VIEW_CLICK (-2)
/* The next key as of keys.h, 0: none is there, -EIO: the terminal has gone, VIEW_CLICK: at *ret. */
int view_key(size_t *ret_column, size_t *ret_row);
