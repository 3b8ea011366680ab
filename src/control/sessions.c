/* SPDX-License-Identifier: MIT */

#include "control/sessions.h"

#include <stdlib.h>
#include <string.h>

#include "control/parameter.h"
#include "core/log.h"
#include "proxy/survey.h"
#include "upstream/upstream.h"

#define LOG_MODULE "sessions"

#define LIMIT_DEFAULT 100

/* ---- the question ---- */

/* A copy: the answer comes after the call's text may be gone. */
static int read_text(char **ret, const json_t *parameters, const char *key) {
        const char *text = NULL;
        int r = parameter_text(&text, parameters, key);

        if (r <= 0)
                return r;
        *ret = strdup(text);
        return *ret ? 1 : -ENOMEM;
}

/* NULL: all is right; else the parameter that is not. *ret_given: of those that name sessions. */
static const char *read_filter(struct survey_query *q, const json_t *parameters, int *ret_given) {
        const struct {
                const char *key;
                char **text;
                uint64_t *number, min;
                bool names;
        } rows[] = {
                { "frontend", &q->frontend, NULL, 0, true },
                { "pool", &q->pool, NULL, 0, true },
                { "backend", &q->backend, NULL, 0, true },
                { "client", &q->client, NULL, 0, true },
                { "id", NULL, &q->id, 1, true }, /* 0 is nobody's; for a survey it means any */
                { "min_age_ms", NULL, &q->min_age_ms, 0, false },
                { "min_idle_ms", NULL, &q->min_idle_ms, 0, false },
        };

        *ret_given = 0;
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                int r = rows[i].text ? read_text(rows[i].text, parameters, rows[i].key)
                                     : parameter_number(rows[i].number, parameters, rows[i].key,
                                                        rows[i].min, UINT64_MAX);

                if (r < 0)
                        return rows[i].key;
                *ret_given += r && rows[i].names;
        }
        return NULL;
}

/* ---- the answer ---- */

static json_t *leg_describe(const struct survey_leg *leg) {
        if (!leg->known)
                return json_null();
        return json_pack("{s:I, s:I, s:I, s:I, s:I}", "rtt_us", (json_int_t)leg->rtt_us,
                         "rtt_var_us", (json_int_t)leg->rtt_var_us, "retransmits",
                         (json_int_t)leg->retransmits, "unacked", (json_int_t)leg->unacked,
                         "unsent_bytes", (json_int_t)leg->unsent_bytes);
}

static json_t *client_describe(const struct survey_record *r) {
        struct addr peer = session_peer_addr(&r->peer);
        char text[ADDR_TEXT_MAX];

        return json_string(addr_text(&peer, text));
}

static json_t *session_describe(const struct survey_record *r) {
        const char *slow = r->client_slow ? "client" : r->server_slow ? "server" : NULL;

        return json_pack("{s:I, s:I, s:I, s:s, s:o, s:s, s:s?, s:s, s:I, s:I, s:s?, s:o, s:o}",
                         "id", (json_int_t)r->id, "age_ms", (json_int_t)r->age_ms, "idle_ms",
                         (json_int_t)r->idle_ms, "frontend", r->frontend->config->name, "client",
                         client_describe(r), "pool", r->pool->config->name, "backend",
                         r->endpoint ? r->endpoint->config->name : NULL, "state",
                         session_phase_word(r->phase), "bytes_in", (json_int_t)r->bytes_in,
                         "bytes_out", (json_int_t)r->bytes_out, "slow_side", slow, "client_leg",
                         leg_describe(&r->client), "server_leg", leg_describe(&r->server));
}

static void on_looked(const struct survey *answer, void *arg) {
        json_t *sessions = answer->records ? json_array() : NULL;

        for (size_t i = 0; sessions && i < answer->n_records; i++)
                json_array_append_new(sessions, session_describe(&answer->records[i]));
        server_reply(arg, sessions ? json_pack("{s:o, s:I, s:I}", "sessions", sessions, "matched",
                                               (json_int_t)answer->n_matched, "total",
                                               (json_int_t)answer->n_looked)
                                   : NULL);
}

static void on_closed(const struct survey *answer, void *arg) {
        uid_t uid;
        pid_t pid;

        server_call_peer(arg, &uid, &pid);
        log_info(sessions_closed, "connections were closed over the admin socket",
                 F_U64("connections", answer->n_matched), F_U64("uid", uid), F_I64("pid", pid));
        server_reply(arg, json_pack("{s:I}", "closed", (json_int_t)answer->n_matched));
}

/* ---- in between ---- */

static void refuse(struct survey_query *q, struct server_call *call, const char *parameter) {
        survey_query_done(q);
        server_invalid(call, parameter);
}

static void ask(struct crew *crew,
                struct survey_query *q,
                crew_survey_fn done,
                struct server_call *call) {
        if (crew_survey(crew, q, done, call) < 0)
                server_reply(call, NULL);
}

void sessions_get(struct crew *crew, struct server_call *call, json_t *parameters) {
        struct survey_query q = { 0 };
        uint64_t limit = LIMIT_DEFAULT;
        int given, sort = SURVEY_AGE;
        const char *wrong;

        wrong = read_filter(&q, parameters, &given);
        if (!wrong && parameter_word(&sort, parameters, "sort", survey_sort_find) < 0)
                wrong = "sort";
        if (!wrong && parameter_number(&limit, parameters, "limit", 1, SURVEY_LIMIT_MAX) < 0)
                wrong = "limit";
        if (wrong) {
                refuse(&q, call, wrong);
                return;
        }
        q.sort = (enum survey_sort)sort;
        q.limit = (uint32_t)limit;
        ask(crew, &q, on_looked, call);
}

void sessions_close(struct crew *crew, struct server_call *call, json_t *parameters) {
        struct survey_query q = { .limit = 1, .close = true };
        const char *wrong;
        int given;

        wrong = read_filter(&q, parameters, &given);
        if (wrong || given == 0) {
                refuse(&q, call, wrong ? wrong : "backend");
                return;
        }
        ask(crew, &q, on_closed, call);
}
