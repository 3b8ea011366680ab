/* SPDX-License-Identifier: MIT */
/*
 * proxy/http_parts.h - what the files of an HTTP session share. Not for others.
 *
 *   http_session.c   heads of requests, idle times, the end
 *   http_request.c   from a head to a backend: limits, routes, the head that goes on
 *   http_exchange.c  the request out, the response back, once more where it may be
 *   http_response.c  the head of a response
 *   http_answer.c    bal's own answers
 *   http_passive.c   what answers say of a backend's health
 *   http_log.c       what is written and counted of a request
 */
#pragma once

#include "http/head.h"
#include "http/request_id.h"
#include "proxy/http_session.h"
#include "proxy/stream.h"
#include "proxy/worker.h"

#define HTTP_WHOLE_MAX   16384 /* bytes of a request that is kept whole, body and all */
#define HTTP_TRIES_MAX   3     /* after the first */
#define HTTP_CLOSED_MAX  2     /* backends that may close on a request: it may be what fails them */
#define HTTP_CLIENT_LEFT 499   /* in the log: the client left before there was a status */

struct http_desk { /* one worker's: nothing on it outlives a call, but for head with head_of */
        struct http_head head;
        const struct exchange *head_of; /* head is its request; the spans point into its raw */
        char path[64 * 1024];           /* normalised, for routes */
        char out[80 * 1024];            /* a head of a response */
};

struct piece { /* of exchange.raw */
        uint32_t at, n;
};

struct exchange {                    /* one request and its response */
        uint64_t first_ms, head_ms;  /* the first byte of its head, the last one */
        uint64_t sent_ms;            /* the whole request was sent; 0: not yet */
        uint64_t answer_ms;          /* the first byte of the response; 0: none yet */
        uint64_t idle_ms;            /* the connection was silent for so long before it */
        uint64_t queue_ms;           /* until a backend was chosen, the last time */
        uint64_t connect_ms;         /* until it was connected, likewise */
        uint64_t up_base, down_base; /* bytes of the lanes before it */
        struct http_body up, down;
        struct inflow in; /* of the server */
        struct http_scan scan;
        const struct upstream_endpoint *served_by; /* for the log; NULL: bal itself */
        struct piece method, target, host,
                client;   /* client: behind trusted proxies; n 0: the peer */
        int status;       /* of the response; 0: none yet */
        uint16_t n_tries; /* after the first, each over a new connection */
        uint16_t n_interim;
        uint8_t n_closed;          /* new connections on which a backend closed without an answer */
        enum http_verdict verdict; /* why it was refused, or its response */
        uint8_t minor;
        uint8_t traffic_method; /* enum traffic_method */
        uint8_t id_n;
        struct http_asked asked;
        bool idempotent : 1;
        bool trusted : 1; /* the peer's X-Forwarded-* stand */
        bool keep : 1;    /* the client's connection lives on */
        bool keep_server : 1;
        bool reused : 1;   /* it goes over a connection that rested */
        bool rested : 1;   /* for so long that the backend may have closed it just now */
        bool stale : 1;    /* such a one failed */
        bool up_over : 1;  /* the request is out, or cannot get out */
        bool streamed : 1; /* bytes of its body went on that nobody keeps */
        bool head_out : 1; /* the response's head is in the lane */
        bool unchunk : 1;
        bool closed : 1;     /* the last backend that had it closed without an answer */
        bool asked_pool : 1; /* it had a pool to go to */
        bool ended : 1;      /* logged and counted */
        char id[HTTP_REQUEST_ID_MAX];
        uint32_t head_n,
                raw_n; /* raw: the head as it came, and with raw_n > head_n all of its body */
        char raw[];
};

struct http {                  /* what an HTTP session has besides */
        struct link idle_link; /* of the worker, while a new session may take its slot */
        struct inflow in;      /* of the client */
        struct http_scan scan;
        struct exchange *x; /* owned; NULL: between two requests */
        uint64_t first_ms;  /* the first byte of the head under way; 0: none yet */
        uint64_t until_ms;  /* SESSION_LINGER: its end */
        bool last;          /* no request after this one */
        bool turned_away;   /* counted in the worker: it has no slot, and gets its 503 */
        bool hasty;         /* likewise, but there are too many of them: it ends at once */
        uint8_t reason;     /* enum close_reason, of an end that was decided */

        struct link linger_link; /* of the worker, in SESSION_LINGER */
};

static inline const struct config_http *http_config(const struct session *s) {
        return s->frontend->config->http;
}

static inline struct span piece_of(const struct exchange *x, struct piece p) {
        return (struct span){ x->raw + p.at, p.n };
}

/* ---- http_session.c ---- */

/* Another request may follow on its connection, as far as bal is concerned. */
static inline bool http_goes_on(const struct session *s) {
        return !s->http->last && !s->worker->drain.on;
}

/* The timer shall look at the session at that time, or before. */
void http_look_at(struct session *s, uint64_t at_ms);
/* The exchange is over: on to the next request, or to the end. */
enum session_step http_next(struct session *s);
/* It gets no slot, but an answer that says so. */
void http_turn_away(struct session *s);

/* ---- http_request.c ---- */

/* The head on the desk is whole: makes the exchange and sends it on its way. */
enum session_step http_request(struct session *s);
/* Its request ID: that of the head, if there is one that is fit to be kept, or a new one. */
void http_name(struct session *s, struct exchange *x, const struct http_head *h);
/* A head that is refused. */
enum session_step http_refuse(struct session *s, enum http_verdict v);
/* The request's head on the desk, read again if somebody else's lies there. */
const struct http_head *http_head_again(struct session *s);
/* Writes the request into the lane: 0; -ENOBUFS; -EMSGSIZE. */
int http_request_put(struct session *s);

struct http_texts { /* what values point to */
        char client[ADDR_TEXT_MAX], port[8], backend[ADDR_TEXT_MAX];
};
struct span http_client_text(const struct session *s, char text[static ADDR_TEXT_MAX]);
void http_values_fill(const struct session *s, struct http_values *v, struct http_texts *t);

/* ---- http_exchange.c ---- */

enum session_step http_finish(struct session *s); /* the response is out */

/* ---- http_response.c ---- */

enum head_step {
        HEAD_WAIT,        /* for the backend, or for the client to take an interim head */
        HEAD_READ,        /* more was read: there may be a head */
        HEAD_DONE,        /* the final head is in the lane */
        HEAD_CUT,         /* the backend closed in the middle of it */
        HEAD_BAD,         /* see x->verdict */
        HEAD_NO_ROOM,     /* the stock has no buffer left */
        HEAD_SERVER_GONE, /* closed or reset before the first byte */
        HEAD_CLIENT_GONE, /* reset */
};
enum head_step http_response_head(struct session *s);

/* ---- http_answer.c ---- */

/* Gives the backend back, if there is one, and answers. No head may be out. */
enum session_step http_answer(struct session *s, int status);
enum session_step http_answer_route(struct session *s, const struct config_route *r);

/* ---- http_passive.c ---- */

int http_failure_of(int status); /* 0: it is no failure of the backend */
/* The endpoint in use has answered (0), or failed so. */
void http_judge(struct session *s, int failure);

/* ---- http_log.c ---- */

void http_log_request(struct session *s, enum close_reason reason); /* once per exchange */
void http_log_refused(const struct session *s);
void http_log_response(const struct session *s, const char *why); /* a backend's that is no good */
