/* SPDX-License-Identifier: MIT */
/* The names of the file, all asked for at once: which have no address, which are slow? */

#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/doctor/exam.h"
#include "cli/doctor/proc.h"
#include "cli/lookup.h"
#include "core/clock.h"

#define LIMIT_MS 1000
#define SLOW_MS  500
#define TOLD_MAX 5

enum verdict { WAITING, GOOD, SLOW, FAILED };

struct name {
        const char *host; /* borrowed */
        enum verdict verdict;
        int error;
        uint32_t ms;
};

struct names {
        struct name *all;
        size_t n;
        size_t of[FAILED + 1];
};

static int by_host(const void *a, const void *b) {
        const struct name *x = a, *y = b;

        return strcmp(x->host, y->host);
}

/* Each name once, however many backends it stands for. */
static int collect(struct names *names, const struct exam *x, const struct config *c) {
        size_t n = 0;

        names->all = calloc(config_backends(c) + 1, sizeof(*names->all));
        if (!names->all)
                return -ENOMEM;
        for (size_t i = 0; i < c->n_pools; i++) {
                for (size_t k = 0; k < c->pools[i].n_endpoints; k++) {
                        const struct config_endpoint *e = &c->pools[i].endpoints[k];

                        if (e->host && (!x->backend || strcmp(e->name, x->backend) == 0))
                                names->all[n++].host = e->host;
                }
        }
        qsort(names->all, n, sizeof(*names->all), by_host);
        for (size_t i = 0; i < n; i++) {
                if (i == 0 || strcmp(names->all[i].host, names->all[names->n - 1].host) != 0)
                        names->all[names->n++] = names->all[i];
        }
        return 0;
}

static void take(struct names *names, struct lookup *l, size_t *left) {
        struct lookup_name done;

        while (lookup_take(l, &done)) {
                struct name *name = &names->all[done.tag];

                name->ms = done.ms;
                name->error = done.error;
                name->verdict = done.n_addrs == 0 ? FAILED : done.ms > SLOW_MS ? SLOW : GOOD;
                --*left;
        }
}

static int ask_all(struct names *names) {
        uint64_t end = clock_mono_ms() + LIMIT_MS, now;
        size_t left = names->n;
        struct lookup *l;
        int r;

        r = lookup_new(&l);
        for (size_t i = 0; i < names->n && r == 0; i++)
                r = lookup_add(l, names->all[i].host, 0, i);
        if (r == 0)
                r = lookup_start(l);
        if (r < 0)
                return r;
        while (left > 0 && (now = clock_mono_ms()) < end) {
                struct pollfd p = { .fd = lookup_fd(l), .events = POLLIN };

                if (poll(&p, 1, (int)(end - now)) > 0)
                        take(names, l, &left);
        }
        return 0; /* the threads that still wait end with this process */
}

/* Failed ones first, then those without an answer, then slow ones. */
static void tell(struct names *names, struct finding *f) {
        static const enum verdict order[] = { FAILED, WAITING, SLOW };
        size_t told = 0, all = names->of[FAILED] + names->of[WAITING] + names->of[SLOW];

        for (size_t v = 0; v < ELEMENTS(order); v++) {
                for (size_t i = 0; i < names->n && told < TOLD_MAX; i++) {
                        const struct name *name = &names->all[i];

                        if (name->verdict != order[v])
                                continue;
                        told++;
                        if (name->verdict == SLOW)
                                words_append(&f->what_happened, "%s took %u ms", name->host,
                                             name->ms);
                        else if (name->verdict == WAITING)
                                words_append(&f->what_happened, "%s: no answer within %d ms",
                                             name->host, LIMIT_MS);
                        else
                                words_append(&f->what_happened, "%s: %s", name->host,
                                             name->error ? gai_strerror(name->error)
                                                         : "no usable address");
                }
        }
        if (all > told)
                words_append(&f->what_happened, "and %zu more", all - told);
}

/* "10.0.0.2, 10.0.0.3": the first of /etc/resolv.conf. */
static void name_servers(char *buf, size_t size) {
        char text[4096], server[64];
        size_t used = 0;

        buf[0] = '\0';
        if (proc_read("/etc/resolv.conf", text, sizeof(text)) < 0)
                return;
        for (char *line = text, *next; line && used + sizeof(server) < size; line = next) {
                next = strchr(line, '\n');
                if (next)
                        *next++ = '\0';
                if (sscanf(line, " nameserver %60s", server) == 1)
                        used += (size_t)snprintf(buf + used, size - used, "%s%s", used ? ", " : "",
                                                 server);
        }
}

static bool any_error(const struct names *names, int error) {
        for (size_t i = 0; i < names->n; i++)
                if (names->all[i].verdict == FAILED && names->all[i].error == error)
                        return true;
        return false;
}

static void explain(const struct names *names, struct finding *f) {
        char servers[256];

        name_servers(servers, sizeof(servers));
        if (!*servers)
                words_set(&f->why_likely, "/etc/resolv.conf names no server");
        else if (names->of[WAITING] > 0 || any_error(names, EAI_AGAIN))
                words_set(&f->why_likely, "a name server does not answer: %s", servers);
        else if (names->of[FAILED] > 0)
                words_set(&f->why_likely,
                          "a typing error in the name, or it is not in the DNS yet");
        else
                words_set(&f->why_likely, "a name server is far away or overloaded: %s", servers);
        for (size_t i = 0; i < names->n; i++) {
                if (names->all[i].verdict == GOOD ||
                    (names->of[FAILED] > 0 && names->all[i].verdict != FAILED))
                        continue;
                words_set(&f->do_this_now, "getent ahosts %s; cat /etc/resolv.conf",
                          names->all[i].host);
                break;
        }
        if (names->of[FAILED] == 0)
                words_append(&f->do_this_now, "or use IP addresses");
}

int check_dns(struct exam *x, struct finding *f) {
        const struct config *c = exam_config_or_skip(x, f);
        struct names names = { .n = 0 };
        uint32_t slowest = 0;
        size_t failed;
        int r;

        if (!c)
                return 0;
        r = collect(&names, x, c);
        if (r < 0)
                return r;
        if (names.n == 0) {
                finding_ok(f, "the file has no names to look up");
                return 0;
        }
        r = ask_all(&names);
        if (r < 0)
                return r;
        for (size_t i = 0; i < names.n; i++) {
                names.of[names.all[i].verdict]++;
                if (names.all[i].ms > slowest)
                        slowest = names.all[i].ms;
        }
        failed = names.of[FAILED] + names.of[WAITING];
        if (failed > 0)
                finding_warn(f, "%zu of %zu name%s without an address", failed, names.n,
                             names.n == 1 ? "" : "s");
        else if (names.of[SLOW] > 0)
                finding_warn(f, "%zu of %zu name%s slow", names.of[SLOW], names.n,
                             names.n == 1 ? "" : "s");
        else
                finding_ok(f, "%zu name%s found, the slowest in %u ms", names.n,
                           names.n == 1 ? "" : "s", slowest);
        if (f->level == LEVEL_OK)
                return 0;
        tell(&names, f);
        explain(&names, f);
        return 0;
}
