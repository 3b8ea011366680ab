/* SPDX-License-Identifier: MIT */
/* What is written and counted of a request. Counters count each one, whatever is written. */

#include <string.h>

#include "core/log.h"
#include "proxy/http_parts.h"

#define LOG_MODULE "http"

#define TARGET_MAX 1024 /* bytes of it that are written */
#define WORD_MAX   256  /* likewise of a host */

static const char *text_of(char *buf, size_t room, struct span s) {
        size_t n = s.n < room - 1 ? s.n : room - 1;

        if (s.n == 0)
                return NULL;
        memcpy(buf, s.p, n);
        buf[n] = '\0';
        return buf;
}

static const char *client_of(const struct session *s, char *buf, size_t room) {
        char text[ADDR_TEXT_MAX];

        return text_of(buf, room, http_client_text(s, text));
}

static bool is_wanted(const struct session *s, enum close_reason reason) {
        const struct config_http *config = http_config(s);

        switch (config->access_log) {
        case CONFIG_ACCESS_NONE:
                return false;
        case CONFIG_ACCESS_ERRORS:
                return s->http->x->status >= 500 || reason != CLOSE_DONE;
        default:
                return config->access_sample <= 1 ||
                       worker_random(s->worker) % config->access_sample == 0;
        }
}

/* From one moment of the request to another, where both have come. */
static uint64_t span_ms(uint64_t from, uint64_t to) {
        return from > 0 && to > from ? to - from : 0;
}

/* Until a backend was chosen the last time, or until the end of a wait in vain. */
static uint64_t queue_ms(const struct session *s) {
        const struct exchange *x = s->http->x;

        return s->waited_ms > x->queue_ms ? s->waited_ms : x->queue_ms;
}

static void request_write(struct session *s, enum close_reason reason) {
        const struct exchange *x = s->http->x;
        uint64_t now_ms = session_now_ms(s);
        char method[HTTP_METHOD_MAX + 1], target[TARGET_MAX + 1], host[WORD_MAX + 1];
        char client[WORD_MAX + 1], id[HTTP_REQUEST_ID_MAX + 1];

        log_info(http_request, "a request has ended", F_STR("frontend", s->frontend->config->name),
                 F_CLIENT(client_of(s, client, sizeof(client))),
                 F_STR("method", text_of(method, sizeof(method), piece_of(x, x->method))),
                 F_STR("target", text_of(target, sizeof(target), piece_of(x, x->target))),
                 F_STR("host", text_of(host, sizeof(host), piece_of(x, x->host))),
                 F_U64("status", (uint64_t)x->status), F_U64("bytes_in", s->up.bytes - x->up_base),
                 F_U64("bytes_out", s->down.bytes - x->down_base),
                 F_STR("request_id", text_of(id, sizeof(id), (struct span){ x->id, x->id_n })),
                 F_STR("pool", x->served_by ? s->target->pool->config->name : NULL),
                 F_STR("backend", x->served_by ? x->served_by->config->name : NULL),
                 F_U64("retries", x->n_tries), F_BOOL("reused", x->reused),
                 F_U64("idle_ms", x->idle_ms), F_U64("queue_ms", queue_ms(s)),
                 F_U64("connect_ms", x->connect_ms),
                 F_U64("first_byte_ms", span_ms(x->head_ms, x->answer_ms)),
                 F_U64("duration_ms", now_ms - x->first_ms),
                 F_STR("end", close_reason_word(reason)), F_U64("session", session_public_id(s)));
}

void http_log_request(struct session *s, enum close_reason reason) {
        struct exchange *x = s->http->x;
        struct traffic *t = x->asked_pool ? s->target->traffic : s->frontend->nowhere;

        if (x->ended)
                return;
        x->ended = true;
        if (x->status > 0)
                traffic_count(t, s->worker->index, x->traffic_method, x->status,
                              session_now_ms(s) - x->first_ms);
        if (is_wanted(s, reason))
                request_write(s, reason);
}

void http_log_refused(const struct session *s) {
        const struct exchange *x = s->http->x;
        char method[HTTP_METHOD_MAX + 1], target[TARGET_MAX + 1], client[WORD_MAX + 1];

        log_warn(http_refused, "a request was refused",
                 F_STR("frontend", s->frontend->config->name),
                 F_CLIENT(client_of(s, client, sizeof(client))),
                 F_STR("reason", http_verdict_word(x->verdict)),
                 F_STR("why", http_verdict_text(x->verdict)),
                 F_U64("status", (uint64_t)http_verdict_status(x->verdict, false)),
                 F_STR("method", text_of(method, sizeof(method), piece_of(x, x->method))),
                 F_STR("target", text_of(target, sizeof(target), piece_of(x, x->target))),
                 F_U64("session", session_public_id(s)));
}

void http_log_response(const struct session *s, const char *why) {
        const struct exchange *x = s->http->x;
        char method[HTTP_METHOD_MAX + 1], target[TARGET_MAX + 1];

        log_warn(http_response_bad, "a backend's response is no good",
                 F_STR("frontend", s->frontend->config->name),
                 F_STR("pool", s->target->pool->config->name),
                 F_STR("backend", x->served_by ? x->served_by->config->name : NULL),
                 F_STR("why", why),
                 F_STR("method", text_of(method, sizeof(method), piece_of(x, x->method))),
                 F_STR("target", text_of(target, sizeof(target), piece_of(x, x->target))),
                 F_U64("session", session_public_id(s)));
}
