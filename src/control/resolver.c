/* SPDX-License-Identifier: MIT */
/*
 * A few threads and the control thread share a desk: questions and answers under one lock, a
 * condition for new questions, an eventfd for new answers. The desk outlives whoever leaves first,
 * so ending does not wait for a name server that is silent.
 *
 * A question that nobody wants any more leaves the queue at once. A thread may be at work on it,
 * which cannot be interrupted; then the thread drops it afterwards, or gives the answer to the next
 * question for the same name. So behind a silent name server the desk holds as many questions as
 * there are names in use, and one for each thread.
 */

#include "control/resolver.h"

#include <netdb.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/list.h"

#define STACK   ((size_t)256 * 1024) /* getaddrinfo and the modules of nsswitch.conf(5) */
#define THREADS 4                    /* a name server that is silent holds up one question each */

struct resolver_question { /* becomes the answer */
        struct link link;
        bool under_way, dropped; /* dropped: only while it is under way */
        int error;
        size_t n_addrs;
        struct addr *addrs; /* owned; NULL: none yet */
        char host[];
};

struct desk {
        pthread_mutex_t lock;
        pthread_cond_t asked;
        struct link questions, under_way, answers; /* of struct resolver_question; owned */
        unsigned refs;
        bool over;
        int event_fd;
};

struct resolver {
        struct desk *desk;
        sd_event_source *source;
        resolver_fn fn;
        void *userdata;
};

static struct resolver_question *question_free(struct resolver_question *q) {
        link_remove(&q->link);
        free(q->addrs);
        free(q);
        return NULL;
}

static void questions_free(struct link *list) {
        while (!link_idle(list))
                question_free(container_of(list->next, struct resolver_question, link));
}

/* Under the lock, which is gone afterwards. */
static void desk_leave(struct desk *desk) {
        bool last = --desk->refs == 0;

        pthread_mutex_unlock(&desk->lock);
        if (!last)
                return;
        questions_free(&desk->questions);
        questions_free(&desk->answers);
        pthread_cond_destroy(&desk->asked);
        pthread_mutex_destroy(&desk->lock);
        fd_close(desk->event_fd);
        free(desk);
}

static int by_bytes(const void *a, const void *b) {
        const struct addr *x = a, *y = b;

        if (x->sa.sa_family != y->sa.sa_family)
                return x->sa.sa_family == AF_INET ? -1 : 1;
        if (x->sa.sa_family == AF_INET)
                return memcmp(&x->in4.sin_addr, &y->in4.sin_addr, sizeof(x->in4.sin_addr));
        return memcmp(&x->in6.sin6_addr, &y->in6.sin6_addr, sizeof(x->in6.sin6_addr));
}

/* Sorted, each once. Of too many the first in this order, so that a name server that answers in
 * another order each time says the same. */
static size_t addrs_tidy(struct addr *all, size_t n) {
        size_t kept = 0;

        qsort(all, n, sizeof(all[0]), by_bytes);
        for (size_t i = 0; i < n && kept < RESOLVER_ADDRS_MAX; i++)
                if (kept == 0 || !addr_equal(&all[kept - 1], &all[i]))
                        all[kept++] = all[i];
        return kept;
}

static void question_keep(struct resolver_question *q, const struct addrinfo *found) {
        size_t n = 0, most = 0;

        for (const struct addrinfo *a = found; a; a = a->ai_next)
                most++;
        q->addrs = calloc(most + 1, sizeof(*q->addrs));
        if (!q->addrs) {
                q->error = EAI_MEMORY;
                return;
        }
        for (const struct addrinfo *a = found; a; a = a->ai_next)
                if (addr_of(&q->addrs[n], a->ai_addr, a->ai_addrlen) == 0)
                        n++;
        q->n_addrs = addrs_tidy(q->addrs, n);
        if (q->n_addrs == 0)
                q->error = EAI_NONAME;
}

static void question_answer(struct resolver_question *q) {
        const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
        struct addrinfo *found = NULL;

        q->error = getaddrinfo(q->host, NULL, &hints, &found);
        if (q->error != 0)
                return;
        question_keep(q, found);
        freeaddrinfo(found);
}

/* The thread is through with q. Under the lock. */
static void desk_take_answer(struct desk *desk, struct resolver_question *q) {
        uint64_t one = 1;

        link_remove(&q->link);
        q->under_way = false;
        if (q->dropped) {
                question_free(q);
                return;
        }
        link_before(&desk->answers, &q->link);
        if (write(desk->event_fd, &one, sizeof(one)) < 0)
                return; /* the counter is full: the reader has been told */
}

static void *resolver_main(void *arg) {
        struct desk *desk = arg;

        pthread_setname_np(pthread_self(), "bal-dns");
        pthread_mutex_lock(&desk->lock);
        while (!desk->over) {
                struct resolver_question *q;

                if (link_idle(&desk->questions)) {
                        pthread_cond_wait(&desk->asked, &desk->lock);
                        continue;
                }
                q = container_of(desk->questions.next, struct resolver_question, link);
                link_remove(&q->link);
                link_before(&desk->under_way, &q->link);
                q->under_way = true;
                pthread_mutex_unlock(&desk->lock);

                question_answer(q);

                pthread_mutex_lock(&desk->lock);
                desk_take_answer(desk, q);
        }
        desk_leave(desk);
        return NULL;
}

static int resolver_on_answers(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        struct resolver *r = userdata;
        struct link todo;
        uint64_t count;

        (void)source;
        (void)events;
        link_init(&todo);
        if (read(fd, &count, sizeof(count)) < 0)
                return 0;

        pthread_mutex_lock(&r->desk->lock);
        if (!link_idle(&r->desk->answers)) {
                link_after(&r->desk->answers, &todo);
                link_remove(&r->desk->answers);
        }
        pthread_mutex_unlock(&r->desk->lock);

        while (!link_idle(&todo)) { /* the function may drop any other one of them */
                struct resolver_question *q =
                        container_of(todo.next, struct resolver_question, link);

                link_remove(&q->link);
                r->fn(&(struct resolver_answer){ q->host, q->error, q->addrs, q->n_addrs },
                      r->userdata);
                question_free(q);
        }
        return 0;
}

static int desk_new(struct desk **ret) {
        struct desk *desk = calloc(1, sizeof(*desk));
        int r;

        if (!desk)
                return -ENOMEM;
        link_init(&desk->questions);
        link_init(&desk->under_way);
        link_init(&desk->answers);
        desk->refs = 1;
        desk->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (desk->event_fd < 0) {
                r = -errno;
                free(desk);
                return r;
        }
        pthread_mutex_init(&desk->lock, NULL);
        pthread_cond_init(&desk->asked, NULL);
        *ret = desk;
        return 0;
}

static int desk_start(struct desk *desk) {
        pthread_attr_t attr;
        pthread_t thread;
        int r;

        pthread_attr_init(&attr);
        pthread_attr_setstacksize(&attr, STACK);
        pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
        pthread_mutex_lock(&desk->lock); /* other threads may run already */
        r = -pthread_create(&thread, &attr, resolver_main, desk);
        if (r == 0)
                desk->refs++;
        pthread_mutex_unlock(&desk->lock);
        pthread_attr_destroy(&attr);
        return r;
}

int resolver_new(struct resolver **ret, sd_event *event, resolver_fn fn, void *userdata) {
        _cleanup_(resolver_freep) struct resolver *resolver = calloc(1, sizeof(*resolver));
        int r;

        if (!resolver)
                return -ENOMEM;
        resolver->fn = fn;
        resolver->userdata = userdata;

        r = desk_new(&resolver->desk);
        if (r < 0)
                return r;
        r = sd_event_add_io(event, &resolver->source, resolver->desk->event_fd, EPOLLIN,
                            resolver_on_answers, resolver);
        if (r < 0)
                return r;
        for (int i = 0; i < THREADS; i++) {
                r = desk_start(resolver->desk);
                if (r < 0 && i == 0)
                        return r; /* fewer than four will do */
        }
        *ret = take_ptr(resolver);
        return 0;
}

struct resolver *resolver_free(struct resolver *r) {
        if (!r)
                return NULL;

        sd_event_source_disable_unref(r->source);
        if (r->desk) {
                pthread_mutex_lock(&r->desk->lock);
                r->desk->over = true;
                pthread_cond_broadcast(&r->desk->asked);
                desk_leave(r->desk);
        }
        free(r);
        return NULL;
}

static struct resolver_question *question_new(const char *host) {
        size_t n = strlen(host) + 1;
        struct resolver_question *q = malloc(sizeof(*q) + n);

        if (!q)
                return NULL;
        *q = (struct resolver_question){ .error = 0 };
        link_init(&q->link);
        memcpy(q->host, host, n);
        return q;
}

/* A thread asks for this name already, for somebody who does not want to know any more. NULL: none
 * does. Under the lock. */
static struct resolver_question *question_take_up(struct desk *desk, const char *host) {
        list_for_each(l, &desk->under_way) {
                struct resolver_question *q = container_of(l, struct resolver_question, link);

                if (q->dropped && strcmp(q->host, host) == 0) {
                        q->dropped = false;
                        return q;
                }
        }
        return NULL;
}

int resolver_ask(struct resolver_question **ret, struct resolver *r, const char *host) {
        struct desk *desk = r->desk;
        struct resolver_question *q;

        pthread_mutex_lock(&desk->lock);
        q = question_take_up(desk, host);
        if (!q) {
                q = question_new(host);
                if (q)
                        link_before(&desk->questions, &q->link);
                pthread_cond_signal(&desk->asked);
        }
        pthread_mutex_unlock(&desk->lock);
        if (!q)
                return -ENOMEM;
        *ret = q;
        return 0;
}

struct resolver_question *resolver_drop(struct resolver *r, struct resolver_question *q) {
        if (!q)
                return NULL;

        pthread_mutex_lock(&r->desk->lock);
        if (q->under_way)
                q->dropped = true;
        else
                question_free(q);
        pthread_mutex_unlock(&r->desk->lock);
        return NULL;
}
