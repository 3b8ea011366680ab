/* SPDX-License-Identifier: MIT */

#include "core/diag.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const struct diag_info infos[DIAG_CODES] = {
#define DIAG(id, title_, explanation_, wrong_, right_)                                             \
        [DIAG_##id] = { .name = #id,                                                               \
                        .title = (title_),                                                         \
                        .explanation = (explanation_),                                             \
                        .wrong = (wrong_),                                                         \
                        .right = (right_) },
#include "core/diag_codes.h"
};

const struct diag_info *diag_info(enum diag_code code) {
        return &infos[code];
}

int diag_find(enum diag_code *ret, const char *name) {
        for (unsigned i = 0; i < DIAG_CODES; i++) {
                if (strcasecmp(infos[i].name, name) == 0) {
                        *ret = i;
                        return 0;
                }
        }
        return -ENOENT;
}

void diag_free_texts(struct diag *p) {
        free(p->path);
        free(p->message);
        free(p->label);
        free(p->brief);
        free(p->what_happened);
        free(p->why_likely);
        free(p->do_this_now);
        for (size_t i = 0; i < ELEMENTS(p->source); i++)
                free(p->source[i]);
        free(p->other_label);
        free(p->other_source);
}

static struct diag *diag_free(struct diag *p) {
        free((char *)p->at.file);
        free((char *)p->other.file);
        diag_free_texts(p);
        free(p);
        return NULL;
}
DEFINE_CLEANUP(struct diag *, diag_free);

/* Copies s, or the text that stands in for a missing one; NULL stays NULL when there is none. */
static bool copy(char **ret, const char *s, const char *otherwise) {
        if (!s)
                s = otherwise;
        *ret = s ? strdup(s) : NULL;
        return *ret || !s;
}

static bool copy_place(struct place *ret, const struct place *p) {
        char *file;

        if (!copy(&file, p->file, NULL))
                return false;

        *ret = *p;
        ret->file = file;
        return true;
}

static bool copy_texts(struct diag *to, const struct diag *from) {
        for (size_t i = 0; i < ELEMENTS(to->source); i++) {
                if (!copy(&to->source[i], from->source[i], NULL))
                        return false;
        }

        return copy(&to->path, from->path, "") && copy(&to->message, from->message, "") &&
               copy(&to->label, from->label, NULL) && copy(&to->brief, from->brief, to->message) &&
               copy(&to->what_happened, from->what_happened, NULL) &&
               copy(&to->why_likely, from->why_likely, NULL) &&
               copy(&to->do_this_now, from->do_this_now, "") &&
               copy(&to->other_label, from->other_label, NULL) &&
               copy(&to->other_source, from->other_source, NULL);
}

static struct diag *diag_copy(const struct diag *from) {
        _cleanup_(diag_freep) struct diag *p = calloc(1, sizeof(*p));

        if (!p)
                return NULL;

        link_init(&p->link);
        p->level = from->level;
        p->code = from->code;
        if (!copy_place(&p->at, &from->at) || !copy_place(&p->other, &from->other) ||
            !copy_texts(p, from))
                return NULL;
        return take_ptr(p);
}

static bool place_after(const struct place *a, const struct place *b) {
        return a->line != b->line ? a->line > b->line : a->column > b->column;
}

/* Behind everything that is not after it: problems of one place stay in the order they came. */
static void insert(struct diags *d, struct diag *p) {
        struct link *where = d->list.prev;

        while (where != &d->list &&
               place_after(&container_of(where, struct diag, link)->at, &p->at))
                where = where->prev;
        link_after(where, &p->link);
}

/* The first ones of a file are kept, whatever order they are found in. */
static void suppress_last(struct diags *d, enum diag_level level) {
        struct diag *last = NULL;
        unsigned n = 0;

        list_for_each(l, &d->list) {
                struct diag *p = container_of(l, struct diag, link);

                if (p->level == level) {
                        last = p;
                        n++;
                }
        }

        if (n > DIAGS_MAX) {
                link_remove(&last->link);
                diag_free(last);
                d->n_suppressed++;
        }
}

void diags_init(struct diags *d) {
        *d = (struct diags){ 0 };
        link_init(&d->list);
}

void diags_done(struct diags *d) {
        while (!link_idle(&d->list)) {
                struct diag *p = container_of(d->list.next, struct diag, link);

                link_remove(&p->link);
                diag_free(p);
        }
}

void diags_add(struct diags *d, const struct diag *problem) {
        struct diag *p = diag_copy(problem);

        if (problem->level == DIAG_ERROR)
                d->n_errors++;
        else
                d->n_warnings++;

        if (!p) {
                d->n_suppressed++;
                return;
        }

        insert(d, p);
        suppress_last(d, p->level);
}
