/* SPDX-License-Identifier: MIT */
/* One backend of the status document: what is known of it, as one state with one reason. */

#include <stdio.h>

#include "control/backends.h"
#include "control/state.h"
#include "control/status_parts.h"
#include "core/clock.h"
#include "health/health.h"

#define LOAD(x) atomic_load_explicit(&(x), memory_order_relaxed)

struct seen { /* a backend at one moment */
        const struct upstream_pool *pool;
        const struct upstream_endpoint *backend;
        const struct endpoint *e;
        enum endpoint_state state;
        uint64_t now_ms;
        struct endpoint_totals totals;
        struct health_report health;
        struct rates_of_endpoint rates;
};

/* Health marks an endpoint without an address down, but the name may have lost it just now. */
enum endpoint_state status_state_of(const struct upstream_endpoint *u) {
        enum endpoint_state state = endpoint_state(u->endpoint);
        bool in_service = state == ENDPOINT_UP || state == ENDPOINT_COOL;

        return !upstream_has_addrs(u) && in_service ? ENDPOINT_DOWN : state;
}

static bool by_operator(const struct seen *b) {
        return b->state == ENDPOINT_DRAIN || b->state == ENDPOINT_MAINT;
}

/* ---- why ---- */

/* What is wrong with it, whatever its state says; 0: nothing. */
static int failure_of(const struct seen *b) {
        if (!upstream_has_addrs(b->backend))
                return FAILURE_UNRESOLVED;
        if (LOAD(b->e->down))
                return LOAD(b->e->down_why);
        return endpoint_cooling(b->e) ? LOAD(b->e->last_error) : 0;
}

static const char *reason_of(const struct seen *b) {
        int failure = failure_of(b);

        if (by_operator(b))
                return "admin";
        return failure != 0 && b->state != ENDPOINT_UP ? failure_word(failure) : NULL;
}

/* "refused (2 times in a row)": checks and connects count alike */
static void failure_describe(const struct seen *b, char *buf, size_t size) {
        uint32_t n = LOAD(b->e->down) ? b->health.fails : LOAD(b->e->streak);
        int failure = failure_of(b);
        char text[FAILURE_TEXT_MAX];

        failure_text(failure, text);
        if (n > 1 && failure != FAILURE_UNRESOLVED)
                snprintf(buf, size, "%s (%u times in a row)", text, n);
        else
                snprintf(buf, size, "%s", text);
}

static void add_reason_text(struct jsontext *t, const struct seen *b) {
        char why[FAILURE_TEXT_MAX + 40] = "", text[sizeof(why) + 40];
        bool failed = failure_of(b) != 0;

        if (failed)
                failure_describe(b, why, sizeof(why));
        snprintf(text, sizeof(text), "set by an operator%s%s", failed ? "; " : "", why);
        jsontext_string(t, "reason_text", by_operator(b) ? text : failed ? why : NULL);
}

/* By whatever was tried last. A backend in maintenance is not tried: then what was known before. */
static bool reachable(const struct seen *b) {
        if (failure_of(b) != 0)
                return false;
        return b->health.last_ms <= b->totals.last_connect_ms || b->health.last == 0;
}

/* ---- numbers that are there only in some states ---- */

static void add_number_if(struct jsontext *t, const char *key, bool there, uint64_t value) {
        if (there)
                jsontext_number(t, key, value);
        else
                jsontext_null(t, key);
}

static uint64_t left_ms(const struct seen *b, uint64_t until_ms) {
        return until_ms > b->now_ms ? until_ms - b->now_ms : 0;
}

static void add_oldest(struct jsontext *t, const struct seen *b) {
        uint64_t born = b->totals.oldest_ms;

        add_number_if(t, "oldest_connection_s",
                      by_operator(b) && born > 0 && b->totals.sessions_now > 0,
                      b->now_ms > born ? (b->now_ms - born) / 1000 : 0);
}

static void add_slow_start(struct jsontext *t, const struct seen *b) {
        const struct config_pool *pool = b->pool->config;
        uint32_t weight = LOAD(b->e->weight), percent = SLOW_SCALE;

        if (pool->slow_start_ms > 0 && weight > 0)
                percent = endpoint_share(b->e, pool, b->now_ms) / weight; /* the scale is 100 */
        add_number_if(t, "slow_start_percent", percent < SLOW_SCALE, percent);
}

/* ---- the check ---- */

static const char *check_type(const struct seen *b) {
        static const char *const words[] = { [CONFIG_CHECK_NONE] = "none",
                                             [CONFIG_CHECK_TCP] = "tcp",
                                             [CONFIG_CHECK_HTTP] = "http" };

        return words[b->health.checked ? b->pool->config->check.type : CONFIG_CHECK_NONE];
}

static const char *check_result(const struct seen *b) {
        if (b->health.last_ms == 0)
                return NULL;
        return b->health.last == 0 ? "ok" : failure_word(b->health.last);
}

static void add_check(struct jsontext *t, const struct seen *b) {
        const struct health_report *h = &b->health;

        jsontext_open(t, "check", '{');
        jsontext_string(t, "type", check_type(b));
        jsontext_string(t, "last_result", check_result(b));
        jsontext_time_mono(t, "last_time", h->last_ms);
        add_number_if(t, "duration_ms", h->last_ms > 0, h->took_ms);
        jsontext_number(t, "interval_ms", h->interval_ms);
        jsontext_number(t, "passed", h->passed);
        jsontext_number(t, "failed", h->failed);
        jsontext_number(t, "failed_in_a_row", h->fails);
        jsontext_number(t, "passed_in_a_row", h->rises);
        jsontext_number(t, "fall", h->fall);
        jsontext_number(t, "rise", h->rise);
        jsontext_close(t, '}');
}

/* ---- the whole ---- */

static void add_counters(struct jsontext *t, const struct seen *b) {
        jsontext_open(t, "counters", '{');
        for (size_t f = 0; f < CONNECT_FAILURES_COUNT; f++)
                jsontext_number(t, connect_failure_word(f), b->totals.failed[f]);
        jsontext_close(t, '}');
}

static uint64_t newest_ms(const struct seen *b) {
        return b->health.last_ms > b->totals.last_connect_ms ? b->health.last_ms
                                                             : b->totals.last_connect_ms;
}

static void describe(struct jsontext *t, const struct seen *b) {
        const struct config_endpoint *c = b->backend->config;
        uint64_t deadline = LOAD(b->e->deadline_ms);

        jsontext_open(t, NULL, '{');
        jsontext_string(t, "address", c->name);
        jsontext_string(t, "name", c->name);
        jsontext_string(t, "pool", b->e->pool);
        jsontext_string(t, "state", endpoint_state_word(b->state));
        jsontext_time(t, "since", LOAD(b->e->since_us));
        jsontext_string(t, "reason", reason_of(b));
        add_reason_text(t, b);
        jsontext_number(t, "weight", LOAD(b->e->weight));
        jsontext_number(t, "weight_configured", c->weight);
        add_slow_start(t, b);
        jsontext_bool(t, "backup", c->backup);
        jsontext_number(t, "max_connections", c->max_connections);
        jsontext_bool(t, "reachable", reachable(b));
        add_number_if(t, "retry_in_ms", b->state == ENDPOINT_COOL,
                      left_ms(b, LOAD(b->e->cool_until_ms)));
        add_number_if(t, "deadline_in_ms", by_operator(b) && deadline > 0, left_ms(b, deadline));
        add_oldest(t, b);
        add_check(t, b);
        jsontext_number(t, "state_changes", b->health.changes);
        jsontext_real(t, "new_per_s", b->rates.opened);
        jsontext_real(t, "failed_per_s", b->rates.failed);
        jsontext_number(t, "active_connections", b->totals.sessions_now);
        jsontext_number(t, "idle_connections", b->totals.resting);
        jsontext_number(t, "connections_total", b->totals.sessions_total);
        jsontext_number(t, "bytes_in", b->totals.bytes_in);
        jsontext_number(t, "bytes_out", b->totals.bytes_out);
        jsontext_time_mono(t, "last_check_time", newest_ms(b));
        add_counters(t, b);
        jsontext_close(t, '}');
}

static void see(struct seen *b,
                const struct supervisor *s,
                const struct upstream_pool *pool,
                const struct upstream_endpoint *backend) {
        *b = (struct seen){ .pool = pool,
                            .backend = backend,
                            .e = backend->endpoint,
                            .state = status_state_of(backend),
                            .now_ms = clock_mono_ms() };
        endpoint_sum(b->e, &b->totals);
        health_endpoint_report(b->e, &b->health);
        rates_of_endpoint(s, b->e, &b->rates);
}

void status_add_backend(struct jsontext *t,
                        const struct supervisor *s,
                        const struct upstream_pool *pool,
                        const struct upstream_endpoint *backend) {
        struct seen b;

        see(&b, s, pool, backend);
        describe(t, &b);
}

void status_count_backend(struct status_tally *tally,
                          const struct supervisor *s,
                          const struct upstream_pool *pool,
                          const struct upstream_endpoint *backend) {
        struct seen b;

        see(&b, s, pool, backend);
        tally->total++;
        tally->in_use += b.state == ENDPOINT_UP && backend_usable(backend);
        tally->reachable += reachable(&b);
        if (newest_ms(&b) > tally->last_ms)
                tally->last_ms = newest_ms(&b);
}
