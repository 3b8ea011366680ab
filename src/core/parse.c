/* SPDX-License-Identifier: MIT */
/* strtoul(3) skips blanks, takes signs, other bases and the locale, and stops where it likes. So
 * the digits are read here. A malformed text is -EINVAL also when a number in it is too big. */

#include "core/parse.h"

#include <string.h>

/* From the largest to the smallest, the order in which a duration must name them. */
static const struct {
        char name[3];
        uint64_t ms;
} units[] = {
        { "h", 3600 * 1000 },
        { "m", 60 * 1000 },
        { "s", 1000 },
        { "ms", 1 },
};

/* One or more digits; moves *text behind them. Too big: *overflow is set, *ret is nothing. */
static int take_digits(uint64_t *ret, bool *overflow, const char **text) {
        uint64_t value = 0;
        const char *p = *text;

        if (*p < '0' || *p > '9')
                return -EINVAL;

        for (; *p >= '0' && *p <= '9'; p++) {
                *overflow |= __builtin_mul_overflow(value, 10, &value);
                *overflow |= __builtin_add_overflow(value, (uint64_t)(*p - '0'), &value);
        }

        *text = p;
        *ret = value;
        return 0;
}

int parse_u64(uint64_t *ret, const char *text) {
        bool overflow = false;
        uint64_t value;
        int r;

        if (!text)
                return -EINVAL;

        r = take_digits(&value, &overflow, &text);
        if (r < 0)
                return r;
        if (*text)
                return -EINVAL;
        if (overflow)
                return -ERANGE;

        *ret = value;
        return 0;
}

/* The index of the unit, which ends at the next digit or at the end; moves *text behind it. */
static int take_unit(const char **text) {
        size_t n = strcspn(*text, "0123456789");

        for (size_t i = 0; i < ELEMENTS(units); i++)
                if (strlen(units[i].name) == n && strncmp(units[i].name, *text, n) == 0) {
                        *text += n;
                        return (int)i;
                }
        return -EINVAL;
}

int parse_duration_ms(uint64_t *ret, const char *text) {
        bool overflow = false;
        uint64_t sum = 0;
        int last = -1;

        if (!text)
                return -EINVAL;

        do {
                uint64_t value;
                int unit, r;

                r = take_digits(&value, &overflow, &text);
                if (r < 0)
                        return r;

                unit = take_unit(&text);
                if (unit < 0)
                        return unit;
                if (unit <= last)
                        return -EINVAL;
                last = unit;

                overflow |= __builtin_mul_overflow(value, units[unit].ms, &value);
                overflow |= __builtin_add_overflow(sum, value, &sum);
        } while (*text);

        if (overflow)
                return -ERANGE;

        *ret = sum;
        return 0;
}
