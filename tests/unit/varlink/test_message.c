/* SPDX-License-Identifier: MIT */

#include "varlink/message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bal/protocol.h"
#include "core/base.h"

#define M "\"method\":\"io.bal.Status.Get\""

static const struct call_row {
        const char *text;
        int verdict;
        const char *why;
} calls[] = {
        /* clang-format off */
        { "{" M "}",                                VARLINK_OK, "no parameters" },
        { "{" M ",\"parameters\":null}",            VARLINK_OK, "null is none" },
        { "{" M ",\"parameters\":{}}",              VARLINK_OK, "{} is none" },
        { "{" M ",\"parameters\":{\"a\":[{}]}}",    VARLINK_OK, "any content" },
        { " \r\n\t{" M " } \n",                     VARLINK_OK, "white space around" },
        { "{" M ",\"more\":true}",                  VARLINK_OK, "more" },
        { "{" M ",\"oneway\":true,\"more\":false}", VARLINK_OK, "false is absent" },
        { "{" M ",\"upgrade\":true}",               VARLINK_OK, "whether it can be is asked later" },
        { "{" M ",\"later\":[1]}",                  VARLINK_OK, "an unknown member is ignored" },
        { "{\"method\":\"io.bal.Status.\\u0047et\"}", VARLINK_OK, "escapes" },
        { "{\"method\":\"a-b.c--d.E\"}",            VARLINK_OK, "dashes inside" },

        { "",                                       VARLINK_NOT_JSON, "empty" },
        { " ",                                      VARLINK_NOT_JSON, "blank" },
        { "null",                                   VARLINK_NOT_JSON, "no object" },
        { "[]",                                     VARLINK_NOT_JSON, "an array" },
        { "\"" "x\"",                               VARLINK_NOT_JSON, "a string" },
        { "{" M,                                    VARLINK_NOT_JSON, "cut short" },
        { "{" M "}}",                               VARLINK_NOT_JSON, "something behind" },
        { "{" M "}{" M "}",                         VARLINK_NOT_JSON, "two without a NUL" },
        { "{" M ",}",                               VARLINK_NOT_JSON, "a comma too many" },
        { "{" M "," M "}",                          VARLINK_NOT_JSON, "duplicate key" },
        { "{" M ",\"parameters\":{\"a\":1,\"a\":2}}", VARLINK_NOT_JSON, "duplicate key inside" },
        { "{'method':'a.b.C'}",                     VARLINK_NOT_JSON, "the wrong quotes" },
        { "{" M ",\"x\":\"\xff\"}",                 VARLINK_NOT_JSON, "not UTF-8" },
        { "{" M ",\"x\":\"\xc0\xaf\"}",             VARLINK_NOT_JSON, "overlong UTF-8" },
        { "{" M ",\"x\":\"\xed\xa0\x80\"}",         VARLINK_NOT_JSON, "a surrogate" },
        { "\xef\xbb\xbf{" M "}",                    VARLINK_NOT_JSON, "byte order mark" },
        { "{" M ",\"x\":\"\\ud800\"}",              VARLINK_NOT_JSON, "half a surrogate pair" },
        { "{" M ",\"x\":\"\\u0000\"}",              VARLINK_NOT_JSON, "an escaped NUL" },
        { "{" M ",\"\\u0000\":1}",                  VARLINK_NOT_JSON, "an escaped NUL in a key" },
        { "{" M ",\"x\":1e999}",                    VARLINK_NOT_JSON, "a number no double holds" },
        { "{" M ",\"x\":99999999999999999999}",     VARLINK_NOT_JSON, "an integer no int64 holds" },
        { "{" M ",\"x\":NaN}",                      VARLINK_NOT_JSON, "no number" },
        { "GET / HTTP/1.1\r\n\r\n",                 VARLINK_NOT_JSON, "another protocol" },

        { "{}",                                     VARLINK_BAD_METHOD, "missing" },
        { "{\"method\":null}",                      VARLINK_BAD_METHOD, "null" },
        { "{\"method\":7}",                         VARLINK_BAD_METHOD, "a number" },
        { "{\"method\":{}}",                        VARLINK_BAD_METHOD, "an object" },
        { "{\"method\":\"\"}",                      VARLINK_BAD_METHOD, "empty" },
        { "{\"method\":\"Get\"}",                   VARLINK_BAD_METHOD, "without interface" },
        { "{\"method\":\"bal.Get\"}",               VARLINK_BAD_METHOD, "an interface has a dot" },
        { "{\"method\":\"io.bal.Status.get\"}",     VARLINK_BAD_METHOD, "small letter" },
        { "{\"method\":\"io.bal.Status.G t\"}",     VARLINK_BAD_METHOD, "blank" },
        { "{\"method\":\"io.bal.Status.\"}",        VARLINK_BAD_METHOD, "no method" },
        { "{\"method\":\".io.bal.Get\"}",           VARLINK_BAD_METHOD, "dot in front" },
        { "{\"method\":\"io..bal.Get\"}",           VARLINK_BAD_METHOD, "two dots" },
        { "{\"method\":\"io.-bal.Get\"}",           VARLINK_BAD_METHOD, "dash in front" },
        { "{\"method\":\"io.bal-.Get\"}",           VARLINK_BAD_METHOD, "dash at the end" },
        { "{\"method\":\"1o.bal.Get\"}",            VARLINK_BAD_METHOD, "digit in front" },
        { "{\"method\":\"io.b\xc3\xa4l.Get\"}",     VARLINK_BAD_METHOD, "not ASCII" },

        { "{" M ",\"parameters\":[]}",              VARLINK_BAD_PARAMETERS, "array" },
        { "{" M ",\"parameters\":\"\"}",            VARLINK_BAD_PARAMETERS, "string" },
        { "{" M ",\"parameters\":false}",           VARLINK_BAD_PARAMETERS, "boolean" },
        { "{" M ",\"more\":1}",                     VARLINK_BAD_MORE, "number" },
        { "{" M ",\"more\":null}",                  VARLINK_BAD_MORE, "null" },
        { "{" M ",\"oneway\":\"true\"}",            VARLINK_BAD_ONEWAY, "string" },
        { "{" M ",\"oneway\":true,\"more\":true}",  VARLINK_BAD_ONEWAY, "no reply and many" },
        { "{" M ",\"upgrade\":[]}",                 VARLINK_BAD_UPGRADE, "array" },
        { "{" M ",\"upgrade\":true,\"more\":true}", VARLINK_BAD_UPGRADE, "both" },
        { "{" M ",\"upgrade\":true,\"oneway\":true}", VARLINK_BAD_UPGRADE, "both" },
        /* clang-format on */
};

static void test_calls(void **state) {
        (void)state;
        for (size_t i = 0; i < ELEMENTS(calls); ++i) {
                const struct call_row *row = &calls[i];
                struct varlink_call call;
                int r = varlink_read_call(&call, row->text, strlen(row->text));

                if (r != row->verdict)
                        fail_msg("%s (%s): %d instead of %d", row->text, row->why, r, row->verdict);
                if (r == VARLINK_OK)
                        assert_non_null(call.method);
                varlink_call_done(&call);
        }
}

/* Every beginning of a good call is a bad one, and a NUL inside is never part of one. */
static void test_cut_and_nul(void **state) {
        static const char text[] = "{" M ",\"parameters\":{\"a\":\"b\\\"{[\"},\"more\":true}";
        struct varlink_call call;

        (void)state;
        for (size_t n = 0; n + 1 < sizeof(text) - 1; ++n) {
                assert_int_equal(varlink_read_call(&call, text, n), VARLINK_NOT_JSON);
                varlink_call_done(&call);
        }
        assert_int_equal(varlink_read_call(&call, text, sizeof(text)), VARLINK_NOT_JSON);
        varlink_call_done(&call);
}

static void test_members(void **state) {
        static const char text[] = "{" M ",\"parameters\":{\"a\":5},\"oneway\":true}";
        static const char bad[] = "{\"oneway\":true}";
        struct varlink_call call;

        (void)state;
        assert_int_equal(varlink_read_call(&call, text, strlen(text)), VARLINK_OK);
        assert_string_equal(call.method, "io.bal.Status.Get");
        assert_int_equal(json_integer_value(json_object_get(call.parameters, "a")), 5);
        assert_true(call.oneway);
        assert_false(call.more);
        assert_false(call.upgrade);
        varlink_call_done(&call);

        /* Nobody answers a oneway call, not even to complain. */
        assert_int_equal(varlink_read_call(&call, bad, strlen(bad)), VARLINK_BAD_METHOD);
        assert_true(call.oneway);
        varlink_call_done(&call);
}

/* {"method":..,"x":[[...]]} with n arrays in each other, one object around. */
static int verdict_of_depth(size_t n, const char *open, const char *close) {
        size_t size = n * (strlen(open) + strlen(close)) + 128;
        char *text = calloc(1, size);
        struct varlink_call call;
        int r;

        strcpy(text, "{" M ",\"x\":");
        for (size_t i = 0; i < n; ++i)
                strcat(text, open);
        if (close[0] == '}')
                strcat(text, "1");
        for (size_t i = 0; i < n; ++i)
                strcat(text, close);
        strcat(text, "}");

        r = varlink_read_call(&call, text, strlen(text));
        varlink_call_done(&call);
        free(text);
        return r;
}

static void test_depth(void **state) {
        struct varlink_call call;
        static char braces[1 << 16];

        (void)state;
        assert_int_equal(verdict_of_depth(BAL_DEPTH_MAX - 1, "[", "]"), VARLINK_OK);
        assert_int_equal(verdict_of_depth(BAL_DEPTH_MAX, "[", "]"), VARLINK_TOO_DEEP);
        assert_int_equal(verdict_of_depth(BAL_DEPTH_MAX - 1, "{\"a\":", "}"), VARLINK_OK);
        assert_int_equal(verdict_of_depth(5000, "{\"a\":", "}"), VARLINK_TOO_DEEP);
        assert_int_equal(verdict_of_depth(1, "\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"[\"", ""),
                         VARLINK_OK); /* in a string */

        memset(braces, '{', sizeof(braces));
        assert_int_equal(varlink_read_call(&call, braces, sizeof(braces)), VARLINK_TOO_DEEP);
        varlink_call_done(&call);
}

static const struct {
        const char *text;
        int verdict;
        bool error, parameters, continues;
} replies[] = {
        /* clang-format off */
        { "{}",                                          VARLINK_OK, false, false, false },
        { "{\"parameters\":{}}",                         VARLINK_OK, false, true,  false },
        { "{\"parameters\":null,\"error\":null}",        VARLINK_OK, false, false, false },
        { "{\"parameters\":{\"a\":1},\"continues\":true}", VARLINK_OK, false, true, true },
        { "{\"error\":\"io.bal.Admin.Busy\"}",           VARLINK_OK, true,  false, false },
        { "{\"error\":\"io.bal.Admin.Busy\",\"parameters\":{}}", VARLINK_OK, true, true, false },
        { "{\"error\":\"Busy\"}",                        VARLINK_BAD_ERROR, 0, 0, 0 },
        { "{\"error\":5}",                               VARLINK_BAD_ERROR, 0, 0, 0 },
        { "{\"error\":\"a.b.C\",\"continues\":true}",    VARLINK_BAD_CONTINUES, 0, 0, 0 },
        { "{\"continues\":1}",                           VARLINK_BAD_CONTINUES, 0, 0, 0 },
        { "{\"parameters\":[]}",                         VARLINK_BAD_PARAMETERS, 0, 0, 0 },
        { "[]",                                          VARLINK_NOT_JSON, 0, 0, 0 },
        { "HTTP/1.1 400 Bad Request",                    VARLINK_NOT_JSON, 0, 0, 0 },
        /* clang-format on */
};

static void test_replies(void **state) {
        (void)state;
        for (size_t i = 0; i < ELEMENTS(replies); ++i) {
                struct varlink_reply reply;
                int r = varlink_read_reply(&reply, replies[i].text, strlen(replies[i].text));

                if (r != replies[i].verdict)
                        fail_msg("%s: %d instead of %d", replies[i].text, r, replies[i].verdict);
                if (r == VARLINK_OK) {
                        assert_int_equal(reply.error != NULL, replies[i].error);
                        assert_int_equal(reply.parameters != NULL, replies[i].parameters);
                        assert_int_equal(reply.continues, replies[i].continues);
                }
                varlink_reply_done(&reply);
        }
}

static void test_verdicts_have_words(void **state) {
        (void)state;
        for (int v = VARLINK_OK + 1; v < VARLINK_VERDICTS_COUNT; ++v)
                assert_true(varlink_verdict_member(v)[0] != '\0');
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_calls),   cmocka_unit_test(test_cut_and_nul),
                cmocka_unit_test(test_members), cmocka_unit_test(test_depth),
                cmocka_unit_test(test_replies), cmocka_unit_test(test_verdicts_have_words),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
