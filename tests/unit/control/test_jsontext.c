/* SPDX-License-Identifier: MIT */
/* What is written as text is what jansson reads back. */
#include "control/jsontext.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

static json_t *read_back(const struct jsontext *t) {
        json_error_t error;
        json_t *doc = json_loadb(t->out.bytes, t->out.n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY,
                                 &error);

        if (!doc)
                fail_msg("%s: %.*s", error.text, (int)t->out.n, t->out.bytes);
        return doc;
}

static void test_shapes(void **state) {
        struct jsontext t, part;
        char text[512];

        (void)state;
        jsontext_init(&part, 100);
        jsontext_open(&part, NULL, '[');
        jsontext_number(&part, NULL, 1);
        jsontext_number(&part, NULL, 2);
        jsontext_close(&part, ']');

        jsontext_init(&t, 1000);
        jsontext_open(&t, NULL, '{');
        jsontext_open(&t, "empty", '{');
        jsontext_close(&t, '}');
        jsontext_open(&t, "list", '[');
        jsontext_string(&t, NULL, "a");
        jsontext_open(&t, NULL, '{');
        jsontext_bool(&t, "yes", true);
        jsontext_bool(&t, "no", false);
        jsontext_close(&t, '}');
        jsontext_null(&t, NULL);
        jsontext_close(&t, ']');
        jsontext_string(&t, "nothing", NULL);
        jsontext_part(&t, "part", &part);
        jsontext_time(&t, "never", 0);
        jsontext_time(&t, "then", 1000001);
        jsontext_close(&t, '}');
        assert_int_equal(t.out.error, 0);
        memcpy(text, t.out.bytes, t.out.n);
        text[t.out.n] = '\0';
        assert_string_equal(text, "{\"empty\":{},\"list\":[\"a\",{\"yes\":true,\"no\":false},null],"
                                  "\"nothing\":null,\"part\":[1,2],\"never\":null,"
                                  "\"then\":\"1970-01-01T00:00:01.000Z\"}");
        json_decref(read_back(&t));
        jsontext_done(&t);
        jsontext_done(&part);
}

static void test_strings(void **state) {
        static const struct {
                const char *in, *out;
        } cases[] = {
                { "", "" },
                { "plain 127.0.0.1:80", "plain 127.0.0.1:80" },
                { "a\"b\\c/", "a\"b\\c/" },
                { "tab\there", "tab?here" },
                { "caf\xc3\xa9 \"\xea\xb0\x80\"", "caf\xc3\xa9 \"\xea\xb0\x80\"" },
                { "bad \xff\xfe end", "bad ?? end" },
                { "\x7f", "?" },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct jsontext t;
                json_t *doc;

                jsontext_init(&t, 1000);
                jsontext_string(&t, NULL, cases[i].in);
                doc = read_back(&t);
                assert_string_equal(json_string_value(doc), cases[i].out);
                json_decref(doc);
                jsontext_done(&t);
        }
}

static void test_numbers(void **state) {
        static const struct {
                double in;
                const char *out;
        } reals[] = {
                { 0, "0.0" },
                { 0.1, "0.1" },
                { 0.0004, "0.0" },
                { 0.0006, "0.001" },
                { 1, "1.0" },
                { 12.25, "12.25" },
                { 4736.2159, "4736.216" },
                { 0.9999, "1.0" },
                { 1e9, "1000000000.0" },
                { 10.01, "10.01" },
        };
        static const struct {
                uint64_t in;
                const char *out;
        } numbers[] = {
                { 0, "0" }, { 7, "7" }, { 10, "10" }, { INT64_MAX, "9223372036854775807" }
        };
        struct jsontext t;

        (void)state;
        for (size_t i = 0; i < ELEMENTS(reals); i++) {
                jsontext_init(&t, 100);
                jsontext_real(&t, NULL, reals[i].in);
                assert_int_equal(t.out.n, strlen(reals[i].out));
                assert_memory_equal(t.out.bytes, reals[i].out, t.out.n);
                jsontext_done(&t);
        }
        for (size_t i = 0; i < ELEMENTS(numbers); i++) {
                jsontext_init(&t, 100);
                jsontext_number(&t, NULL, numbers[i].in);
                assert_int_equal(t.out.n, strlen(numbers[i].out));
                assert_memory_equal(t.out.bytes, numbers[i].out, t.out.n);
                jsontext_done(&t);
        }
}

/* A document that is too long is never longer than that in memory, and says so. */
static void test_limit(void **state) {
        struct jsontext t, part;

        (void)state;
        jsontext_init(&t, 100000);
        jsontext_open(&t, NULL, '[');
        for (unsigned i = 0; i < 200000; i++)
                jsontext_number(&t, NULL, i);
        jsontext_close(&t, ']');
        assert_int_equal(t.out.error, -EMSGSIZE);
        assert_true(t.out.n <= 100000);
        assert_true(t.out.size <= 200000);

        jsontext_init(&part, 1000000);
        jsontext_part(&part, NULL, &t); /* nor is it one when it is part of another */
        assert_int_equal(part.out.error, -EMSGSIZE);
        jsontext_done(&part);
        jsontext_done(&t);

        jsontext_init(&t, 5);
        jsontext_string(&t, NULL, "abc");
        assert_int_equal(t.out.error, 0);
        assert_int_equal(t.out.n, 5);
        jsontext_done(&t);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_shapes),
                cmocka_unit_test(test_strings),
                cmocka_unit_test(test_numbers),
                cmocka_unit_test(test_limit),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
