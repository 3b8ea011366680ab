/* SPDX-License-Identifier: MIT */
/* The small words of a report: ages, rates, amounts, times. */

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cli/report.h"

const char *report_uptime(uint64_t seconds, char buf[static REPORT_TEXT_MAX]) {
        unsigned long long d = seconds / 86400, h = seconds / 3600 % 24, m = seconds / 60 % 60;

        if (d > 0)
                snprintf(buf, REPORT_TEXT_MAX, "%llud%02lluh%02llum", d, h, m);
        else if (h > 0)
                snprintf(buf, REPORT_TEXT_MAX, "%lluh%02llum", h, m);
        else if (m > 0)
                snprintf(buf, REPORT_TEXT_MAX, "%llum%02llus", m, (unsigned long long)seconds % 60);
        else
                snprintf(buf, REPORT_TEXT_MAX, "%llus", (unsigned long long)seconds);
        return buf;
}

const char *report_age(uint64_t seconds, char buf[static REPORT_TEXT_MAX]) {
        static const struct {
                uint64_t seconds;
                const char *unit;
        } units[] = { { 86400, "d" }, { 3600, "h" }, { 60, "m" }, { 1, "s" } };
        size_t i = 0;

        while (i + 1 < ELEMENTS(units) && seconds < units[i].seconds)
                i++;
        snprintf(buf, REPORT_TEXT_MAX, "%llu %s", (unsigned long long)(seconds / units[i].seconds),
                 units[i].unit);
        return buf;
}

/* As the command line takes them. */
const char *report_duration(uint64_t ms, char buf[static REPORT_TEXT_MAX]) {
        static const struct {
                uint64_t ms;
                const char *unit;
        } units[] = { { 3600000, "h" }, { 60000, "m" }, { 1000, "s" }, { 1, "ms" } };
        int n = snprintf(buf, REPORT_TEXT_MAX, ms == 0 ? "0s" : "");

        for (size_t i = 0; i < ELEMENTS(units); i++) {
                if (ms >= units[i].ms)
                        n += snprintf(buf + n, REPORT_TEXT_MAX - (size_t)n, "%llu%s",
                                      (unsigned long long)(ms / units[i].ms), units[i].unit);
                ms %= units[i].ms;
        }
        return buf;
}

const char *report_bytes(uint64_t n, char buf[static REPORT_TEXT_MAX]) {
        static const char units[] = "kMGTPE";
        double v = (double)n;
        size_t i = 0;

        if (n < 1000) {
                snprintf(buf, REPORT_TEXT_MAX, "%llu", (unsigned long long)n);
                return buf;
        }
        for (v /= 1000; v >= 999.5 && i + 2 < sizeof(units); v /= 1000)
                i++;
        snprintf(buf, REPORT_TEXT_MAX, v < 9.95 ? "%.1f%c" : "%.0f%c", v, units[i]);
        return buf;
}

const char *report_rate(double per_s, char buf[static REPORT_TEXT_MAX]) {
        if (!isfinite(per_s) || per_s < 0 || per_s > 1e12)
                per_s = 0;
        snprintf(buf, REPORT_TEXT_MAX, per_s < 99.95 ? "%.1f" : "%.0f", per_s);
        return buf;
}

int report_time(uint64_t *ret_s, const char *rfc3339) {
        struct tm tm = { 0 };
        const char *end = rfc3339 ? strptime(rfc3339, "%Y-%m-%dT%H:%M:%S", &tm) : NULL;
        time_t t;

        if (!end)
                return -EINVAL;
        if (*end == '.')
                end += 1 + strspn(end + 1, "0123456789");
        if (strcmp(end, "Z") != 0) /* bal writes no other zone */
                return -EINVAL;
        t = timegm(&tm);
        if (t < 0)
                return -EINVAL;
        *ret_s = (uint64_t)t;
        return 0;
}
