/* SPDX-License-Identifier: MIT */
/* Not gmtime_r() and strftime(): those know time zones and locales, take a lock, and are slow. */

#include "http/date.h"

#include <string.h>

#define DAY_S       86400U
#define YEARS_DAYS  146097U       /* of 400 years, after which the calendar repeats */
#define MARCH_0000  719468U       /* days from there to 1970-01-01 */
#define LAST_SECOND 253402300799U /* of the year 9999 */

struct day {
        unsigned year, month, day; /* both from 1 */
};

/* A year that begins in March has its leap day at the end, so that the months before it have fixed
 * places: 153 days in each five of them. */
static struct day day_of(uint64_t days) {
        uint64_t since = days + MARCH_0000;
        unsigned of400 = (unsigned)(since % YEARS_DAYS);
        unsigned year = (of400 - of400 / 1460 + of400 / 36524 - of400 / 146096) / 365;
        unsigned of_year = of400 - (year * 365 + year / 4 - year / 100);
        unsigned month = (of_year * 5 + 2) / 153; /* 0: March */
        struct day d = { .day = of_year - (month * 153 + 2) / 5 + 1 };

        d.month = month < 10 ? month + 3 : month - 9;
        d.year = year + (unsigned)(since / YEARS_DAYS) * 400 + (d.month <= 2 ? 1 : 0);
        return d;
}

static void two(char *to, unsigned v) {
        to[0] = (char)('0' + v / 10 % 10);
        to[1] = (char)('0' + v % 10);
}

void http_date(char ret[static HTTP_DATE_SIZE], uint64_t unix_s) {
        static const char weekdays[] = "ThuFriSatSunMonTueWed"; /* 1970 began on a Thursday */
        static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
        uint64_t now = unix_s < LAST_SECOND ? unix_s : LAST_SECOND;
        unsigned second = (unsigned)(now % DAY_S);
        struct day d = day_of(now / DAY_S);

        memcpy(ret, "Thu, 01 Jan 1970 00:00:00 GMT", HTTP_DATE_SIZE);
        memcpy(ret, weekdays + now / DAY_S % 7 * 3, 3);
        two(ret + 5, d.day);
        memcpy(ret + 8, months + (size_t)(d.month - 1) * 3, 3);
        two(ret + 12, d.year / 100);
        two(ret + 14, d.year % 100);
        two(ret + 17, second / 3600);
        two(ret + 20, second / 60 % 60);
        two(ret + 23, second % 60);
}
