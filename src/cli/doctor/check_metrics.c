/* SPDX-License-Identifier: MIT */
/* This release serves no metrics yet; whether their address will be free can be told already. */

#include <string.h>

#include "cli/doctor/exam.h"
#include "net/owner.h"

int check_metrics(struct exam *x, struct finding *f) {
        const struct config *c = exam_config_or_skip(x, f);
        struct owner_query q = { .addr.len = 0 };
        char owner[EXAM_OWNER_MAX];
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
        if (owner_find(&q, 1, daemon) < 0 || q.state != OWNER_LISTENS) {
                finding_ok(f, "not served by this release; %s is free", c->metrics_address);
        } else if (daemon > 0 && q.owner.pid == daemon) {
                finding_ok(f, "%s is served by pid %d", c->metrics_address, daemon);
        } else {
                finding_warn(f, "%s is taken by %s", c->metrics_address,
                             exam_owner_text(&q.owner, owner));
                words_set(&f->what_happened, "bal runs on without its metrics");
                words_set(&f->why_likely, "%s",
                          addr_port(&q.addr) == 9090 ? "9090 is also Prometheus's own port"
                                                     : "another server has the port");
                words_set(&f->do_this_now, "give them another address (metrics: address), or "
                                           "metrics: { enabled: false }");
        }
        return 0;
}
