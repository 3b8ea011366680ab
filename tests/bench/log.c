/* SPDX-License-Identifier: MIT */
/* What a record costs its thread, in nanoseconds: `log`. For comparing two versions on one machine;
 * it asserts nothing. */
#include "core/log.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define LOG_MODULE "bench"
#define BATCH      100 /* records that surely fit into a ring */
#define ROUNDS     20000
#define THREADS    4

static uint64_t now_ns(void) {
        struct timespec ts;

        clock_gettime(CLOCK_MONOTONIC, &ts);
        return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static void session(uint64_t n) {
        log_info(session_closed, "a session has ended", F_U64("session", n),
                 F_STR("frontend", "web"), F_STR("client", "192.0.2.17:40123"),
                 F_STR("backend", "10.20.0.17:8080"), F_STR("reason", "done"),
                 F_U64("bytes_in", 1234), F_U64("bytes_out", 56789), F_U64("duration_ms", 12));
}

static void short_one(uint64_t n) {
        log_info(overload, "a number", F_U64("n", n));
}

static void quiet(uint64_t n) {
        log_debug(overload, "a number", F_U64("n", n));
}

static void limited(uint64_t n) {
        log_info(internal_error, "a number", F_U64("n", n));
}

static bool forget(const struct log_record *record, void *userdata) {
        (void)record;
        (void)userdata;
        return true;
}

/* Only the emitting is timed; the ring is emptied in between. */
static double ns_per_record(void (*emit)(uint64_t)) {
        uint64_t ns = 0, n = 0;

        for (int i = 0; i < ROUNDS; i++) {
                uint64_t start_ns = now_ns();

                for (int k = 0; k < BATCH; k++)
                        emit(n++);
                ns += now_ns() - start_ns;
                log_drain(forget, NULL);
        }
        return (double)ns / (double)n;
}

static _Atomic uint64_t sum_ns;

static void *flood(void *arg) {
        uint64_t start_ns, n;

        if (log_thread_init() < 0)
                return arg;
        start_ns = now_ns();
        for (n = 0; n < (uint64_t)ROUNDS * BATCH; n++)
                limited(n);
        atomic_fetch_add(&sum_ns, now_ns() - start_ns);
        log_thread_done();
        return arg;
}

int main(void) {
        pthread_t threads[THREADS];

        if (log_thread_init() < 0)
                return 1;
        printf("below the level             %8.1f ns\n", ns_per_record(quiet));
        printf("one number                  %8.1f ns\n", ns_per_record(short_one));
        printf("a session's end, 8 fields   %8.1f ns\n", ns_per_record(session));
        printf("a limited event, flooding   %8.1f ns\n", ns_per_record(limited));
        for (int i = 0; i < THREADS; i++)
                if (pthread_create(&threads[i], NULL, flood, NULL) != 0)
                        return 1;
        for (int i = 0; i < THREADS; i++)
                pthread_join(threads[i], NULL);
        printf("the same in %d threads       %8.1f ns each\n", THREADS,
               (double)sum_ns / ((double)ROUNDS * BATCH * THREADS));
        return 0;
}
