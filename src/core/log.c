/* SPDX-License-Identifier: MIT */
/*
 * One ring of bytes per thread, with one writer (its thread) and one reader (whoever drains).
 * A record lies in one piece, strings behind their fields, so the reader works on it in place. What
 * would cross the end starts again at the beginning, behind a record without a site that fills up.
 *
 * head and tail count bytes and never wrap. Both are sequentially consistent because of the
 * wake-up: the writer publishes head and then looks whether the reader had seen everything before;
 * the reader publishes tail and then looks for more. Either the writer wakes, or the reader still
 * looks.
 */

#include "core/log.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/log_limit.h"

#define STRING_MAX 1024 /* bytes of one field's text; the rest is cut */

struct record {
        uint32_t size; /* of all of it, a multiple of 8 */
        uint32_t n_fields;
        const struct log_site *site; /* NULL: filler up to the ring's end */
        uint64_t real_us;
        struct log_field fields[];
};

struct ring {
        _Atomic uint64_t head; /* written so far */
        _Atomic uint64_t tail; /* read so far */
        _Atomic uint64_t dropped;
        _Atomic uint64_t written[LOG_LEVELS_COUNT]; /* its thread's alone */
        _Atomic bool done;                          /* its thread is gone; empty, it may be freed */
        _Alignas(8) char bytes[LOG_RING_SIZE];
};

static pthread_mutex_t rings_lock = PTHREAD_MUTEX_INITIALIZER; /* registering and draining only */
static struct ring *rings[LOG_RINGS_MAX];
static size_t n_rings, next_ring;
static _Thread_local struct ring *my_ring;

static _Atomic int min_level = LOG_LEVEL_INFO;
static _Atomic bool with_clients;
static _Atomic int wake_fd = -EBADF;
static _Atomic uint64_t dropped_elsewhere; /* without a ring, in rings that are gone, by a write */
static _Atomic uint64_t written_elsewhere[LOG_LEVELS_COUNT]; /* in rings that are gone */

static const char *const level_keys[] = {
#define X(name, word, key, priority, help) key,
        LOG_LEVELS(X)
#undef X
};

static const int priorities[] = {
#define X(name, word, key, priority, help) priority,
        LOG_LEVELS(X)
#undef X
};

enum { KEPT, LIMITED };
static const bool is_limited[] = {
#define X(name, class, id, help) class == LIMITED,
        LOG_EVENTS(X)
#undef X
};
static struct log_limit limits[LOG_EVENTS_COUNT]; /* those of KEPT events are never used */

bool log_enabled(enum log_level level) {
        return (int)level <= atomic_load_explicit(&min_level, memory_order_relaxed);
}

void log_set_level(enum log_level level) {
        atomic_store_explicit(&min_level, (int)level, memory_order_relaxed);
}

bool log_clients(void) {
        return atomic_load_explicit(&with_clients, memory_order_relaxed);
}

void log_set_clients(bool on) {
        atomic_store_explicit(&with_clients, on, memory_order_relaxed);
}

int log_level_find(const char *key) {
        for (size_t i = 0; i < ELEMENTS(level_keys); i++)
                if (strcmp(key, level_keys[i]) == 0)
                        return (int)i;
        return -ENOENT;
}

const char *log_level_key(enum log_level level) {
        return level_keys[level];
}

int log_priority(enum log_level level) {
        return priorities[level];
}

int log_thread_init(void) {
        struct ring *ring = malloc(sizeof(*ring));
        int r = 0;

        if (!ring)
                return -ENOMEM;
        memset(ring, 0, offsetof(struct ring, bytes)); /* the rest is memory once it is written */

        pthread_mutex_lock(&rings_lock);
        if (n_rings < LOG_RINGS_MAX)
                rings[n_rings++] = ring;
        else
                r = -ENOSPC;
        pthread_mutex_unlock(&rings_lock);

        if (r < 0)
                free(ring);
        else
                my_ring = ring;
        return r;
}

void log_thread_done(void) {
        if (my_ring)
                atomic_store(&my_ring->done, true);
        my_ring = NULL;
}

void log_wake_fd(int fd) {
        atomic_store(&wake_fd, fd);
}

static size_t string_size(const struct log_field *f) {
        return f->kind == LOG_IS_STR && f->s ? strnlen(f->s, STRING_MAX) + 1 : 0;
}

static size_t record_size(const struct log_field *fields, size_t n, bool one_more) {
        size_t size = sizeof(struct record) + (n + one_more) * sizeof(struct log_field);

        for (size_t i = 0; i < n; i++)
                size += string_size(&fields[i]);
        return (size + 7) & ~(size_t)7;
}

static void record_fill(struct record *rec, const struct log_field *fields, size_t n) {
        char *text = (char *)(rec->fields + rec->n_fields);

        for (size_t i = 0; i < n; i++) {
                size_t size = string_size(&fields[i]);

                rec->fields[i] = fields[i];
                if (size == 0)
                        continue;
                memcpy(text, fields[i].s, size - 1);
                text[size - 1] = '\0';
                rec->fields[i].s = text;
                text += size;
        }
}

/* Room for size bytes in one piece, with the filler written if need be; NULL: the ring is full. */
static struct record *ring_reserve(struct ring *ring, size_t size, uint64_t *ret_head) {
        uint64_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
        uint64_t tail = atomic_load(&ring->tail);
        size_t at = head % LOG_RING_SIZE;
        size_t filler = at + size > LOG_RING_SIZE ? LOG_RING_SIZE - at : 0;

        if (head + filler + size - tail > LOG_RING_SIZE)
                return NULL;
        if (filler >= sizeof(struct record))
                *(struct record *)(ring->bytes + at) = (struct record){ .size = (uint32_t)filler };

        *ret_head = head + filler;
        return (struct record *)(ring->bytes + *ret_head % LOG_RING_SIZE);
}

static void wake(void) {
        int fd = atomic_load_explicit(&wake_fd, memory_order_relaxed);
        uint64_t one = 1;

        if (fd >= 0 && write(fd, &one, sizeof(one)) < 0)
                return; /* EAGAIN: the counter is full, so the reader is awake */
}

/* Takes a token where the event needs one, and what is to be told with the record. */
static bool limit_pass(enum log_event event, uint64_t *ret_suppressed) {
        bool first;

        if (log_limit_take(&limits[event], clock_mono_ms(), &first)) {
                *ret_suppressed = log_limit_tell(&limits[event]);
                return true;
        }
        if (first) /* perhaps no other record follows, and somebody has to tell */
                wake();
        return false;
}

static bool ring_put(struct ring *ring,
                     const struct log_site *site,
                     const struct log_field *fields,
                     size_t n,
                     uint64_t suppressed) {
        size_t size = record_size(fields, n, suppressed > 0);
        uint64_t before = atomic_load_explicit(&ring->head, memory_order_relaxed), head;
        struct record *rec = ring_reserve(ring, size, &head);

        if (!rec)
                return false;
        *rec = (struct record){ .size = (uint32_t)size,
                                .n_fields = (uint32_t)(n + (suppressed > 0)),
                                .site = site,
                                .real_us = clock_real_us() };
        record_fill(rec, fields, n);
        if (suppressed > 0)
                rec->fields[n] = F_U64("suppressed", suppressed);
        atomic_store(&ring->head, head + size);
        if (atomic_load(&ring->tail) == before)
                wake();
        return true;
}

/* The bucket stands before the ring: what is too much must not take the room of what matters. */
void log_emit(const struct log_site *site, const struct log_field *fields, size_t n) {
        struct ring *ring = my_ring;
        uint64_t suppressed = 0;
        int saved = errno;

        if (is_limited[site->event] && !limit_pass(site->event, &suppressed)) {
                errno = saved;
                return;
        }
        if (!ring) {
                atomic_fetch_add_explicit(&dropped_elsewhere, 1, memory_order_relaxed);
        } else if (!ring_put(ring, site, fields, n, suppressed)) {
                atomic_fetch_add_explicit(&ring->dropped, 1, memory_order_relaxed);
        } else {
                atomic_fetch_add_explicit(&ring->written[site->level], 1, memory_order_relaxed);
                suppressed = 0;
        }
        if (suppressed > 0)
                log_limit_give_back(&limits[site->event], suppressed);
        errno = saved;
}

/* *more becomes false when fn has had enough. */
static size_t ring_drain(struct ring *ring, log_record_fn fn, void *userdata, bool *more) {
        uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
        size_t n = 0;

        while (*more && tail != atomic_load(&ring->head)) {
                size_t at = tail % LOG_RING_SIZE, rest = LOG_RING_SIZE - at;
                const struct record *rec = (const struct record *)(ring->bytes + at);

                if (rest < sizeof(*rec)) { /* too small for a filler record */
                        tail += rest;
                        continue;
                }
                if (rec->site) {
                        *more = fn(&(struct log_record){ rec->site, rec->real_us, rec->fields,
                                                         rec->n_fields },
                                   userdata);
                        n++;
                }
                tail += rec->size;
                atomic_store(&ring->tail, tail);
        }
        return n;
}

/* Its thread is gone, what it counted stays. */
static void ring_bequeath(struct ring *ring) {
        atomic_fetch_add(&dropped_elsewhere, atomic_load(&ring->dropped));
        for (size_t i = 0; i < LOG_LEVELS_COUNT; i++)
                atomic_fetch_add(&written_elsewhere[i], atomic_load(&ring->written[i]));
}

/* Each call starts behind the ring where the one before had enough: a thread that never stops
 * talking shall not silence the others. */
size_t log_drain(log_record_fn fn, void *userdata) {
        bool more = true;
        size_t n = 0;

        pthread_mutex_lock(&rings_lock);
        for (size_t left = n_rings; left > 0 && more; left--) {
                struct ring *ring;
                bool done;

                next_ring = next_ring < n_rings ? next_ring : 0;
                ring = rings[next_ring];
                done = atomic_load(&ring->done); /* before draining: nothing comes after it */

                n += ring_drain(ring, fn, userdata, &more);
                if (!done || !more) {
                        next_ring++;
                        continue;
                }
                ring_bequeath(ring);
                free(ring);
                n_rings--; /* the order stays, else this call would miss one */
                memmove(&rings[next_ring], &rings[next_ring + 1],
                        (n_rings - next_ring) * sizeof(rings[0]));
        }
        pthread_mutex_unlock(&rings_lock);
        return n;
}

/* All of it under the lock: what a ring has lost moves to the common count when the ring goes. */
uint64_t log_dropped(void) {
        uint64_t n;

        pthread_mutex_lock(&rings_lock);
        n = atomic_load(&dropped_elsewhere);
        for (size_t i = 0; i < n_rings; i++)
                n += atomic_load_explicit(&rings[i]->dropped, memory_order_relaxed);
        pthread_mutex_unlock(&rings_lock);
        return n;
}

void log_lost(uint64_t n) {
        atomic_fetch_add_explicit(&dropped_elsewhere, n, memory_order_relaxed);
}

uint64_t log_written(enum log_level level) {
        uint64_t n;

        pthread_mutex_lock(&rings_lock);
        n = atomic_load(&written_elsewhere[level]);
        for (size_t i = 0; i < n_rings; i++)
                n += atomic_load_explicit(&rings[i]->written[level], memory_order_relaxed);
        pthread_mutex_unlock(&rings_lock);
        return n;
}

uint64_t log_suppressed(void) {
        uint64_t n = 0;

        for (size_t i = 0; i < LOG_EVENTS_COUNT; i++)
                n += atomic_load_explicit(&limits[i].held, memory_order_relaxed);
        return n;
}

bool log_suppressed_waits(void) {
        for (size_t i = 0; i < LOG_EVENTS_COUNT; i++)
                if (is_limited[i] && log_limit_untold(&limits[i]) > 0)
                        return true;
        return false;
}

uint64_t log_suppressed_tell(enum log_event event, bool last) {
        struct log_limit *limit = &limits[event];

        if (!is_limited[event] || (!last && !log_limit_is_full(limit, clock_mono_ms())))
                return 0;
        return log_limit_tell(limit);
}
