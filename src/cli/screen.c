/* SPDX-License-Identifier: MIT */

#include "cli/screen.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "core/str.h"

#define ESC '\033'

static size_t count_lines(const char *text) {
        size_t n = 0;

        while (*text) {
                text += strcspn(text, "\n");
                text += *text == '\n';
                n++;
        }
        return n;
}

/* A colour, as out_paint() writes it: ESC [ ... m. */
static size_t escape_size(const char *s, size_t n) {
        const char *end = memchr(s, 'm', n);

        return end ? (size_t)(end - s) + 1 : n;
}

/* Colours take no room, and are kept even where the text is cut: the last one switches back. What
 * is left of an older line is erased; but behind the last column the cursor still stands on it, and
 * erasing would take the letter there. */
static void put_line(FILE *f, const char *line, size_t n, size_t columns) {
        size_t room = columns > 0 ? columns : SIZE_MAX;
        bool cut = false;

        for (size_t i = 0, size; i < n; i += size) {
                const char *escape = memchr(line + i, ESC, n - i);
                size_t fits;

                if (escape == line + i) {
                        size = escape_size(escape, n - i);
                        fwrite(escape, 1, size, f);
                        continue;
                }
                size = escape ? (size_t)(escape - line) - i : n - i;
                fits = cut ? 0 : str_fit(line + i, size, room);
                fwrite(line + i, 1, fits, f);
                room -= str_cells(line + i, fits);
                cut = fits < size;
        }
        fputs(room > 0 ? "\033[K\n" : "\n", f);
}

/* The last row stays free, for the cursor and for what the terminal echoes there. */
static void put_frame(FILE *f, const char *text, struct screen_size size) {
        size_t all = count_lines(text), room = size.rows > 1 ? size.rows - 1 : SIZE_MAX;
        size_t shown = all > room ? room - 1 : all;

        for (size_t i = 0; i < shown; i++) {
                size_t n = strcspn(text, "\n");

                put_line(f, text, n, size.columns);
                text += n + (text[n] == '\n');
        }
        if (shown < all) {
                char more[64];
                int n = snprintf(more, sizeof(more), "... and %zu more lines", all - shown);

                put_line(f, more, (size_t)n, size.columns);
        }
}

char *screen_frame(const char *text, struct screen_size size, bool first, size_t *ret_n) {
        char *frame = NULL;
        FILE *f = open_memstream(&frame, ret_n);
        bool failed;

        if (!f)
                return NULL;
        fputs(first ? "\033[H\033[2J" : "\033[H", f);
        put_frame(f, text, size);
        fputs("\033[J", f);
        failed = ferror(f);
        if (fclose(f) == 0 && !failed)
                return frame;
        free(frame);
        return NULL;
}

bool screen_possible(int fd) {
        const char *term = getenv("TERM");

        return isatty(fd) == 1 && term && *term && strcmp(term, "dumb") != 0;
}

struct screen_size screen_size(int fd) {
        struct winsize w;

        if (ioctl(fd, TIOCGWINSZ, &w) < 0)
                return (struct screen_size){ .columns = 0 };
        return (struct screen_size){ .columns = w.ws_col, .rows = w.ws_row };
}
