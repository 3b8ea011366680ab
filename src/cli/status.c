/* SPDX-License-Identifier: MIT */
/* `bal status`: asks the daemon, checks what comes back, prints; once, or again and again. */
#include "cli/status.h"

#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bal/exit.h"
#include "cli/ask.h"
#include "cli/doc.h"
#include "cli/report.h"
#include "cli/stopped.h"
#include "core/clock.h"
#include "core/str.h"

static enum report_level status_level(const struct cli *c) {
        if (args_has(&c->args, OPTION_BIT(BRIEF)))
                return REPORT_BRIEF;
        return args_has(&c->args, OPTION_BIT(VERBOSE)) ? REPORT_VERBOSE : REPORT_DEFAULT;
}

/* The daemon's document with our four keys; the newer of two equal keys is ours. */
static json_t *status_document(const struct answer *a) {
        json_t *doc = out_document("bal.status");
        char now[CLOCK_TEXT_MAX];

        if (doc && json_object_update_missing(doc, a->reply.parameters) == 0 &&
            json_object_set_new(doc, "socket", out_text(a->socket)) == 0 &&
            json_object_set_new(doc, "time", json_string(clock_text(clock_real_us(), now))) == 0)
                return doc;
        json_decref(doc);
        return NULL;
}

static bool status_is_live(const struct cli *c) {
        return args_has(&c->args, OPTION_BIT(WATCH) | OPTION_BIT(FOLLOW)) && c->out.file;
}

static int status_running(struct cli *c, const struct answer *a) {
        struct report r = { .level = status_level(c),
                            .live = status_is_live(c),
                            .now_s = clock_real_us() / 1000000 };
        json_t *doc = status_document(a);

        if (!doc)
                return verb_fail(c, BAL_EXIT_FAILED, "out of memory");
        if (args_has(&c->args, OPTION_BIT(JSON))) {
                out_json(&c->out, doc);
                return BAL_EXIT_OK;
        }
        r.doc = doc;
        report_running(&c->out, &r);
        json_decref(doc);
        return BAL_EXIT_OK;
}

static int status_stopped(struct cli *c, const struct answer *a) {
        struct report r = { .level = status_level(c),
                            .live = status_is_live(c),
                            .now_s = clock_real_us() / 1000000 };
        int code = args_has(&c->args, OPTION_BIT(EXIT_CODE)) ? BAL_EXIT_NOT_RUNNING : BAL_EXIT_OK;
        json_t *doc = NULL;
        int r_doc;

        r_doc = stopped_document(&doc, c, a->socket, answer_text(a), a->error);
        if (r_doc < 0)
                return verb_fail(c, BAL_EXIT_FAILED, "cannot look at the backends: %s",
                                 strerror(-r_doc));
        if (args_has(&c->args, OPTION_BIT(JSON))) {
                out_json(&c->out, doc);
                return code;
        }
        r.doc = doc;
        report_stopped(&c->out, &r);
        json_decref(doc);
        return code;
}

struct unknown { /* why there is no report, in three parts */
        char *what_happened, *why_likely, *do_this_now;
};

static void unknown_done(struct unknown *u) {
        str_freep(&u->what_happened);
        str_freep(&u->why_likely);
        str_freep(&u->do_this_now);
}

static void unknown_right(struct unknown *ret, const char *socket) {
        const struct passwd *user = getpwuid(geteuid());
        const char *name = user ? user->pw_name : "this user";
        const struct group *group;
        struct stat st;

        ret->what_happened = str_printf("permission denied on %s", socket);
        if (stat(socket, &st) == 0 && (st.st_mode & 0060) == 0060 &&
            (group = getgrgid(st.st_gid))) {
                ret->why_likely =
                        str_printf("user '%s' is not in group '%s'", name, group->gr_name);
                ret->do_this_now =
                        str_printf("sudo bal status   (or: sudo usermod -aG %s %s, log in again)",
                                   group->gr_name, name);
                return;
        }
        ret->why_likely = str_printf("the daemon belongs to another user than '%s'", name);
        ret->do_this_now = str_printf("sudo bal status");
}

static void unknown_silent(struct unknown *ret, const char *socket, const char *why) {
        ret->what_happened = str_printf("no valid answer from %s: %s", socket, why);
        ret->why_likely =
                str_printf("the daemon hangs or is overloaded, or something else listens there");
        ret->do_this_now = str_printf("look for what holds it: ss -xlp src %s", socket);
}

static void unknown_crowded(struct unknown *ret, const struct answer *a) {
        ret->what_happened =
                str_printf("%lld clients are connected to %s already, as many as it takes",
                           (long long)doc_int(a->reply.parameters, "limit"), a->socket);
        ret->why_likely = str_printf("programs that ask for the status and do not hang up");
        /* the other ends of the sockets that have this path */
        ret->do_this_now = str_printf("who they are: ss -xp | grep -wFf <(ss -xH src %s | awk "
                                      "'{print $NF}')",
                                      a->socket);
}

static int status_unknown(struct cli *c, int code, const struct unknown *u) {
        const char *what = u->what_happened ? u->what_happened : "out of memory";

        if (args_has(&c->args, OPTION_BIT(EXIT_CODE)))
                code = BAL_EXIT_UNKNOWN;
        if (args_has(&c->args, OPTION_BIT(JSON)))
                return verb_fail(c, code, "%s", what);
        if (args_has(&c->args, OPTION_BIT(BRIEF))) {
                out_paint(&c->out, RED, "UNKNOWN");
                out_printf(&c->out, "  ");
                out_clean(&c->out, what);
                out_printf(&c->out, "\n");
                return code;
        }
        out_printf(&c->out, "bal status: ");
        out_paint(&c->out, RED, "UNKNOWN");
        out_printf(&c->out, "\n");
        out_part(&c->out, "  ", "what_happened", what);
        out_part(&c->out, "  ", "why_likely", u->why_likely);
        out_part(&c->out, "  ", "do_this_now", u->do_this_now);
        return code;
}

static int status_silent(struct cli *c, const struct answer *a, const char *why) {
        _cleanup_(unknown_done) struct unknown u = { .what_happened = NULL };

        unknown_silent(&u, a->socket ? a->socket : "?", why);
        return status_unknown(c, BAL_EXIT_UNAVAILABLE, &u);
}

int status_once(struct cli *c) {
        _cleanup_(unknown_done) struct unknown u = { .what_happened = NULL };
        _cleanup_(answer_done) struct answer a = { .result = ASK_OK };
        const char *bad;

        ask(&a, c, BAL_SOCKET_STATUS, BAL_METHOD_GET, ASK_MS);
        switch (a.result) {
        case ASK_OK:
                bad = report_valid(a.reply.parameters);
                if (bad) {
                        _cleanup_(str_freep) char *why =
                                str_printf("'%s' is missing or wrong", bad);

                        return status_silent(c, &a, why ? why : bad);
                }
                return status_running(c, &a);
        case ASK_ABSENT:
                return status_stopped(c, &a);
        case ASK_FORBIDDEN:
                unknown_right(&u, a.socket ? a.socket : "?");
                return status_unknown(c, BAL_EXIT_NO_RIGHT, &u);
        case ASK_REFUSED:
                if (a.reply.error_id != BAL_ERROR_TOO_MANY_CLIENTS)
                        break;
                unknown_crowded(&u, &a);
                return status_unknown(c, BAL_EXIT_UNAVAILABLE, &u);
        case ASK_SILENT:
                break;
        }
        return status_silent(c, &a, answer_text(&a));
}

int status_run(struct cli *c) {
        return status_is_live(c) ? status_live(c) : status_once(c);
}
