/* SPDX-License-Identifier: MIT */
/*
 * Text is cut into glyphs first: one code point or one bad byte each, with its bytes and its cells.
 * Widths are those of the C.UTF-8 locale whatever the user's is, because all of bal's output is
 * UTF-8; uselocale() changes the calling thread only, so no other thread notices.
 */
#include "core/str.h"

#include <locale.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

static pthread_once_t str_locale_once = PTHREAD_ONCE_INIT;
static locale_t str_locale; /* lives as long as the process */

struct glyph {
        size_t n;     /* bytes, 1..4 */
        size_t cells; /* 0..2 */
        bool bad;     /* must not reach a terminal */
};

static void str_locale_open(void) {
        str_locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
}

/* ASCII never comes here: most processes see nothing else, and are spared the locale's pages. */
static int str_width(uint32_t c) {
        locale_t old;
        int width;

        pthread_once(&str_locale_once, str_locale_open);
        if (!str_locale)
                return 1;
        old = uselocale(str_locale);
        width = wcwidth((wchar_t)c);
        uselocale(old);
        return width;
}

/*
 * What must never reach a reader as it is: control characters, which a terminal obeys; signs that
 * turn the direction of the text behind them, so that a name could pretend to be another one; line
 * ends that are none to bal; and whatever has no shape at all, since two different texts would look
 * the same. Of Unicode 15 these are the classes Cc, Zl, Zp, Default_Ignorable_Code_Point, and Cf
 * but for those that are seen (Arabic, Syriac and Kaithi number signs).
 */
static const struct {
        uint32_t first, last;
} hidden[] = {
        { 0x0000, 0x001f },   /* C0 */
        { 0x007f, 0x009f },   /* DEL, C1: ESC has a second form there */
        { 0x00ad, 0x00ad },   /* soft hyphen */
        { 0x034f, 0x034f },   /* combining grapheme joiner */
        { 0x061c, 0x061c },   /* Arabic letter mark */
        { 0x115f, 0x1160 },   /* Hangul fillers */
        { 0x17b4, 0x17b5 },   /* Khmer vowels without a shape */
        { 0x180b, 0x180f },   /* Mongolian variation selectors */
        { 0x200b, 0x200f },   /* zero width space and joiners, direction marks */
        { 0x2028, 0x202e },   /* line and paragraph separator, embeddings, overrides */
        { 0x2060, 0x206f },   /* word joiner, invisible operators, isolates */
        { 0x3164, 0x3164 },   /* Hangul filler */
        { 0xfe00, 0xfe0f },   /* variation selectors */
        { 0xfeff, 0xfeff },   /* byte order mark */
        { 0xffa0, 0xffa0 },   /* halfwidth Hangul filler */
        { 0xfff0, 0xfffb },   /* not assigned, interlinear annotation */
        { 0x13430, 0x13440 }, /* joiners of hieroglyphs */
        { 0x1bca0, 0x1bca3 }, /* shorthand format */
        { 0x1d173, 0x1d17a }, /* musical format */
        { 0xe0000, 0xe0fff }, /* tags, more variation selectors */
};

bool str_is_hidden(uint32_t c) {
        size_t low = 0, high = ELEMENTS(hidden);

        if (c >= 0x20 && c < 0x7f)
                return false;
        while (low < high) {
                size_t middle = (low + high) / 2;

                if (c > hidden[middle].last)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low < ELEMENTS(hidden) && c >= hidden[low].first;
}

size_t str_decode(uint32_t *ret, const char *s, size_t n) {
        static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
        unsigned char first = (unsigned char)s[0];
        size_t len = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
        uint32_t c = len == 1 ? first : first & (0x7fU >> len);

        if (len == 0 || len > n || first > 0xf4)
                return 0;
        for (size_t i = 1; i < len; i++) {
                if (((unsigned char)s[i] & 0xc0) != 0x80)
                        return 0;
                c = c << 6 | ((unsigned char)s[i] & 0x3f);
        }
        if (c < least[len] || (c >= 0xd800 && c <= 0xdfff) || c > 0x10ffff)
                return 0;
        *ret = c;
        return len;
}

static struct glyph str_glyph(const char *s, size_t n) {
        uint32_t c;
        size_t len = str_decode(&c, s, n);
        int width;

        if (len == 0)
                return (struct glyph){ .n = 1, .cells = 1, .bad = true };
        if (len == 1 && c >= 0x20 && c < 0x7f)
                return (struct glyph){ .n = 1, .cells = 1 };
        if (str_is_hidden(c))
                return (struct glyph){ .n = len, .cells = 1, .bad = true };
        width = str_width(c);
        if (width < 0)
                return (struct glyph){ .n = len, .cells = 1, .bad = true };
        return (struct glyph){ .n = len, .cells = (size_t)width };
}

size_t str_cells(const char *s, size_t n) {
        size_t cells = 0;

        for (size_t i = 0; i < n;) {
                struct glyph g = str_glyph(s + i, n - i);

                cells += g.cells;
                i += g.n;
        }
        return cells;
}

char *str_clean(const char *s) {
        size_t n = strlen(s), used = 0;
        char *out = malloc(n + 1);

        if (!out)
                return NULL;
        for (size_t i = 0; i < n;) {
                struct glyph g = str_glyph(s + i, n - i);

                if (g.bad) {
                        out[used++] = '?';
                } else {
                        memcpy(out + used, s + i, g.n);
                        used += g.n;
                }
                i += g.n;
        }
        out[used] = '\0';
        return out;
}

/* The accents of the last letter that fits come with it. */
size_t str_fit(const char *s, size_t n, size_t cells) {
        size_t i = 0, used = 0;

        while (i < n) {
                struct glyph g = str_glyph(s + i, n - i);

                if (used + g.cells > cells)
                        break;
                used += g.cells;
                i += g.n;
        }
        return i;
}

/* Where the widest end of s begins that fits: skip from the front until the rest does. */
static size_t str_tail(const char *s, size_t n, size_t all, size_t cells) {
        size_t i = 0;

        while (i < n) {
                struct glyph g = str_glyph(s + i, n - i);

                if (all <= cells && g.cells > 0) /* an accent without its letter is dropped too */
                        break;
                all -= g.cells;
                i += g.n;
        }
        return i;
}

char *str_squeeze(const char *s, size_t cells) {
        char *text = str_clean(s);
        size_t n, all, head, tail;

        if (!text)
                return NULL;
        n = strlen(text);
        all = str_cells(text, n);
        if (all <= cells)
                return text;
        if (cells == 0) {
                *text = '\0';
                return text;
        }
        head = str_fit(text, n, (cells - 1) / 2);
        tail = str_tail(text, n, all, cells - 1 - (cells - 1) / 2);

        /* More cells are dropped than '~' takes, and each is at least a byte: it fits in place. */
        text[head] = '~';
        memmove(text + head + 1, text + tail, n - tail + 1);
        return text;
}

/* Three rows of the table of distances, because a swap looks two rows back. */
static size_t distance_rows(const char *a, size_t la, const char *b, size_t lb, size_t *rows) {
        size_t *before = rows, *last = rows + lb + 1, *now = rows + 2 * (lb + 1);

        for (size_t j = 0; j <= lb; j++)
                last[j] = j;
        for (size_t i = 1; i <= la; i++) {
                size_t *oldest = before;

                now[0] = i;
                for (size_t j = 1; j <= lb; j++) {
                        size_t d = last[j - 1] + (a[i - 1] != b[j - 1]);

                        d = last[j] + 1 < d ? last[j] + 1 : d;
                        d = now[j - 1] + 1 < d ? now[j - 1] + 1 : d;
                        if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                            before[j - 2] + 1 < d)
                                d = before[j - 2] + 1;
                        now[j] = d;
                }
                before = last;
                last = now;
                now = oldest;
        }
        return last[lb];
}

size_t str_distance(const char *a, const char *b, size_t max) {
        size_t la = strlen(a), lb = strlen(b), d;
        size_t *rows;

        if ((la > lb ? la - lb : lb - la) >
            max) /* so a huge word costs nothing against a short one */
                return SIZE_MAX;
        rows = calloc(3 * (lb + 1), sizeof(*rows));
        if (!rows)
                return SIZE_MAX;
        d = distance_rows(a, la, b, lb, rows);
        free(rows);
        return d <= max ? d : SIZE_MAX;
}

const char *str_closest(const char *s, const char *const *words) {
        size_t n = strlen(s), best = (n < 5 ? 1 : 2) + 1;
        const char *found = NULL;

        if (n < 2) /* every one-letter word is one step from every other */
                return NULL;
        for (; *words; words++) {
                size_t d = str_distance(s, *words, best - 1);

                if (d < best) {
                        best = d;
                        found = *words;
                        if (best == 0)
                                break;
                }
        }
        return found;
}

char *str_printf(const char *fmt, ...) {
        va_list ap;
        char *s;
        int n;

        va_start(ap, fmt);
        n = vasprintf(&s, fmt, ap);
        va_end(ap);
        return n < 0 ? NULL : s;
}

void str_freep(char **s) {
        free(*s);
        *s = NULL;
}
