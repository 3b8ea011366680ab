/* SPDX-License-Identifier: MIT */

#include "cli/lookup.h"

#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/clock.h"

#define LOOKUP_THREADS_MAX 32

struct lookup {
        pthread_mutex_t lock;
        unsigned refs;             /* the caller's and one per thread */
        int event_fd;              /* owned */
        struct lookup_name *names; /* owned */
        size_t *done;              /* indexes of names, in the order in which they were finished */
        size_t n, size, next, n_done, taken;
};

int lookup_new(struct lookup **ret) {
        struct lookup *l = malloc(sizeof(*l));

        if (!l)
                return -ENOMEM;
        *l = (struct lookup){ .refs = 1, .event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) };
        if (l->event_fd < 0) {
                int r = -errno;

                free(l);
                return r;
        }
        pthread_mutex_init(&l->lock, NULL);
        *ret = l;
        return 0;
}

struct lookup *lookup_unref(struct lookup *l) {
        bool last;

        if (!l)
                return NULL;
        pthread_mutex_lock(&l->lock);
        last = --l->refs == 0;
        pthread_mutex_unlock(&l->lock);
        if (!last)
                return NULL;

        for (size_t i = 0; i < l->n; i++)
                free(l->names[i].host);
        free(l->names);
        free(l->done);
        fd_close(l->event_fd);
        pthread_mutex_destroy(&l->lock);
        free(l);
        return NULL;
}

int lookup_add(struct lookup *l, const char *host, uint16_t port, size_t tag) {
        if (l->n == l->size) {
                size_t size = l->size ? 2 * l->size : 16;
                struct lookup_name *names = reallocarray(l->names, size, sizeof(*names));

                if (!names)
                        return -ENOMEM;
                l->names = names;
                l->size = size;
        }
        l->names[l->n] = (struct lookup_name){ .host = strdup(host), .port = port, .tag = tag };
        if (!l->names[l->n].host)
                return -ENOMEM;
        l->n++;
        return 0;
}

/* Fills the addresses; the name is this thread's until it is put among the done ones. */
static void resolve(struct lookup_name *name) {
        struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV };
        struct addrinfo *list = NULL;
        uint64_t start = clock_mono_ms();
        char port[8];

        snprintf(port, sizeof(port), "%u", name->port);
        name->error = getaddrinfo(name->host, port, &hints, &list);
        name->ms = (uint32_t)(clock_mono_ms() - start);
        if (name->error != 0)
                return;
        for (struct addrinfo *a = list; a && name->n_addrs < LOOKUP_ADDRS_MAX; a = a->ai_next) {
                if (addr_of(&name->addrs[name->n_addrs], a->ai_addr, a->ai_addrlen) == 0)
                        name->n_addrs++;
        }
        freeaddrinfo(list);
}

static void *lookup_thread(void *userdata) {
        struct lookup *l = userdata;

        pthread_mutex_lock(&l->lock);
        while (l->next < l->n) {
                size_t i = l->next++;
                uint64_t one = 1;

                pthread_mutex_unlock(&l->lock);
                resolve(&l->names[i]);
                pthread_mutex_lock(&l->lock);
                l->done[l->n_done++] = i;
                if (write(l->event_fd, &one, sizeof(one)) < 0)
                        continue; /* full is as good: it is readable */
        }
        pthread_mutex_unlock(&l->lock);
        lookup_unref(l);
        return NULL;
}

int lookup_start(struct lookup *l) {
        size_t threads = l->n < LOOKUP_THREADS_MAX ? l->n : LOOKUP_THREADS_MAX, started = 0;
        sigset_t all, before;
        int r = 0;

        if (l->n == 0)
                return 0;
        l->done = calloc(l->n, sizeof(*l->done));
        if (!l->done)
                return -ENOMEM;

        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        for (size_t i = 0; i < threads && r == 0; i++) {
                pthread_t thread;

                pthread_mutex_lock(&l->lock);
                l->refs++;
                pthread_mutex_unlock(&l->lock);
                r = -pthread_create(&thread, NULL, lookup_thread, l);
                if (r == 0) {
                        pthread_detach(thread);
                        started++;
                } else {
                        lookup_unref(l);
                }
        }
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        return started > 0 ? 0 : r;
}

int lookup_fd(const struct lookup *l) {
        return l->event_fd;
}

bool lookup_take(struct lookup *l, struct lookup_name *ret) {
        bool found;

        pthread_mutex_lock(&l->lock);
        found = l->taken < l->n_done;
        if (found) {
                *ret = l->names[l->done[l->taken++]];
        } else {
                uint64_t count;

                if (read(l->event_fd, &count, sizeof(count)) < 0)
                        found = false; /* nothing was written since: as it should be */
        }
        pthread_mutex_unlock(&l->lock);
        return found;
}
