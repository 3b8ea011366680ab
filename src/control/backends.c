/* SPDX-License-Identifier: MIT */
/*
 * A call is read into a struct set, then checked as a whole, then done: what is refused has changed
 * nothing. Workers see the new marks at their next choice; crew_mind() makes them look after the
 * sessions that are there already.
 */

#include "control/backends.h"

#include <string.h>

#include "control/parameter.h"
#include "control/state.h"
#include "core/clock.h"

#define LOG_MODULE "backends"

#define LOAD(x) atomic_load_explicit(&(x), memory_order_relaxed)

#define WEIGHT_MAX      256
#define DEADLINE_MAX_MS UINT32_MAX /* seven weeks */

bool backend_usable(const struct upstream_endpoint *u) {
        const struct endpoint *e = u->endpoint;

        return LOAD(e->admin) == ADMIN_READY && !LOAD(e->down) && LOAD(e->weight) > 0 &&
               upstream_has_addrs(u);
}

bool backends_too_few(size_t usable, size_t left, size_t total) {
        return left < usable && (left == 0 || left * 2 < total);
}

/* ---- which one ---- */

struct set { /* one call */
        struct supervisor *s;
        struct server_call *call;
        json_t *parameters;
        const struct upstream_pool *pool;
        const struct upstream_endpoint *backend;
        bool confirmed;
};

static const struct upstream_endpoint *find_in(const struct upstream_pool *pool, const char *name) {
        for (size_t i = 0; i < pool->n_endpoints; i++)
                if (strcmp(pool->endpoints[i].endpoint->name, name) == 0)
                        return &pool->endpoints[i];
        return NULL;
}

/* Looks through the pool that is named, or through all. Returns in how many it is; their names are
 * in pools. Only the generation in force counts: what is leaving is nobody's to set any more. */
static size_t find(struct set *set, const char *pool, const char *name, json_t *pools) {
        const struct upstream *u = set->s->upstream;
        size_t n = 0;

        for (size_t i = 0; i < u->config->n_pools; i++) {
                const struct upstream_pool *p = &u->pools[i];
                const struct upstream_endpoint *e;

                if (pool && strcmp(p->config->name, pool) != 0)
                        continue;
                e = find_in(p, name);
                if (!e)
                        continue;
                set->pool = p;
                set->backend = e;
                json_array_append_new(pools, json_string(p->config->name));
                n++;
        }
        return n;
}

/* What both methods begin with. False: the call is answered. */
static bool set_begin(struct set *set) {
        _cleanup_(json_decrefp) json_t *pools = json_array();
        const char *pool = NULL, *backend = NULL;
        size_t n;

        if (parameter_text(&pool, set->parameters, "pool") < 0) {
                server_invalid(set->call, "pool");
                return false;
        }
        if (parameter_text(&backend, set->parameters, "backend") <= 0) {
                server_invalid(set->call, "backend");
                return false;
        }
        if (parameter_flag(&set->confirmed, set->parameters, "confirmed") < 0) {
                server_invalid(set->call, "confirmed");
                return false;
        }

        n = find(set, pool, backend, pools);
        if (n == 1)
                return true;
        if (n == 0)
                server_error(set->call, BAL_ERROR_NO_SUCH_BACKEND,
                             json_pack("{s:s?, s:s}", "pool", pool, "backend", backend));
        else
                server_error(set->call, BAL_ERROR_AMBIGUOUS_BACKEND,
                             json_pack("{s:s, s:O}", "backend", backend, "pools", pools));
        return false;
}

/* usable_then: what the backend would be. False: too few would be left, the call is answered. */
static bool set_allowed(const struct set *set, bool usable_then) {
        const struct upstream_pool *pool = set->pool;
        size_t usable = 0, left;

        for (size_t i = 0; i < pool->n_endpoints; i++)
                usable += backend_usable(&pool->endpoints[i]);
        left = usable - backend_usable(set->backend) + usable_then;
        if (set->confirmed || !backends_too_few(usable, left, pool->n_endpoints))
                return true;
        server_error(set->call, BAL_ERROR_POOL_WOULD_EMPTY,
                     json_pack("{s:s, s:I, s:I, s:I}", "pool", pool->config->name, "usable",
                               (json_int_t)usable, "left", (json_int_t)left, "total",
                               (json_int_t)pool->n_endpoints));
        return false;
}

static bool set_stopping(const struct set *set) {
        if (set->s->stopping)
                server_error(set->call, BAL_ERROR_BUSY, json_pack("{s:s}", "what", "stop"));
        return set->s->stopping;
}

/* ---- state ---- */

/* Of maintenance that says none: at least 1, so that a drain_timeout of 0 means at once. */
static uint64_t deadline_default_ms(const struct set *set, enum endpoint_admin admin) {
        uint32_t ms = set->s->config->drain_timeout_ms;

        if (admin != ADMIN_MAINT)
                return 0;
        return ms > 0 ? ms : 1;
}

/* From now, in ms; 0: none. False: the call is answered. */
static bool read_deadline(const struct set *set, enum endpoint_admin admin, uint64_t *ret_ms) {
        uint64_t max = admin == ADMIN_READY ? 0 : DEADLINE_MAX_MS;

        *ret_ms = deadline_default_ms(set, admin);
        if (parameter_number(ret_ms, set->parameters, "deadline_ms", 0, max) >= 0)
                return true;
        server_invalid(set->call, "deadline_ms");
        return false;
}

static void state_log(const struct endpoint *e, const char *from, uint64_t deadline_ms) {
        log_info(backend_state, "an operator has set the state of a backend",
                 F_STR("pool", e->pool), F_STR("backend", e->name), F_STR("from", from),
                 F_STR("to", endpoint_state_word(endpoint_state(e))), F_STR("reason", "admin"),
                 F_U64("connections", endpoint_active(e)), F_U64("deadline_ms", deadline_ms));
}

static void state_set(const struct set *set, enum endpoint_admin admin, uint64_t deadline_ms) {
        struct endpoint *e = set->backend->endpoint;
        const char *from = endpoint_state_word(endpoint_state(e));
        uint64_t now_ms = clock_mono_ms(), until_ms = deadline_ms > 0 ? now_ms + deadline_ms : 0;
        bool moved = LOAD(e->admin) != admin, late = LOAD(e->deadline_ms) != until_ms;

        endpoint_set_admin(e, admin, until_ms, now_ms);
        if (moved)
                checks_admin_changed(set->s, e);
        else if (late)
                crew_mind(set->s->crew);
        if (moved || late)
                state_log(e, from, deadline_ms);

        server_reply(
                set->call,
                json_pack("{s:s, s:s, s:s, s:s, s:I, s:o}", "pool", e->pool, "backend", e->name,
                          "from", from, "to", endpoint_state_word(endpoint_state(e)),
                          "active_connections", (json_int_t)endpoint_active(e), "deadline_ms",
                          deadline_ms > 0 ? json_integer((json_int_t)deadline_ms) : json_null()));
}

void backends_on_set_state(struct server_call *call, json_t *parameters, void *userdata) {
        struct set set = { .s = userdata, .call = call, .parameters = parameters };
        uint64_t deadline_ms;
        int admin = ADMIN_READY;

        if (parameter_word(&admin, parameters, "state", admin_state_find) <= 0) {
                server_invalid(call, "state");
                return;
        }
        if (!read_deadline(&set, (enum endpoint_admin)admin, &deadline_ms) || !set_begin(&set) ||
            set_stopping(&set))
                return;
        if (admin != ADMIN_READY && !set_allowed(&set, false))
                return;
        state_set(&set, (enum endpoint_admin)admin, deadline_ms);
}

/* ---- weight ---- */

static void weight_set(const struct set *set, uint32_t weight) {
        const struct upstream_endpoint *u = set->backend;
        struct endpoint *e = u->endpoint;
        uint32_t from = LOAD(e->weight);

        atomic_store_explicit(&e->weight, weight, memory_order_relaxed);
        if (from != weight) {
                crew_mind(set->s->crew); /* somebody may be waiting for a usable backend */
                log_info(backend_weight, "an operator has set the weight of a backend",
                         F_STR("pool", e->pool), F_STR("backend", e->name), F_U64("from", from),
                         F_U64("to", weight), F_U64("configured", u->config->weight));
        }
        server_reply(set->call,
                     json_pack("{s:s, s:s, s:I, s:I, s:I, s:I}", "pool", e->pool, "backend",
                               e->name, "from", (json_int_t)from, "to", (json_int_t)weight,
                               "configured", (json_int_t)u->config->weight, "active_connections",
                               (json_int_t)endpoint_active(e)));
}

void backends_on_set_weight(struct server_call *call, json_t *parameters, void *userdata) {
        struct set set = { .s = userdata, .call = call, .parameters = parameters };
        uint64_t weight = 0;

        if (parameter_number(&weight, parameters, "weight", 0, WEIGHT_MAX) <= 0) {
                server_invalid(call, "weight");
                return;
        }
        if (!set_begin(&set) || set_stopping(&set))
                return;
        if (weight == 0 && !set_allowed(&set, false))
                return;
        weight_set(&set, (uint32_t)weight);
}
