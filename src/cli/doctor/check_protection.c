/* SPDX-License-Identifier: MIT */
/* Protection mode of each pool, as the daemon tells it. */

#include <stdio.h>
#include <string.h>

#include "cli/doc.h"
#include "cli/doctor/exam.h"
#include "cli/report.h"
#include "core/clock.h"

#define TOLD_MAX 5

static const char *age_of(const json_t *p, char buf[static REPORT_TEXT_MAX]) {
        uint64_t then, now = clock_real_us() / 1000000;

        if (report_time(&then, doc_text(p, "since", NULL)) < 0)
                return NULL;
        return report_age(now > then ? now - then : 0, buf);
}

/* When it was on the last time, of the pool where that is the most recent: "02:11:40 for 18 s". */
static bool last_of(const json_t *pools, char *buf, size_t size) {
        uint64_t ended, now = clock_real_us() / 1000000;
        char when[CLOCK_TEXT_MAX], took[REPORT_TEXT_MAX];
        const char *newest = "";
        int64_t last_ms = 0;
        json_t *pool;
        size_t i;

        json_array_foreach(pools, i, pool) {
                const json_t *p = json_object_get(pool, "protection");
                const char *since = doc_text(p, "since", "");

                if (doc_int(p, "last_ms") > 0 && strcmp(since, newest) > 0) {
                        newest = since;
                        last_ms = doc_int(p, "last_ms");
                }
        }
        if (last_ms == 0 || report_time(&ended, newest) < 0)
                return false;
        clock_text((ended - (uint64_t)last_ms / 1000) * 1000000, when);
        when[19] = '\0'; /* less the milliseconds; and of today's the date */
        if (last_ms < 1000)
                report_duration((uint64_t)last_ms, took);
        else
                report_age((uint64_t)last_ms / 1000, took);
        snprintf(buf, size, "last on %s for %s", now < ended + 86400 ? when + 11 : when, took);
        return true;
}

static const char *cause_of(const char *reason) {
        if (strcmp(reason, "all_backends_unavailable") == 0)
                return "a client was turned away because no backend could take it";
        return "many connects or checks timed out or were refused in a short time";
}

static void tell(struct finding *f, const json_t *pool, size_t n) {
        const json_t *p = json_object_get(pool, "protection");
        const char *reason = doc_text(p, "reason", "?");
        char age[REPORT_TEXT_MAX];
        const char *since = age_of(p, age);

        if (n <= TOLD_MAX)
                words_append(&f->what_happened, "pool %s: %s%s%s (%lld of %lld successes)",
                             doc_text(pool, "name", "?"), reason, since ? " for " : "",
                             since ? since : "", (long long)doc_int(p, "successes"),
                             (long long)doc_int(p, "stable"));
        if (n == 1)
                words_set(&f->why_likely, "%s", cause_of(reason));
}

static void on(struct finding *f, const json_t *head, size_t n) {
        const json_t *mode = json_object_get(head, "protection_mode");

        finding_warn(f, "ON: %s", doc_text(mode, "reason", "?"));
        if (n > 1)
                finding_warn(f, "ON in %zu pools: %s", n, doc_text(mode, "reason", "?"));
        if (n > TOLD_MAX)
                words_append(&f->what_happened, "and %zu more", n - TOLD_MAX);
        words_set(&f->do_this_now,
                  "repair the backends (bal doctor --only backend); it ends by itself after enough "
                  "successes in a row");
}

int check_protection(struct exam *x, struct finding *f) {
        json_t *head = exam_head(x, EXAM_DAEMON_MS), *pool;
        char last[96];
        size_t n = 0, i;

        if (!head) {
                finding_ok(f, "not known: no daemon answers");
                return 0;
        }
        json_array_foreach(doc_array(head, "pools"), i, pool) {
                if (doc_bool(json_object_get(pool, "protection"), "enabled"))
                        tell(f, pool, ++n);
        }
        words_set(&f->perf, "pools_protected=%zu;;;0;%zu", n,
                  json_array_size(doc_array(head, "pools")));
        if (n > 0 || doc_bool(json_object_get(head, "protection_mode"), "enabled"))
                on(f, head, n);
        else if (last_of(doc_array(head, "pools"), last, sizeof(last)))
                finding_ok(f, "off, %s", last);
        else
                finding_ok(f, "off");
        return 0;
}
