/* SPDX-License-Identifier: MIT */

#include "config/arena.h"

#include <stdlib.h>
#include <string.h>

#define CHUNK_SIZE 16384

struct arena_chunk {
        struct arena_chunk *next;
        size_t used, size;
        _Alignas(max_align_t) char bytes[];
};

static struct arena_chunk *chunk_new(struct arena *a, size_t n) {
        size_t size = n > CHUNK_SIZE ? n : CHUNK_SIZE;
        struct arena_chunk *c = calloc(1, sizeof(*c) + size);

        if (!c)
                return NULL;
        c->size = size;

        /* A large piece of its own must not end the chunk that still has room. */
        if (n > CHUNK_SIZE && a->chunks) {
                c->next = a->chunks->next;
                a->chunks->next = c;
        } else {
                c->next = a->chunks;
                a->chunks = c;
        }
        return c;
}

void *arena_alloc(struct arena *a, size_t n) {
        const size_t align = _Alignof(max_align_t);
        struct arena_chunk *c = a->chunks;
        void *p;

        if (n > SIZE_MAX / 2)
                return NULL;
        n = (n + align - 1) / align * align;
        if (!c || c->size - c->used < n) {
                c = chunk_new(a, n);
                if (!c)
                        return NULL;
        }

        p = c->bytes + c->used;
        c->used += n;
        return p;
}

char *arena_copy(struct arena *a, const char *s, size_t n) {
        char *p = arena_alloc(a, n + 1);

        if (p)
                memcpy(p, s, n);
        return p;
}

void arena_done(struct arena *a) {
        while (a->chunks) {
                struct arena_chunk *next = a->chunks->next;

                free(a->chunks);
                a->chunks = next;
        }
}
