/* SPDX-License-Identifier: MIT */

#include "config/text.h"

#include <stdlib.h>
#include <string.h>

#include "core/str.h"

#define SOURCE_MAX 240 /* characters of a line that people are shown */

static bool is_forbidden(uint32_t c) {
        if (c < 0x20)
                return c != '\t' && c != '\n' && c != '\r';
        return (c >= 0x7f && c < 0xa0) || c == 0x2028 || c == 0x2029 || c == 0xfeff ||
               (c & 0xfffe) == 0xfffe;
}

static size_t count_lines(const char *bytes, size_t n) {
        size_t lines = 1;

        for (size_t i = 0; i < n; i++)
                lines += bytes[i] == '\n' ||
                         (bytes[i] == '\r' && (i + 1 == n || bytes[i + 1] != '\n'));
        return lines;
}

static void index_lines(uint32_t *lines, const char *bytes, size_t n) {
        size_t k = 0;

        lines[k++] = 0;
        for (size_t i = 0; i < n; i++) {
                if (bytes[i] == '\n' || (bytes[i] == '\r' && (i + 1 == n || bytes[i + 1] != '\n')))
                        lines[k++] = (uint32_t)(i + 1);
        }
}

/* The first character that may not be there. One is enough: who gives a program or a picture for a
 * configuration shall not read twenty messages about it. */
static void check_characters(struct text_trouble *ret, const struct text *t) {
        unsigned line = 1, column = 1;
        uint32_t c = 0;

        for (size_t i = 0, len; i < t->n; i += len) {
                len = str_decode(&c, t->bytes + i, t->n - i);
                if (len == 0 || is_forbidden(c)) {
                        *ret = (struct text_trouble){
                                .fault = len == 0 ? TEXT_NOT_UTF8 : TEXT_CONTROL,
                                .line = line,
                                .column = column,
                                .code = len == 0 ? (unsigned char)t->bytes[i] : c
                        };
                        return;
                }

                if (line < t->n_lines && i + len == t->lines[line]) {
                        line++;
                        column = 1;
                } else {
                        column++;
                }
        }
}

int text_init(struct text *ret,
              struct text_trouble *trouble,
              struct arena *a,
              const char *file,
              const char *bytes,
              size_t n) {
        struct text t = { .file = file, .bytes = bytes, .n = n };
        uint32_t *lines;

        *trouble = (struct text_trouble){ 0 };
        if (n >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0) {
                t.bytes += 3;
                t.n -= 3;
        }

        t.n_lines = (unsigned)count_lines(t.bytes, t.n);
        lines = arena_alloc(a, t.n_lines * sizeof(*lines));
        if (!lines)
                return -ENOMEM;
        index_lines(lines, t.bytes, t.n);
        t.lines = lines;

        check_characters(trouble, &t);
        *ret = t;
        return 0;
}

const char *text_line(const struct text *t, unsigned line, size_t *ret_n) {
        size_t start, end;

        *ret_n = 0;
        if (line == 0 || line > t->n_lines)
                return "";

        start = t->lines[line - 1];
        end = line < t->n_lines ? t->lines[line] : t->n;
        while (end > start && (t->bytes[end - 1] == '\n' || t->bytes[end - 1] == '\r'))
                end--;
        *ret_n = end - start;
        return t->bytes + start;
}

size_t text_offset(const char *line, size_t n, unsigned column) {
        size_t i = 0;

        while (i < n && column > 1) {
                i++;
                while (i < n && ((unsigned char)line[i] & 0xc0) == 0x80)
                        i++;
                column--;
        }
        return i;
}

/* Not str_clean(): a tab has to stay, since the caret below it is padded with the same tab. */
static void show(char *to, const char *s, size_t n) {
        uint32_t c = 0;

        for (size_t i = 0, len; i < n; i += len) {
                len = str_decode(&c, s + i, n - i);
                if (len == 0 || (str_is_hidden(c) && c != '\t')) {
                        len = len == 0 ? 1 : len;
                        *to++ = '?';
                } else {
                        memcpy(to, s + i, len);
                        to += len;
                }
        }
        *to = '\0';
}

char *text_source(const struct text *t, unsigned line, unsigned column) {
        size_t n, shown;
        const char *s = text_line(t, line, &n);
        char *copy;

        if (line == 0 || line > t->n_lines || column > SOURCE_MAX)
                return NULL;

        shown = text_offset(s, n, SOURCE_MAX + 1);
        copy = malloc(shown + 1);
        if (copy)
                show(copy, s, shown);
        return copy;
}
