/* SPDX-License-Identifier: MIT */
/* proxy/http_session.h - what an HTTP session does where a TCP session would relay. */
#pragma once

#include "proxy/session.h"

/* With s->http set, and nothing else; to be freed with free(). NULL: out of memory. */
struct session *http_session_new(void);

/* What the HTTP sessions of this configuration need of the worker, if it has any. -ENOMEM. */
int http_prepare(struct worker *w, const struct config *c);

/* It has its slot: its first request may come. */
enum session_step http_start(struct session *s);
enum session_step http_read(struct session *s);       /* SESSION_IDLE, SESSION_HEAD */
enum session_step http_exchange(struct session *s);   /* SESSION_EXCHANGE: both directions */
enum session_step http_answer_run(struct session *s); /* SESSION_ANSWER */
enum session_step http_linger(struct session *s);     /* SESSION_LINGER */
enum session_step http_timer(struct session *s);

/* A FIN of the client is wanted from now on, unless half_close is serve; it is an abort. */
void http_watch_client(struct session *s);
enum session_step http_client_gone(struct session *s);

uint64_t http_client_hash(const struct session *s); /* of the client behind trusted proxies */

/* An endpoint is chosen: a connection to it that rests is used. False: there is none. */
bool http_take_warm(struct session *s);
enum session_step http_connected(struct session *s); /* its request goes out */
void http_connect_failed(struct session *s);
/* The last backend that had the request closed without an answer, and no other backend is left: the
 * request is the likely cause, and its client gets a 502. again_ms: as of session_hold(). */
bool http_was_closed_on(const struct session *s);
enum session_step http_closed_on(struct session *s, uint64_t again_ms);
/* The session has another generation from now on, and the request waits for a backend of it. */
void http_renewed(struct session *s);
/* No backend serves the request: it gets an answer. */
enum session_step http_unserved(struct session *s, enum close_reason reason);

/* A new session is to come, and the limits are reached: the HTTP session that has been silent the
 * longest is closed, if there is one whose slot would do. From the loop only. */
void http_make_room(struct worker *w, const struct upstream *u, const struct frontend *f);

/* The session ends: logs and frees what there is of a request. */
void http_over(struct session *s, enum close_reason reason);
/* Closes the session that lingers longest in the worker; one must be there. */
void http_end_linger(struct worker *w);
/* The worker shall end: silent sessions are closed, the others get no next request. */
void http_drain(struct worker *w);
