/* SPDX-License-Identifier: MIT */
/*
 * What checking costs: `health [BACKENDS] [SECONDS] [tcp|http|dead]`, 4096 for 10 s by default,
 * each checked once a second. Prints the CPU time of the checking thread, with the kernel's on its
 * behalf, in per cent of one core. The backends are listening sockets of this process on addresses
 * of the loopback, served by another thread. It asserts nothing. Build with -Dbuildtype=release.
 */
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/str.h"
#include "health/health.h"

#define PER_ADDRESS 250
#define WARM_UP_MS  3000 /* the first rounds are not spread yet */
#define ANSWER      "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

static uint64_t cpu_us(void) {
        struct rusage u;

        getrusage(RUSAGE_THREAD, &u);
        return (uint64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000 +
               (uint64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

/* ---- the backends ---- */

struct backends {
        int epoll_fd;
        bool http;
};

static int backend_open(const struct backends *b, struct addr *a) {
        struct epoll_event event = { .events = EPOLLIN };
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        if (fd < 0 || bind(fd, &a->sa, a->len) < 0 || getsockname(fd, &a->sa, &a->len) < 0 ||
            listen(fd, 64) < 0)
                return -errno;
        event.data.fd = fd;
        return epoll_ctl(b->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

/* A request may not be there yet: the few microseconds are waited for. */
static void backend_serve(const struct backends *b, int listening) {
        struct pollfd wait = { .events = POLLIN };
        char buf[2048];

        while ((wait.fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
                if (b->http && poll(&wait, 1, 100) > 0 && recv(wait.fd, buf, sizeof(buf), 0) > 0)
                        send(wait.fd, ANSWER, sizeof(ANSWER) - 1, MSG_NOSIGNAL);
                close(wait.fd);
        }
}

static void *backends_run(void *arg) {
        const struct backends *b = arg;
        struct epoll_event events[64];

        for (;;) {
                int n = epoll_wait(b->epoll_fd, events, ELEMENTS(events), -1);

                for (int i = 0; i < n; i++)
                        backend_serve(b, events[i].data.fd);
        }
        return NULL;
}

/* ---- the checks ---- */

/* One pool of n. dead: nobody listens, so each check is refused. NULL: says why on stderr. */
static struct upstream *generation(const struct backends *b, unsigned n, bool dead) {
        _cleanup_(str_freep) char *text = malloc(64 * n + 512);
        struct config *config = NULL;
        struct upstream *u = NULL;
        struct diags diags;
        size_t at;
        int r = 0;

        if (!text)
                return NULL;
        at = (size_t)sprintf(
                text,
                "port: 65535\nhealth_check: { type: %s, interval: 1s, timeout: 500ms }\n"
                "backends:\n",
                b->http ? "http" : "tcp");
        for (unsigned i = 0; i < n && r == 0; i++) {
                char where[ADDR_TEXT_MAX];
                struct addr a;

                snprintf(where, sizeof(where), "127.0.%u.1:%u", 1 + i / PER_ADDRESS,
                         dead ? 1 + i % PER_ADDRESS : 0);
                addr_parse(&a, where);
                r = dead ? 0 : backend_open(b, &a);
                at += (size_t)sprintf(text + at, "  - { host: 127.0.%u.1, port: %u }\n",
                                      1 + i / PER_ADDRESS, addr_port(&a));
        }

        diags_init(&diags);
        if (r < 0 || config_load_text(&config, "bench", text, at, &diags) < 0 ||
            upstream_new(&u, config, NULL, NULL, 1) < 0)
                fprintf(stderr, "health: no %u backends: %s\n", n, r < 0 ? strerror(-r) : "file");
        diags_done(&diags);
        config_unref(config);
        return u;
}

static void on_went_down(struct endpoint *e, const struct config_pool *pool, void *userdata) {
        (void)e;
        (void)pool;
        (void)userdata;
}

static void on_failed(const char *host, void *userdata) {
        (void)host;
        (void)userdata;
}

static uint64_t n_checks(const struct upstream *u) {
        uint64_t n = 0;

        for (size_t i = 0; i < u->pools[0].n_endpoints; i++) {
                struct health_report r;

                health_endpoint_report(u->pools[0].endpoints[i].endpoint, &r);
                n += r.passed + r.failed;
        }
        return n;
}

static unsigned run_for(struct health *h, uint64_t ms) {
        struct pollfd p = { .fd = health_fd(h), .events = POLLIN };
        unsigned turns = 0;

        for (uint64_t end = clock_mono_ms() + ms; clock_mono_ms() < end; turns++) {
                uint64_t next_ms = health_next_ms(h);

                poll(&p, 1, next_ms < 100 ? (int)next_ms : 100);
                health_run(h);
        }
        return turns;
}

static void measure(struct health *h, const struct upstream *u, unsigned n, unsigned seconds) {
        uint64_t first_us, cpu, checks;
        unsigned turns;

        first_us = cpu_us();
        run_for(h, WARM_UP_MS);
        first_us = cpu_us() - first_us;
        checks = n_checks(u);
        cpu = cpu_us();
        turns = run_for(h, seconds * UINT64_C(1000));
        cpu = cpu_us() - cpu;
        checks = n_checks(u) - checks;
        printf("%u backends: %.0f checks/s, %.1f %% of a core, %.1f us a check, %u turns/s "
               "(first %d s: %.1f %%)\n",
               n, (double)checks / seconds, (double)cpu / seconds / 1e4,
               checks > 0 ? (double)cpu / (double)checks : 0, turns / seconds, WARM_UP_MS / 1000,
               (double)first_us / WARM_UP_MS / 10);
}

int main(int argc, char **argv) {
        static const struct health_hooks hooks = { .went_down = on_went_down, .failed = on_failed };
        unsigned n = argc > 1 ? (unsigned)atoi(argv[1]) : 4096;
        unsigned seconds = argc > 2 ? (unsigned)atoi(argv[2]) : 10;
        const char *kind = argc > 3 ? argv[3] : "tcp";
        struct backends b = { epoll_create1(EPOLL_CLOEXEC), strcmp(kind, "http") == 0 };
        _cleanup_(upstream_unrefp) struct upstream *u = NULL;
        _cleanup_(health_freep) struct health *h = NULL;
        struct rlimit limit;
        pthread_t thread;

        getrlimit(RLIMIT_NOFILE, &limit);
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
        if (n == 0 || seconds == 0) {
                fprintf(stderr, "usage: health [BACKENDS] [SECONDS] [tcp|http|dead]\n");
                return 2;
        }
        u = generation(&b, n, strcmp(kind, "dead") == 0);
        if (!u || health_new(&h, &hooks, NULL) < 0 || health_adopt(h, u) < 0 ||
            pthread_create(&thread, NULL, backends_run, &b) != 0)
                return 1;
        measure(h, u, n, seconds);
        return 0;
}
