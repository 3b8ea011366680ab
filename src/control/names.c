/* SPDX-License-Identifier: MIT */

#include "control/names.h"

#include <assert.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

#include "control/resolver.h"
#include "core/clock.h"
#include "core/log.h"

#define LOG_MODULE "names"

#define NEWS_US     ((uint64_t)50000) /* from the first new answer to a generation that has it */
#define CALM_ROUNDS 3                 /* of the interval without a failure: then the wait is over */

struct name {
        char *host;         /* owned */
        struct addr *addrs; /* owned; of the last good answer */
        size_t n_addrs;
        struct resolver_question *asking; /* borrowed; NULL: none is under way */
        bool answered, failing, used;
        uint64_t asked_ms; /* the newest question out of turn; 0: none yet */
        uint64_t rest_ms;  /* from there to the next one */
};

struct names {
        struct resolver *resolver;
        sd_event_source *again, *patience, *news;
        uint64_t interval_us;
        names_fn changed, settled;
        void *userdata;
        bool settling;
        struct name *names;           /* owned; sorted by host */
        size_t n_names, n_sorted;     /* n_sorted: only while names are added */
        struct upstream_names *table; /* owned */
};

static int by_host(const void *a, const void *b) {
        const struct name *x = a, *y = b;

        return strcmp(x->host, y->host);
}

static struct name *name_find(struct names *n, const char *host) {
        struct name key = { .host = (char *)host };

        return n->n_names > 0 ? bsearch(&key, n->names, n->n_names, sizeof(key), by_host) : NULL;
}

static int name_add(struct names *n, const char *host) {
        struct name *names = realloc(n->names, (n->n_names + 1) * sizeof(*names));

        if (!names)
                return -ENOMEM;
        n->names = names;
        names[n->n_names] = (struct name){ .host = strdup(host) };
        if (!names[n->n_names].host)
                return -ENOMEM;
        n->n_names++;
        return 0;
}

typedef int (*host_fn)(struct names *n, const char *host);

/* Every endpoint of c that has a name. */
static int hosts_each(struct names *n, const struct config *c, host_fn fn) {
        for (size_t i = 0; i < c->n_pools; i++)
                for (size_t j = 0; j < c->pools[i].n_endpoints; j++) {
                        const char *host = c->pools[i].endpoints[j].host;
                        int r = host ? fn(n, host) : 0;

                        if (r < 0)
                                return r;
                }
        return 0;
}

/* A slow name server gets no second question. Without memory for one it is asked in the next
 * round. */
static void name_ask(struct names *n, struct name *name) {
        if (!name->asking && resolver_ask(&name->asking, n->resolver, name->host) < 0)
                name->asking = NULL;
}

static void ask_all(struct names *n) {
        for (size_t i = 0; i < n->n_names; i++)
                name_ask(n, &n->names[i]);
}

/* A backend that stays away fails again each second, or more often. While its answer stays the
 * same it is asked for less and less, until the ordinary rounds are as quick: a name server that
 * many dead backends share shall not pay for them. */
void names_ask_again(struct names *n, const char *host) {
        struct name *name = name_find(n, host);
        uint64_t now_ms = clock_mono_ms(), ago_ms, longest_ms = n->interval_us / 1000;

        if (!name || name->asking)
                return;
        if (longest_ms < NAMES_REST_MS)
                longest_ms = NAMES_REST_MS;
        ago_ms = name->asked_ms > 0 ? now_ms - name->asked_ms : UINT64_MAX;
        if (ago_ms < name->rest_ms)
                return;

        name->rest_ms = ago_ms > CALM_ROUNDS * longest_ms ? NAMES_REST_MS : name->rest_ms * 2;
        if (name->rest_ms > longest_ms)
                name->rest_ms = longest_ms;
        name->asked_ms = now_ms;
        name_ask(n, name);
}

static int names_on_again(sd_event_source *source, uint64_t now, void *userdata) {
        struct names *n = userdata;

        (void)now;
        ask_all(n);
        sd_event_source_set_time_relative(source, n->interval_us);
        return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static int names_on_patience(sd_event_source *source, uint64_t now, void *userdata) {
        struct names *n = userdata;

        (void)source;
        (void)now;
        if (!n->settling)
                return 0;
        n->settling = false;
        sd_event_source_set_enabled(n->news, SD_EVENT_OFF); /* this tells them, too */
        n->settled(n->userdata);
        return 0;
}

/* Ends the wait at once, from the event loop. */
static void check_settled(struct names *n) {
        for (size_t i = 0; i < n->n_names; i++)
                if (!n->names[i].answered)
                        return;
        if (n->settling)
                sd_event_source_set_time_relative(n->patience, 0);
}

static void log_answer(const struct name *name, const struct resolver_answer *a) {
        char text[ADDR_TEXT_MAX];

        if (a->error != 0)
                log_warn(name_unresolved, "a backend's host name has no address",
                         F_STR("host", a->host), F_STR("reason", gai_strerror(a->error)),
                         F_U64("addresses_kept", name->n_addrs));
        else
                log_info(name_resolved, "a backend's host name has new addresses",
                         F_STR("host", a->host), F_U64("addresses", a->n_addrs),
                         F_STR("first", addr_text_host(&a->addrs[0], text)));
}

static bool answer_differs(const struct name *name, const struct resolver_answer *a) {
        if (name->n_addrs != a->n_addrs)
                return true;
        for (size_t i = 0; i < a->n_addrs; i++)
                if (!addr_equal(&name->addrs[i], &a->addrs[i]))
                        return true;
        return false;
}

/* Answers come in crowds; one generation for all of them will do. */
static void tell_soon(struct names *n) {
        int enabled = SD_EVENT_OFF;

        sd_event_source_get_enabled(n->news, &enabled);
        if (enabled != SD_EVENT_OFF)
                return;
        sd_event_source_set_time_relative(n->news, NEWS_US);
        sd_event_source_set_enabled(n->news, SD_EVENT_ONESHOT);
}

/* While names settle, whoever waits for that takes all there is. */
static int names_on_news(sd_event_source *source, uint64_t now, void *userdata) {
        struct names *n = userdata;

        (void)source;
        (void)now;
        if (!n->settling)
                n->changed(n->userdata);
        return 0;
}

static void names_on_answer(const struct resolver_answer *a, void *userdata) {
        struct names *n = userdata;
        struct name *name = name_find(n, a->host);
        struct addr *addrs;

        assert(name); /* what is no longer in use is not answered */
        name->asking = NULL;
        name->answered = true;

        if (a->error != 0) {
                if (!name->failing)
                        log_answer(name, a);
                name->failing = true;
                check_settled(n);
                return;
        }
        name->failing = false;
        if (answer_differs(name, a)) {
                addrs = calloc(a->n_addrs, sizeof(*addrs));
                if (!addrs)
                        return; /* asked again soon */
                memcpy(addrs, a->addrs, a->n_addrs * sizeof(*addrs));
                free(name->addrs);
                name->addrs = addrs;
                name->n_addrs = a->n_addrs;
                name->rest_ms = NAMES_REST_MS;
                log_answer(name, a);
                tell_soon(n);
        }
        check_settled(n);
}

int names_new(struct names **ret,
              sd_event *event,
              names_fn changed,
              names_fn settled,
              void *userdata) {
        _cleanup_(names_freep) struct names *n = calloc(1, sizeof(*n));
        int r;

        if (!n)
                return -ENOMEM;
        n->changed = changed;
        n->settled = settled;
        n->userdata = userdata;

        r = sd_event_add_time_relative(event, &n->again, CLOCK_MONOTONIC, 0, 0, names_on_again, n);
        if (r < 0)
                return r;
        sd_event_source_set_enabled(n->again, SD_EVENT_OFF);
        r = sd_event_add_time_relative(event, &n->patience, CLOCK_MONOTONIC, 0, 1000,
                                       names_on_patience, n);
        if (r < 0)
                return r;
        sd_event_source_set_enabled(n->patience, SD_EVENT_OFF);
        r = sd_event_add_time_relative(event, &n->news, CLOCK_MONOTONIC, 0, 1000, names_on_news, n);
        if (r < 0)
                return r;
        sd_event_source_set_enabled(n->news, SD_EVENT_OFF);
        *ret = take_ptr(n);
        return 0;
}

static void name_done(struct names *n, struct name *name) {
        resolver_drop(n->resolver, name->asking);
        free(name->host);
        free(name->addrs);
}

struct names *names_free(struct names *n) {
        if (!n)
                return NULL;

        sd_event_source_disable_unref(n->again);
        sd_event_source_disable_unref(n->patience);
        sd_event_source_disable_unref(n->news);
        for (size_t i = 0; i < n->n_names; i++)
                name_done(n, &n->names[i]);
        resolver_free(n->resolver);
        free(n->names);
        free(n->table);
        free(n);
        return NULL;
}

/* Appends what is not there yet; twice what stands twice in the file, names_tidy() mends it. */
static int host_use(struct names *n, const char *host) {
        struct names sorted = { .names = n->names, .n_names = n->n_sorted };

        return name_find(&sorted, host) ? 0 : name_add(n, host);
}

static void names_tidy(struct names *n) {
        size_t kept = 0;

        if (n->n_names == 0)
                return;
        qsort(n->names, n->n_names, sizeof(*n->names), by_host);
        for (size_t i = 0; i < n->n_names; i++)
                if (kept > 0 && strcmp(n->names[kept - 1].host, n->names[i].host) == 0)
                        name_done(n, &n->names[i]);
                else
                        n->names[kept++] = n->names[i];
        n->n_names = kept;
}

int names_use(struct names *n, const struct config *c) {
        int r;

        n->settling = true;
        n->interval_us = (uint64_t)c->resolve_interval_ms * 1000;
        sd_event_source_set_time_relative(n->patience, (uint64_t)NAMES_PATIENCE_MS * 1000);
        sd_event_source_set_enabled(n->patience, SD_EVENT_ONESHOT);

        n->n_sorted = n->n_names;
        r = hosts_each(n, c, host_use);
        names_tidy(n);
        if (r < 0)
                return r;
        if (n->n_names > 0 && !n->resolver) { /* the thread only where somebody needs it */
                r = resolver_new(&n->resolver, sd_event_source_get_event(n->again), names_on_answer,
                                 n);
                if (r < 0)
                        return r;
        }
        if (n->n_names > 0) {
                ask_all(n);
                sd_event_source_set_time_relative(n->again, n->interval_us);
                sd_event_source_set_enabled(n->again, SD_EVENT_ONESHOT);
        }
        check_settled(n);
        return 0;
}

static int host_mark(struct names *n, const char *host) {
        struct name *name = name_find(n, host);

        if (name)
                name->used = true;
        return 0;
}

void names_forget(struct names *n, const struct config *c) {
        size_t kept = 0;

        for (size_t i = 0; i < n->n_names; i++)
                n->names[i].used = false;
        hosts_each(n, c, host_mark);
        for (size_t i = 0; i < n->n_names; i++)
                if (n->names[i].used)
                        n->names[kept++] = n->names[i];
                else
                        name_done(n, &n->names[i]);
        n->n_names = kept;
}

const struct upstream_names *names_table(struct names *n) {
        free(n->table);
        n->table = calloc(n->n_names + 1, sizeof(*n->table));
        for (size_t i = 0; n->table && i < n->n_names; i++)
                n->table[i] = (struct upstream_names){ n->names[i].host, n->names[i].addrs,
                                                       n->names[i].n_addrs };
        return n->table;
}
