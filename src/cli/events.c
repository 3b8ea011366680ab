/* SPDX-License-Identifier: MIT */
/*
 * `bal events`: the newest records of the log, from the daemon itself, and with --follow those to
 * come. A daemon that goes away is waited for; what it tells when it is back, or what another one
 * has told since its start, is printed once.
 */

#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "bal/exit.h"
#include "cli/ask.h"
#include "cli/doc.h"
#include "cli/event_line.h"
#include "core/clock.h"
#include "core/str.h"

#define LIMIT_MAX    512  /* as bal-status(7) has it: so many are kept */
#define AGAIN_MS     200  /* between two tries to reach a daemon that is gone */
#define FORBIDDEN_MS 3000 /* a socket that has just been made may not have its mode yet */

struct feed {
        struct cli *c;
        json_t *last;  /* owned; the newest record that was printed; NULL: none */
        bool is_again; /* what comes now was asked for after a loss */
};

static void feed_done(struct feed *f) {
        json_decref(f->last);
}

static bool wants_json(const struct feed *f) {
        return args_has(&f->c->args, OPTION_BIT(JSON));
}

static bool is_filtered(const struct feed *f) {
        return args_has(&f->c->args, OPTION_BIT(LEVEL) | OPTION_BIT(EVENT));
}

/* ---- one answer ---- */

static void print_record(struct feed *f, json_t *record) {
        json_t *doc;

        if (!wants_json(f)) {
                event_line(&f->c->out, record, args_has(&f->c->args, OPTION_BIT(VERBOSE)));
                return;
        }
        doc = out_document("bal.event");
        if (doc && json_object_update_missing(doc, record) < 0) {
                json_decref(doc);
                doc = NULL;
        }
        out_json(&f->c->out, doc);
}

/* What is no record: "missed" with how many, "gone", "back". */
static void print_notice(struct feed *f, const char *word, int64_t missed, const char *text) {
        json_t *doc;

        if (!wants_json(f)) {
                out_finish(&f->c->out);
                out_printf(&f->c->err, "bal: %s\n", text);
                out_finish(&f->c->err);
                return;
        }
        doc = out_document("bal.notice");
        if (doc && (json_object_set_new(doc, "notice", json_string(word)) < 0 ||
                    (missed > 0 && json_object_set_new(doc, "missed", json_integer(missed)) < 0))) {
                json_decref(doc);
                doc = NULL;
        }
        out_json(&f->c->out, doc);
}

static void print_missed(struct feed *f, int64_t missed) {
        _cleanup_(str_freep) char *text =
                str_printf("%lld record%s missed: they came faster than they were read",
                           (long long)missed, missed == 1 ? " was" : "s were");

        print_notice(f, "missed", missed, text ? text : "records were missed");
}

/* Between the newest that was printed and what there is now: the daemon keeps only so many. */
static int64_t lost_between(const struct feed *f, const json_t *records) {
        int64_t first = doc_int(json_array_get(records, 0), "number");

        return is_filtered(f) || first == 0 ? 0 : first - doc_int(f->last, "number") - 1;
}

/* False: that is no answer. */
static bool feed_print(struct feed *f, const json_t *answer) {
        json_t *records = doc_array(answer, "events"), *record;
        bool goes_on = f->is_again && event_goes_on(records, f->last);
        int64_t missed = doc_int(answer, "missed");
        size_t i;

        if (!records)
                return false;
        if (goes_on && lost_between(f, records) > 0)
                missed += lost_between(f, records);
        if (missed > 0)
                print_missed(f, missed);
        json_array_foreach(records, i, record) {
                if (json_is_object(record) && (!goes_on || !event_is_known(record, f->last)))
                        print_record(f, record);
        }
        if (i > 0) {
                json_decref(f->last);
                f->last = json_incref(json_array_get(records, i - 1));
        }
        f->is_again = false;
        return true;
}

static int feed_invalid(const struct feed *f, const struct answer *a) {
        return verb_fail(f->c, BAL_EXIT_UNAVAILABLE,
                         "no valid answer from %s: 'events' is missing or wrong", a->socket);
}

/* ---- the call ---- */

static void feed_ask(const struct feed *f, struct answer *a, int64_t limit) {
        const struct args *args = &f->c->args;
        json_t *parameters = json_object();

        if ((args->level &&
             json_object_set_new(parameters, "level", json_string(args->level)) < 0) ||
            (args->event &&
             json_object_set_new(parameters, "event", json_string(args->event)) < 0) ||
            (limit >= 0 && json_object_set_new(parameters, "limit", json_integer(limit)) < 0)) {
                json_decref(parameters);
                parameters = NULL;
        }
        ask_with(a, f->c, BAL_SOCKET_STATUS, BAL_METHOD_GET_EVENTS, parameters, ASK_MS);
}

/* ---- and those to come ---- */

/* False: nobody reads any more. fd -1: only the time passes. */
static bool feed_wait(int fd, short events, int ms) {
        struct pollfd p[] = { { .fd = STDOUT_FILENO }, { .fd = fd, .events = events } };

        return poll(p, ELEMENTS(p), ms) <= 0 || p[0].revents == 0;
}

enum feed_end { FEED_UNREAD, FEED_GONE, FEED_INVALID };

static enum feed_end feed_follow(struct feed *f, struct answer *a) {
        for (;;) {
                struct bal_reply reply;
                int r = bal_client_receive(a->client, &reply);
                bool valid;

                if (r == -EAGAIN) {
                        if (!feed_wait(bal_client_fd(a->client), bal_client_events(a->client), -1))
                                return FEED_UNREAD;
                        continue;
                }
                if (r < 0)
                        return r == -EPROTO ? FEED_INVALID : FEED_GONE;
                valid = !reply.error && feed_print(f, reply.parameters);
                bal_reply_done(&reply);
                if (out_finish(&f->c->out) < 0)
                        return FEED_UNREAD;
                if (!valid)
                        return FEED_INVALID;
        }
}

/* Is there something behind it that time does not heal? */
static bool is_final(const struct answer *a, uint64_t since_ms) {
        if (a->result == ASK_REFUSED)
                return a->reply.error_id != BAL_ERROR_TOO_MANY_CLIENTS;
        return a->result == ASK_FORBIDDEN && clock_mono_ms() - since_ms > FORBIDDEN_MS;
}

/* BAL_EXIT_OK with a->result ASK_OK: it is back; with another: nobody reads any more. */
static int feed_again(struct feed *f, struct answer *a) {
        uint64_t since_ms = clock_mono_ms();

        print_notice(f, "gone", 0, "the daemon is gone; waiting for it, Ctrl-C ends");
        a->result = ASK_SILENT;
        while (out_finish(&f->c->out) == 0 && feed_wait(-1, 0, AGAIN_MS)) {
                answer_done(a);
                feed_ask(f, a, LIMIT_MAX);
                if (a->result == ASK_OK) {
                        print_notice(f, "back", 0, "the daemon is back");
                        f->is_again = true;
                        return BAL_EXIT_OK;
                }
                if (is_final(a, since_ms))
                        return answer_fail(f->c, a);
        }
        return BAL_EXIT_OK;
}

static int feed_on(struct feed *f, struct answer *a) {
        for (;;) {
                enum feed_end end = feed_follow(f, a);
                int code;

                if (end == FEED_UNREAD)
                        return BAL_EXIT_OK;
                if (end == FEED_INVALID)
                        return feed_invalid(f, a);
                code = feed_again(f, a);
                if (code != BAL_EXIT_OK || a->result != ASK_OK)
                        return code;
                if (!feed_print(f, a->reply.parameters))
                        return feed_invalid(f, a);
                if (out_finish(&f->c->out) < 0)
                        return BAL_EXIT_OK;
        }
}

int events_run(struct cli *c) {
        _cleanup_(answer_done) struct answer a = { .result = ASK_OK };
        _cleanup_(feed_done) struct feed f = { .c = c };
        bool follows = args_has(&c->args, OPTION_BIT(FOLLOW)) && c->out.file;

        if (c->args.limit > LIMIT_MAX)
                return verb_misused(c, "--limit: %lld is not between 0 and %d",
                                    (long long)c->args.limit, LIMIT_MAX);
        feed_ask(&f, &a, c->args.limit);
        if (a.result != ASK_OK)
                return answer_fail(c, &a);
        c->out.lines = true;
        if (!feed_print(&f, a.reply.parameters))
                return feed_invalid(&f, &a);
        if (out_finish(&c->out) < 0)
                return BAL_EXIT_OK;
        if (!follows && !f.last && c->args.limit != 0 && !wants_json(&f))
                out_printf(&c->err, "bal: no event is like that\n");
        if (!follows)
                return BAL_EXIT_OK;
        return feed_on(&f, &a);
}
