/* SPDX-License-Identifier: MIT */
/*
 * A new attempt starts each interval, whether the one before has ended or not: a backend that
 * hangs is found out, and one that answers again is noticed, without waiting for a time-out. A good
 * attempt makes those that began before it moot.
 *
 * Jitter only ever shortens an interval. The second check of all comes after a random part of one,
 * so that many backends that were all checked at once at the start are spread from then on.
 */

#include "health/check.h"

#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/hash.h"
#include "core/log.h"
#include "health/probe.h"

#define LOG_MODULE "health"

#define LOAD(x)          atomic_load_explicit(&(x), memory_order_relaxed)
#define ATTEMPTS_MAX     16   /* of one endpoint at a time */
#define EXTRA_MAX        1024 /* of all; beyond it each endpoint has one, for want of descriptors */
#define JITTER           10   /* an interval is shortened by up to a tenth */
#define STEPS            100  /* of an interval: the grain of starts, */
#define STEP_MAX_MS      8    /* and the largest */
#define APART_MAX_MS     1000 /* failures of traffic that count each */
#define START_PER_MS     40   /* endpoints whose first check begins in the same millisecond */
#define START_MAX_MS     100  /* and how long that may take */
#define UNABLE_WINDOW_MS 10000 /* a record in so many milliseconds */

struct attempt {
        struct link link;
        struct check *check;
        uint64_t number;
        struct probe probe;
};

/* ---- marks ---- */

static bool is_down(const struct check *c) {
        return LOAD(c->endpoint->down);
}

static bool is_active(const struct check *c) {
        return c->view && c->addrs && c->config->check.type != CONFIG_CHECK_NONE &&
               LOAD(c->endpoint->admin) != ADMIN_MAINT && !c->health->paused;
}

/* A good check proves that connects of traffic work, too. */
static bool proves_connects(const struct check *c) {
        uint16_t port = addr_port(&c->addrs->at[0]); /* 0: a Unix socket */

        return c->config->check.port == 0 || port == 0 || c->config->check.port == port;
}

/* And the other way round: a check asks for no more than a connect. */
static bool is_proved_by_connects(const struct check *c) {
        return c->config->check.type == CONFIG_CHECK_TCP && proves_connects(c);
}

static const char *before_down(const struct endpoint *e) {
        return endpoint_state_word(endpoint_cooling(e) ? ENDPOINT_COOL : ENDPOINT_UP);
}

static void mark_down(struct check *c, uint64_t now_ms, int why) {
        struct endpoint *e = c->endpoint;
        const char *from = before_down(e);
        char text[FAILURE_TEXT_MAX];

        endpoint_mark_down(e, why, now_ms);
        c->report.changes++;
        log_warn(backend_state, "the backend is down", F_STR("pool", e->pool),
                 F_STR("backend", e->name), F_STR("from", from), F_STR("to", "down"),
                 F_STR("reason", failure_word(why)), F_STR("text", failure_text(why, text)),
                 F_U64("failed_checks", c->report.fails));
        c->health->hooks->went_down(e, c->config, c->health->userdata);
}

static void mark_up(struct check *c, uint64_t now_ms) {
        struct endpoint *e = c->endpoint;
        int why = LOAD(e->down_why);
        uint64_t down_ms = now_ms - LOAD(e->down_at_ms);

        endpoint_mark_up(e, now_ms);
        c->report.changes++;
        log_info(backend_state, "the backend is up again", F_STR("pool", e->pool),
                 F_STR("backend", e->name), F_STR("from", "down"), F_STR("to", before_down(e)),
                 F_STR("reason", failure_word(why)), F_U64("duration_ms", down_ms));
        if (c->health->hooks->came_up)
                c->health->hooks->came_up(e, c->health->userdata);
}

static void end_cooldown(struct check *c, uint64_t now_ms) {
        struct endpoint *e = c->endpoint;

        c->streak = 0;
        c->unserved = false;
        if (!endpoint_worked(e))
                return;
        if (endpoint_may_tell(e, false, now_ms))
                log_info(backend_state, "the backend answers again", F_STR("pool", e->pool),
                         F_STR("backend", e->name), F_STR("from", "cool"), F_STR("to", "up"));
        if (c->health->hooks->came_up)
                c->health->hooks->came_up(e, c->health->userdata);
}

/* ---- when ---- */

static uint64_t some(struct check *c, uint64_t below) {
        return hash_mix(++c->health->random) % below;
}

static uint32_t interval_ms(const struct check *c) {
        const struct config_check *check = &c->config->check;
        uint32_t ms = is_down(c) ? check->unhealthy_interval_ms : check->interval_ms;

        return c->guard && guard_slows_checks(c->guard) ? 2 * ms : ms;
}

/* When the next attempt starts. Rounded down to a few milliseconds, so that of thousands of checks
 * some start together: waking up for each alone costs half as much again as the checks. */
static uint64_t due_ms(struct check *c, uint64_t now_ms) {
        uint64_t ms = interval_ms(c), step = ms / STEPS, at_ms;

        if (c->spread)
                at_ms = now_ms + 1 + some(c, ms);
        else
                at_ms = now_ms + ms - some(c, ms / JITTER + 1);
        c->spread = false;
        return step > 1 ? at_ms - at_ms % (step < STEP_MAX_MS ? step : STEP_MAX_MS) : at_ms;
}

/* An interval may have become shorter: what is too far away comes closer. */
static void come_closer(struct check *c, uint64_t now_ms) {
        uint64_t at_ms;

        if (!timer_is_set(&c->timer))
                return;
        at_ms = due_ms(c, now_ms);
        if (at_ms < c->timer.at_ms)
                timer_set(c->health->loop, &c->timer, at_ms);
}

/* ---- attempts ---- */

static void attempt_free(struct attempt *a) {
        probe_stop(&a->probe);
        link_remove(&a->link);
        if (--a->check->n_attempts > 0)
                a->check->health->n_extra--;
        free(a);
}

/* Those with a number below. */
static void drop_attempts(struct check *c, uint64_t number) {
        for (struct link *l = c->attempts.next, *next; l != &c->attempts; l = next) {
                struct attempt *a = container_of(l, struct attempt, link);

                next = l->next;
                if (a->number < number)
                        attempt_free(a);
        }
}

/* Traffic and checks may meet the same short outage at different moments. A failure of the one
 * soon after a failure of the other is that one once more, else a row would be full sooner than
 * `fall` checks take. Where checks are seldom, connects a second apart count each. A time-out is no
 * short outage. */
static bool is_the_same_again(const struct check *c, uint64_t now_ms, bool traffic, int failure) {
        uint64_t apart_ms = c->config->check.interval_ms * UINT64_C(4) / 5;

        if (c->report.fails == 0 || (!traffic && !c->by_traffic) || failure == -ETIMEDOUT)
                return false;
        return now_ms < c->counted_ms + (apart_ms < APART_MAX_MS ? apart_ms : APART_MAX_MS);
}

/* What traffic has found is none of the checks' business as long as they are content: a connect, or
 * a path made for checks, proves less than a session. One that fails makes it theirs. */
static void take_over(struct check *c) {
        if (!endpoint_unserved(c->endpoint))
                return;
        endpoint_leave_to_checks(c->endpoint);
        c->unserved = false;
        if (is_down(c)) /* now also for the sessions that it has */
                c->health->hooks->went_down(c->endpoint, c->config, c->health->userdata);
}

static void note_failure(struct check *c, uint64_t now_ms, bool traffic, int failure) {
        struct health_report *r = &c->report;

        r->rises = 0;
        if (is_the_same_again(c, now_ms, traffic, failure))
                return;
        c->by_traffic = traffic;
        c->counted_ms = now_ms;
        r->fails += r->fails < UINT32_MAX;
        if (is_down(c)) {
                endpoint_mark_down(c->endpoint, failure, now_ms); /* the reason may be a new one */
        } else if (r->fails >= c->config->check.fall) {
                mark_down(c, now_ms, failure);
                come_closer(c, now_ms);
        }
}

static void check_good(struct check *c, const struct probe *p, uint64_t now_ms) {
        struct endpoint *e = c->endpoint;
        struct health_report *r = &c->report;

        c->skew = 0;
        if (LOAD(e->good_addr) != probe_addr(p))
                atomic_store_explicit(&e->good_addr, (uint32_t)probe_addr(p), memory_order_relaxed);
        r->passed++;
        r->rises += r->rises < UINT32_MAX;
        if (!endpoint_unserved(c->endpoint)) {
                r->fails = 0;
                if (proves_connects(c))
                        end_cooldown(c, now_ms);
                if (is_down(c) && r->rises >= c->config->check.rise)
                        mark_up(c, now_ms);
        }
        if (c->guard)
                guard_check(c->guard, now_ms, 0);
}

static void check_bad(struct check *c, const struct probe *p, uint64_t now_ms, int failure) {
        if (p->first_timed_out)
                c->skew++;
        c->report.failed++;
        take_over(c);
        if (c->guard && !is_down(c))
                guard_check(c->guard, now_ms, failure);
        note_failure(c, now_ms, false, failure);
        if (is_proved_by_connects(c))
                endpoint_still_cool(c->endpoint, c->config, c->guard && guard_is_on(c->guard),
                                    now_ms);
        if (c->view->config->host)
                c->health->hooks->failed(c->view->config->host, c->health->userdata);
}

static void tell_unable(struct health *h, uint64_t now_ms, int failure) {
        h->n_unable++;
        h->unable = failure;
        if (h->told_ms > 0 && now_ms < h->told_ms + UNABLE_WINDOW_MS)
                return;
        log_warn(checks_skipped, "checks could not be made, for want of something on this machine",
                 F_U64("checks", h->n_unable), F_ERR(failure),
                 F_U64("window_ms", h->told_ms > 0 ? now_ms - h->told_ms : 0));
        h->told_ms = now_ms;
        h->n_unable = 0;
}

static void tell_result(const struct check *c) {
        const struct health_report *r = &c->report;
        char text[FAILURE_TEXT_MAX];

        log_debug(check_result, "a backend was checked", F_STR("pool", c->endpoint->pool),
                  F_STR("backend", c->endpoint->name),
                  F_STR("result", r->last == 0 ? "ok" : failure_word(r->last)),
                  F_STR("text", r->last == 0 ? NULL : failure_text(r->last, text)),
                  F_U64("status", r->last > 0 ? (uint64_t)r->last : 0),
                  F_U64("duration_ms", r->took_ms));
}

static void attempt_on_end(struct probe *p, enum probe_verdict verdict, int failure) {
        struct attempt *a = container_of(p, struct attempt, probe);
        struct check *c = a->check;
        uint64_t now_ms = loop_now_ms(c->health->loop);

        if (verdict == PROBE_UNABLE) {
                tell_unable(c->health, now_ms, failure);
        } else {
                c->report.last = failure;
                c->report.last_ms = now_ms;
                c->report.took_ms = (uint32_t)(now_ms - p->start_ms);
                tell_result(c);
                if (verdict == PROBE_GOOD)
                        check_good(c, p, now_ms);
                else
                        check_bad(c, p, now_ms, failure);
        }
        if (verdict == PROBE_GOOD)
                drop_attempts(c, a->number);
        attempt_free(a);
}

/* Traffic or the last check saw the backend close each connection: whether it still does is asked,
 * so that no client needs to find out. */
static bool is_closing(const struct check *c) {
        return is_proved_by_connects(c) && (endpoint_unserved(c->endpoint) ||
                                            connect_failure_of(c->report.last) == CONNECT_CLOSED);
}

static struct probe_target target_of(const struct check *c) {
        return (struct probe_target){ .endpoint = c->view->config,
                                      .check = &c->config->check,
                                      .addrs = c->addrs->at,
                                      .n_addrs = c->addrs->n,
                                      .linger_ms = is_closing(c) ? PROBE_LINGER_MS : 0 };
}

static void attempt_start(struct check *c) {
        struct attempt *a = malloc(sizeof(*a));
        struct probe_target target = target_of(c);

        if (!a) {
                tell_unable(c->health, loop_now_ms(c->health->loop), -ENOMEM);
                return;
        }
        a->check = c;
        a->number = ++c->n_started;
        probe_init(&a->probe);
        link_before(&c->attempts, &a->link);
        if (c->n_attempts++ > 0)
                c->health->n_extra++;
        probe_start(&a->probe, c->health->loop, &target, LOAD(c->endpoint->good_addr) + c->skew,
                    attempt_on_end);
}

/* One that hangs for its whole time-out leaves room for one more each interval. */
static unsigned attempts_max(const struct config_check *check) {
        uint32_t least_ms = check->interval_ms < check->unhealthy_interval_ms
                                    ? check->interval_ms
                                    : check->unhealthy_interval_ms;
        uint32_t n = check->timeout_ms / least_ms + 2; /* jitter brings them closer together */

        return n < ATTEMPTS_MAX ? n : ATTEMPTS_MAX;
}

static bool may_start(const struct check *c) {
        if (c->n_attempts == 0)
                return true;
        return c->n_attempts < attempts_max(&c->config->check) && c->health->n_extra < EXTRA_MAX;
}

size_t health_descriptors(const struct config *c) {
        size_t n = 0, extra = 0;

        for (size_t i = 0; i < c->n_pools; i++) {
                const struct config_pool *pool = &c->pools[i];

                if (pool->check.type == CONFIG_CHECK_NONE)
                        continue;
                n += pool->n_endpoints;
                extra += pool->n_endpoints * (attempts_max(&pool->check) - 1);
        }
        return n + (extra < EXTRA_MAX ? extra : EXTRA_MAX);
}

static void check_on_timer(struct timer *t) {
        struct check *c = container_of(t, struct check, timer);

        timer_set(c->health->loop, t, due_ms(c, loop_now_ms(c->health->loop)));
        if (may_start(c))
                attempt_start(c);
}

/* ---- life ---- */

struct check *check_new(struct health *h, struct endpoint *e) {
        struct check *c = calloc(1, sizeof(*c));
        struct endpoint_totals t;

        if (!c)
                return NULL;

        link_init(&c->attempts);
        timer_init(&c->timer, check_on_timer);
        c->health = h;
        c->endpoint = endpoint_ref(e);
        endpoint_sum(e, &t);
        c->seen_connected = t.connected;
        c->seen_failed = t.storm;
        c->seen_other = t.failed[CONNECT_OTHER];
        c->streak = LOAD(e->streak);
        c->unserved = endpoint_unserved(e);
        e->check = c;
        link_before(&h->checks, &c->link);
        h->n_checks++;
        return c;
}

void check_stop(struct check *c) {
        wheel_cancel(&c->timer);
        drop_attempts(c, UINT64_MAX);
}

struct check *check_free(struct check *c) {
        if (!c)
                return NULL;
        check_stop(c);
        link_remove(&c->link);
        c->health->n_checks--;
        c->endpoint->check = NULL;
        endpoint_unref(c->endpoint);
        upstream_addrs_unref(c->addrs);
        free(c);
        return NULL;
}

static void check_begin(struct check *c, uint64_t delay_ms) {
        c->report.fails = c->report.rises = 0;
        c->skew = 0;
        c->spread = true;
        timer_set(c->health->loop, &c->timer, clock_mono_ms() + delay_ms);
}

static bool same_text(const char *a, const char *b) {
        return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_addrs(const struct upstream_addrs *a, const struct upstream_addrs *b) {
        if (!a || !b || a->n != b->n)
                return a == b;
        for (size_t i = 0; i < a->n; i++)
                if (!addr_equal(&a->at[i], &b->at[i]))
                        return false;
        return true;
}

/* The same question to the same server, whatever has changed about when and how often. */
static bool same_question(const struct config_check *a, const struct config_check *b) {
        if (a->type != b->type || a->port != b->port || a->n_status != b->n_status ||
            !same_text(a->path, b->path) || !same_text(a->host, b->host))
                return false;
        for (size_t i = 0; i < a->n_status; i++)
                if (a->status[i].first != b->status[i].first ||
                    a->status[i].last != b->status[i].last)
                        return false;
        return true;
}

/* What runs goes on, with the same words from the next generation. */
static void hand_over_attempts(struct check *c) {
        list_for_each(l, &c->attempts) {
                container_of(l, struct attempt, link)->probe.target = target_of(c);
        }
}

/* Marks that are no check's business. */
static void settle_marks(struct check *c, uint64_t now_ms) {
        bool unresolved = is_down(c) && LOAD(c->endpoint->down_why) == FAILURE_UNRESOLVED;

        if (!c->addrs) {
                if (!is_down(c))
                        mark_down(c, now_ms, FAILURE_UNRESOLVED);
                endpoint_mark_down(c->endpoint, FAILURE_UNRESOLVED, now_ms); /* the reason now */
        } else if (unresolved || (is_down(c) && c->config->check.type == CONFIG_CHECK_NONE)) {
                mark_up(c, now_ms);
        }
}

/* Its name has other addresses. What was counted is about the name and stays, or one whose answers
 * rotate would never be found dead; and it is checked early, but not more often for that. The rest
 * was for another address. */
static void check_move(struct check *c, uint64_t now_ms) {
        uint64_t soonest = c->report.last_ms + interval_ms(c) / 2;

        drop_attempts(c, UINT64_MAX);
        c->skew = 0;
        end_cooldown(c, now_ms);
        if (soonest < now_ms)
                soonest = now_ms;
        if (soonest < c->timer.at_ms)
                timer_set(c->health->loop, &c->timer, soonest);
}

static uint64_t start_delay_ms(const struct check *c, size_t nth) {
        uint64_t ms = nth / START_PER_MS, most = c->config->check.interval_ms;

        most = most < START_MAX_MS ? most : START_MAX_MS;
        return ms < most ? ms : ms % (most + 1);
}

bool check_adopt(struct check *c,
                 const struct upstream_endpoint *view,
                 const struct config_pool *config,
                 struct guard *guard,
                 size_t nth) {
        bool asked = c->view && same_question(&c->config->check, &config->check);
        /* attempts may look at them until they end here, or get the new ones */
        _cleanup_(upstream_addrs_unrefp) struct upstream_addrs *before = c->addrs;
        struct upstream_addrs *addrs = upstream_addrs_get(view);
        bool moved = c->view && !same_addrs(before, addrs);
        uint64_t now_ms = clock_mono_ms();

        c->view = view;
        c->addrs = addrs;
        c->config = config;
        c->guard = guard;
        settle_marks(c, now_ms);
        if (!is_active(c)) {
                check_stop(c);
                return false;
        }
        if (asked && !moved && timer_is_set(&c->timer)) {
                hand_over_attempts(c);
                come_closer(c, now_ms);
                return false;
        }
        if (asked && moved && timer_is_set(&c->timer)) {
                check_move(c, now_ms);
                return false;
        }
        check_stop(c);
        check_begin(c, start_delay_ms(c, nth));
        return true;
}

void check_admin_changed(struct check *c) {
        if (!is_active(c))
                check_stop(c);
        else if (!timer_is_set(&c->timer))
                check_begin(c, 0);
}

/* ---- what traffic says ---- */

/* Failed connects and rows of sessions that were let down, since the last look. It is a success
 * when it ends a row of them, and where none was known it can only be a session that reached a
 * backend that is marked down. */
void check_news(struct check *c) {
        struct endpoint *e = c->endpoint;
        uint32_t before = c->streak, now = LOAD(e->streak);
        uint32_t fresh = now > before ? now - before : now < before ? now : 0;
        uint64_t now_ms = clock_mono_ms();
        int error = LOAD(e->last_error);
        bool served = c->unserved && now == 0;

        if (c->guard)
                guard_traffic(c->guard, c);
        c->streak = now;
        c->unserved = endpoint_unserved(e);
        if (fresh > 0 && c->view->config->host)
                c->health->hooks->failed(c->view->config->host, c->health->userdata);
        if (!is_active(c))
                return;

        if ((now < before || now == 0) && (is_proved_by_connects(c) || served)) {
                c->report.fails = 0;
                drop_attempts(c, UINT64_MAX);
                if (is_down(c) && now == 0)
                        mark_up(c, now_ms);
        }
        if (fresh > 0 && !probe_is_local(error))
                note_failure(c, now_ms, true, error);
}

void health_endpoint_report(const struct endpoint *e, struct health_report *ret) {
        const struct check *c = e->check;

        *ret = (struct health_report){ 0 };
        if (!c || !c->view)
                return;
        *ret = c->report;
        ret->checked = is_active(c);
        ret->fall = c->config->check.fall;
        ret->rise = c->config->check.rise;
        ret->interval_ms = interval_ms(c);
}
