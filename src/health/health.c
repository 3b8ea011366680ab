/* SPDX-License-Identifier: MIT */

#include "health/health.h"

#include <stdlib.h>

#include "core/clock.h"
#include "health/check.h"

#define GUARD_LOOK_MS 100 /* while a pool is protected */

/* A look at news walks over all endpoints. Where there are thousands of them and failures never
 * end, it happens no more often than this. */
#define NEWS_PER_MS 128 /* endpoints */

static void look_at_news(struct health *h) {
        struct upstream *u = h->upstream;
        uint64_t now_ms = clock_mono_ms();

        h->looked_ms = now_ms;
        for (size_t i = 0; u && i < u->config->n_pools; i++) {
                struct upstream_pool *pool = &u->pools[i];
                bool news = atomic_exchange(&pool->pool->news, false);

                for (size_t j = 0; j < pool->n_endpoints; j++) {
                        struct endpoint *e = pool->endpoints[j].endpoint;

                        if (!atomic_load_explicit(&e->news, memory_order_relaxed) ||
                            !atomic_exchange(&e->news, false) || !e->check)
                                continue;
                        check_news(e->check);
                        news = true;
                }
                if (news && pool->pool->guard)
                        guard_settle(pool->pool->guard, now_ms);
        }
}

/* While a pool is protected its successes count, and nobody says that there is news of them. */
static void watch_guards(struct health *h) {
        bool any = false;

        list_for_each(l, &h->guards) {
                any = any || guard_is_on(container_of(l, struct guard, link));
        }
        if (any && !h->paused && !timer_is_set(&h->guard_timer))
                timer_set(h->loop, &h->guard_timer, clock_mono_ms() + GUARD_LOOK_MS);
}

static void on_guard_timer(struct timer *t) {
        struct health *h = container_of(t, struct health, guard_timer);

        list_for_each(l, &h->guards) {
                struct guard *g = container_of(l, struct guard, link);

                if (guard_is_on(g))
                        guard_look(g, loop_now_ms(h->loop));
        }
}

static void on_news_timer(struct timer *t) {
        look_at_news(container_of(t, struct health, news_timer));
}

int health_new(struct health **ret, const struct health_hooks *hooks, void *userdata) {
        _cleanup_(health_freep) struct health *h = malloc(sizeof(*h));
        int r;

        if (!h)
                return -ENOMEM;

        *h = (struct health){ .hooks = hooks, .userdata = userdata, .random = clock_real_us() };
        link_init(&h->checks);
        link_init(&h->guards);
        timer_init(&h->news_timer, on_news_timer);
        timer_init(&h->guard_timer, on_guard_timer);
        r = loop_new(&h->loop);
        if (r < 0)
                return r;
        *ret = take_ptr(h);
        return 0;
}

/* Those whose endpoint or pool the generation in force does not have; all of them without one. */
static void forget(struct health *h) {
        uint64_t number = h->upstream ? h->upstream->number : 0;

        for (struct link *l = h->checks.next, *next; l != &h->checks; l = next) {
                struct check *c = container_of(l, struct check, link);

                next = l->next;
                if (!h->upstream || c->number != number)
                        check_free(c);
        }
        for (struct link *l = h->guards.next, *next; l != &h->guards; l = next) {
                struct guard *g = container_of(l, struct guard, link);

                next = l->next;
                if (!h->upstream || g->number != number)
                        guard_free(g);
        }
}

struct health *health_free(struct health *h) {
        struct upstream *before;

        if (!h)
                return NULL;
        before = take_ptr(h->upstream);
        forget(h);
        upstream_unref(before);
        wheel_cancel(&h->news_timer);
        wheel_cancel(&h->guard_timer);
        loop_free(h->loop);
        free(h);
        return NULL;
}

int health_fd(const struct health *h) {
        return loop_fd(h->loop);
}

uint64_t health_next_ms(struct health *h) {
        return loop_next_ms(h->loop);
}

void health_run(struct health *h) {
        loop_poll(h->loop);
        watch_guards(h);
}

static struct guard *guard_of(struct health *h, struct pool *pool) {
        if (!pool->guard && guard_new(pool))
                link_before(&h->guards, &pool->guard->link);
        return pool->guard;
}

static int adopt_pool(struct health *h, const struct upstream_pool *pool, size_t *n_begun) {
        struct guard *g = guard_of(h, pool->pool);
        int r = g ? 0 : -ENOMEM;

        for (size_t i = 0; i < pool->n_endpoints; i++) {
                struct endpoint *e = pool->endpoints[i].endpoint;

                if (!e->check && !check_new(h, e)) {
                        r = -ENOMEM;
                        continue;
                }
                e->check->number = h->upstream->number;
                *n_begun += check_adopt(e->check, &pool->endpoints[i], pool->config, g, *n_begun);
        }
        if (g) {
                g->number = h->upstream->number;
                guard_adopt(g, pool);
        }
        return r;
}

int health_adopt(struct health *h, struct upstream *u) {
        struct upstream *before = h->upstream; /* until nobody looks at it any more */
        size_t n_begun = 0;
        int r = 0;

        if (h->paused)
                return 0;
        h->upstream = upstream_ref(u);
        for (size_t i = 0; i < u->config->n_pools; i++) {
                int each = adopt_pool(h, &u->pools[i], &n_begun);

                r = r < 0 ? r : each;
        }
        forget(h);
        upstream_unref(before);
        return r;
}

void health_news(struct health *h) {
        uint64_t after_ms = h->looked_ms + h->n_checks / NEWS_PER_MS;

        if (h->paused)
                return;
        if (after_ms > clock_mono_ms()) {
                if (!timer_is_set(&h->news_timer))
                        timer_set(h->loop, &h->news_timer, after_ms);
                return;
        }
        look_at_news(h);
        watch_guards(h);
}

void health_admin_changed(struct health *h, struct endpoint *e) {
        if (!h->paused && e->check)
                check_admin_changed(e->check);
}

void health_pause(struct health *h) {
        h->paused = true;
        list_for_each(l, &h->checks) {
                check_stop(container_of(l, struct check, link));
        }
        wheel_cancel(&h->news_timer);
        wheel_cancel(&h->guard_timer);
}
