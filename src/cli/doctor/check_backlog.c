/* SPDX-License-Identifier: MIT */
/*
 * The queues in front of accept(): full ones turn clients away without a word in any log.
 *
 * Each own socket is looked at twice, a moment apart: a burst fills a short queue for an instant
 * and does no harm. What the kernel has dropped is counted per socket, so what happened to other
 * programs' sockets, or long ago, worries nobody here.
 */

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/doctor/exam.h"
#include "cli/doctor/listening.h"
#include "cli/doctor/proc.h"
#include "net/owner.h"

#define PAUSE_MS     200
#define WARN_PERCENT 80

struct queue { /* of one address of the file */
        const struct addr *addr;
        uint32_t backlog; /* the file's */
        const struct listening *before, *after;
};

struct queues {
        struct queue *all;
        size_t n, seen;
        uint64_t somaxconn;
        uint32_t dropped; /* since the sockets were opened */
};

static const struct listening *find(const struct listening *l, size_t n, const struct addr *a) {
        for (size_t i = 0; i < n; i++)
                if (addr_equal(&l[i].addr, a))
                        return &l[i];
        return NULL;
}

static int collect(struct queues *q, const struct config *c) {
        size_t n = 0;

        for (size_t i = 0; i < c->n_frontends; i++)
                n += c->frontends[i].n_listen;
        q->all = calloc(n ? n : 1, sizeof(*q->all));
        if (!q->all)
                return -ENOMEM;
        for (size_t i = 0; i < c->n_frontends; i++) {
                const struct config_frontend *f = &c->frontends[i];

                for (size_t k = 0; k < f->n_listen; k++) {
                        if (f->listen[k].sa.sa_family != AF_UNIX)
                                q->all[q->n++] = (struct queue){ .addr = &f->listen[k],
                                                                 .backlog = f->backlog };
                }
        }
        return 0;
}

static int look_twice(struct queues *q) {
        const struct timespec pause = { .tv_nsec = PAUSE_MS * 1000000L };
        struct listening *before, *after;
        size_t n_before, n_after;
        int r;

        r = listening_all(&before, &n_before);
        if (r < 0)
                return r;
        nanosleep(&pause, NULL);
        r = listening_all(&after, &n_after);
        if (r < 0)
                return r;
        for (size_t i = 0; i < q->n; i++) {
                struct queue *one = &q->all[i];

                one->before = find(before, n_before, one->addr);
                one->after = find(after, n_after, one->addr);
                if (!one->before || !one->after || one->before->inode != one->after->inode)
                        one->before = one->after = NULL; /* opened or closed just now */
                q->seen += one->after != NULL;
        }
        return 0;
}

static bool is_full(const struct listening *l, unsigned percent) {
        return l->queue > 0 && (uint64_t)l->queue * 100 >= (uint64_t)l->queue_max * percent;
}

static uint32_t dropped_now(const struct queue *q) {
        if (!q->before->knows_dropped || !q->after->knows_dropped)
                return 0;
        return q->after->dropped - q->before->dropped;
}

static void judge(struct queues *q, struct finding *f, const struct queue *one) {
        char text[ADDR_TEXT_MAX];
        uint32_t drops;

        if (!one->after)
                return;
        addr_text(one->addr, text);
        drops = dropped_now(one);
        q->dropped += one->after->knows_dropped ? one->after->dropped : 0;
        if (is_full(one->before, 100) && is_full(one->after, 100)) {
                finding_critical(f, "the listen queue of %s is full (%u of %u)", text,
                                 one->after->queue, one->after->queue_max);
                words_set(&f->what_happened, "connections wait that nobody accepts; new ones are "
                                             "dropped, and clients time out");
                words_set(&f->why_likely,
                          "the daemon is stopped, stuck, or at its max_connections");
                words_set(&f->do_this_now,
                          "bal doctor --only daemon,fds; see the queue: "
                          "ss -ltn 'sport = :%u'",
                          addr_port(one->addr));
        } else if (f->level != LEVEL_CRITICAL && drops > 0) {
                finding_warn(f, "the listen queue of %s overflows now", text);
                words_set(&f->what_happened, "%u connections were dropped within %d ms", drops,
                          PAUSE_MS);
                words_set(&f->why_likely,
                          "more new connections at a time than its queue of %u holds",
                          one->after->queue_max);
                words_set(&f->do_this_now,
                          "raise the backlog (tcp_backlog) and net.core.somaxconn");
        } else if (f->level == LEVEL_OK && is_full(one->before, WARN_PERCENT) &&
                   is_full(one->after, WARN_PERCENT)) {
                finding_warn(f, "the listen queue of %s is nearly full (%u of %u)", text,
                             one->after->queue, one->after->queue_max);
                words_set(&f->why_likely,
                          "the daemon is slow to accept, or at its max_connections");
                words_set(&f->do_this_now, "look again: ss -ltn 'sport = :%u'",
                          addr_port(one->addr));
        }
}

/* The kernel shortens a backlog to its own limit and says nothing. */
static void judge_limit(const struct queues *q, struct finding *f) {
        for (size_t i = 0; i < q->n; i++) {
                char text[ADDR_TEXT_MAX];

                if (q->all[i].backlog <= q->somaxconn)
                        continue;
                finding_warn(f, "net.core.somaxconn is lower than the backlog of %s",
                             addr_text(q->all[i].addr, text));
                words_set(&f->what_happened, "the file asks for %u, the kernel gives %llu",
                          q->all[i].backlog, (unsigned long long)q->somaxconn);
                words_set(&f->why_likely, "the kernel's limit was never raised, or the container "
                                          "has one of its own");
                words_set(&f->do_this_now, "sysctl net.core.somaxconn=%u, then start bal again",
                          q->all[i].backlog);
                return;
        }
}

static void sum_up(const struct queues *q, struct finding *f) {
        if (q->seen == 0)
                finding_ok(f, "nobody listens on the addresses of the file");
        else
                finding_ok(f, "%zu listen queue%s with room", q->seen, q->seen == 1 ? "" : "s");
        if (q->dropped > 0)
                words_append(&f->summary, "%u connections dropped in the past", q->dropped);
}

int check_backlog(struct exam *x, struct finding *f) {
        const struct config *c = exam_config_or_skip(x, f);
        struct queues q = { .somaxconn = UINT64_MAX };
        int r;

        if (!c)
                return 0;
        if (proc_number(&q.somaxconn, "/proc/sys/net/core/somaxconn") < 0)
                q.somaxconn = UINT64_MAX;
        r = collect(&q, c);
        if (r < 0)
                return r;
        if (exam_pid(x, EXAM_DAEMON_MS) == 0 && !exam_head(x, 0)) {
                finding_ok(f, "no daemon, no listen queue");
                judge_limit(&q, f);
                return 0;
        }
        r = look_twice(&q);
        if (r == -ENOMEM)
                return r;
        for (size_t i = 0; i < q.n && r == 0; i++)
                judge(&q, f, &q.all[i]);
        if (f->level == LEVEL_OK)
                judge_limit(&q, f);
        if (f->level == LEVEL_OK && r < 0)
                finding_ok(f, "not known: the kernel has no sock_diag (%s)", strerror(-r));
        else if (f->level == LEVEL_OK)
                sum_up(&q, f);
        return 0;
}
