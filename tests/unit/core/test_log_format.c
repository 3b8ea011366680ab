/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "core/log.h"
#include "core/str.h"

#define REAL_US UINT64_C(1795176268412999) /* 2026-11-20T12:04:28.412999Z */

static const struct log_site site = { .level = LOG_LEVEL_WARN,
                                      .event = EVENT_backend_state,
                                      .module = "session",
                                      .message = "it is so" };
static char line[LOG_RECORD_MAX];

static const char *json(const struct log_field *fields, size_t n) {
        size_t size = log_format_json(line, sizeof(line) - 1,
                                      &(struct log_record){ &site, REAL_US, fields, n });

        assert_in_range(size, 1, sizeof(line) - 1);
        line[size] = '\0';
        assert_int_equal(strlen(line), size);
        return line;
}

static const char *pretty(const struct log_field *fields, size_t n) {
        size_t size = log_format_pretty(line, sizeof(line) - 1,
                                        &(struct log_record){ &site, REAL_US, fields, n });

        assert_in_range(size, 1, sizeof(line) - 1);
        line[size] = '\0';
        return line;
}

/* A code point as UTF-8. */
static void encode(char to[static 5], uint32_t c) {
        static const unsigned char first[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
        size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

        to[n] = '\0';
        for (size_t i = n - 1; i > 0; i--, c >>= 6)
                to[i] = (char)(0x80 | (c & 0x3f));
        to[0] = (char)(first[n] | c);
}

#define HEAD                                                                                       \
        "{\"timestamp\":\"2026-11-20T12:04:28.412Z\",\"level\":\"WARN\",\"message\":\"it is so\"," \
        "\"module\":\"session\",\"event\":\"backend_state\",\"fields\":{"

static void test_record(void **state) {
        const struct log_field fields[] = { F_STR("s", "text"),
                                            F_STR("none", NULL),
                                            F_U64("u", UINT64_MAX),
                                            F_I64("i", INT64_MIN),
                                            F_BOOL("yes", true),
                                            F_BOOL("no", false),
                                            F_ERR(-ECONNREFUSED),
                                            { .key = "e", .kind = LOG_IS_ERRNO, .i = ENOENT },
                                            { .key = "x", .kind = LOG_IS_ERRNO, .i = -99999 } };

        (void)state;
        assert_string_equal(json(NULL, 0), HEAD "}}");
        assert_string_equal(json(fields, ELEMENTS(fields)),
                            HEAD "\"s\":\"text\",\"none\":null,\"u\":18446744073709551615,"
                                 "\"i\":-9223372036854775808,\"yes\":true,\"no\":false,"
                                 "\"error\":\"ECONNREFUSED\",\"e\":\"ENOENT\",\"x\":\"unknown\"}}");
        assert_string_equal(pretty(fields, ELEMENTS(fields)),
                            "12:04:28.412 WARN  it is so  s=text  none=null  "
                            "u=18446744073709551615  i=-9223372036854775808  yes=true  no=false  "
                            "error=ECONNREFUSED  e=ENOENT  x=unknown");
}

static void test_six_keys_in_order(void **state) {
        static const char *const keys[] = { "timestamp", "level", "message",
                                            "module",    "event", "fields" };
        const char *key;
        json_t *value, *root;
        size_t i = 0;

        (void)state;
        root = json_loads(json(NULL, 0), JSON_REJECT_DUPLICATES, NULL);
        assert_non_null(root);
        json_object_foreach(root, key, value) {
                assert_true(i < ELEMENTS(keys));
                assert_string_equal(key, keys[i++]);
        }
        assert_int_equal(i, ELEMENTS(keys));
        json_decref(root);
}

/* Every event and level has its word. */
static void test_words(void **state) {
        static const char *const events[] = {
#define X(name, class, id, help) #name,
                LOG_EVENTS(X)
#undef X
        };
        static const char *const levels[] = { "ERROR", "WARN", "INFO", "DEBUG", "TRACE" };

        (void)state;
        for (int i = 0; i < LOG_EVENTS_COUNT; i++) {
                const struct log_site each = { .level = (enum log_level)(i % LOG_LEVELS_COUNT),
                                               .event = (enum log_event)i,
                                               .module = "m",
                                               .message = "text" };
                const struct log_record record = { &each, REAL_US, NULL, 0 };
                json_t *root =
                        json_loadb(line, log_format_json(line, sizeof(line), &record), 0, NULL);

                assert_non_null(root);
                assert_string_equal(json_string_value(json_object_get(root, "event")), events[i]);
                assert_string_equal(json_string_value(json_object_get(root, "level")),
                                    levels[i % LOG_LEVELS_COUNT]);
                json_decref(root);
        }
}

static const struct {
        const char *text, *json, *pretty, *why;
} texts[] = {
        { "", "", "", "empty" },
        { "a b", "a b", "a b", "blanks" },
        { "\"", "\\\"", "\"", "a quote" },
        { "\\", "\\\\", "\\", "a backslash" },
        { "/", "/", "/", "no need to escape it" },
        { "a\nb\r\tc", "a\\u000ab\\u000d\\u0009c", "a?b??c", "it stays one line" },
        { "\x01\x1f\x7f", "\\u0001\\u001f\\u007f", "???", "control characters" },
        { "\x1b[31m", "\\u001b[31m", "?[31m", "no colours for the terminal" },
        { "caf\xc3\xa9", "caf\xc3\xa9", "caf\xc3\xa9", "two bytes" },
        { "\xe2\x82\xac", "\xe2\x82\xac", "\xe2\x82\xac", "three" },
        { "\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80", "four" },
        { "\xc2\x9b"
          "31m",
          "\\u009b31m", "?31m", "CSI as one character" },
        { "\xc2\x80\xc2\x9f\xc2\xa0", "\\u0080\\u009f\xc2\xa0", "??\xc2\xa0", "C1 and its end" },
        { "a\xe2\x80\xae"
          "b",
          "a\\u202eb", "a?b", "right to left from here on" },
        { "\xe2\x81\xa6\xe2\x81\xa9", "\\u2066\\u2069", "??", "an isolate" },
        { "\xe2\x80\x8b\xe2\x81\xa0\xef\xbb\xbf\xc2\xad", "\\u200b\\u2060\\ufeff\\u00ad", "????",
          "nothing that is seen" },
        { "\xe2\x80\xa8\xe2\x80\xa9", "\\u2028\\u2029", "??", "line ends of JavaScript" },
        { "\xef\xb8\x8f", "\\ufe0f", "?", "a variation selector" },
        { "\xf3\xa0\x80\x81\xf3\xa0\x87\xaf", "\\udb40\\udc01\\udb40\\uddef", "??", "tags" },
        { "\xe2\x80\x90\xe2\x80\xaf", "\xe2\x80\x90\xe2\x80\xaf", "\xe2\x80\x90\xe2\x80\xaf",
          "a hyphen and a narrow blank stay" },
        { "\xff", "?", "?", "never in UTF-8" },
        { "\x80", "?", "?", "a continuation alone" },
        { "\xc3", "?", "?", "cut after one of two" },
        { "\xc3(", "?(", "?(", "the next one stays" },
        { "\xe2\x82", "??", "??", "cut after two of three" },
        { "\xf0\x9f\x98", "???", "???", "cut after three of four" },
        { "\xc0\xaf", "??", "??", "overlong, two bytes" },
        { "\xe0\x80\xaf", "???", "???", "overlong, three" },
        { "\xf0\x80\x80\xaf", "????", "????", "overlong, four" },
        { "\xed\xa0\x80", "???", "???", "half of a surrogate pair" },
        { "\xed\x9f\xbf", "\xed\x9f\xbf", "\xed\x9f\xbf", "the last one before these" },
        { "\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf", "the last of all" },
        { "\xf4\x90\x80\x80", "????", "????", "beyond it" },
        { "\xf5\x80\x80\x80", "????", "????", "far beyond" },
};

static void test_texts(void **state) {
        char expected[256];

        (void)state;
        for (size_t i = 0; i < ELEMENTS(texts); i++) {
                const struct log_field f = F_STR("k", texts[i].text);
                json_t *root;

                snprintf(expected, sizeof(expected), "%s\"k\":\"%s\"}}", HEAD, texts[i].json);
                if (strcmp(json(&f, 1), expected) != 0)
                        fail_msg("row %zu: %s\n%s", i, texts[i].why, line);
                root = json_loads(line, 0, NULL);
                if (!root)
                        fail_msg("row %zu: not JSON: %s", i, texts[i].why);
                json_decref(root);

                snprintf(expected, sizeof(expected), "12:04:28.412 WARN  it is so  k=%s",
                         texts[i].pretty);
                if (strcmp(pretty(&f, 1), expected) != 0)
                        fail_msg("row %zu: %s\n%s", i, texts[i].why, line);
        }
}

/* Whatever the length: a whole JSON text below the limit that says when something is missing. */
static void test_cut(void **state) {
        char text[1025];

        (void)state;
        memset(text, '\x01', sizeof(text) - 1); /* six bytes each */
        for (size_t n = 0; n < sizeof(text) - 1; n++) {
                struct log_field fields[] = { F_STR("a", text), F_STR("b", "b"), F_STR("c", text),
                                              F_U64("d", 4) };
                bool cut, all;
                json_t *root, *f;

                text[n] = '\0';
                root = json_loads(json(fields, ELEMENTS(fields)), JSON_REJECT_DUPLICATES, NULL);
                text[n] = '\x01';
                assert_non_null(root);
                f = json_object_get(root, "fields");
                cut = json_is_true(json_object_get(f, "truncated"));
                all = json_object_get(f, "a") && json_object_get(f, "b") &&
                      json_object_get(f, "c") && json_object_get(f, "d");
                assert_int_equal(cut, !all);
                if (json_object_get(f, "c")) /* never half a field */
                        assert_int_equal(json_string_length(json_object_get(f, "c")), n);
                json_decref(root);
        }
}

static void test_cut_at_the_first(void **state) {
        const struct log_field f = F_STR("a", "more than there is room for, since the room is "
                                              "small in this test and not in life");
        char small[sizeof(HEAD) + 40];
        size_t size = log_format_json(small, sizeof(small),
                                      &(struct log_record){ &site, REAL_US, &f, 1 });

        (void)state;
        assert_true(size < sizeof(small));
        small[size] = '\0';
        assert_string_equal(small, HEAD "\"truncated\":true}}");
}

/* The room ends inside of a character: the character is not begun. */
static void test_pretty_cut(void **state) {
        const struct log_field f = F_STR("k", "\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac");
        const struct log_record record = { &site, REAL_US, &f, 1 };
        size_t whole = log_format_pretty(line, sizeof(line), &record);

        (void)state;
        for (size_t size = whole - 9; size <= whole; size++)
                assert_int_equal(log_format_pretty(line, size, &record),
                                 whole - (whole - size + 2) / 3 * 3);
}

/* ---- the Elastic Common Schema ---- */

static const char *ecs(const struct log_field *fields, size_t n) {
        size_t size = log_format_ecs(line, sizeof(line) - 1,
                                     &(struct log_record){ &site, REAL_US, fields, n });

        assert_in_range(size, 1, sizeof(line) - 1);
        line[size] = '\0';
        assert_int_equal(strlen(line), size);
        return line;
}

#define ECS_HEAD                                                                                   \
        "{\"@timestamp\":\"2026-11-20T12:04:28.412Z\",\"log.level\":\"WARN\","                     \
        "\"message\":\"it is so\",\"ecs.version\":\"8.11.0\",\"service.name\":\"bal\","            \
        "\"event.module\":\"session\",\"event.action\":\"backend_state\""

static void test_ecs(void **state) {
        const struct log_field fields[] = { F_STR("pool", "web"),    F_STR("client", "10.0.0.9:1"),
                                            F_STR("reason", "x\n"),  F_ERR(-ECONNREFUSED),
                                            F_STR("version", "1.0"), F_U64("connections", 7),
                                            F_STR("backend", NULL) };
        const struct log_field renamed = F_STR("reason", NULL);

        (void)state;
        assert_string_equal(ecs(NULL, 0), ECS_HEAD ",\"bal\":{}}");
        assert_string_equal(ecs(&renamed, 1), ECS_HEAD ",\"event.reason\":null,\"bal\":{}}");
        assert_string_equal(ecs(fields, ELEMENTS(fields)), ECS_HEAD
                            ",\"client.address\":\"10.0.0.9:1\","
                            "\"event.reason\":\"x\\u000a\",\"error.code\":\"ECONNREFUSED\","
                            "\"service.version\":\"1.0\",\"bal\":{\"pool\":\"web\","
                            "\"connections\":7,\"backend\":null}}");
}

/* Whatever does not fit, with a name of the schema or with one of bal's. */
static void test_ecs_cut(void **state) {
        char text[1025];

        (void)state;
        memset(text, '\x01', sizeof(text) - 1);
        for (size_t n = 0; n < sizeof(text) - 1; n++) {
                struct log_field fields[] = { F_STR("reason", text), F_STR("client", text),
                                              F_STR("b", n % 2 ? text : "b"), F_STR("c", "d") };
                bool cut, all;
                json_t *root, *f;

                text[n] = '\0';
                root = json_loads(ecs(fields, ELEMENTS(fields)), JSON_REJECT_DUPLICATES, NULL);
                text[n] = '\x01';
                assert_non_null(root);
                f = json_object_get(root, "bal");
                cut = json_is_true(json_object_get(f, "truncated"));
                all = json_object_get(root, "event.reason") &&
                      json_object_get(root, "client.address") && json_object_get(f, "b") &&
                      json_object_get(f, "c");
                assert_int_equal(cut, !all);
                json_decref(root);
        }
}

/* ---- the journal's own protocol ---- */

static const char *native(const struct log_site *of, const struct log_field *fields, size_t n) {
        size_t size = log_format_native(line, sizeof(line) - 1,
                                        &(struct log_record){ of, REAL_US, fields, n });

        assert_in_range(size, 1, sizeof(line) - 1);
        line[size] = '\0';
        assert_int_equal(strlen(line), size);
        return line;
}

#define ID_BACKEND_STATE "96e311ac4b474369a45c05edc42843f6"
#define NATIVE_HEAD                                                                                \
        "PRIORITY=4\nMESSAGE_ID=" ID_BACKEND_STATE "\nSYSLOG_IDENTIFIER=bal\n"                     \
        "BAL_EVENT=backend_state\nBAL_MODULE=session\nBAL_LEVEL=WARN\n"                            \
        "BAL_TIMESTAMP=2026-11-20T12:04:28.412Z\n"

static void test_native(void **state) {
        const struct log_field fields[] = { F_STR("pool", "web"),   F_STR("backend", "a\nb\x1b"),
                                            F_STR("from", "up"),    F_STR("to", "down"),
                                            F_STR("reason", NULL),  F_ERR(-ECONNREFUSED),
                                            F_U64("window_ms", 10), F_BOOL("yes", true) };
        struct log_site other = site;

        (void)state;
        assert_string_equal(native(&site, NULL, 0), "MESSAGE=it is so\n" NATIVE_HEAD);
        assert_string_equal(native(&site, fields, ELEMENTS(fields)),
                            "MESSAGE=it is so  pool=web  backend=a?b?  from=up  to=down  "
                            "reason=null  error=ECONNREFUSED  window_ms=10  yes=true\n" NATIVE_HEAD
                            "BAL_POOL=web\nBAL_BACKEND=a?b?\nBAL_FROM=up\nBAL_TO=down\n"
                            "BAL_STATE=down\nBAL_ERROR=ECONNREFUSED\nBAL_WINDOW_MS=10\n"
                            "BAL_YES=true\n");

        other.event = EVENT_backend_weight; /* its "to" is a weight, not a state */
        assert_null(strstr(native(&other, fields, ELEMENTS(fields)), "BAL_STATE"));
        other.file = "x.c";
        other.function = "f";
        other.line = 7;
        assert_non_null(
                strstr(native(&other, NULL, 0), "\nCODE_FILE=x.c\nCODE_LINE=7\nCODE_FUNC=f\n"));
}

/* The macro fills in where a line comes from. */
static void test_native_site(void **state) {
#define LOG_MODULE "test"
        static const struct log_site here = LOG_SITE(LOG_LEVEL_INFO, daemon_ready, "text");

        (void)state;
        assert_string_equal(here.file, "test_log_format.c");
        assert_string_equal(here.function, "test_native_site");
        assert_in_range(here.line, 100, 1000);
}

/* Every line of a datagram is KEY=value with a key that the journal takes; ids are 32 digits and
 * differ. */
static void test_native_keys(void **state) {
        static const char *const keys[] = {
#define X(name, class, id, help) id,
                LOG_EVENTS(X)
#undef X
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(keys); i++) {
                assert_int_equal(strlen(keys[i]), 32);
                assert_int_equal(strspn(keys[i], "0123456789abcdef"), 32);
                for (size_t k = 0; k < i; k++)
                        assert_string_not_equal(keys[i], keys[k]);
        }
        for (int i = 0; i < LOG_LEVELS_COUNT; i++) {
                static const int priorities[] = { 3, 4, 6, 7, 7 };

                assert_int_equal(log_priority((enum log_level)i), priorities[i]);
        }
}

static void test_native_cut(void **state) {
        char text[1025];

        (void)state;
        memset(text, 'a', sizeof(text) - 1);
        for (size_t n = 0; n < sizeof(text) - 1; n++) {
                struct log_field fields[] = { F_STR("a", text),  F_STR("b", text), F_STR("c", text),
                                              F_STR("d", text),  F_STR("e", text), F_STR("f", text),
                                              F_STR("g", "last") };
                bool cut;

                text[n] = '\0';
                native(&site, fields, ELEMENTS(fields));
                text[n] = 'a';
                cut = strstr(line, "\nBAL_TRUNCATED=true\n") != NULL;
                assert_int_equal(cut, strstr(line, "\nBAL_G=last\n") == NULL);
                assert_int_equal(line[strlen(line) - 1], '\n');
                for (const char *l = line; *l; l = strchr(l, '\n') + 1) /* never half a field */
                        if (strncmp(l, "BAL_", 4) == 0 && l[5] == '=' && l[4] < 'G')
                                assert_int_equal(strcspn(l + 6, "\n"), n);
        }
}

/* Whichever hidden character is in a text, no format has it in its line, and JSON says which. */
static void test_hidden(void **state) {
        size_t n_hidden = 0;

        (void)state;
        for (uint32_t c = 1; c <= 0x10ffff; c++) {
                char bytes[5];
                struct log_field f = F_STR("k", bytes);
                json_t *root;
                uint32_t back;
                const char *k;

                if (!str_is_hidden(c))
                        continue;
                n_hidden++;
                encode(bytes, c);
                root = json_loads(json(&f, 1), 0, NULL);
                k = json_string_value(json_object_get(json_object_get(root, "fields"), "k"));
                assert_non_null(k);
                assert_int_equal(str_decode(&back, k, strlen(k)), strlen(k));
                assert_int_equal(back, c);
                json_decref(root);
                assert_null(strstr(line, bytes));
                assert_null(strstr(ecs(&f, 1), bytes));
                assert_null(strstr(pretty(&f, 1), bytes));
                if (c != '\n') /* which ends each line of a datagram */
                        assert_null(strstr(native(&site, &f, 1), bytes));
        }
        assert_true(n_hidden > 4000);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_record),      cmocka_unit_test(test_six_keys_in_order),
                cmocka_unit_test(test_words),       cmocka_unit_test(test_texts),
                cmocka_unit_test(test_cut),         cmocka_unit_test(test_cut_at_the_first),
                cmocka_unit_test(test_pretty_cut),  cmocka_unit_test(test_ecs),
                cmocka_unit_test(test_ecs_cut),     cmocka_unit_test(test_native),
                cmocka_unit_test(test_native_site), cmocka_unit_test(test_native_keys),
                cmocka_unit_test(test_native_cut),  cmocka_unit_test(test_hidden),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
