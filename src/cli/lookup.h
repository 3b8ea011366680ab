/* SPDX-License-Identifier: MIT */
/*
 * cli/lookup.h - many names to addresses at once, without waiting for any of them.
 *
 * getaddrinfo() cannot be given up, so it runs in threads that nobody joins: who has no more time
 * drops its reference and leaves, and the last one frees.
 */
#pragma once

#include "net/addr.h"

#define LOOKUP_ADDRS_MAX 4

struct lookup; /* shared by reference with its threads */

struct lookup_name {
        char *host; /* owned */
        uint16_t port;
        size_t tag; /* the caller's */
        struct addr addrs[LOOKUP_ADDRS_MAX];
        size_t n_addrs; /* 0 after it is done: no address */
        int error;      /* then: an EAI_ of getaddrinfo(3); 0: it has none of a kind bal knows */
        uint32_t ms;    /* how long it took */
};

int lookup_new(struct lookup **ret); /* -ENOMEM, -EMFILE */
struct lookup *lookup_unref(struct lookup *l);
int lookup_add(struct lookup *l,
               const char *host,
               uint16_t port,
               size_t tag);            /* before the start */
int lookup_start(struct lookup *l);    /* 0; a negative errno: not one thread could be started */
int lookup_fd(const struct lookup *l); /* readable when there may be something to take */

/* The next name that is done, once each, in no order; false: none now. */
bool lookup_take(struct lookup *l, struct lookup_name *ret); /* ret->host stays the lookup's */
