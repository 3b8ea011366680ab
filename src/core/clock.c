/* SPDX-License-Identifier: MIT */

#include "core/clock.h"

#include <stdio.h>
#include <time.h>

uint64_t clock_mono_ms(void) {
        struct timespec ts;

        clock_gettime(CLOCK_MONOTONIC, &ts);
        return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

uint64_t clock_mono_us(void) {
        struct timespec ts;

        clock_gettime(CLOCK_MONOTONIC, &ts);
        return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

uint64_t clock_real_us(void) {
        struct timespec ts;

        clock_gettime(CLOCK_REALTIME, &ts);
        return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

const char *clock_text(uint64_t real_us, char buf[static CLOCK_TEXT_MAX]) {
        time_t seconds = (time_t)(real_us / 1000000);
        struct tm tm;
        size_t n;

        if (!gmtime_r(&seconds, &tm))
                return "?";
        n = strftime(buf, CLOCK_TEXT_MAX, "%Y-%m-%dT%H:%M:%S", &tm);
        snprintf(buf + n, CLOCK_TEXT_MAX - n, ".%03uZ", (unsigned)(real_us / 1000 % 1000));
        return buf;
}
