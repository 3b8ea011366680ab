/* SPDX-License-Identifier: MIT */

#include "config/status.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define FIRST 100
#define LAST  599

static bool read_one(uint16_t *ret, const char *s, size_t n) {
        if (n != 3 || !isdigit((unsigned char)s[0]) || !isdigit((unsigned char)s[1]) ||
            !isdigit((unsigned char)s[2]))
                return false;
        *ret = (uint16_t)((s[0] - '0') * 100 + (s[1] - '0') * 10 + (s[2] - '0'));
        return *ret >= FIRST && *ret <= LAST;
}

static enum status_verdict read_range(struct config_status *ret, const struct status_piece *p) {
        const char *dash = memchr(p->start, '-', p->n);
        size_t n = dash ? (size_t)(dash - p->start) : p->n;

        if (!read_one(&ret->first, p->start, n))
                return STATUS_BAD;
        ret->last = ret->first;
        if (dash && !read_one(&ret->last, dash + 1, p->n - n - 1))
                return STATUS_BAD;
        return ret->last < ret->first ? STATUS_ORDER : STATUS_OK;
}

/* Up to the next comma, without the blanks around. */
static struct status_piece next_piece(const char *text) {
        struct status_piece p = { .start = text + strspn(text, " ") };

        p.n = strcspn(p.start, ",");
        while (p.n > 0 && p.start[p.n - 1] == ' ')
                p.n--;
        return p;
}

enum status_verdict status_parse(struct statuses *s, const char *text, struct status_piece *bad) {
        for (;;) {
                struct status_piece p = next_piece(text);
                struct config_status range;
                enum status_verdict v = read_range(&range, &p);

                if (v != STATUS_OK) {
                        if (bad)
                                *bad = p;
                        return v;
                }
                if (s->n < CONFIG_STATUS_MAX)
                        s->ranges[s->n] = range;
                s->n++;

                text += strcspn(text, ",");
                if (!*text)
                        return STATUS_OK;
                text++;
        }
}

const char *status_text(const struct statuses *s, char buf[static STATUS_TEXT_MAX]) {
        size_t n = 0;

        buf[0] = '\0';
        for (size_t i = 0; i < s->n && i < CONFIG_STATUS_MAX; i++) {
                const struct config_status *r = &s->ranges[i];
                const char *comma = i > 0 ? "," : "";

                if (r->first == r->last)
                        n += (size_t)snprintf(buf + n, STATUS_TEXT_MAX - n, "%s%u", comma,
                                              r->first);
                else
                        n += (size_t)snprintf(buf + n, STATUS_TEXT_MAX - n, "%s%u-%u", comma,
                                              r->first, r->last);
        }
        return buf;
}
