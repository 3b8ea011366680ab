/* SPDX-License-Identifier: MIT */

#include "cli/names.h"

#include <stdlib.h>
#include <string.h>

#include "cli/doc.h"
#include "cli/states.h"
#include "core/str.h"

#define POOLS_TOLD 8 /* of those that have the same backend */

static const char *pool_of(const json_t *backend) {
        return doc_text(backend, "pool", "");
}

static const char *name_of(const json_t *backend) {
        return doc_text(backend, "name", doc_text(backend, "address", ""));
}

/* Does text, as "name" or "pool/name", mean this one? A name may have a slash of its own, since
 * "unix:/run/app.sock" is one; a pool never has. */
static bool means(const char *text, const json_t *backend) {
        const char *pool = pool_of(backend), *name = name_of(backend);
        size_t n = strlen(pool);

        if (*name == '\0') /* the document is broken */
                return false;
        if (strcmp(text, name) == 0)
                return true;
        return strncmp(text, pool, n) == 0 && text[n] == '/' && strcmp(text + n + 1, name) == 0;
}

static bool has_pool(const json_t *doc, const char *pool, size_t n) {
        json_t *b;
        size_t i;

        json_array_foreach(doc_array(doc, "backends"), i, b) {
                if (strlen(pool_of(b)) == n && strncmp(pool_of(b), pool, n) == 0)
                        return true;
        }
        return false;
}

/* The names of all pools, NULL-ended; the caller frees the array. Doubles do no harm. */
static const char **pool_words(const json_t *doc) {
        const json_t *list = doc_array(doc, "backends");
        const char **words = calloc(json_array_size(list) + 1, sizeof(*words));
        json_t *b;
        size_t i;

        json_array_foreach(list, i, b) {
                if (words)
                        words[i] = pool_of(b);
        }
        return words;
}

struct guess {
        const char *text;
        const json_t *best; /* borrowed */
        size_t distance;
};

/* Within two edits, one for a short word; or the text is all of it but the port. */
static void guess_one(struct guess *g, const char *name, const json_t *backend) {
        size_t n = strlen(g->text), most = n < 5 ? 1 : 2, d = str_distance(g->text, name, most);

        if (d == SIZE_MAX && n > 0 && strncmp(g->text, name, n) == 0 && name[n] == ':')
                d = most;
        if (d < g->distance) {
                g->distance = d;
                g->best = backend;
        }
}

static char *guess_backend(const json_t *doc, const char *text) {
        struct guess g = { .text = text, .distance = SIZE_MAX };
        json_t *b;
        size_t i;

        json_array_foreach(doc_array(doc, "backends"), i, b) {
                char *full = str_printf("%s/%s", pool_of(b), name_of(b));

                guess_one(&g, name_of(b), b);
                if (full)
                        guess_one(&g, full, b);
                str_freep(&full);
        }
        if (g.best)
                return str_printf("no backend '%s'; did you mean '%s/%s'?", text, pool_of(g.best),
                                  name_of(g.best));
        return str_printf("no backend '%s'; all there are: bal backend list", text);
}

static char *unknown(const json_t *doc, const char *text) {
        const char *slash = strchr(text, '/');
        size_t n = slash ? (size_t)(slash - text) : 0;
        _cleanup_(str_freep) char *pool = NULL;
        const char **words, *meant;
        char *said = NULL;

        if (has_pool(doc, text, strlen(text)))
                return str_printf("'%s' is a pool; say which of its backends: bal backend list %s",
                                  text, text);
        if (!slash || memchr(text, ':', n) || has_pool(doc, text, n))
                return guess_backend(doc, text);

        pool = str_printf("%.*s", (int)n, text);
        words = pool_words(doc);
        if (pool && words) {
                meant = str_closest(pool, words);
                said = meant ? str_printf("no pool '%s'; did you mean '%s%s'?", pool, meant, slash)
                             : str_printf("no pool '%s'; all there are: bal backend list", pool);
        }
        free(words);
        return said;
}

/* "'a:1' is in 2 pools: web/a:1, api/a:1; say which" */
static char *ambiguous(const json_t *doc, const char *text, size_t n) {
        char *list = NULL;
        size_t told = 0, i;
        char *said;
        json_t *b;

        json_array_foreach(doc_array(doc, "backends"), i, b) {
                char *more;

                if (!means(text, b) || told++ >= POOLS_TOLD)
                        continue;
                more = str_printf("%s%s%s/%s", list ? list : "", list ? ", " : "", pool_of(b),
                                  name_of(b));
                str_freep(&list);
                list = more;
        }
        said = str_printf("'%s' is in %zu pools; say which: %s%s", text, n, list ? list : "",
                          n > POOLS_TOLD ? ", ..." : "");
        str_freep(&list);
        return said;
}

int name_find(struct backend_name *ret, const json_t *doc, const char *text, char **ret_problem) {
        const json_t *found = NULL;
        size_t n = 0, i;
        json_t *b;

        json_array_foreach(doc_array(doc, "backends"), i, b) {
                if (!means(text, b))
                        continue;
                found = b;
                n++;
        }
        if (n == 1) {
                *ret = (struct backend_name){ .pool = pool_of(found), .name = name_of(found) };
                return 0;
        }
        *ret_problem = n == 0 ? unknown(doc, text) : ambiguous(doc, text, n);
        if (!*ret_problem)
                return -ENOMEM;
        return n == 0 ? -ENOENT : -ENOTUNIQ;
}

static const char *after(const char *filter, const char *prefix) {
        size_t n = strlen(prefix);

        return strncmp(filter, prefix, n) == 0 ? filter + n : NULL;
}

/* A word that is a pool's name means that pool, not also those whose name begins with it. */
struct name_filter name_filter(const json_t *doc, const char *text) {
        const char *state = after(text, "state:"), *pool = after(text, "pool:");

        if (state)
                return (struct name_filter){ .by = NAME_BY_STATE, .word = state };
        if (pool)
                return (struct name_filter){ .by = NAME_BY_POOL, .word = pool };
        return (struct name_filter){ .by = has_pool(doc, text, strlen(text)) ? NAME_BY_POOL
                                                                             : NAME_BY_TEXT,
                                     .word = text };
}

static bool fits_text(const json_t *backend, const char *text) {
        char *full = str_printf("%s/%s", pool_of(backend), name_of(backend));
        bool fits = full && strcasestr(full, text);

        str_freep(&full);
        return fits;
}

bool name_fits(const json_t *backend, const struct name_filter *f) {
        switch (f->by) {
        case NAME_BY_STATE:
                return strcmp(states[state_of(backend)].key, f->word) == 0;
        case NAME_BY_POOL:
                return strcmp(pool_of(backend), f->word) == 0;
        case NAME_BY_TEXT:
                break;
        }
        return fits_text(backend, f->word);
}

static char *state_problem(const char *word) {
        const char *meant = state_closest(word);

        if (state_find(word) < STATES_COUNT)
                return NULL;
        if (meant)
                return str_printf("no state '%s'; did you mean '%s'?", word, meant);
        return str_printf("no state '%s'; use up, cool, down, drain or maint", word);
}

char *name_filter_problem(const json_t *doc, const struct name_filter *f) {
        const char **words, *meant;
        char *said;

        if (f->by == NAME_BY_STATE)
                return state_problem(f->word);
        words = pool_words(doc);
        meant = words ? str_closest(f->word, words) : NULL;
        if (meant)
                said = str_printf("no pool '%s'; did you mean '%s'?", f->word, meant);
        else if (f->by == NAME_BY_POOL)
                said = str_printf("no pool '%s'", f->word);
        else
                said = guess_backend(doc, f->word);
        free(words);
        return said;
}
