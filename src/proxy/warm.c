/* SPDX-License-Identifier: MIT */
/*
 * Connections to backends that rest between two requests, per worker and endpoint.
 *
 * A backend closes such a connection when it likes, and a request that is under way then is lost.
 * So they rest for less long than the backend lets them: it says how long in Keep-Alive, or it was
 * seen to close one after t, and then 0.8 t is the end for a while. What cannot be sent twice only
 * goes out over a connection that has rested for a moment, and that a look finds alive.
 */

#include <assert.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "proxy/worker.h"

#define WARM_MAX_EACH   512   /* resting connections of one worker to one endpoint */
#define WARM_MAX_ALL    4096  /* and to all */
#define WARM_SEEN_MIN   500   /* ms; what closes sooner was a restart, not a habit */
#define WARM_SEEN_FOR   60000 /* ms; what was seen counts for so long: habits change */
#define WARM_CAREFUL_MS 1000  /* rest of a connection that must not fail, where nothing is known */

static struct endpoint_counters *slot_of(const struct warm *warm) {
        return &warm->endpoint->per_worker[warm->worker->index];
}

static void warm_unlist(struct warm *warm) {
        struct endpoint_counters *slot = slot_of(warm);

        assert(slot->n_warm > 0 && warm->worker->n_warm > 0);
        atomic_store(&slot->n_warm, slot->n_warm - 1);
        warm->worker->n_warm--;
        link_remove(&warm->link);
        link_remove(&warm->all_link);
        wheel_cancel(&warm->timer);
        warm->endpoint = endpoint_unref(warm->endpoint);
}

/* One that rests, or is about to and then does not. */
static void warm_close(struct warm *warm) {
        bool rests = warm->endpoint;

        if (rests)
                warm_unlist(warm);
        io_forget(&warm->server.side.io);
        fd_close(warm->server.side.fd);
        if (rests)
                worker_give_descriptor(warm->worker);
        free(warm);
}

static void warm_on_timer(struct timer *t) {
        warm_close(container_of(t, struct warm, timer));
}

void warm_init(struct warm *warm, struct worker *w) {
        *warm = (struct warm){ .worker = w };
        io_init(&warm->server.side.io);
        link_init(&warm->link);
        link_init(&warm->all_link);
        timer_init(&warm->timer, warm_on_timer);
}

/* 0.8 of the time after which the backend closes; UINT32_MAX: nobody knows. */
static uint32_t rest_limit_ms(const struct endpoint_counters *slot,
                              const struct warm *warm,
                              uint64_t now_ms) {
        uint32_t t = warm->limit_ms;

        if (slot->rest_ms > 0 && now_ms - slot->rest_seen_ms < WARM_SEEN_FOR &&
            (t == 0 || slot->rest_ms < t))
                t = slot->rest_ms;
        return t > 0 ? t - t / 5 : UINT32_MAX;
}

/* The backend has closed it, or says something that nobody asked for. */
static void warm_on_server(struct io *io) {
        struct warm *warm = container_of(io, struct warm, server.side.io);
        struct endpoint_counters *slot = slot_of(warm);
        uint64_t now_ms = loop_now_ms(warm->worker->loop), rested = now_ms - warm->since_ms;

        if (rested >= WARM_SEEN_MIN && (io->ready & EPOLLRDHUP) && !(io->ready & EPOLLERR)) {
                slot->rest_ms = (uint32_t)rested;
                slot->rest_seen_ms = now_ms;
        }
        warm_close(warm);
}

/* What was seen in one connection holds for its neighbours: the timer of each was set before. */
static bool warm_is_stale(const struct warm *warm, uint64_t now_ms) {
        return now_ms - warm->since_ms >= rest_limit_ms(slot_of(warm), warm, now_ms);
}

/* Closed by the backend, or with bytes that nobody asked for: in this turn, and its callback has
 * not run yet. Those bytes would be taken for the response to the next request. */
static bool warm_is_spoilt(const struct warm *warm) {
        return warm->server.side.io.ready & (EPOLLIN | EPOLLRDHUP | EPOLLERR | EPOLLHUP);
}

/* Its address is still one of the endpoint's. Looked at once for each answer of the resolver. */
static bool warm_fits(struct warm *warm, const struct upstream_addrs *addrs) {
        struct addr peer = { .len = sizeof(peer.un) };

        if (warm->serial == addrs->serial)
                return true;
        if (getpeername(warm->server.side.fd, &peer.sa, &peer.len) < 0)
                return false;
        for (size_t i = 0; i < addrs->n; i++) {
                if (!warm->server.side.is_unix && !addr_equal(&peer, &addrs->at[i]))
                        continue;
                warm->addr = (uint8_t)i;
                warm->serial = addrs->serial;
                return true;
        }
        return false;
}

static bool warm_is_sure(const struct warm *warm, uint64_t now_ms) {
        uint32_t limit = rest_limit_ms(slot_of(warm), warm, now_ms);
        char byte;

        if (now_ms - warm->since_ms >= (limit < UINT32_MAX ? limit : WARM_CAREFUL_MS))
                return false;
        return recv(warm->server.side.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

struct warm *warm_take(struct worker *w,
                       const struct upstream_endpoint *e,
                       const struct upstream_addrs *addrs,
                       bool careful) {
        struct endpoint_counters *slot = &e->endpoint->per_worker[w->index];
        uint64_t now_ms = loop_now_ms(w->loop);

        while (!link_idle(&slot->warm)) {
                struct warm *warm = container_of(slot->warm.next, struct warm, link);

                if (warm_is_spoilt(warm) || warm_is_stale(warm, now_ms) ||
                    !warm_fits(warm, addrs)) {
                        warm_close(warm);
                        continue;
                }
                if (careful && !warm_is_sure(warm, now_ms))
                        return NULL; /* the others have rested for longer */
                warm_unlist(warm);
                worker_give_descriptor(w); /* the session's place has one for it */
                return warm;
        }
        return NULL;
}

/* In service: what rests may be used again. */
static bool is_wanted(const struct endpoint *e) {
        return atomic_load_explicit(&e->admin, memory_order_relaxed) == ADMIN_READY &&
               !atomic_load_explicit(&e->down, memory_order_relaxed);
}

/* Another one may rest, and descriptors are there for it. */
static bool warm_has_room(struct worker *w, const struct endpoint *e) {
        if (e->per_worker[w->index].n_warm >= WARM_MAX_EACH || w->n_warm >= WARM_MAX_ALL)
                return false;
        return worker_take_descriptor(w) || (warm_relieve(w) && worker_take_descriptor(w));
}

void warm_put(struct worker *w,
              struct warm *warm,
              const struct upstream_endpoint *e,
              uint32_t rest_ms) {
        struct endpoint_counters *slot = &e->endpoint->per_worker[w->index];
        struct io *io = &warm->server.side.io;
        uint64_t now_ms = loop_now_ms(w->loop);
        uint32_t limit = rest_limit_ms(slot, warm, now_ms);

        warm->server.session = NULL;
        assert(!warm->endpoint && warm->worker == w);
        if (!is_wanted(e->endpoint) || !warm_has_room(w, e->endpoint)) {
                warm_close(warm);
                return;
        }

        warm->endpoint = endpoint_ref(e->endpoint);
        warm->since_ms = now_ms;
        atomic_store(&slot->n_warm, slot->n_warm + 1);
        w->n_warm++;
        link_after(&slot->warm, &warm->link);
        link_before(&w->warm, &warm->all_link);
        io->fn = warm_on_server;
        io_unwant(io, UINT32_MAX);
        io_want(io, EPOLLIN | EPOLLRDHUP | EPOLLERR | EPOLLHUP);
        timer_set(w->loop, &warm->timer, now_ms + (rest_ms < limit ? rest_ms : limit));
        if (endpoint_excess(e->endpoint) > 1) /* 1: the session that has used it still counts */
                warm_close(warm);
}

/* The worker that keeps the most connections to e at rest; NULL: none does. */
static struct worker *warmest(const struct worker *w, const struct endpoint *e) {
        struct worker *best = NULL;
        uint32_t most = 0;

        for (unsigned i = 0; i < e->n_workers; i++) {
                uint32_t n = atomic_load_explicit(&e->per_worker[i].n_warm, memory_order_relaxed);

                if (n <= most)
                        continue;
                most = n;
                best = crew_worker(w->crew, i);
        }
        return best;
}

bool warm_make_room(struct worker *w, struct endpoint *e) {
        struct endpoint_counters *slot = &e->per_worker[w->index];
        struct worker *other;

        while (endpoint_excess(e) > 0 && !link_idle(&slot->warm))
                warm_close(container_of(slot->warm.prev, struct warm, link));
        if (endpoint_excess(e) == 0)
                return true;
        other = warmest(w, e);
        if (!other)
                return true; /* the limit was lowered: sessions alone exceed it */
        worker_trim(other);
        return false;
}

void warm_trim(struct worker *w) {
        for (struct link *l = w->warm.next, *next; l != &w->warm; l = next) {
                struct warm *warm = container_of(l, struct warm, all_link);

                next = l->next;
                if (endpoint_excess(warm->endpoint) > 0)
                        warm_close(warm);
        }
}

bool warm_relieve(struct worker *w) {
        if (link_idle(&w->warm))
                return false;
        warm_close(container_of(w->warm.next, struct warm, all_link));
        return true;
}

void warm_sweep(struct worker *w, bool all) {
        for (struct link *l = w->warm.next, *next; l != &w->warm; l = next) {
                struct warm *warm = container_of(l, struct warm, all_link);

                next = l->next;
                if (all || !is_wanted(warm->endpoint))
                        warm_close(warm);
        }
}
