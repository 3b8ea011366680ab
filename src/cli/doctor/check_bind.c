/* SPDX-License-Identifier: MIT */
/*
 * Whose is each address of the file? Read out of /proc; nothing is ever bound.
 */

#include <stdlib.h>
#include <string.h>

#include "cli/doc.h"
#include "cli/doctor/exam.h"
#include "core/str.h"
#include "net/owner.h"

#define TOLD_MAX 5 /* addresses in what_happened */

struct binds {
        struct owner_query *queries;
        size_t n;
        pid_t daemon;       /* 0: none that we know */
        bool forbidden;     /* there is one, and this user may not ask it */
        bool daemon_hidden; /* it answers, but its process or its descriptors are not to be seen */
        size_t own, open, taken, used, hidden;
        size_t waiting; /* at systemd, which starts bal with the first connection */
        json_t *head;
};

static int collect(struct binds *b, const struct config *c) {
        for (size_t i = 0; i < c->n_frontends; i++)
                b->n += c->frontends[i].n_listen;
        b->queries = calloc(b->n ? b->n : 1, sizeof(*b->queries));
        if (!b->queries)
                return -ENOMEM;
        b->n = 0;
        for (size_t i = 0; i < c->n_frontends; i++) {
                for (size_t k = 0; k < c->frontends[i].n_listen; k++)
                        b->queries[b->n++].addr = c->frontends[i].listen[k];
        }
        return owner_find(b->queries, b->n, b->daemon);
}

/* Does the daemon say that it listens there? */
static bool is_claimed(const struct binds *b, const char *text) {
        json_t *frontend, *listen;
        size_t i, k;

        json_array_foreach(doc_array(b->head, "frontends"), i, frontend) {
                json_array_foreach(doc_array(frontend, "listen"), k, listen) {
                        if (strcmp(json_string_value(listen) ?: "", text) == 0)
                                return true;
                }
        }
        return false;
}

static void taken(struct finding *f, const struct owner_query *q, const char *text) {
        char owner[EXAM_OWNER_MAX];

        exam_owner_text(&q->owner, owner);
        if (q->owner.pid == 0)
                words_set(&f->do_this_now, "see who: sudo ss -ltnp 'sport = :%u'",
                          addr_port(&q->addr));
        else if (strchr(owner, ','))
                words_set(&f->do_this_now,
                          "stop that service, or give bal another port: "
                          "systemctl status %d",
                          q->owner.pid);
        else
                words_set(&f->do_this_now, "stop it, or give bal another port: ps -fp %d",
                          q->owner.pid);
        words_append(&f->what_happened, "%s is taken by %s", text, owner);
}

static void judge(struct binds *b, struct finding *f, const struct owner_query *q) {
        char text[ADDR_TEXT_MAX], owner[EXAM_OWNER_MAX];
        size_t told = b->taken + b->open + b->used;
        bool claimed;

        addr_text(&q->addr, text);
        claimed = is_claimed(b, text);
        if (q->state == OWNER_LISTENS &&
            ((b->daemon > 0 && q->owner.pid == b->daemon) ||
             (claimed && q->owner.pid == 0))) { /* another user's daemon: its word counts */
                b->own++;
        } else if (q->state == OWNER_LISTENS && b->forbidden && q->owner.pid == 0) {
                b->hidden++;
        } else if (q->state == OWNER_LISTENS && q->owner.pid == 1 && !b->head && b->daemon == 0) {
                b->waiting++; /* a socket unit */
        } else if (q->state == OWNER_LISTENS) {
                b->taken++;
                if (told < TOLD_MAX)
                        taken(f, q, text);
        } else if (b->head || b->daemon > 0) {
                if (claimed && b->daemon_hidden) {
                        b->hidden++;
                        return;
                }
                b->open++;
                if (told < TOLD_MAX)
                        words_append(&f->what_happened, "%s: the daemon does not listen", text);
        } else if (q->state == OWNER_IN_USE) {
                b->used++;
                if (told < TOLD_MAX)
                        words_append(&f->what_happened, "a connection of %s has port %u as its own",
                                     exam_owner_text(&q->owner, owner), addr_port(&q->addr));
        }
}

static void verdict(const struct binds *b, struct finding *f) {
        char first[ADDR_TEXT_MAX] = "?";
        size_t told = b->taken + b->open + b->used;

        if (b->n > 0)
                addr_text(&b->queries[0].addr, first);
        if (told > TOLD_MAX)
                words_append(&f->what_happened, "and %zu more", told - TOLD_MAX);
        if (b->taken > 0) {
                finding_critical(f, "%zu of %zu address%s taken by others", b->taken, b->n,
                                 b->n == 1 ? " is" : "es are");
                words_set(&f->why_likely,
                          b->own > 0 || b->daemon > 0
                                  ? "it was quicker, or the daemon was started "
                                    "with another file"
                                  : "another server, or an older bal, has the port");
        } else if (b->open > 0) {
                finding_warn(f, "the daemon does not listen on %zu of %zu address%s", b->open, b->n,
                             b->n == 1 ? "" : "es");
                words_set(&f->why_likely, "the file is newer than what the daemon has loaded, or "
                                          "the daemon is stopping");
                words_set(&f->do_this_now, "bal check && bal graceful");
        } else if (b->used > 0) {
                finding_warn(f, "%zu of %zu address%s in use by connections of others", b->used,
                             b->n, b->n == 1 ? " is" : "es are");
                words_set(&f->why_likely, "the port lies in the range that the kernel gives to "
                                          "clients");
                words_set(&f->do_this_now, "keep it free: sysctl net.ipv4.ip_local_reserved_ports");
        } else if (b->own > 0 && b->daemon > 0) {
                finding_ok(f, "%s%s owned by pid %d", first, b->n > 1 ? " and others are" : " is",
                           b->daemon);
        } else if (b->waiting > 0) {
                finding_ok(f,
                           "%s%s held by systemd; the first connection starts bal "
                           "(systemctl list-sockets)",
                           first, b->n > 1 ? " and others are" : " is");
        } else if (b->hidden > 0 && b->forbidden) {
                finding_ok(f, "%s%s in use, most likely by the daemon", first,
                           b->n > 1 ? " and others are" : " is");
        } else if (b->own > 0 || b->hidden > 0) {
                finding_ok(f, "%s%s the daemon's, as it says", first,
                           b->n > 1 ? " and others are" : " is");
        } else {
                finding_ok(f, b->n == 1 ? "%s is free" : "%s and others are free", first);
        }
}

int check_bind(struct exam *x, struct finding *f) {
        const struct config *c = exam_config_or_skip(x, f);
        struct binds b = { .daemon = 0 };
        const struct fact_daemon *d;
        int r;

        if (!c)
                return 0;
        b.daemon = exam_pid(x, EXAM_DAEMON_MS);
        b.head = exam_head(x, 0);
        d = exam_daemon(x, 0);
        b.forbidden = d && d->result == ASK_FORBIDDEN;
        b.daemon_hidden = b.head && b.daemon == 0;
        r = collect(&b, c);
        if (r == -ENOMEM)
                return r;
        if (r < 0) {
                finding_ok(f, "not known: /proc cannot be read (%s)", strerror(-r));
                return 0;
        }
        for (size_t i = 0; i < b.n; i++)
                judge(&b, f, &b.queries[i]);
        verdict(&b, f);
        return 0;
}
