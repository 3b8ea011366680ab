/* SPDX-License-Identifier: MIT */
/*
 * control/resolver.h - host names to addresses: threads for getaddrinfo(3), answers by sd-event.
 *
 * getaddrinfo() may block for many seconds, so questions wait in line and nothing else ever waits
 * for them.
 */
#pragma once

#include <systemd/sd-event.h>

#include "net/addr.h"

#define RESOLVER_ADDRS_MAX 64 /* of one name; more are cut */

struct resolver;
struct resolver_question;

struct resolver_answer {
        const char *host;
        int error;                /* 0, or EAI_* of getaddrinfo(3); then there are no addresses */
        const struct addr *addrs; /* sorted, without doubles: equal answers compare equal */
        size_t n_addrs;
};

/* Called in the control thread. The answer is borrowed, and its question is gone. */
typedef void (*resolver_fn)(const struct resolver_answer *answer, void *userdata);

int resolver_new(struct resolver **ret, sd_event *event, resolver_fn fn, void *userdata);
struct resolver *resolver_free(struct resolver *r); /* does not wait for a question under way */
DEFINE_CLEANUP(struct resolver *, resolver_free);

/* Copies host. *ret is borrowed until it is answered or dropped. A second question for a name that
 * is asked already is answered by itself. -ENOMEM. */
int resolver_ask(struct resolver_question **ret, struct resolver *r, const char *host);
/* Nobody wants to know any more: it is not answered. Returns NULL; q may be NULL. */
struct resolver_question *resolver_drop(struct resolver *r, struct resolver_question *q);
