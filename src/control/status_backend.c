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

static json_t *integer(uint64_t v) {
        return json_integer((json_int_t)v);
}

/* Health marks an endpoint without an address down, but the name may have lost it just now. */
static enum endpoint_state state_of(const struct upstream_endpoint *u) {
        enum endpoint_state state = endpoint_state(u->endpoint);
        bool in_service = state == ENDPOINT_UP || state == ENDPOINT_COOL;

        return u->n_addrs == 0 && in_service ? ENDPOINT_DOWN : state;
}

static bool by_operator(const struct seen *b) {
        return b->state == ENDPOINT_DRAIN || b->state == ENDPOINT_MAINT;
}

/* ---- why ---- */

/* What is wrong with it, whatever its state says; 0: nothing. */
static int failure_of(const struct seen *b) {
        if (b->backend->n_addrs == 0)
                return FAILURE_UNRESOLVED;
        if (LOAD(b->e->down))
                return LOAD(b->e->down_why);
        return endpoint_cooling(b->e) ? LOAD(b->e->last_error) : 0;
}

static json_t *reason_of(const struct seen *b) {
        int failure = failure_of(b);

        if (by_operator(b))
                return json_string("admin");
        return failure != 0 && b->state != ENDPOINT_UP ? json_string(failure_word(failure))
                                                       : json_null();
}

/* "refused (2 checks in a row)" */
static void failure_describe(const struct seen *b, char *buf, size_t size) {
        bool down = LOAD(b->e->down);
        uint32_t n = down ? b->health.fails : LOAD(b->e->streak);
        int failure = failure_of(b);
        char text[FAILURE_TEXT_MAX];

        failure_text(failure, text);
        if (n > 1 && failure != FAILURE_UNRESOLVED)
                snprintf(buf, size, "%s (%u %s in a row)", text, n, down ? "checks" : "connects");
        else
                snprintf(buf, size, "%s", text);
}

static json_t *reason_text_of(const struct seen *b) {
        char why[FAILURE_TEXT_MAX + 40], text[sizeof(why) + 40];

        if (failure_of(b) != 0)
                failure_describe(b, why, sizeof(why));
        if (!by_operator(b))
                return failure_of(b) != 0 ? json_string(why) : json_null();

        snprintf(text, sizeof(text), "set by an operator%s%s", failure_of(b) != 0 ? "; " : "",
                 failure_of(b) != 0 ? why : "");
        return json_string(text);
}

/* By whatever was tried last. A backend in maintenance is not tried: then what was known before. */
static bool reachable(const struct seen *b) {
        if (failure_of(b) != 0)
                return false;
        return b->health.last_ms <= b->totals.last_connect_ms || b->health.last == 0;
}

/* ---- numbers that are there only in some states ---- */

static json_t *retry_of(const struct seen *b) {
        uint64_t until = LOAD(b->e->cool_until_ms);

        if (b->state != ENDPOINT_COOL)
                return json_null();
        return integer(until > b->now_ms ? until - b->now_ms : 0);
}

static json_t *deadline_of(const struct seen *b) {
        uint64_t until = LOAD(b->e->deadline_ms);

        if (!by_operator(b) || until == 0)
                return json_null();
        return integer(until > b->now_ms ? until - b->now_ms : 0);
}

static json_t *oldest_of(const struct seen *b) {
        uint64_t born = b->totals.oldest_ms;

        if (!by_operator(b) || born == 0 || b->totals.sessions_now == 0)
                return json_null();
        return integer(b->now_ms > born ? (b->now_ms - born) / 1000 : 0);
}

static json_t *slow_start_of(const struct seen *b) {
        const struct config_pool *pool = b->pool->config;
        uint32_t weight = LOAD(b->e->weight), percent;

        if (pool->slow_start_ms == 0 || weight == 0)
                return json_null();
        percent = endpoint_share(b->e, pool, b->now_ms) / weight; /* SLOW_SCALE is 100 */
        return percent < SLOW_SCALE ? integer(percent) : json_null();
}

/* ---- the check ---- */

static const char *check_type(const struct seen *b) {
        static const char *const words[] = { [CONFIG_CHECK_NONE] = "none",
                                             [CONFIG_CHECK_TCP] = "tcp",
                                             [CONFIG_CHECK_HTTP] = "http" };

        return words[b->health.checked ? b->pool->config->check.type : CONFIG_CHECK_NONE];
}

static json_t *check_of(const struct seen *b) {
        const struct health_report *h = &b->health;
        bool any = h->last_ms > 0;
        json_t *check = json_object();

        json_object_set_new(check, "type", json_string(check_type(b)));
        json_object_set_new(check, "last_result",
                            !any ? json_null()
                                 : json_string(h->last == 0 ? "ok" : failure_word(h->last)));
        json_object_set_new(check, "last_time", status_time_mono(h->last_ms));
        json_object_set_new(check, "duration_ms", any ? integer(h->took_ms) : json_null());
        json_object_set_new(check, "interval_ms", integer(h->interval_ms));
        json_object_set_new(check, "passed", integer(h->passed));
        json_object_set_new(check, "failed", integer(h->failed));
        json_object_set_new(check, "failed_in_a_row", integer(h->fails));
        json_object_set_new(check, "passed_in_a_row", integer(h->rises));
        json_object_set_new(check, "fall", integer(h->fall));
        json_object_set_new(check, "rise", integer(h->rise));
        return check;
}

/* ---- the whole ---- */

static json_t *counters_of(const struct seen *b) {
        json_t *counters = json_object();

        for (size_t f = 0; f < CONNECT_FAILURES_COUNT; f++)
                json_object_set_new(counters, connect_failure_word(f),
                                    integer(b->totals.failed[f]));
        return counters;
}

static json_t *describe(const struct seen *b) {
        const struct config_endpoint *c = b->backend->config;
        uint64_t last_ms = b->totals.last_connect_ms;
        json_t *doc = json_object();

        if (b->health.last_ms > last_ms)
                last_ms = b->health.last_ms;
        json_object_set_new(doc, "address", json_string(c->name));
        json_object_set_new(doc, "name", json_string(c->name));
        json_object_set_new(doc, "pool", json_string(b->e->pool));
        json_object_set_new(doc, "state", json_string(endpoint_state_word(b->state)));
        json_object_set_new(doc, "since", status_time(LOAD(b->e->since_us)));
        json_object_set_new(doc, "reason", reason_of(b));
        json_object_set_new(doc, "reason_text", reason_text_of(b));
        json_object_set_new(doc, "weight", integer(LOAD(b->e->weight)));
        json_object_set_new(doc, "weight_configured", integer(c->weight));
        json_object_set_new(doc, "slow_start_percent", slow_start_of(b));
        json_object_set_new(doc, "backup", json_boolean(c->backup));
        json_object_set_new(doc, "max_connections", integer(c->max_connections));
        json_object_set_new(doc, "reachable", json_boolean(reachable(b)));
        json_object_set_new(doc, "retry_in_ms", retry_of(b));
        json_object_set_new(doc, "deadline_in_ms", deadline_of(b));
        json_object_set_new(doc, "oldest_connection_s", oldest_of(b));
        json_object_set_new(doc, "check", check_of(b));
        json_object_set_new(doc, "state_changes", integer(b->health.changes));
        json_object_set_new(doc, "new_per_s", json_real(b->rates.opened));
        json_object_set_new(doc, "failed_per_s", json_real(b->rates.failed));
        json_object_set_new(doc, "active_connections", integer(b->totals.sessions_now));
        json_object_set_new(doc, "connections_total", integer(b->totals.sessions_total));
        json_object_set_new(doc, "bytes_in", integer(b->totals.bytes_in));
        json_object_set_new(doc, "bytes_out", integer(b->totals.bytes_out));
        json_object_set_new(doc, "last_check_time", status_time_mono(last_ms));
        json_object_set_new(doc, "counters", counters_of(b));
        return doc;
}

json_t *status_backend(const struct supervisor *s,
                       const struct upstream_pool *pool,
                       const struct upstream_endpoint *backend,
                       struct status_backend_summary *ret) {
        struct seen b = { .pool = pool,
                          .backend = backend,
                          .e = backend->endpoint,
                          .state = state_of(backend),
                          .now_ms = clock_mono_ms() };

        endpoint_sum(b.e, &b.totals);
        health_endpoint_report(b.e, &b.health);
        rates_of_endpoint(s, b.e, &b.rates);
        *ret = (struct status_backend_summary){ .in_use = b.state == ENDPOINT_UP &&
                                                          backend_usable(backend),
                                                .reachable = reachable(&b),
                                                .last_ms = b.totals.last_connect_ms };
        if (b.health.last_ms > ret->last_ms)
                ret->last_ms = b.health.last_ms;
        return describe(&b);
}
