/* SPDX-License-Identifier: MIT */

#include "filter.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

struct word {
        const char *at;
        size_t n;
};

/* Bytes of UTF-8 beyond ASCII are compared as they are. */
static bool has(const char *text, struct word w) {
        size_t n = text ? strlen(text) : 0;
        bool smart = true;

        for (size_t i = 0; i < w.n; i++)
                smart = smart && !isupper((unsigned char)w.at[i]);
        for (size_t i = 0; text && w.n <= n && i <= n - w.n; i++) {
                if (smart ? strncasecmp(text + i, w.at, w.n) == 0
                          : memcmp(text + i, w.at, w.n) == 0)
                        return true;
        }
        return false;
}

static bool begins(struct word *w, const char *key) {
        size_t n = strlen(key);

        if (w->n < n || strncasecmp(w->at, key, n) != 0)
                return false;
        w->at += n;
        w->n -= n;
        return true;
}

static bool one_fits(struct word w, const struct filter_row *row) {
        bool not = w.n > 1 && *w.at == '!', fits;

        if (not ) {
                w.at++;
                w.n--;
        }
        if (begins(&w, "state:"))
                fits = row->state && strncasecmp(row->state, w.at, w.n) == 0;
        else if (begins(&w, "pool:"))
                fits = has(row->pool, w);
        else
                fits = has(row->name, w) || has(row->pool, w) || has(row->state, w) ||
                       has(row->text, w);
        return fits != not ;
}

/* One word, which may be several with '|' between. */
static bool any_fits(struct word w, const struct filter_row *row) {
        while (w.n > 0) {
                const char *bar = memchr(w.at, '|', w.n);
                struct word one = { .at = w.at, .n = bar ? (size_t)(bar - w.at) : w.n };

                if (one.n > 0 && one_fits(one, row))
                        return true;
                if (!bar)
                        return false;
                w.n -= one.n + 1;
                w.at = bar + 1;
        }
        return true; /* "web|": what is typed next may be anything */
}

bool filter_fits(const char *filter, const struct filter_row *row) {
        while (*filter) {
                struct word w;

                filter += strspn(filter, " ");
                w = (struct word){ .at = filter, .n = strcspn(filter, " ") };
                filter += w.n;
                if (w.n > 0 && !any_fits(w, row))
                        return false;
        }
        return true;
}
