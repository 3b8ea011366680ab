/* SPDX-License-Identifier: MIT */
/* What a pick and a timer cost, in nanoseconds: `micro`. For comparing two versions on one machine;
 * it asserts nothing. Build with -Dbuildtype=release or debugoptimized, without sanitizers. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "balance/balance.h"
#include "core/hash.h"
#include "core/str.h"
#include "net/wheel.h"
#include "upstream/upstream.h"

#define MS_EACH  200 /* per number */
#define N_MAX    4096
#define N_TIMERS 100000

static uint64_t now_ns(void) {
        struct timespec ts;

        clock_gettime(CLOCK_MONOTONIC, &ts);
        return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static double ns_per_pick(const struct balance_ops *ops, size_t n) {
        static struct candidate c[N_MAX];
        void *state = calloc(1, ops->state_size + n * ops->state_each + 1);
        uint64_t start_ns, picks = 0, sum = 0;

        if (!state)
                return 0;
        for (size_t i = 0; i < n; i++)
                c[i] = (struct candidate){ .id = hash_mix(i + 1),
                                           .weight = (uint32_t)(1 + i % 3),
                                           .active = (uint32_t)(i % 5),
                                           .usable = true };

        start_ns = now_ns();
        do
                for (unsigned i = 0; i < 64; i++)
                        sum += (uint64_t)ops->pick(state, c, n, hash_mix(++picks));
        while (now_ns() - start_ns < (uint64_t)MS_EACH * 1000000);
        free(state);
        return sum == 1 ? 0 : (double)(now_ns() - start_ns) / (double)picks;
}

/* A configuration of n backends, as a worker meets it. NULL: says why on stderr. */
static struct upstream *upstream_of(const char *method, size_t n) {
        _cleanup_(str_freep) char *text = malloc(64 * n + 256);
        struct config *config = NULL;
        struct upstream *u = NULL;
        struct diags diags;
        size_t at;

        if (!text)
                return NULL;
        at = (size_t)sprintf(text, "port: 1\nmethod: %s\nbackends:\n", method);
        for (size_t i = 0; i < n; i++)
                at += (size_t)sprintf(text + at, "  - { host: 127.0.0.1, port: %zu }\n", i + 2);

        diags_init(&diags);
        if (config_load_text(&config, "micro", text, at, &diags) < 0 ||
            upstream_new(&u, config, NULL, NULL, 1) < 0)
                fprintf(stderr, "micro: no configuration of %zu backends\n", n);
        diags_done(&diags);
        config_unref(config);
        return u;
}

/* The whole choice, with marks, cooldown and limits of every endpoint. */
static double ns_per_choice(const char *method, size_t n) {
        _cleanup_(upstream_unrefp) struct upstream *u = upstream_of(method, n);
        static struct candidate room[N_MAX];
        const struct balance_ops *ops = balance_find(method);
        void *state = calloc(1, ops->state_size + n * ops->state_each + 1);
        struct upstream_ask ask = { .state = state, .room = room, .now_ms = 1000 };
        uint64_t start_ns, picks = 0;
        struct upstream_choice choice;

        if (!u || !state) {
                free(state);
                return 0;
        }
        upstream_publish(u, 1000);
        ask.target = &u->frontends[0].targets[0];
        ask.balance = ops;
        start_ns = now_ns();
        do {
                ask.client_hash = ask.random = hash_mix(++picks);
                if (upstream_pick(&ask, &choice) == PICK_ENDPOINT)
                        upstream_release(&u->pools[0].endpoints[choice.index]);
        } while (picks % 64 > 0 || now_ns() - start_ns < (uint64_t)MS_EACH * 1000000);
        free(state);
        return (double)(now_ns() - start_ns) / (double)picks;
}

static void on_timer(struct timer *t) {
        (void)t;
}

/* As sessions use it: each timer is set anew again and again, most are never due. */
static void wheel_speed(void) {
        static struct wheel wheel;
        static struct timer timers[N_TIMERS];
        uint64_t now_ms = 1000, start_ns, sets = 0, turns = 0, ns_set, ns_turn;

        wheel_init(&wheel, now_ms);
        for (size_t i = 0; i < N_TIMERS; i++)
                timer_init(&timers[i], on_timer);

        start_ns = now_ns();
        while (now_ns() - start_ns < (uint64_t)MS_EACH * 1000000)
                for (unsigned i = 0; i < 64; i++) {
                        uint64_t r = hash_mix(++sets);

                        wheel_set(&wheel, &timers[r % N_TIMERS], now_ms + (r >> 40) % 120000);
                }
        ns_set = now_ns() - start_ns;

        start_ns = now_ns();
        for (; turns < 120000; turns++) {
                wheel_next_ms(&wheel, now_ms);
                wheel_run(&wheel, ++now_ms);
        }
        ns_turn = now_ns() - start_ns;
        printf("wheel, %d timers over 2 min: %.1f ns a set, %.1f ns a turn of 1 ms\n", N_TIMERS,
               (double)ns_set / (double)sets, (double)ns_turn / (double)turns);
}

static const char *const names[] = {
#define X(name) #name,
        BALANCE_ALGORITHMS(X)
#undef X
};

int main(void) {
        static const size_t sizes[] = { 2, 10, 200, 4096 };

        printf("%-20s", "ns a pick of");
        for (size_t i = 0; i < ELEMENTS(sizes); i++)
                printf("%10zu", sizes[i]);
        putchar('\n');
        for (size_t k = 0; k < ELEMENTS(names); k++) {
                printf("%-20s", names[k]);
                for (size_t i = 0; i < ELEMENTS(sizes); i++)
                        printf("%10.1f", ns_per_pick(balance_find(names[k]), sizes[i]));
                putchar('\n');
        }
        printf("%-20s\n", "and with the endpoints' state:");
        for (size_t k = 0; k < ELEMENTS(names); k++) {
                printf("%-20s", names[k]);
                for (size_t i = 0; i < ELEMENTS(sizes); i++)
                        printf("%10.1f", ns_per_choice(names[k], sizes[i]));
                putchar('\n');
        }
        wheel_speed();
        return 0;
}
