/* SPDX-License-Identifier: MIT */

#include "cli/session_terms.h"

#include <stdlib.h>
#include <string.h>

#include "cli/doc.h"
#include "cli/names.h"
#include "core/parse.h"
#include "core/str.h"
#include "net/addr.h"

enum term { TERM_BACKEND, TERM_POOL, TERM_FRONTEND, TERM_CLIENT, TERM_ID, TERM_IDLE, TERM_AGE };

static const struct {
        const char *key, *parameter;
        bool named; /* its value is looked up */
} terms[] = {
        [TERM_BACKEND] = { "backend", "backend", true },
        [TERM_POOL] = { "pool", "pool", true },
        [TERM_FRONTEND] = { "frontend", "frontend", true },
        [TERM_CLIENT] = { "client", "client", false },
        [TERM_ID] = { "id", "id", false },
        [TERM_IDLE] = { "idle", "min_idle_ms", false },
        [TERM_AGE] = { "age", "min_age_ms", false },
};

struct reading {
        struct session_terms *terms;
        const json_t *doc; /* borrowed */
        json_t *known;     /* owned; {"backends": those in force and those that leave} */
        char *problem;     /* owned */
};

static int problem(struct reading *r, int code, char *text) {
        r->problem = text;
        return text ? code : -ENOMEM;
}

/* ELEMENTS(terms): none of them, the word is a bare name. */
static size_t term_find(const char *word, const char **ret_value) {
        size_t n = strcspn(word, ":"), i;

        *ret_value = word[n] ? word + n + 1 : NULL;
        for (i = 0; i < ELEMENTS(terms); i++) {
                if (*ret_value && strlen(terms[i].key) == n && strncmp(terms[i].key, word, n) == 0)
                        break;
        }
        return i;
}

bool session_terms_need_names(const char *const *words, size_t n) {
        for (size_t i = 0; i < n; i++) {
                const char *value;
                size_t term = term_find(words[i], &value);

                if (term == ELEMENTS(terms) || terms[term].named)
                        return true;
        }
        return false;
}

/* ---- what the daemon has ---- */

static bool has_member(const json_t *list, const char *key, const char *value) {
        json_t *item;
        size_t i;

        json_array_foreach(list, i, item) {
                if (strcmp(doc_text(item, key, ""), value) == 0)
                        return true;
        }
        return false;
}

static bool has_backend(const json_t *list, const json_t *like) {
        json_t *b;
        size_t i;

        json_array_foreach(list, i, b) {
                if (strcmp(doc_text(b, "name", ""), doc_text(like, "name", "")) == 0 &&
                    strcmp(doc_text(b, "pool", ""), doc_text(like, "pool", "")) == 0)
                        return true;
        }
        return false;
}

/* What a reload has removed has connections, too. */
static json_t *known_backends(const json_t *doc) {
        const json_t *now = doc_array(doc, "backends");
        json_t *all = json_array(), *b;
        size_t i;

        json_array_extend(all, (json_t *)now);
        json_array_foreach(doc_array(doc, "leaving"), i, b) {
                if (!has_backend(now, b))
                        json_array_append(all, b);
        }
        return json_pack("{s:o}", "backends", all);
}

static bool has_pool(const struct reading *r, const char *name) {
        return has_member(doc_array(r->doc, "pools"), "name", name) ||
               has_member(doc_array(r->known, "backends"), "pool", name);
}

/* ---- one term after the other ---- */

/* Takes value; NULL: no memory. The same again does no harm. */
static int set_value(struct reading *r, enum term term, json_t *value) {
        const char *key = terms[term].parameter;
        const json_t *before = json_object_get(r->terms->parameters, key);

        if (before && value && !json_equal(before, value)) {
                json_decref(value);
                return problem(r, -EINVAL,
                               str_printf("%s: is given twice, and no connection has both",
                                          terms[term].key));
        }
        r->terms->names = r->terms->names || (term != TERM_IDLE && term != TERM_AGE);
        return json_object_set_new(r->terms->parameters, key, value) < 0 ? -ENOMEM : 0;
}

static int set_name(struct reading *r, enum term term, const char *name) {
        json_t *value = json_string(name);

        if (!value)
                return problem(r, -ENOENT, str_printf("no %s '%s'", terms[term].key, name));
        return set_value(r, term, value);
}

/* The first doubt is told. Takes text. */
static int doubt(struct reading *r, char *text) {
        if (!text)
                return -ENOMEM;
        if (r->terms->doubt)
                free(text);
        else
                r->terms->doubt = text;
        return 0;
}

/* "no frontend 'wbe'; did you mean 'web'?" */
static char *unknown(const json_t *list, const char *what, const char *name) {
        const char **words = calloc(json_array_size(list) + 1, sizeof(*words)), *meant;
        json_t *item;
        char *text;
        size_t i;

        if (!words)
                return NULL;
        json_array_foreach(list, i, item)
                words[i] = doc_text(item, "name", "");
        meant = str_closest(name, words);
        text = meant ? str_printf("no %s '%s'; did you mean '%s'?", what, name, meant)
                     : str_printf("no %s '%s'", what, name);
        free(words);
        return text;
}

static int read_pool(struct reading *r, const char *name) {
        int code =
                has_pool(r, name) ? 0 : doubt(r, unknown(doc_array(r->doc, "pools"), "pool", name));

        return code < 0 ? code : set_name(r, TERM_POOL, name);
}

static int read_frontend(struct reading *r, const char *name) {
        const json_t *list = doc_array(r->doc, "frontends");
        int code = has_member(list, "name", name) ? 0 : doubt(r, unknown(list, "frontend", name));

        return code < 0 ? code : set_name(r, TERM_FRONTEND, name);
}

/* A name that several pools have means the backends of all of them. */
static int read_backend(struct reading *r, const char *name, bool bare) {
        struct backend_name found;
        char *text = NULL;
        int code = name_find(&found, r->known, name, &text);

        if (code == 0) {
                code = set_name(r, TERM_POOL, found.pool);
                return code < 0 ? code : set_name(r, TERM_BACKEND, found.name);
        }
        if (code == -ENOENT && bare)
                return problem(r, -ENOENT, text);
        if (code == -ENOENT)
                code = doubt(r, text);
        else
                free(text);
        return code == -ENOMEM ? code : set_name(r, TERM_BACKEND, name);
}

/* As the daemon writes it: of "[::1]" and "::1" one is right, and both are meant. */
static int read_client(struct reading *r, const char *text) {
        char written[ADDR_TEXT_MAX];
        struct addr a;

        if (strcmp(text, "unix:") == 0)
                return set_name(r, TERM_CLIENT, text);
        if (addr_parse(&a, text) == 0 && addr_port(&a) > 0)
                return set_name(r, TERM_CLIENT, addr_text(&a, written));
        if (addr_parse_host(&a, text, 1) == 0 && addr_port(&a) > 0)
                return set_name(r, TERM_CLIENT, addr_text_host(&a, written));
        return problem(r, -EINVAL,
                       str_printf("client: '%s' is not an address; write 10.0.0.7, 10.0.0.7:51234 "
                                  "or [::1]:51234",
                                  text));
}

static int read_id(struct reading *r, const char *text) {
        uint64_t id;

        if (parse_u64(&id, text) < 0 || id == 0 || id > INT64_MAX)
                return problem(r, -EINVAL, str_printf("id: '%s' is not a number above 0", text));
        return set_value(r, TERM_ID, json_integer((json_int_t)id));
}

static int read_time(struct reading *r, enum term term, const char *text) {
        uint64_t ms;

        if (parse_duration_ms(&ms, text) < 0 || ms > INT64_MAX)
                return problem(r, -EINVAL,
                               str_printf("%s: '%s' is not a duration; write 10s or 1h30m",
                                          terms[term].key, text));
        return set_value(r, term, json_integer((json_int_t)ms));
}

/* "bakend:web/a:1" is a key with a typing error, and "web1:8080" a name. */
static const char *closest_key(const char *word) {
        const char *words[ELEMENTS(terms) + 1] = { NULL }, *meant;
        char *key = strndup(word, strcspn(word, ":"));

        for (size_t i = 0; i < ELEMENTS(terms); i++)
                words[i] = terms[i].key;
        meant = key && strchr(word, ':') ? str_closest(key, words) : NULL;
        free(key);
        return meant;
}

static int read_bare(struct reading *r, const char *word) {
        const char *meant;
        struct addr a;
        int code;

        if (has_pool(r, word))
                return read_pool(r, word);
        code = read_backend(r, word, true);
        if (code != -ENOENT)
                return code;
        meant = closest_key(word);
        if (!meant && (strstr(r->problem, "did you mean") ||
                       (addr_parse(&a, word) < 0 && addr_parse_host(&a, word, 1) < 0)))
                return code;
        str_freep(&r->problem);
        if (meant)
                return problem(r, -ENOENT,
                               str_printf("no backend and no pool '%s'; did you mean '%s%s'?", word,
                                          meant, strchr(word, ':')));
        return problem(r, -ENOENT,
                       str_printf("no backend '%s'; a client is meant by client:%s", word, word));
}

static int read_word(struct reading *r, const char *word) {
        const char *value;
        size_t term = term_find(word, &value);

        if (term < ELEMENTS(terms) && *value == '\0')
                return problem(r, -EINVAL, str_printf("'%s' needs a value", word));
        switch (term) {
        case TERM_BACKEND:
                return read_backend(r, value, false);
        case TERM_POOL:
                return read_pool(r, value);
        case TERM_FRONTEND:
                return read_frontend(r, value);
        case TERM_CLIENT:
                return read_client(r, value);
        case TERM_ID:
                return read_id(r, value);
        case TERM_IDLE:
        case TERM_AGE:
                return read_time(r, (enum term)term, value);
        default:
                return read_bare(r, word);
        }
}

int session_terms_read(struct session_terms *ret,
                       const json_t *doc,
                       const char *const *words,
                       size_t n,
                       char **ret_problem) {
        struct reading r = { .terms = ret, .doc = doc, .known = known_backends(doc) };
        int code;

        *ret = (struct session_terms){ .parameters = json_object() };
        code = ret->parameters && r.known ? 0 : -ENOMEM;
        for (size_t i = 0; i < n && code == 0; i++)
                code = read_word(&r, words[i]);
        json_decref(r.known);
        *ret_problem = r.problem;
        return code;
}

void session_terms_done(struct session_terms *t) {
        json_decref(t->parameters);
        t->parameters = NULL;
        str_freep(&t->doubt);
}
