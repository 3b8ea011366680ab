/* SPDX-License-Identifier: MIT */
/*
 * As many visits are under way as there are descriptors; one that ends makes room for the next. The
 * loop of the probes is nested in a poll() that also waits for names.
 */
#include "cli/reach.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "cli/lookup.h"
#include "core/clock.h"
#include "health/probe.h"

struct visit { /* to one backend */
        struct probe probe;
        struct tour *tour;
        struct reach *reach;
        struct addr addrs[LOOKUP_ADDRS_MAX];
        size_t n_addrs;
        struct config_check check; /* the question under way */
        enum { VISIT_UNKNOWN, VISIT_READY, VISIT_UNDER_WAY, VISIT_OVER } state;
};

struct tour {
        struct loop *loop;     /* owned */
        struct visit *visits;  /* owned */
        struct lookup *lookup; /* reference */
        size_t n, n_over, n_under_way;
        size_t next; /* none before it is ready */
        bool full;   /* no descriptor was left, and no visit has ended since */
        uint64_t end_ms;
};

static void tour_done(struct tour *t) {
        for (size_t i = 0; t->visits && i < t->n; i++)
                probe_stop(&t->visits[i].probe);
        loop_free(t->loop);
        lookup_unref(t->lookup);
        free(t->visits);
}

static void visit_over(struct visit *v, int failure) {
        v->reach->failure = failure;
        v->state = VISIT_OVER;
        v->tour->n_over++;
}

/* The check asks for more than the connect that was good has shown. */
static bool has_question(const struct config_check *check) {
        return check->type == CONFIG_CHECK_HTTP ||
               (check->type == CONFIG_CHECK_TCP && check->port != 0);
}

/* A check of the same port that waits for an answer notices a server that closes. */
static uint32_t linger_of(const struct config_check *check) {
        return check->type == CONFIG_CHECK_HTTP && check->port == 0 ? 0 : PROBE_LINGER_MS;
}

static void visit_ask(struct visit *v, const struct config_check *check, probe_fn fn) {
        uint64_t now_ms = clock_mono_ms(), end_ms = v->tour->end_ms;
        uint32_t left_ms = now_ms < end_ms ? (uint32_t)(end_ms - now_ms) : 1;
        const struct probe_target target = {
                .endpoint = v->reach->endpoint,
                .check = &v->check,
                .addrs = v->addrs,
                .n_addrs = v->n_addrs,
                .linger_ms = linger_of(&v->reach->pool->check),
        };

        v->check = *check;
        if (v->check.timeout_ms > left_ms)
                v->check.timeout_ms = left_ms;
        v->state = VISIT_UNDER_WAY;
        v->tour->n_under_way++;
        probe_init(&v->probe);
        probe_start(&v->probe, v->tour->loop, &target, 0, fn);
}

/* A descriptor was missing: another visit has one, and gives it back. True: it is tried again. */
static bool visit_put_off(struct visit *v, enum probe_verdict verdict, int failure) {
        struct tour *t = v->tour;

        t->n_under_way--;
        if (verdict != PROBE_UNABLE || t->n_under_way == 0 ||
            (failure != -EMFILE && failure != -ENFILE)) {
                t->full = false;
                return false;
        }
        t->full = true;
        t->next = 0;
        v->state = VISIT_READY;
        return true;
}

/* That there was less time than the check has says nothing. */
static void on_checked(struct probe *p, enum probe_verdict verdict, int failure) {
        struct visit *v = container_of(p, struct visit, probe);
        bool hurried = v->check.timeout_ms < v->reach->pool->check.timeout_ms;

        if (visit_put_off(v, verdict, failure))
                return;
        visit_over(v, failure == -ETIMEDOUT && hurried ? 0 : failure);
}

static void on_connected(struct probe *p, enum probe_verdict verdict, int failure) {
        struct visit *v = container_of(p, struct visit, probe);
        const struct config_check *check = &v->reach->pool->check;

        if (visit_put_off(v, verdict, failure))
                return;
        v->reach->connects = failure == 0;
        if (failure == 0 && has_question(check))
                visit_ask(v, check, on_checked);
        else
                visit_over(v, failure);
}

static void visit_begin(struct visit *v) {
        const struct config_check *check = &v->reach->pool->check;
        const struct config_check connect = { .type = CONFIG_CHECK_TCP, .timeout_ms = UINT32_MAX };

        if (v->n_addrs == 0)
                visit_over(v, FAILURE_UNRESOLVED);
        else if (v->reach->connects) /* it was put off in the middle */
                visit_ask(v, check, on_checked);
        else
                visit_ask(v, &connect, on_connected);
}

static void tour_go_on(struct tour *t) {
        while (t->next < t->n && !t->full) {
                struct visit *v = &t->visits[t->next++];

                if (v->state == VISIT_READY)
                        visit_begin(v);
        }
}

static void take_lookups(struct tour *t) {
        struct lookup_name name;

        while (lookup_take(t->lookup, &name)) {
                struct visit *v = &t->visits[name.tag];

                memcpy(v->addrs, name.addrs, sizeof(v->addrs));
                v->n_addrs = name.n_addrs;
                v->state = VISIT_READY;
                if (name.tag < t->next)
                        t->next = name.tag;
        }
}

static int visit_init(struct visit *v, struct tour *t, struct reach *reach, size_t tag) {
        const struct config_endpoint *e = reach->endpoint;

        reach->connects = false;
        reach->failure = -ETIMEDOUT;
        *v = (struct visit){ .tour = t, .reach = reach, .state = VISIT_UNKNOWN };
        probe_init(&v->probe);
        if (e->host)
                return lookup_add(t->lookup, e->host, e->port, tag);
        v->addrs[0] = e->addr;
        v->n_addrs = 1;
        v->state = VISIT_READY;
        return 0;
}

static int tour_init(struct tour *t, struct reach *reaches, size_t n) {
        int r;

        r = loop_new(&t->loop);
        if (r == 0)
                r = lookup_new(&t->lookup);
        if (r < 0)
                return r;
        t->visits = calloc(n, sizeof(*t->visits));
        if (!t->visits)
                return -ENOMEM;
        for (; t->n < n && r == 0; t->n++)
                r = visit_init(&t->visits[t->n], t, &reaches[t->n], t->n);
        return r < 0 ? r : lookup_start(t->lookup);
}

static void raise_limit(void) {
        struct rlimit limit;

        if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
                return;
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit); /* without it there are fewer visits at a time */
}

/* What was begun has taken all the time there was; the rest never had its turn. */
static void forget_the_rest(struct tour *t) {
        for (size_t i = 0; i < t->n; i++)
                if (t->visits[i].state == VISIT_READY)
                        t->visits[i].reach->failure = -EMFILE;
                else if (t->visits[i].state == VISIT_UNDER_WAY && t->visits[i].reach->connects)
                        t->visits[i].reach->failure = 0;
}

int reach_all(struct reach *reaches, size_t n, int limit_ms) {
        _cleanup_(tour_done) struct tour t = { .end_ms = clock_mono_ms() + (uint64_t)limit_ms };
        int r;

        if (n == 0)
                return 0;
        raise_limit();
        r = tour_init(&t, reaches, n);
        if (r < 0)
                return r;

        for (;;) {
                struct pollfd fds[] = { { .fd = loop_fd(t.loop), .events = POLLIN },
                                        { .fd = lookup_fd(t.lookup), .events = POLLIN } };
                uint64_t now_ms, wait_ms;

                r = loop_poll(t.loop); /* its clock, before probes begin */
                if (r < 0)
                        return r;
                tour_go_on(&t);
                now_ms = clock_mono_ms();
                if (t.n_over == n || now_ms >= t.end_ms)
                        break;
                wait_ms = loop_next_ms(t.loop);
                if (wait_ms > t.end_ms - now_ms)
                        wait_ms = t.end_ms - now_ms;
                if (poll(fds, ELEMENTS(fds), (int)wait_ms) < 0 && errno != EINTR)
                        return -errno;
                if (fds[1].revents)
                        take_lookups(&t);
        }
        forget_the_rest(&t);
        return 0;
}

const char *reach_text(const struct reach *r, char buf[static FAILURE_TEXT_MAX]) {
        static const struct {
                int failure;
                const char *text;
        } texts[] = {
                { -ETIMEDOUT, "timeout" },
                { FAILURE_UNRESOLVED, "the name has no address" },
                { FAILURE_CLOSED, "accepts and closes at once" },
                { -ECONNRESET, "accepts and closes at once" },
                { -ENOENT, "no such socket" },
                { -EHOSTUNREACH, "no route to the host" },
                { -ENETUNREACH, "no route to the network" },
                { -EACCES, "no right to connect" },
                { -EPERM, "no right to connect" },
                { -EMFILE, "not probed: out of descriptors" },
                { -ENFILE, "not probed: out of descriptors" },
        };

        if (r->failure == 0)
                return strcpy(buf, "reachable");
        for (size_t i = 0; i < ELEMENTS(texts) && !r->connects; i++)
                if (texts[i].failure == r->failure)
                        return strcpy(buf, texts[i].text);
        return failure_text(r->failure, buf);
}
