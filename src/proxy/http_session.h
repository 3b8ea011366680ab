/* SPDX-License-Identifier: MIT */
/* proxy/http_session.h - what an HTTP session does where a TCP session would relay. */
#pragma once

#include "proxy/session.h"

/* With s->http set, and nothing else; to be freed with free(). NULL: out of memory. */
struct session *http_session_new(void);

/* It has its place: its first request may come. s may be gone, as after all of these. */
void http_start(struct session *s);
void http_on_client(struct session *s);
void http_on_timer(struct session *s);
void http_run(struct session *s); /* SESSION_EXCHANGE: both directions, as far as they go */

/* A request wants a backend, or has one. */
bool http_asks(const struct session *s);
uint64_t http_client_hash(const struct session *s); /* of the client behind trusted proxies */

/* An endpoint is chosen: a connection to it that rests is used. False: there is none. */
bool http_take_warm(struct session *s);
void http_connected(struct session *s); /* or a new one is there */
/* No backend serves the request: it gets an answer. */
void http_unserved(struct session *s, enum close_reason reason);

/* The session ends: logs and frees what there is of a request. */
void http_over(struct session *s, enum close_reason reason);
/* The worker shall end: silent sessions are closed, the others get no next request. */
void http_drain(struct worker *w);
