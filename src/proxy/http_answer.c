/* SPDX-License-Identifier: MIT */
/* Answers of bal's own: errors, redirects, fixed ones. */

#include <stdlib.h>

#include "http/answer.h"

#include "core/clock.h"
#include "proxy/http_parts.h"

#define RETRY_AFTER_S 1 /* of a 503: whatever was short is short for a moment */

#define ALLOWED "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"

/* Bal refuses CONNECT as it is set, and TRACE that is to end here. */
static const char *allowed(const struct session *s) {
        return s->http->x->traffic_method == TRAFFIC_TRACE ? ALLOWED : ALLOWED ", TRACE";
}

/* The body: of error_pages, or none, and then it is made from the status. */
static void answer_page(const struct config_http *config, struct http_answer *a) {
        for (size_t i = 0; i < config->n_pages; i++) {
                if (config->pages[i].status != a->status)
                        continue;
                a->body = config->pages[i].body;
                a->content_type = config->pages[i].content_type;
        }
}

/* What was used of a backend is closed: the request it belongs to is not over there. */
static void http_give_back(struct session *s) {
        struct exchange *x = s->http->x;
        struct stock *stock = &s->worker->stock;

        lane_drop(&s->up, stock);
        lane_drop(&s->down, stock);
        inflow_drop(&x->in, stock);
        session_drop_server(s);
        session_drop_endpoint(s);
        session_drop_late(s);
}

/* Writes it into the lane to the client. */
static int answer_put(struct session *s, struct http_answer *a) {
        const struct config_http *config = http_config(s);
        struct exchange *x = s->http->x;
        struct buffer *b = stock_take_buffer(&s->worker->stock);
        struct http_values values;
        struct http_texts texts;
        struct http_out o;

        if (!b)
                return -ENOBUFS;
        http_values_fill(s, &values, &texts);
        a->request_id = (struct span){ x->id, x->id_n };
        a->rules = &config->response_headers;
        a->values = &values;
        a->now_s = clock_real_us() / 1000000;
        a->head = x->asked.head;
        a->close = !x->keep;
        a->client_minor = x->minor;

        o = (struct http_out){ .p = b->data, .room = sizeof(b->data) };
        if (!http_answer_write(&o, a)) {
                stock_put_buffer(&s->worker->stock, b);
                return -ENOBUFS;
        }
        b->start = 0;
        s->down = (struct lane){ .from = &s->client,
                                 .to = &s->client,
                                 .buffer = b,
                                 .held = o.n,
                                 .last = a->close,
                                 .bytes = s->down.bytes };
        return 0;
}

static enum session_step answer_send(struct session *s, struct http_answer *a) {
        struct exchange *x = s->http->x;

        x->status = a->status;
        x->answer_ms = session_now_ms(s);
        x->keep = x->keep && http_goes_on(s) && http_body_complete(&x->up);
        s->phase = SESSION_ANSWER;
        s->active_ms = session_now_ms(s);
        if (answer_put(s, a) < 0)
                return session_end(s, CLOSE_RESOURCES);
        io_unwant(&s->client.io, EPOLLIN | EPOLLRDHUP);
        http_look_at(s, s->active_ms + s->frontend->config->idle_timeout_ms);
        return STEP_AGAIN;
}

enum session_step http_answer(struct session *s, int status) {
        struct http_answer a = {
                .status = status,
                .allow = status == 405 ? allowed(s) : NULL,
                .retry_after_s = status == 503 ? RETRY_AFTER_S : 0,
        };

        if (s->down.held > 0) /* an interim head, which may be out in part: nothing can follow */
                return session_end(s, CLOSE_IDLE);
        answer_page(http_config(s), &a);
        http_give_back(s);
        return answer_send(s, &a);
}

enum session_step http_answer_route(struct session *s, const struct config_route *r) {
        char location[2 * 8192];
        struct http_out o = { .p = location, .room = sizeof(location) };
        struct http_answer a = { .status = r->status };
        struct http_values values;
        struct http_texts texts;

        if (r->action == CONFIG_REDIRECT) {
                http_values_fill(s, &values, &texts);
                http_out_template(&o, &r->to, &values);
                if (o.full)
                        return http_answer(s, 414);
                a.location = (struct span){ o.p, o.n };
        } else if (r->body.p) {
                a.body = r->body;
                a.content_type = r->content_type;
        } else {
                answer_page(http_config(s), &a);
        }
        return answer_send(s, &a);
}

enum session_step http_answer_run(struct session *s) {
        uint64_t before = s->down.bytes;

        if (lane_flush(&s->down, &s->worker->stock) < 0 || side_is_dead(&s->client))
                return session_end(s, CLOSE_CLIENT_RESET);
        if (s->down.bytes > before)
                session_moved(s, &s->down, s->down.bytes - before);
        io_unwant(&s->client.io, EPOLLOUT);
        if (s->down.held == 0)
                return http_finish(s);
        if (s->http->hasty)
                return session_end(s, s->http->reason);
        io_want(&s->client.io, EPOLLOUT);
        return STEP_WAIT;
}

/* A client that never got a place has not been read yet: there is no exchange to answer. */
static bool make_exchange(struct session *s) {
        struct exchange *x;

        if (s->http->x)
                return true;
        x = calloc(1, sizeof(*x));
        if (!x)
                return false;
        x->first_ms = x->head_ms = session_now_ms(s);
        x->minor = 1;
        x->traffic_method = TRAFFIC_OTHER;
        http_body_init(&x->up, HTTP_FRAMING_UNTIL_CLOSE, 0); /* whatever it sends is not read */
        http_name(s, x, NULL);
        s->http->x = x;
        s->http->last = true;
        return true;
}

enum session_step http_unserved(struct session *s, enum close_reason reason) {
        if (!s->http->x)
                s->http->reason = (uint8_t)reason;
        http_turn_away(s);
        return make_exchange(s) ? http_answer(s, 503) : session_end(s, reason);
}
