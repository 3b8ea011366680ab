/* SPDX-License-Identifier: MIT */

#include "varlink/reader.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "core/base.h"

#define FIRST_SIZE 4096

void varlink_reader_init(struct varlink_reader *r, size_t max) {
        *r = (struct varlink_reader){ .max = max };
}

void varlink_reader_done(struct varlink_reader *r) {
        free(r->buf);
        *r = (struct varlink_reader){ .max = r->max };
}

/* An idle connection keeps a small buffer only, however long its last message was. */
static void reader_compact(struct varlink_reader *r) {
        size_t held = r->end - r->start;

        if (held == 0 && r->size > FIRST_SIZE) {
                varlink_reader_done(r);
                return;
        }
        if (r->start == 0)
                return;

        memmove(r->buf, r->buf + r->start, held);
        r->scanned -= r->start;
        r->end = held;
        r->start = 0;
}

static int reader_grow(struct varlink_reader *r) {
        size_t size = r->size ? r->size * 2 : FIRST_SIZE;
        char *buf;

        if (r->size == r->max + 1)
                return -EMSGSIZE;
        if (size > r->max + 1)
                size = r->max + 1;

        buf = realloc(r->buf, size);
        if (!buf)
                return -ENOMEM;
        r->buf = buf;
        r->size = size;
        return 0;
}

int varlink_reader_room(struct varlink_reader *r, char **ret, size_t *ret_n) {
        int e;

        reader_compact(r);
        if (r->end == r->size) {
                e = reader_grow(r);
                if (e < 0)
                        return e;
        }
        *ret = r->buf + r->end;
        *ret_n = r->size - r->end;
        return 0;
}

void varlink_reader_fed(struct varlink_reader *r, size_t n) {
        assert(n <= r->size - r->end);
        r->end += n;
}

int varlink_reader_next(struct varlink_reader *r, const char **ret, size_t *ret_n) {
        char *nul = NULL;

        if (r->scanned < r->end)
                nul = memchr(r->buf + r->scanned, '\0', r->end - r->scanned);
        if (!nul) {
                r->scanned = r->end;
                return r->end - r->start > r->max ? -EMSGSIZE : 0;
        }

        *ret = r->buf + r->start;
        *ret_n = (size_t)(nul - *ret);
        r->start = r->scanned = (size_t)(nul - r->buf) + 1;
        return 1;
}

bool varlink_reader_partial(const struct varlink_reader *r) {
        return r->end > r->start;
}
