/* SPDX-License-Identifier: MIT */
/* Are the metrics where the file says? bal runs on without them, so somebody has to look. */

#include <string.h>

#include "cli/doctor/exam.h"
#include "net/owner.h"

static void taken(struct finding *f, const struct config *c, const struct owner_query *q) {
        char owner[EXAM_OWNER_MAX];

        finding_warn(f, "%s is taken by %s", c->metrics_address, exam_owner_text(&q->owner, owner));
        words_set(&f->what_happened, "bal runs on without its metrics");
        words_set(&f->why_likely, "%s",
                  addr_port(&q->addr) == 9090 ? "9090 is also Prometheus's own port"
                                              : "another server has the port");
        words_set(&f->do_this_now, "give them another address (metrics: address), or "
                                   "metrics: { enabled: false }");
}

/* A daemon is there, and nobody listens. */
static void missing(struct finding *f, const struct config *c) {
        finding_warn(f, "nobody listens on %s", c->metrics_address);
        words_set(&f->what_happened, "bal runs without its metrics");
        words_set(&f->why_likely, "the file was changed and not loaded, the address was taken a "
                                  "moment ago, or libmicrohttpd is not installed");
        words_set(&f->do_this_now, "bal graceful; it says what is in the way. The log does too: "
                                   "bal events --event=metrics_listen_failed");
}

int check_metrics(struct exam *x, struct finding *f) {
        const struct config *c = exam_config_or_skip(x, f);
        struct owner_query q = { .addr.len = 0 };
        pid_t daemon;

        if (!c)
                return 0;
        if (!c->metrics) {
                finding_ok(f, "off");
                return 0;
        }
        if (!c->metrics_address || addr_parse(&q.addr, c->metrics_address) < 0) {
                finding_ok(f, "on; the address cannot be looked at from here");
                return 0;
        }
        daemon = exam_pid(x, EXAM_DAEMON_MS);
        if (owner_find(&q, 1, daemon) < 0)
                finding_ok(f, "on; who has %s cannot be seen", c->metrics_address);
        else if (q.state == OWNER_LISTENS && daemon > 0 && q.owner.pid == daemon)
                finding_ok(f, "%s%s is served by pid %d", c->metrics_address, c->metrics_path,
                           daemon);
        else if (q.state == OWNER_LISTENS && !(daemon > 0 && q.owner.pid == 0))
                taken(f, c, &q);
        else if (q.state == OWNER_LISTENS)
                finding_ok(f, "%s is served; whose it is cannot be seen", c->metrics_address);
        else if (daemon > 0)
                missing(f, c);
        else
                finding_ok(f, "%s is free", c->metrics_address);
        return 0;
}
