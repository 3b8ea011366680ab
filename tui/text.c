/* SPDX-License-Identifier: MIT */

#include "text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define MINUTE 60
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

const char *text_age(int64_t s, char buf[static TEXT_MAX]) {
        if (s < 0)
                s = 0;
        if (s < MINUTE)
                snprintf(buf, TEXT_MAX, "%llds", (long long)s);
        else if (s < HOUR)
                snprintf(buf, TEXT_MAX, "%lldm", (long long)(s / MINUTE));
        else if (s < 2 * DAY)
                snprintf(buf, TEXT_MAX, "%lldh", (long long)(s / HOUR));
        else
                snprintf(buf, TEXT_MAX, "%lldd", (long long)(s / DAY));
        return buf;
}

const char *text_up(int64_t s, char buf[static TEXT_MAX]) {
        if (s < 0)
                s = 0;
        if (s >= DAY)
                snprintf(buf, TEXT_MAX, "%lldd%02lldh", (long long)(s / DAY),
                         (long long)(s % DAY / HOUR));
        else if (s >= HOUR)
                snprintf(buf, TEXT_MAX, "%lldh%02lldm", (long long)(s / HOUR),
                         (long long)(s % HOUR / MINUTE));
        else if (s >= MINUTE)
                snprintf(buf, TEXT_MAX, "%lldm", (long long)(s / MINUTE));
        else
                snprintf(buf, TEXT_MAX, "%llds", (long long)s);
        return buf;
}

const char *text_took(int64_t s, char buf[static TEXT_MAX]) {
        if (s < 0)
                s = 0;
        if (s >= HOUR)
                snprintf(buf, TEXT_MAX, "%lld:%02lld:%02lld", (long long)(s / HOUR),
                         (long long)(s % HOUR / MINUTE), (long long)(s % MINUTE));
        else
                snprintf(buf, TEXT_MAX, "%02lld:%02lld", (long long)(s / MINUTE),
                         (long long)(s % MINUTE));
        return buf;
}

/* From limit on in thousands, millions and so on, never wider than four cells. */
static const char *scaled(double n, double limit, char buf[static TEXT_MAX]) {
        static const char units[] = "kMGTPE";
        size_t i = 0;

        if (n < limit) {
                snprintf(buf, TEXT_MAX, "%.0f", n);
                return buf;
        }
        for (n /= 1000; n >= 999.5 && i + 2 < sizeof(units); n /= 1000)
                i++;
        if (n > 9999)
                n = 9999; /* of a daemon that makes numbers up */
        snprintf(buf, TEXT_MAX, n < 9.95 ? "%.1f%c" : "%.0f%c", n, units[i]);
        return buf;
}

const char *text_rate(double n, char buf[static TEXT_MAX]) {
        if (!(n >= 0.05)) /* nor a number at all */
                return strcpy(buf, "0");
        if (n < 9.95 && (n - (double)(int)n >= 0.05)) {
                snprintf(buf, TEXT_MAX, "%.1f", n);
                return buf;
        }
        return scaled(n, 99999.5, buf);
}

const char *text_bytes(double n, char buf[static TEXT_MAX]) {
        if (!(n >= 0))
                return strcpy(buf, "-");
        return scaled(n, 999.5, buf);
}

const char *text_count(int64_t n, char buf[static TEXT_MAX]) {
        return scaled(n > 0 ? (double)n : 0, 99999.5, buf);
}

const char *text_clock(uint64_t real_s, char buf[static TEXT_MAX]) {
        time_t t = (time_t)real_s;
        struct tm tm;

        if (!localtime_r(&t, &tm) || strftime(buf, TEXT_MAX, "%H:%M:%S", &tm) == 0)
                strcpy(buf, "--:--:--");
        return buf;
}

const char *text_locale(void) {
        static const char *const names[] = { "LC_ALL", "LC_CTYPE", "LANG" };

        for (size_t i = 0; i < ELEMENTS(names); i++) {
                const char *v = getenv(names[i]);

                if (v && *v)
                        return v;
        }
        return "C";
}

bool text_locale_utf8(const char *locale) {
        const char *dot = strchr(locale, '.');

        return dot && (strncasecmp(dot, ".utf-8", 6) == 0 || strncasecmp(dot, ".utf8", 5) == 0);
}

/* Blocks are one or two cells wide in East Asia, depending on the font; braille always is one. */
enum chars text_chars(enum chars wanted, const char *locale, const char *term) {
        bool utf8 = text_locale_utf8(locale);

        if (wanted == CHARS_ASCII || !utf8)
                return CHARS_ASCII;
        if (wanted != CHARS_AUTO)
                return wanted;
        if (term && strcmp(term, "linux") == 0)
                return CHARS_ASCII;
        if (strncmp(locale, "ko", 2) == 0 || strncmp(locale, "ja", 2) == 0 ||
            strncmp(locale, "zh", 2) == 0)
                return CHARS_BRAILLE;
        return CHARS_BLOCK;
}

const char *text_level(enum chars chars, int64_t n, int64_t most) {
        static const char *const ascii[] = { "_", ".", "-", "=", "+", "*", "#", "@" };
        static const char *const block[] = { "\u2581", "\u2582", "\u2583", "\u2584",
                                             "\u2585", "\u2586", "\u2587", "\u2588" };
        static const char *const braille[] = { "\u28c0", "\u28c4", "\u28e4", "\u28e6",
                                               "\u28f6", "\u28f7", "\u28fe", "\u28ff" };
        const char *const *levels = chars == CHARS_BLOCK     ? block
                                    : chars == CHARS_BRAILLE ? braille
                                                             : ascii;
        size_t i;

        if (n <= 0 || most <= 0)
                return levels[0];
        i = n >= most ? 7 : (size_t)((double)n * 7 / (double)most + 0.5);
        return levels[i > 7 ? 7 : i];
}
