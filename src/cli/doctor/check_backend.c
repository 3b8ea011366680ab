/* SPDX-License-Identifier: MIT */
/*
 * Do the backends serve, as seen from here, all at once, and what does the daemon think of them?
 *
 * A backend in maintenance is left alone; one that is drained may be unreachable without anybody
 * being warned. The others are in trouble when they cannot be reached, or when the daemon does not
 * use them although they can.
 */

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/doc.h"
#include "cli/doctor/exam.h"
#include "cli/reach.h"
#include "core/str.h"

#define TOLD_MAX  5   /* backends in what_happened */
#define DAEMON_MS 300 /* the first probe waits so long for the daemon's word */

/* clang-format off */
/* X(enum, the likely cause, in front of the backend's name, and behind it) */
#define TROUBLES(X)                                                                                \
        X(REFUSED,    "service stopped on ", "")                                                   \
        X(TIMEOUT,    "host off, or a firewall drops ", "")                                        \
        X(NO_ROUTE,   "network down, or a wrong address: ", "")                                    \
        X(UNRESOLVED, "no address for ", " (see dns)")                                             \
        X(NO_SOCKET,  "the server of this socket does not run: ", "")                              \
        X(CHECK,      "connects work, but the answer is not what the check expects: ", "")         \
        X(CLOSES,     "connections are closed without an answer, as by a service that hangs, is "  \
                      "at a limit or forwards to nobody: ", "")                                    \
        X(BETTER,     "just come back, or open to this user and not to the daemon: ", "")          \
        X(OTHER,      "this machine cannot open a connection to ", "")
/* clang-format on */

enum trouble {
#define X(id, before, behind) TROUBLE_##id,
        TROUBLES(X)
#undef X
                TROUBLES_COUNT,
        TROUBLE_NONE = TROUBLES_COUNT
};

static const struct {
        const char *before, *behind;
} causes[] = {
#define X(id, before_, behind_) [TROUBLE_##id] = { .before = (before_), .behind = (behind_) },
        TROUBLES(X)
#undef X
};

struct patient { /* one backend */
        const struct config_pool *pool;
        const struct config_endpoint *endpoint;
        const json_t *seen;       /* by the daemon; NULL: no answer, or it does not know it */
        const char *state;        /* by the daemon; "" */
        const struct reach *here; /* NULL: in maintenance, not probed */
        enum trouble trouble;
};

struct ward {
        struct patient *patients;
        struct reach *probes;
        size_t n, n_probes;
        json_t *backends; /* the daemon's */
        size_t reachable, down, maint, drain, told;
        const struct patient *first[TROUBLES_COUNT];
        size_t of[TROUBLES_COUNT];
};

/* ---- who is there ---- */

static bool is_wanted(const struct exam *x,
                      const struct config_pool *pool,
                      const struct config_endpoint *e) {
        if (!x->backend)
                return true;
        return strcmp(x->backend, e->name) == 0 && strcmp(x->pool, pool->name) == 0;
}

/* The lists are in the same order as long as the daemon runs with this file. */
static const json_t *seen_of(const struct ward *w, size_t guess, const struct patient *p) {
        size_t n = json_array_size(w->backends);

        for (size_t i = 0; i < n; i++) {
                const json_t *b = json_array_get(w->backends, (guess + i) % n);

                if (strcmp(doc_text(b, "name", ""), p->endpoint->name) == 0 &&
                    strcmp(doc_text(b, "pool", ""), p->pool->name) == 0)
                        return b;
        }
        return NULL;
}

static int admit(struct ward *w, const struct exam *x, const struct config *c) {
        size_t all = config_backends(c), index = 0;

        w->patients = calloc(all ? all : 1, sizeof(*w->patients));
        w->probes = calloc(all ? all : 1, sizeof(*w->probes));
        if (!w->patients || !w->probes)
                return -ENOMEM;
        for (size_t i = 0; i < c->n_pools; i++) {
                for (size_t k = 0; k < c->pools[i].n_endpoints; k++, index++) {
                        struct patient *p = &w->patients[w->n];

                        *p = (struct patient){ .pool = &c->pools[i],
                                               .endpoint = &c->pools[i].endpoints[k],
                                               .state = "",
                                               .trouble = TROUBLE_NONE };
                        if (!is_wanted(x, p->pool, p->endpoint))
                                continue;
                        p->seen = seen_of(w, index, p);
                        p->state = p->seen ? doc_text(p->seen, "state", "") : "";
                        w->n++;
                        if (strcmp(p->state, "maint") == 0)
                                continue;
                        p->here = &w->probes[w->n_probes];
                        w->probes[w->n_probes++] =
                                (struct reach){ .endpoint = p->endpoint, .pool = p->pool };
                }
        }
        return 0;
}

/* The answer came only after the probes had begun. */
static void take_backends(struct ward *w, json_t *backends) {
        w->backends = backends;
        for (size_t i = 0; i < w->n; i++) {
                struct patient *p = &w->patients[i];

                p->seen = seen_of(w, i, p);
                p->state = p->seen ? doc_text(p->seen, "state", "") : "";
        }
}

/* ---- what is wrong with one ---- */

static enum trouble trouble_here(const struct reach *here) {
        bool is_unix = !here->endpoint->host && here->endpoint->addr.sa.sa_family == AF_UNIX;

        if (here->failure == 0)
                return TROUBLE_NONE;
        if (here->connects)
                return TROUBLE_CHECK;
        switch (here->failure) {
        case -ECONNREFUSED:
                return is_unix ? TROUBLE_NO_SOCKET : TROUBLE_REFUSED;
        case -ETIMEDOUT:
                return TROUBLE_TIMEOUT;
        case FAILURE_UNRESOLVED:
                return TROUBLE_UNRESOLVED;
        case -ENOENT:
                return TROUBLE_NO_SOCKET;
        case -EHOSTUNREACH:
        case -ENETUNREACH:
        case -EADDRNOTAVAIL:
                return TROUBLE_NO_ROUTE;
        case FAILURE_CLOSED:
        case -ECONNRESET:
                return TROUBLE_CLOSES;
        default:
                return TROUBLE_OTHER;
        }
}

/* It serves as seen from here, and the daemon does not use it. */
static enum trouble trouble_there(const struct patient *p) {
        const char *reason = doc_text(p->seen, "reason", "");

        if (strcmp(p->state, "down") != 0 && strcmp(p->state, "cool") != 0)
                return TROUBLE_NONE;
        if (strcmp(reason, "closed") == 0)
                return TROUBLE_CLOSES;
        if (strcmp(reason, "http_status") == 0 || strcmp(reason, "http_invalid") == 0)
                return TROUBLE_CHECK;
        if (p->pool->check.type == CONFIG_CHECK_HTTP || p->pool->check.port != 0)
                return TROUBLE_CHECK;
        return TROUBLE_BETTER;
}

static bool by_operator(const struct patient *p) {
        return strcmp(p->state, "maint") == 0 || strcmp(p->state, "drain") == 0;
}

/* "10.0.0.17:8080 refused", "10.0.0.18:80 is DOWN for the daemon (answered with status 503)" */
static void tell(struct ward *w, struct finding *f, const struct patient *p) {
        const char *why = doc_text(p->seen, "reason_text", doc_text(p->seen, "reason", ""));
        bool there = strcmp(p->state, "down") == 0 || strcmp(p->state, "cool") == 0;
        char text[FAILURE_TEXT_MAX];

        if (w->told++ >= TOLD_MAX)
                return;
        if (p->here->failure == -ETIMEDOUT && !p->here->connects)
                words_append(&f->what_happened, "%s timed out", p->endpoint->name);
        else if (p->here->failure != 0 && !(p->here->connects && there))
                words_append(&f->what_happened, "%s %s", p->endpoint->name,
                             reach_text(p->here, text));
        else
                words_append(&f->what_happened, "%s is %s for the daemon%s%s%s", p->endpoint->name,
                             strcmp(p->state, "cool") == 0 ? "COOL" : "DOWN", *why ? " (" : "", why,
                             *why ? ")" : "");
}

static void judge(struct ward *w, struct finding *f, struct patient *p) {
        enum trouble t;

        w->maint += strcmp(p->state, "maint") == 0;
        w->drain += strcmp(p->state, "drain") == 0;
        if (!p->here)
                return;
        t = trouble_here(p->here);
        w->reachable += t == TROUBLE_NONE || p->here->connects;
        if (t == TROUBLE_NONE)
                t = trouble_there(p);
        p->trouble = t;
        if (t == TROUBLE_NONE || by_operator(p))
                return;
        w->down++;
        if (w->of[t]++ == 0)
                w->first[t] = p;
        tell(w, f, p);
}

/* ---- pools ---- */

static bool is_used(const struct config *c, const struct config_pool *pool) {
        for (size_t i = 0; i < c->n_frontends; i++)
                if (config_uses(&c->frontends[i], (size_t)(pool - c->pools)))
                        return true;
        return false;
}

/* Cool is no reason: it is tried again in a moment, and a client in need even before. */
static bool serves(const struct patient *p) {
        return p->here && p->here->failure == 0 && !by_operator(p) && strcmp(p->state, "down") != 0;
}

static void tell_pool(struct finding *f, const struct config_pool *pool) {
        if (pool->n_endpoints == 1)
                words_line(&f->what_happened, "pool %s: its only backend does not serve",
                           pool->name);
        else
                words_line(&f->what_happened, "pool %s: none of its %zu backends serves",
                           pool->name, pool->n_endpoints);
}

static size_t serving(const struct ward *w, const struct config_pool *pool) {
        size_t n = 0;

        for (size_t i = 0; i < w->n; i++)
                n += w->patients[i].pool == pool && serves(&w->patients[i]);
        return n;
}

/* A single one is named by the summary. */
static void judge_pools(struct ward *w, const struct config *c, struct finding *f) {
        const struct config_pool *first = NULL;
        size_t empty = 0;

        for (size_t i = 0; i < c->n_pools; i++) {
                const struct config_pool *pool = &c->pools[i];

                if (serving(w, pool) > 0 || !is_used(c, pool))
                        continue;
                if (empty++ == 0)
                        first = pool;
                else if (empty == 2)
                        tell_pool(f, first);
                if (empty > 1 && empty <= TOLD_MAX)
                        tell_pool(f, pool);
        }
        if (empty == 1)
                finding_critical(f, "pool %s has no backend that serves; %zu of %zu reachable",
                                 first->name, w->reachable, w->n);
        if (empty > 1)
                finding_critical(f, "%zu pools have no backend that serves; %zu of %zu reachable",
                                 empty, w->reachable, w->n);
        if (empty > TOLD_MAX)
                words_line(&f->what_happened, "and %zu more pools", empty - TOLD_MAX);
}

/* ---- what to do ---- */

static bool is_here(const struct config_endpoint *e) {
        return !e->host &&
               ((e->addr.sa.sa_family == AF_INET &&
                 ntohl(e->addr.in4.sin_addr.s_addr) >> 24 == 127) ||
                (e->addr.sa.sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&e->addr.in6.sin6_addr)));
}

static const char *host_of(const struct config_endpoint *e, char buf[static ADDR_TEXT_MAX]) {
        return e->host ? e->host : addr_text_host(&e->addr, buf);
}

static unsigned port_of(const struct config_endpoint *e) {
        return e->host ? e->port : addr_port(&e->addr);
}

static void do_http(struct finding *f, const struct patient *p, const char *host, unsigned port) {
        const struct config_check *check = &p->pool->check;
        bool v6 = strchr(host, ':') != NULL;

        words_line(&f->do_this_now, "%-14s curl -i http://%s%s%s:%u%s", "from here:", v6 ? "[" : "",
                   host, v6 ? "]" : "", check->port ? check->port : port, check->path);
}

static void do_about(struct finding *f, enum trouble t, const struct patient *p) {
        const struct config_endpoint *e = p->endpoint;
        bool is_unix = !e->host && e->addr.sa.sa_family == AF_UNIX;
        char buf[ADDR_TEXT_MAX], at[ADDR_TEXT_MAX + 8];
        const char *host = host_of(e, buf);
        unsigned port = port_of(e);

        snprintf(at, sizeof(at), "on %.100s:", host);
        if (t == TROUBLE_REFUSED)
                words_line(&f->do_this_now, "%-14s ss -ltn 'sport = :%u'",
                           is_here(e) ? "here:" : at, port);
        else if (t == TROUBLE_NO_ROUTE)
                words_line(&f->do_this_now, "%-14s ip route get %s", "from here:", host);
        else if (t == TROUBLE_UNRESOLVED)
                words_line(&f->do_this_now, "%-14s getent ahosts %s", "from here:", host);
        else if (t == TROUBLE_NO_SOCKET)
                words_line(&f->do_this_now, "%-14s ls -l %s", "here:", e->addr.un.sun_path);
        else if (is_unix)
                words_line(&f->do_this_now, "%-14s ss -xl src %s", "here:", e->addr.un.sun_path);
        else if (t == TROUBLE_CLOSES)
                words_line(&f->do_this_now, "%-14s ss -ltnp 'sport = :%u'; then read its log",
                           is_here(e) ? "here:" : at, port);
        else if (t == TROUBLE_CHECK && p->pool->check.type == CONFIG_CHECK_HTTP)
                do_http(f, p, host, port);
        else
                words_line(&f->do_this_now, "%-14s nc -vz -w1 %s %u", "from here:", host,
                           t == TROUBLE_CHECK && p->pool->check.port ? p->pool->check.port : port);
}

/* The host where a machine or a network is to blame, else the backend. */
static const char *blamed(enum trouble t, const struct patient *p, char buf[static ADDR_TEXT_MAX]) {
        switch (t) {
        case TROUBLE_REFUSED:
        case TROUBLE_TIMEOUT:
        case TROUBLE_NO_ROUTE:
        case TROUBLE_UNRESOLVED:
                return host_of(p->endpoint, buf);
        default:
                return p->endpoint->name;
        }
}

/* One cause and one command for each kind of trouble, with the first that has it. */
static void explain(struct ward *w, struct finding *f) {
        for (enum trouble t = 0; t < TROUBLES_COUNT; t++) {
                _cleanup_(str_freep) char *before = f->why_likely;
                const struct patient *p = w->first[t];
                char host[ADDR_TEXT_MAX], more[32] = "";

                f->why_likely = NULL;
                if (w->of[t] > 1)
                        snprintf(more, sizeof(more), " and %zu more", w->of[t] - 1);
                if (p)
                        words_set(&f->why_likely, "%s%s%s%s%s%s", before ? before : "",
                                  before ? "; " : "", causes[t].before, blamed(t, p, host), more,
                                  causes[t].behind);
                else
                        f->why_likely = take_ptr(before);
                if (p)
                        do_about(f, t, p);
        }
}

static void verdict(struct ward *w, const struct config *c, struct finding *f, bool one) {
        finding_ok(f, "%zu of %zu reachable", w->reachable, w->n);
        if (w->down > 0)
                finding_warn(f, "%zu of %zu reachable; %zu down", w->reachable, w->n, w->down);
        if (w->told > TOLD_MAX)
                words_append(&f->what_happened, "and %zu more", w->told - TOLD_MAX);
        if (!one) /* of a pool's other backends nothing is known then */
                judge_pools(w, c, f);
        if (w->maint > 0)
                words_append(&f->summary, "%zu in maint", w->maint);
        if (w->drain > 0)
                words_append(&f->summary, "%zu in drain", w->drain);
        explain(w, f);
        if (f->level != LEVEL_OK && w->down == 0) {
                words_set(&f->why_likely, "an operator took all of its backends out of service");
                words_set(&f->do_this_now, "bal backend list; bal backend enable NAME");
        }
        words_set(&f->perf, "backends_reachable=%zu;;;0;%zu backends_down=%zu;;;0;%zu",
                  w->reachable, w->n, w->down, w->n);
}

int check_backend(struct exam *x, struct finding *f) {
        const struct config *c = exam_config_or_skip(x, f);
        struct ward w = { .patients = NULL };
        int r;

        if (!c)
                return 0;
        /* Without the daemon's word nobody is in maintenance; a stuck one is not waited for. */
        if (exam_daemon(x, DAEMON_MS))
                w.backends = facts_backends(x->facts);
        r = admit(&w, x, c);
        if (r == 0)
                r = reach_all(w.probes, w.n_probes, REACH_MS);
        if (r < 0)
                return r;
        if (!w.backends && exam_daemon(x, 0)) /* it was slow, but it has answered */
                take_backends(&w, facts_backends(x->facts));
        for (size_t i = 0; i < w.n; i++)
                judge(&w, f, &w.patients[i]);
        verdict(&w, c, f, x->backend);
        return 0;
}
