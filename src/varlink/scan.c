/* SPDX-License-Identifier: MIT */

#include "varlink/scan.h"

#include <string.h>

void scan_init(struct scan *s, struct scan_text text) {
        *s = (struct scan){ .at = text.text, .end = text.text + text.n, .bad = !text.text };
}

bool scan_text_is(struct scan_text s, const char *text) {
        size_t n = strlen(text);

        return n == s.n && memcmp(s.text, text, n) == 0;
}

static bool fail(struct scan *s) {
        s->bad = true;
        s->at = s->end;
        return false;
}

static bool is_blank(char c) {
        return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* What comes next that is no blank; NUL: nothing. */
static char peek(struct scan *s) {
        while (s->at < s->end && is_blank(*s->at))
                s->at++;
        return s->at < s->end ? *s->at : '\0';
}

bool scan_enter(struct scan *s, char bracket) {
        if (s->bad || peek(s) != bracket)
                return false;
        s->at++;
        s->first = true;
        return true;
}

/* To the next thing in a list, or behind its end. */
static bool next(struct scan *s, char closing) {
        char c;

        if (s->bad)
                return false;
        c = peek(s);
        if (c == closing) {
                s->at++;
                s->first = false;
                return false;
        }
        if (s->first) {
                s->first = false;
                return true;
        }
        if (c != ',')
                return fail(s);
        s->at++;
        return true;
}

/* Behind the string that begins at p; NULL: it does not end. */
static const char *string_end(const char *p, const char *end) {
        for (p++; p < end; p++) {
                if (*p == '"')
                        return p + 1;
                if (*p == '\\' && ++p == end)
                        break;
        }
        return NULL;
}

/* Behind the object or array that begins at p; NULL: it does not end. Which bracket closes which is
 * for whoever looks inside. */
static const char *list_end(const char *p, const char *end) {
        size_t depth = 0;

        while (p && p < end) {
                if (*p == '"') {
                        p = string_end(p, end);
                        continue;
                }
                if (*p == '{' || *p == '[')
                        depth++;
                else if ((*p == '}' || *p == ']') && --depth == 0)
                        return p + 1;
                p++;
        }
        return NULL;
}

static const char *word_end(const char *p, const char *end) {
        while (p < end && *p != ',' && *p != '}' && *p != ']' && *p != ':' && !is_blank(*p))
                p++;
        return p;
}

struct scan_text scan_value(struct scan *s) {
        char c = s->bad ? '\0' : peek(s);
        const char *begin = s->at, *end;

        if (c == '"')
                end = string_end(begin, s->end);
        else if (c == '{' || c == '[')
                end = list_end(begin, s->end);
        else
                end = word_end(begin, s->end);
        if (!end || end == begin) {
                fail(s);
                return (struct scan_text){ 0 };
        }
        s->at = end;
        return (struct scan_text){ .text = begin, .n = (size_t)(end - begin) };
}

bool scan_member(struct scan *s, struct scan_text *ret_key) {
        struct scan_text key;

        if (!next(s, '}'))
                return false;
        if (peek(s) != '"')
                return fail(s);
        key = scan_value(s);
        if (s->bad || peek(s) != ':')
                return fail(s);
        s->at++;
        *ret_key = (struct scan_text){ .text = key.text + 1, .n = key.n - 2 };
        return true;
}

bool scan_element(struct scan *s) {
        return next(s, ']');
}
