/* SPDX-License-Identifier: MIT */

#include "cli/session_rows.h"

#include <stdio.h>
#include <string.h>

#include "cli/doc.h"
#include "cli/rows.h"
#include "cli/table.h"
#include "core/str.h"

#define LIMIT_MAX 1000 /* of one answer, bal-status(7) */

const char *session_bytes(uint64_t n, char buf[static REPORT_TEXT_MAX]) {
        static const char *const units[] = { "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
        double v = (double)n;
        size_t i = 0;

        if (n < 1000) {
                snprintf(buf, REPORT_TEXT_MAX, "%lluB", (unsigned long long)n);
                return buf;
        }
        for (v /= 1024; v >= 999.5 && i + 1 < ELEMENTS(units); v /= 1024)
                i++;
        snprintf(buf, REPORT_TEXT_MAX, v < 9.95 ? "%.1f%s" : "%.0f%s", v, units[i]);
        return buf;
}

static int print_ms(char *buf, size_t size, const json_t *leg) {
        double ms = (double)doc_int(leg, "rtt_us") / 1000;

        if (!json_is_object(leg))
                return snprintf(buf, size, "-");
        return snprintf(buf, size, ms < 9.95 ? "%.1f" : "%.0f", ms);
}

const char *session_rtt(const json_t *session, char buf[static REPORT_TEXT_MAX]) {
        const json_t *client = json_object_get(session, "client_leg"),
                     *server = json_object_get(session, "server_leg");
        int n;

        if (!json_is_object(client) && !json_is_object(server))
                return "-";
        n = print_ms(buf, REPORT_TEXT_MAX / 2, client);
        if (n >= REPORT_TEXT_MAX / 2) /* of a daemon that makes numbers up */
                n = REPORT_TEXT_MAX / 2 - 1;
        buf[n++] = '/';
        print_ms(buf + n, REPORT_TEXT_MAX - (size_t)n, server);
        return buf;
}

static int64_t leg_int(const json_t *session, const char *leg, const char *key) {
        return doc_int(json_object_get(session, leg), key);
}

static void add_age(struct table *t, const json_t *session, const char *key) {
        int64_t ms = doc_int(session, key);
        char text[REPORT_TEXT_MAX];

        table_add(t, PLAIN, "%s", report_age((uint64_t)(ms > 0 ? ms : 0) / 1000, text));
}

static void add_backend(struct table *t, const json_t *session) {
        const char *name = doc_text(session, "backend", NULL);

        if (name)
                table_add(t, PLAIN, "%s/%s", doc_text(session, "pool", "?"), name);
        else
                table_add(t, PLAIN, "%s/-", doc_text(session, "pool", "?"));
}

static void add_bytes(struct table *t, const json_t *session, const char *key) {
        char text[REPORT_TEXT_MAX];

        table_add(t, PLAIN, "%s", session_bytes((uint64_t)doc_int(session, key), text));
}

static void add_row(struct table *t, const json_t *s, bool verbose) {
        const char *state = doc_text(s, "state", "?");
        char in[REPORT_TEXT_MAX], out[REPORT_TEXT_MAX];

        table_add(t, PLAIN, "%lld", (long long)doc_int(s, "id"));
        add_age(t, s, "age_ms");
        add_age(t, s, "idle_ms");
        if (verbose)
                table_add(t, PLAIN, "%s", doc_text(s, "frontend", "?"));
        table_add(t, PLAIN, "%s", doc_text(s, "client", "?"));
        add_backend(t, s);
        table_add(t, PLAIN, "%s", session_rtt(s, in));
        add_bytes(t, s, "bytes_in");
        add_bytes(t, s, "bytes_out");
        if (verbose) {
                table_add(t, PLAIN, "%lld/%lld", (long long)leg_int(s, "client_leg", "retransmits"),
                          (long long)leg_int(s, "server_leg", "retransmits"));
                table_add(t, PLAIN, "%s/%s",
                          session_bytes((uint64_t)leg_int(s, "client_leg", "unsent_bytes"), in),
                          session_bytes((uint64_t)leg_int(s, "server_leg", "unsent_bytes"), out));
        }
        table_add(t, CYAN, "%s", strcmp(state, "relay") == 0 ? "" : state);
        table_add(t, YELLOW, "%s", doc_text(s, "slow_side", ""));
}

/* Where it is narrow: first how long it has been idle, then the round trips, then the bytes, but
 * not what the rows are sorted by. */
static uint32_t spare_columns(const char *sort, bool verbose) {
        static const struct {
                const char *sort;
                uint32_t columns;
        } keys[] = { { "idle", 0x4 }, { "rtt", 0x20 }, { "bytes", 0xc0 } };
        uint32_t columns = 0;

        for (size_t i = 0; i < ELEMENTS(keys) && !verbose; i++) {
                if (!sort || strcmp(sort, keys[i].sort) != 0)
                        columns |= keys[i].columns;
        }
        return columns;
}

void session_rows_table(struct out *o, const json_t *sessions, const char *sort, bool verbose) {
        static const struct {
                const char *text;
                bool verbose;
        } heads[] = { { "ID", false },      { "AGE", false },    { "IDLE", false },
                      { "FRONTEND", true }, { "CLIENT", false }, { "BACKEND", false },
                      { "RTT MS", false },  { "IN", false },     { "OUT", false },
                      { "RETRANS", true },  { "UNSENT", true },  { "STATE", false },
                      { "SLOW", false } };
        _cleanup_(table_done) struct table t = { .columns = verbose ? ELEMENTS(heads)
                                                                    : ELEMENTS(heads) - 3,
                                                 .cells_max = ROWS_NAME_CELLS,
                                                 .right = verbose ? 0x7c7 : 0xe7,
                                                 .shrinks = verbose ? 0x38 : 0x18,
                                                 .spare = spare_columns(sort, verbose),
                                                 .optional = verbose ? 0x1800 : 0x300,
                                                 .indent = "" };
        json_t *s;
        size_t i;

        for (i = 0; i < ELEMENTS(heads); i++) {
                if (verbose || !heads[i].verbose)
                        table_add(&t, BOLD, "%s", heads[i].text);
        }
        json_array_foreach(sessions, i, s)
                add_row(&t, s, verbose);
        table_print(o, &t);
}

static void brief_legs(struct out *o, const json_t *s, const char *name, const char *key) {
        static const char *const legs[] = { "client_leg", "server_leg" };

        out_printf(o, " %s=", name);
        for (size_t i = 0; i < ELEMENTS(legs); i++) {
                const json_t *leg = json_object_get(s, legs[i]);

                if (i > 0)
                        out_printf(o, "/");
                if (json_is_object(leg))
                        out_printf(o, "%lld", (long long)doc_int(leg, key));
                else
                        out_printf(o, "-");
        }
}

static void brief_text(struct out *o, const char *name, const char *text) {
        out_printf(o, " %s=", name);
        out_clean(o, text);
}

void session_rows_brief(struct out *o, const json_t *sessions) {
        json_t *s;
        size_t i;

        json_array_foreach(sessions, i, s) {
                out_printf(o, "id=%lld age=%lld idle=%lld", (long long)doc_int(s, "id"),
                           (long long)doc_int(s, "age_ms") / 1000,
                           (long long)doc_int(s, "idle_ms") / 1000);
                brief_text(o, "frontend", doc_text(s, "frontend", "?"));
                brief_text(o, "client", doc_text(s, "client", "?"));
                brief_text(o, "backend", doc_text(s, "pool", "?"));
                out_printf(o, "/");
                out_clean(o, doc_text(s, "backend", "-"));
                brief_text(o, "state", doc_text(s, "state", "?"));
                out_printf(o, " in=%lld out=%lld", (long long)doc_int(s, "bytes_in"),
                           (long long)doc_int(s, "bytes_out"));
                brief_legs(o, s, "rtt_us", "rtt_us");
                brief_legs(o, s, "retransmits", "retransmits");
                brief_text(o, "slow", doc_text(s, "slow_side", "-"));
                out_printf(o, "\n");
        }
}

static const char *plural(long long n) {
        return n == 1 ? "" : "s";
}

void session_rows_total(struct out *o, const json_t *answer, bool filtered) {
        long long shown = (long long)json_array_size(doc_array(answer, "sessions")),
                  matched = doc_int(answer, "matched"), total = doc_int(answer, "total");

        if (total == 0) {
                out_printf(o, "no connections\n");
                return;
        }
        if (matched == 0) {
                out_printf(o, "0 of %lld connection%s match\n", total, plural(total));
                return;
        }
        out_printf(o, "%lld of %lld connection%s", shown, matched, plural(matched));
        if (filtered)
                out_printf(o, " that match%s, %lld in all", matched == 1 ? "es" : "", total);
        if (shown < matched && shown < LIMIT_MAX)
                out_printf(o, "; more: --limit=%lld", matched < LIMIT_MAX ? matched : LIMIT_MAX);
        out_printf(o, "\n");
}
