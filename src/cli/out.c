/* SPDX-License-Identifier: MIT */

#include "cli/out.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "core/str.h"

static const char *const colour_codes[] = {
        [PLAIN] = "",    [BOLD] = "1",  [RED] = "1;31",   [GREEN] = "32",
        [YELLOW] = "33", [BLUE] = "34", [MAGENTA] = "35", [CYAN] = "36",
};

static bool env_says(const char *name) {
        const char *v = getenv(name);

        return v && *v;
}

bool out_wants_colour(int fd, enum args_color color) {
        const char *term = getenv("TERM"), *force = getenv("CLICOLOR_FORCE");

        if (color != COLOR_AUTO)
                return color == COLOR_ALWAYS;
        if (env_says("NO_COLOR") || env_says("BAL_NO_COLOR"))
                return false;
        if (force && *force && strcmp(force, "0") != 0)
                return true;
        if (!term || !*term || strcmp(term, "dumb") == 0)
                return false;
        return isatty(fd) == 1;
}

unsigned out_columns(int fd) {
        struct winsize size;

        return ioctl(fd, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

static void out_failed(struct out *o) {
        if (o->error == 0)
                o->error = errno ? -errno : -EIO;
}

void out_write(struct out *o, const char *s, size_t n) {
        if (!o->file || n == 0)
                return;
        errno = 0;
        if (fwrite(s, 1, n, o->file) != n)
                out_failed(o);
}

void out_printf(struct out *o, const char *fmt, ...) {
        va_list ap;
        int n;

        if (!o->file)
                return;
        errno = 0;
        va_start(ap, fmt);
        n = vfprintf(o->file, fmt, ap);
        va_end(ap);
        if (n < 0)
                out_failed(o);
}

void out_clean(struct out *o, const char *s) {
        _cleanup_(str_freep) char *clean = str_clean(s ? s : "");

        if (clean)
                out_write(o, clean, strlen(clean));
        else if (o->error == 0)
                o->error = -ENOMEM;
}

void out_paint(struct out *o, enum colour c, const char *s) {
        bool on = o->colour && c != PLAIN;

        if (on)
                out_printf(o, "\033[%sm", colour_codes[c]);
        out_clean(o, s);
        if (on)
                out_printf(o, "\033[0m");
}

void out_spaces(struct out *o, size_t n) {
        static const char blanks[] = "                                ";

        for (; n > 0; n -= n < sizeof(blanks) - 1 ? n : sizeof(blanks) - 1)
                out_write(o, blanks, n < sizeof(blanks) - 1 ? n : sizeof(blanks) - 1);
}

void out_part(struct out *o, const char *indent, const char *label, const char *text) {
        const size_t width = sizeof("what_happened: ") - 1;
        _cleanup_(str_freep) char *copy = NULL;
        char *rest, *line;

        if (!text)
                return;
        copy = rest = strdup(text);
        if (!copy) {
                o->error = o->error ? o->error : -ENOMEM;
                return;
        }
        out_printf(o, "%s%s:", indent, label);
        out_spaces(o, width - strlen(label) - 1);
        while ((line = strsep(&rest, "\n"))) {
                if (line != copy)
                        out_spaces(o, strlen(indent) + width);
                out_clean(o, line);
                out_printf(o, "\n");
        }
}

void out_json(struct out *o, json_t *doc) {
        int r;

        if (!doc) {
                o->error = o->error ? o->error : -ENOMEM;
                return;
        }
        /* Escaped down to ASCII: a JSON string may hold what a terminal would obey. */
        errno = 0;
        r = o->file ? json_dumpf(doc, o->file,
                                 (o->lines ? JSON_COMPACT : JSON_INDENT(2)) | JSON_ENSURE_ASCII)
                    : 0;
        json_decref(doc);
        if (r < 0)
                out_failed(o);
        out_printf(o, "\n");
}

json_t *out_document(const char *kind) {
        return json_pack("{s:s, s:s}", "format_version", "1.0", "kind", kind);
}

json_t *out_text(const char *s) {
        _cleanup_(str_freep) char *clean = NULL;
        json_t *j;

        if (!s)
                return json_null();
        j = json_string(s);
        if (j)
                return j;
        clean = str_clean(s); /* not UTF-8, which JSON cannot hold: a path, for instance */
        return clean ? json_string(clean) : NULL;
}

int out_finish(struct out *o) {
        if (!o->file)
                return 0;
        errno = 0;
        if (fflush(o->file) != 0)
                out_failed(o);
        return o->error;
}
