/* SPDX-License-Identifier: MIT */

#include "cli/rows.h"

#include <stdio.h>
#include <string.h>

#include "cli/doc.h"
#include "cli/states.h"
#include "core/str.h"

const char *row_name(const json_t *backend) {
        return doc_text(backend, "name", doc_text(backend, "address", "?"));
}

const char *row_age(const json_t *doc,
                    const char *key,
                    uint64_t now_s,
                    char buf[static REPORT_TEXT_MAX]) {
        uint64_t then;

        if (report_time(&then, doc_text(doc, key, NULL)) < 0)
                return "-";
        return report_age(now_s > then ? now_s - then : 0, buf);
}

const char *row_weight(const json_t *backend, char buf[static REPORT_TEXT_MAX]) {
        const json_t *file = json_object_get(backend, "weight_configured");
        int64_t weight = doc_int(backend, "weight");
        int n = snprintf(buf, REPORT_TEXT_MAX, "%lld", (long long)weight);

        if (json_is_integer(file) && json_integer_value(file) != weight)
                snprintf(buf + n, REPORT_TEXT_MAX - (size_t)n, " (file %d)",
                         (int)json_integer_value(file));
        return buf;
}

const char *row_deadline(const json_t *backend, char buf[static REPORT_TEXT_MAX]) {
        const json_t *in = json_object_get(backend, "deadline_in_ms");

        if (!json_is_integer(in) || json_integer_value(in) < 0)
                return "-";
        return report_age(((uint64_t)json_integer_value(in) + 999) / 1000, buf);
}

const char *row_check(const json_t *backend, char buf[static REPORT_TEXT_MAX]) {
        const json_t *check = json_object_get(backend, "check");
        int64_t failed = doc_int(check, "failed_in_a_row"), fall = doc_int(check, "fall");
        const char *last = doc_text(check, "last_result", "-");

        if (failed > 0 && strcmp(last, "-") != 0)
                snprintf(buf, REPORT_TEXT_MAX, "%s %lld/%lld", last,
                         (long long)(failed < fall ? failed : fall), (long long)fall);
        else
                snprintf(buf, REPORT_TEXT_MAX, "%s", last);
        return buf;
}

/* Appends ", more"; both are freed or become the result. */
static void append(char **text, char *more) {
        char *both;

        if (!*text || !more) {
                str_freep(text);
                str_freep(&more);
                return;
        }
        both = str_printf("%s%s%s", *text, **text && *more ? ", " : "", more);
        str_freep(text);
        str_freep(&more);
        *text = both;
}

/* Of one that an operator has set: what is wrong with it besides. The state tells the rest. */
static char *reason(const json_t *backend) {
        const char *key = doc_text(backend, "reason", ""),
                   *text = doc_text(backend, "reason_text", key);

        if (strcmp(key, "admin") == 0) {
                text = strstr(text, "; ");
                text = text ? text + 2 : "";
        }
        return str_printf("%s", text);
}

/* How old its oldest connection is; "" where the document does not say, as of those in service. */
static char *oldest(const json_t *backend) {
        const json_t *s = json_object_get(backend, "oldest_connection_s");
        char age[REPORT_TEXT_MAX];

        if (!json_is_integer(s) || json_integer_value(s) < 0)
                return str_printf("%s", "");
        return str_printf("oldest %s", report_age((uint64_t)json_integer_value(s), age));
}

char *row_note(const json_t *backend) {
        const json_t *slow = json_object_get(backend, "slow_start_percent");
        int64_t retry = doc_int(backend, "retry_in_ms");
        char *text = reason(backend);

        if (state_of(backend) == STATE_COOL && retry > 0)
                append(&text, str_printf("retry in %.1f s", (double)retry / 1000));
        if (json_is_integer(slow))
                append(&text, str_printf("slow start, %d %%", (int)json_integer_value(slow)));
        append(&text, oldest(backend));
        if (doc_bool(backend, "backup"))
                append(&text, str_printf("backup"));
        return text;
}

char *row_left(const json_t *backend) {
        int64_t active = doc_int(backend, "active_connections");
        char age[REPORT_TEXT_MAX];
        const char *in = row_deadline(backend, age);
        char *text;

        if (active == 0)
                text = str_printf("no connections left");
        else
                text = str_printf("%lld connection%s", (long long)active, active == 1 ? "" : "s");
        if (active > 0 && strcmp(in, "-") != 0)
                append(&text, str_printf("closed in %s", in));
        append(&text, oldest(backend));
        append(&text, reason(backend));
        return text;
}
