/* SPDX-License-Identifier: MIT */
/*
 * Every connection to a backend takes a source port of this machine, and there are some 28000 for
 * each backend address. Where all sockets together are far fewer, none is counted.
 */

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/doctor/exam.h"
#include "cli/doctor/ports.h"
#include "cli/doctor/proc.h"
#include "cli/lookup.h"
#include "core/clock.h"

#define WARN_PERCENT     80
#define CRITICAL_PERCENT 95
#define READ_MS          800 /* what could not be read by then is not counted */

/* ---- counting: pure ---- */

static int by_addr(const void *a, const void *b) {
        const struct port_use *x = a, *y = b;
        uint64_t h = addr_hash(&x->addr), k = addr_hash(&y->addr);

        return h < k ? -1 : h > k;
}

size_t ports_prepare(struct port_use *uses, size_t n) {
        size_t kept = 0;

        qsort(uses, n, sizeof(*uses), by_addr);
        for (size_t i = 0; i < n; i++) {
                if (kept > 0 && by_addr(&uses[kept - 1], &uses[i]) == 0)
                        continue;
                uses[kept++] = (struct port_use){ .addr = uses[i].addr };
        }
        return kept;
}

void ports_count(struct port_use *uses, size_t n, const char *line, unsigned first, unsigned last) {
        struct port_use key = { .used = 0 }, *use;
        uint16_t port;

        if (!proc_connection(&port, &key.addr, line) || port < first || port > last)
                return;
        use = bsearch(&key, uses, n, sizeof(*uses), by_addr);
        if (use)
                use->used++;
}

void ports_judge(struct finding *f, const struct port_use *uses, size_t n, unsigned range) {
        const struct port_use *most = NULL;
        char text[ADDR_TEXT_MAX];
        unsigned percent;

        for (size_t i = 0; i < n; i++)
                if (!most || uses[i].used > most->used)
                        most = &uses[i];
        if (!most) {
                finding_ok(f, "no backend needs a source port");
                return;
        }
        addr_text(&most->addr, text);
        percent = proc_percent(most->used, range);
        finding_ok(f, "%zu of %u source ports to %s in use (%u %%)", most->used, range, text,
                   percent);
        words_set(&f->perf, "ports=%zu;%u;%u;0;%u", most->used, range / 100 * WARN_PERCENT,
                  range / 100 * CRITICAL_PERCENT, range);
        if (percent < WARN_PERCENT)
                return;
        f->level = percent < CRITICAL_PERCENT ? LEVEL_WARN : LEVEL_CRITICAL;
        words_set(&f->what_happened, "when the last port is taken, no more connects to %s succeed",
                  text);
        words_set(&f->why_likely, "many connections at a time, or many short ones: each keeps its "
                                  "port for a minute after its end (TIME_WAIT)");
        words_set(&f->do_this_now, "sysctl net.ipv4.ip_local_port_range='1024 65535' "
                                   "net.ipv4.tcp_tw_reuse=1; or more addresses per backend");
}

/* ---- this machine ---- */

static int add_name(struct lookup *l, const struct config_endpoint *e) {
        return lookup_add(l, e->host, e->port, 0);
}

/* The addresses of names are asked for only here, where there are many sockets: for at most as long
 * as a probe. */
static size_t add_names(struct port_use *uses, size_t n, size_t size, const struct config *c) {
        uint64_t end = clock_mono_ms() + 500;
        struct lookup_name name;
        struct lookup *l;
        size_t left = 0;

        if (lookup_new(&l) < 0)
                return n;
        for (size_t i = 0; i < c->n_pools; i++)
                for (size_t k = 0; k < c->pools[i].n_endpoints; k++)
                        if (c->pools[i].endpoints[k].host &&
                            add_name(l, &c->pools[i].endpoints[k]) == 0)
                                left++;
        if (left == 0 || lookup_start(l) < 0)
                return n;
        while (left > 0 && clock_mono_ms() < end) {
                if (!lookup_take(l, &name)) {
                        usleep(2000);
                        continue;
                }
                left--;
                for (size_t i = 0; i < name.n_addrs && n < size; i++)
                        uses[n++].addr = name.addrs[i];
        }
        return n; /* threads that still wait end with this process */
}

static int collect(struct port_use **ret, size_t *ret_n, const struct config *c) {
        size_t size = (config_backends(c) + 1) * LOOKUP_ADDRS_MAX, n = 0;
        struct port_use *uses = calloc(size, sizeof(*uses));

        if (!uses)
                return -ENOMEM;
        for (size_t i = 0; i < c->n_pools; i++) {
                for (size_t k = 0; k < c->pools[i].n_endpoints; k++) {
                        const struct config_endpoint *e = &c->pools[i].endpoints[k];

                        if (!e->host && e->addr.sa.sa_family != AF_UNIX)
                                uses[n++].addr = e->addr;
                }
        }
        n = add_names(uses, n, size, c);
        *ret = uses;
        *ret_n = ports_prepare(uses, n);
        return 0;
}

static void count(struct port_use *uses,
                  size_t n,
                  const char *path,
                  unsigned first,
                  unsigned last) {
        uint64_t end = clock_mono_ms() + READ_MS;
        FILE *file = fopen(path, "re");
        char *line = NULL;
        size_t size = 0;

        while (file && getline(&line, &size, file) > 0 && clock_mono_ms() < end)
                ports_count(uses, n, line, first, last);
        free(line);
        if (file)
                fclose(file);
}

int check_ports(struct exam *x, struct finding *f) {
        const struct config *c = exam_config_or_skip(x, f);
        unsigned first = 0, last = 0, range;
        struct port_use *uses;
        uint64_t sockets;
        char text[4096];
        size_t n;
        int r;

        if (!c)
                return 0;
        if (proc_read("/proc/sys/net/ipv4/ip_local_port_range", text, sizeof(text)) < 0 ||
            !proc_port_range(&first, &last, text)) {
                finding_ok(f, "not known: ip_local_port_range cannot be read");
                return 0;
        }
        range = last - first + 1;
        if (proc_read("/proc/net/sockstat", text, sizeof(text)) > 0 &&
            proc_sockets(&sockets, text) && proc_percent(sockets, range) < WARN_PERCENT) {
                finding_ok(f, "%u source ports for each backend address; %llu sockets in all",
                           range, (unsigned long long)sockets);
                return 0;
        }
        r = collect(&uses, &n, c);
        if (r < 0)
                return r;
        count(uses, n, "/proc/net/tcp", first, last);
        count(uses, n, "/proc/net/tcp6", first, last);
        ports_judge(f, uses, n, range);
        return 0;
}
