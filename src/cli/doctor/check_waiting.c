/* SPDX-License-Identifier: MIT */
/* Clients that wait, as the daemon tells it. Those that a queue holds back wait because the file
 * says so; those that no backend can take are trouble. */

#include "cli/doc.h"
#include "cli/doctor/exam.h"
#include "cli/waits.h"

#define TOLD_MAX 5 /* pools in what_happened */

/* Returns how many pools hold clients. */
static size_t tell_pools(struct finding *f, const json_t *head) {
        size_t n = 0, i;
        json_t *pool;

        json_array_foreach(doc_array(head, "pools"), i, pool) {
                char text[WAITS_TEXT_MAX];

                if (!waits_held_text(pool, text))
                        continue;
                if (n++ == 0)
                        finding_warn(f, "%s", text);
                if (n <= TOLD_MAX)
                        words_append(&f->what_happened,
                                     "pool %s: %lld wait now; %lld have waited so far, %lld of "
                                     "them in vain",
                                     doc_text(pool, "name", "?"),
                                     (long long)doc_int(pool, "holding"),
                                     (long long)doc_int(pool, "held_total"),
                                     (long long)doc_int(pool, "held_in_vain_total"));
        }
        if (n > 1)
                finding_warn(f, "%lld clients wait for backends of %zu pools: none can take them",
                             (long long)waits_held(head), n);
        if (n > TOLD_MAX)
                words_append(&f->what_happened, "and %zu more pools", n - TOLD_MAX);
        return n;
}

static void tell_queues(struct finding *f, const json_t *head) {
        struct waits w = waits_of(head);

        if (w.slot + w.full == 0)
                finding_ok(f, "no client waits");
        else
                finding_ok(f, "%lld clients wait for a slot, %lld for a full backend",
                           (long long)w.slot, (long long)w.full);
}

int check_waiting(struct exam *x, struct finding *f) {
        json_t *head = exam_head(x, EXAM_DAEMON_MS);

        if (!head) {
                finding_ok(f, "not known: no daemon answers");
                return 0;
        }
        if (tell_pools(f, head) == 0) {
                tell_queues(f, head);
        } else {
                words_set(&f->why_likely,
                          "the backends of the pool are down, rest after failed connects, or were "
                          "taken out of service");
                words_set(&f->do_this_now,
                          "bal doctor --only backend; bal backend list shows what was taken out; "
                          "each client waits for 'hold' at most");
        }
        words_set(&f->perf, "clients_held=%lld;;;0", (long long)waits_held(head));
        return 0;
}
