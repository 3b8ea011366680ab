/* SPDX-License-Identifier: MIT */
/*
 * A call to the crew is a struct op with one mail per worker. Each worker does its part and posts
 * its mail back to the crew's own box; when the last is back, in the control thread, the caller
 * hears of it.
 */

#include "proxy/crew.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "core/log.h"
#include "proxy/listener.h"
#include "proxy/survey.h"
#include "proxy/worker.h"

#define LOG_MODULE "crew"

struct crew {
        struct mailbox *mailbox; /* of the control thread */
        void (*on_news)(void *arg);
        void *news_arg;
        struct mail news; /* posted at most once at a time */
        atomic_flag has_news;
        struct gate descriptors; /* see crew_set_descriptors() */
        struct op *prepared;     /* owned; all workers are ready for it; NULL: none */
        unsigned n_workers, n_running;
        bool stopped; /* no worker runs any more */
        struct worker *workers[];
};

enum op_kind {
        OP_PREPARE, /* becomes OP_COMMIT, or OP_ABANDON when a worker has failed */
        OP_COMMIT,
        OP_ABANDON,
        OP_DRAIN,
        OP_MIND,
        OP_PING,
        OP_SURVEY,
        OP_STOP
};

struct op_part {
        struct mail mail;
        struct op *op;
        int r;
};

struct op {
        enum op_kind kind;
        unsigned n_posted, n_missing; /* parts; those not yet back; the control thread's */
        int r;
        crew_done_fn done; /* may be NULL */
        void *arg;
        enum crew_drain drain;
        uint64_t until_ms;
        struct upstream *upstream; /* referenced; NULL but for OP_PREPARE and what follows it */
        struct crew_listen *listens;
        size_t n_listens;
        bool commits; /* the commit follows without a call of crew_commit() */
        struct survey_query query;
        crew_survey_fn survey_done;
        struct survey *surveys; /* one for each worker; owned; NULL but for OP_SURVEY */
        struct op_part parts[];
};

unsigned crew_size(const struct crew *crew) {
        return crew->n_workers;
}

struct worker *crew_worker(const struct crew *crew, unsigned index) {
        return crew->workers[index];
}

struct gate *crew_descriptors(struct crew *crew) {
        return &crew->descriptors;
}

void crew_set_descriptors(struct crew *crew, uint32_t max) {
        atomic_store(&crew->descriptors.max, max);
}

bool crew_has_descriptor(const struct crew *crew) {
        return !gate_is_full(&crew->descriptors);
}

static struct op *op_free(struct op *op) {
        if (!op)
                return NULL;

        upstream_unref(op->upstream);
        survey_query_done(&op->query);
        free(op->surveys);
        free(op->listens);
        free(op);
        return NULL;
}
DEFINE_CLEANUP(struct op *, op_free);

/* In a worker's thread. */
static void op_on_worker(struct mail *m, void *owner) {
        struct op_part *part = container_of(m, struct op_part, mail);
        struct op *op = part->op;
        struct worker *w = owner;

        switch (op->kind) {
        case OP_PREPARE:
                crew_answer(w->crew, m,
                            worker_prepare(w, op->upstream, op->listens, op->n_listens));
                return;
        case OP_COMMIT:
                worker_commit(w, op->upstream, op->listens, op->n_listens);
                crew_answer(w->crew, m, 0);
                return;
        case OP_ABANDON:
                worker_abandon(w);
                crew_answer(w->crew, m, 0);
                return;
        case OP_DRAIN:
                worker_drain(w, op->drain, op->until_ms, m); /* answers when it is through */
                return;
        case OP_MIND:
                worker_mind(w);
                session_retry_waiting(w); /* an endpoint may have come back */
                crew_answer(w->crew, m, 0);
                return;
        case OP_SURVEY:
                if (!survey_step(&op->surveys[w->index], &op->query, w))
                        crew_answer(w->crew, m, 0);
                else
                        mailbox_post(w->mailbox, m); /* again in the next turn */
                return;
        case OP_PING:
                crew_answer(w->crew, m, 0);
                return;
        case OP_STOP:
                w->stop = true;
                worker_drain_cancel(w);
                crew_answer(w->crew, m, 0);
                return;
        }
}

static void op_survey_done(struct op *op) {
        struct survey answer;

        survey_merge(&answer, op->surveys, op->n_posted, op->query.limit);
        op->survey_done(&answer, op->arg);
        survey_done(&answer);
}

static void op_post(struct crew *crew, struct op *op) {
        op->n_posted = op->n_missing = crew->n_running;
        for (unsigned i = 0; i < crew->n_running; i++) {
                struct op_part *part = &op->parts[i];

                *part = (struct op_part){ .mail.fn = op_on_worker, .op = op };
                link_init(&part->mail.link);
                mailbox_post(crew->workers[i]->mailbox, &part->mail);
        }
}

static void op_next(struct crew *crew, struct op *op, enum op_kind kind) {
        op->kind = kind;
        op_post(crew, op);
}

/* All workers have tried to prepare. */
static void op_prepared(struct crew *crew, struct op *op) {
        if (op->r < 0) {
                op_next(crew, op, OP_ABANDON);
        } else if (op->commits) {
                op_next(crew, op, OP_COMMIT);
        } else {
                assert(!crew->prepared);
                crew->prepared = op;
                op->done(0, op->arg);
        }
}

/* Back in the control thread. */
static void op_on_answer(struct mail *m, void *owner) {
        struct op_part *part = container_of(m, struct op_part, mail);
        struct op *op = part->op;
        struct crew *crew = owner;

        if (op->r == 0)
                op->r = part->r;
        if (--op->n_missing > 0)
                return;
        if (op->kind == OP_PREPARE && !crew->stopped) {
                op_prepared(crew, op);
                return;
        }
        if (op->kind == OP_PREPARE) /* no worker is left that could commit, or abandon */
                op->r = -ECANCELED;
        if (op->surveys)
                op_survey_done(op);
        if (op->done)
                op->done(op->r, op->arg);
        op_free(op);
}

void crew_answer(struct crew *crew, struct mail *m, int r) {
        container_of(m, struct op_part, mail)->r = r;
        m->fn = op_on_answer;
        mailbox_post(crew->mailbox, m);
}

static int op_new(struct op **ret, const struct crew *crew, enum op_kind kind) {
        struct op *op = calloc(1, sizeof(*op) + crew->n_workers * sizeof(struct op_part));

        if (!op)
                return -ENOMEM;
        op->kind = kind;
        *ret = op;
        return 0;
}

static void crew_on_news(struct mail *m, void *owner) {
        struct crew *crew = owner;

        (void)m;
        atomic_flag_clear(&crew->has_news); /* before looking: what is left there now posts again */
        if (crew->on_news)
                crew->on_news(crew->news_arg);
}

void crew_news(struct crew *crew) {
        if (!atomic_flag_test_and_set(&crew->has_news))
                mailbox_post(crew->mailbox, &crew->news);
}

int crew_new(struct crew **ret, const struct crew_options *o) {
        _cleanup_(crew_freep) struct crew *crew = NULL;
        size_t size;
        int r;

        size = (sizeof(*crew) + o->n_workers * sizeof(struct worker *) + 63) & ~(size_t)63;
        crew = aligned_alloc(64, size);
        if (!crew)
                return -ENOMEM;
        memset(crew, 0, size);
        crew->on_news = o->news;
        crew->news_arg = o->arg;
        crew->news.fn = crew_on_news;
        link_init(&crew->news.link);
        r = mailbox_new(&crew->mailbox, crew);
        if (r < 0)
                return r;

        for (unsigned i = 0; i < o->n_workers; i++) {
                r = worker_new(&crew->workers[i], crew, i, o);
                if (r < 0)
                        return r;
                crew->n_workers++;
        }
        for (unsigned i = 0; i < o->n_workers; i++) {
                r = worker_run(crew->workers[i]);
                if (r < 0)
                        return r;
                crew->n_running++;
        }
        *ret = take_ptr(crew);
        return 0;
}

static void crew_stop(struct crew *crew) {
        struct op *op;

        if (crew->n_running == 0)
                return;
        while (op_new(&op, crew, OP_STOP) < 0)
                ; /* no way to end without it; some memory will come back */
        op_post(crew, op);
        for (unsigned i = 0; i < crew->n_running; i++)
                pthread_join(crew->workers[i]->thread, NULL);
        crew->stopped = true;
}

struct crew *crew_free(struct crew *crew) {
        if (!crew)
                return NULL;

        crew_stop(crew);
        for (unsigned i = 0; i < crew->n_workers; i++)
                if (!crew->workers[i]->started)
                        mailbox_detach(crew->workers[i]->mailbox);
        for (unsigned i = 0; i < crew->n_workers; i++)
                worker_free(crew->workers[i]);
        crew->on_news = NULL;
        if (crew->mailbox)
                mailbox_run(crew->mailbox);
        mailbox_free(crew->mailbox);
        op_free(crew->prepared);
        free(crew);
        return NULL;
}

int crew_fd(const struct crew *crew) {
        return mailbox_fd(crew->mailbox);
}

void crew_dispatch(struct crew *crew) {
        mailbox_run(crew->mailbox);
}

static int op_new_prepare(struct op **ret, struct crew *crew, const struct crew_adoption *a) {
        _cleanup_(op_freep) struct op *op = NULL;
        int r;

        r = op_new(&op, crew, OP_PREPARE);
        if (r < 0)
                return r;
        op->upstream = upstream_ref(a->next);
        op->n_listens = a->n_listens;
        op->listens = calloc(a->n_listens + 1, sizeof(*op->listens));
        if (!op->listens)
                return -ENOMEM;
        if (a->n_listens > 0)
                memcpy(op->listens, a->listens, a->n_listens * sizeof(*op->listens));

        *ret = take_ptr(op);
        return 0;
}

int crew_prepare(struct crew *crew, const struct crew_adoption *a, crew_done_fn done, void *arg) {
        struct op *op;
        int r;

        assert(!crew->prepared);
        r = op_new_prepare(&op, crew, a);
        if (r < 0)
                return r;
        op->done = done;
        op->arg = arg;
        op_post(crew, op);
        return 0;
}

void crew_commit(struct crew *crew, crew_done_fn done, void *arg) {
        struct op *op = take_ptr(crew->prepared);

        assert(op);
        op->done = done;
        op->arg = arg;
        op_next(crew, op, OP_COMMIT);
}

int crew_adopt(struct crew *crew,
               struct upstream *next,
               const struct crew_listen *listens,
               size_t n_listens,
               crew_done_fn done,
               void *arg) {
        const struct crew_adoption a = { next, listens, n_listens };
        struct op *op;
        int r;

        r = op_new_prepare(&op, crew, &a);
        if (r < 0)
                return r;
        op->commits = true;
        op->done = done;
        op->arg = arg;
        op_post(crew, op);
        return 0;
}

int crew_drain(struct crew *crew,
               enum crew_drain what,
               uint64_t until_ms,
               crew_done_fn done,
               void *arg) {
        struct op *op;
        int r;

        r = op_new(&op, crew, OP_DRAIN);
        if (r < 0)
                return r;
        op->drain = what;
        op->until_ms = until_ms;
        op->done = done;
        op->arg = arg;
        op_post(crew, op);
        return 0;
}

int crew_survey(struct crew *crew, struct survey_query *q, crew_survey_fn done, void *arg) {
        _cleanup_(op_freep) struct op *op = NULL;
        struct survey_query query = *q;

        *q = (struct survey_query){ 0 };
        if (op_new(&op, crew, OP_SURVEY) < 0) {
                survey_query_done(&query);
                return -ENOMEM;
        }
        op->query = query;
        op->survey_done = done;
        op->arg = arg;
        op->surveys = calloc(crew->n_running, sizeof(*op->surveys));
        if (!op->surveys)
                return -ENOMEM;
        op_post(crew, take_ptr(op));
        return 0;
}

void crew_wake(struct crew *crew) {
        for (unsigned i = 0; i < crew->n_running; i++)
                if (atomic_load(&crew->workers[i]->counters.n_waiting) > 0)
                        worker_wake(crew->workers[i]);
}

void crew_mind(struct crew *crew) {
        struct op *op;
        int r;

        r = op_new(&op, crew, OP_MIND);
        if (r < 0)
                log_error(internal_error, "no memory to look after sessions", F_ERR(r));
        else
                op_post(crew, op);
}

int crew_ping(struct crew *crew, crew_done_fn done, void *arg) {
        struct op *op;
        int r;

        r = op_new(&op, crew, OP_PING);
        if (r < 0)
                return r;
        op->done = done;
        op->arg = arg;
        op_post(crew, op);
        return 0;
}

void crew_give(struct crew *crew, struct upstream *u, size_t frontend, int fd) {
        struct accepted a = { .upstream = u, .frontend = frontend, .fd = fd };
        socklen_t len = sizeof(a.peer);

        if (getpeername(fd, &a.peer.sa, &len) < 0)
                a.peer.sa.sa_family = AF_UNSPEC; /* gone already; the session will find out */
        gate_add(&crew->descriptors);
        accepted_give(worker_idlest(crew->workers[0]), &a);
}

/* Workers go on while this reads. What has ended is read before what has begun, and what lives is
 * the difference, so the sum is right at any moment. */
void crew_sum(const struct crew *crew, struct crew_totals *ret) {
        uint64_t closed = 0;

        *ret = (struct crew_totals){ 0 };
        for (unsigned i = 0; i < crew->n_workers; i++) {
                const struct worker_counters *c = &crew->workers[i]->counters;

                for (size_t r = 0; r < CLOSE_REASONS; r++)
                        ret->closed[r] += atomic_load_explicit(&c->closed[r], memory_order_acquire);
                ret->opened += atomic_load_explicit(&c->opened, memory_order_relaxed);
                ret->accept_pauses += atomic_load_explicit(&c->accept_pauses, memory_order_relaxed);
        }
        for (size_t r = 0; r < CLOSE_REASONS; r++)
                closed += ret->closed[r];
        ret->sessions_now = (uint32_t)(ret->opened - closed);
}
