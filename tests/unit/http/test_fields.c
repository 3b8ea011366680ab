/* SPDX-License-Identifier: MIT */

#include "http/fields.h"

#include "feed.h"

static const struct {
        enum http_field id;
        const char *name;
} fields[] = {
#define X(id, name, flags) { HTTP_FIELD_##id, name },
        HTTP_FIELDS(X)
#undef X
};

static void test_find(void **state) {
        (void)state;
        for (size_t i = 0; i < ELEMENTS(fields); i++) {
                size_t n = strlen(fields[i].name);
                bool prefix = fields[i].name[n - 1] == '-';
                char name[64];

                assert_int_equal(http_field_find(span_of(fields[i].name)), fields[i].id);
                for (size_t j = 0; j < n; j++) { /* in other letters */
                        strcpy(name, fields[i].name);
                        if (name[j] == '-' || (name[j] >= '0' && name[j] <= '9'))
                                continue;
                        name[j] ^= 0x20;
                        assert_int_equal(http_field_find(span_of(name)), fields[i].id);
                        name[j] ^= 0x60; /* what an 'a' and a '!' have in common does not count */
                        assert_int_not_equal(http_field_find(span_of(name)), fields[i].id);
                }
                snprintf(name, sizeof(name), "%sx", fields[i].name);
                assert_int_equal(http_field_find(span_of(name)),
                                 prefix ? fields[i].id : HTTP_FIELD_OTHER);
                assert_int_not_equal(http_field_find((struct span){ name, n - 1 }), fields[i].id);
        }
        assert_int_equal(http_field_find((struct span){ NULL, 0 }), HTTP_FIELD_OTHER);
        assert_int_equal(http_field_flags(HTTP_FIELD_OTHER), 0);
}

static void test_resembles(void **state) {
        static const char *const yes[] = {
                "X_Forwarded_For",   "x-forwarded_for",
                "X_Forwarded_",      "Content_Length",
                "TRANSFER_ENCODING", "X_Real_IP",
                "x_request-id",      "X_FORWARDED_0123456789_0123456789_012345678"
        };
        static const char *const no[] = {
                "X-Forwarded-For", "A_B",           "_",         "", "X_Forwarded", "Ho_st",
                "Content_Lengthx", "Content_Range", "Set_Cookie"
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(yes); i++)
                if (!http_field_resembles(span_of(yes[i])))
                        fail_msg("%s", yes[i]);
        for (size_t i = 0; i < ELEMENTS(no); i++)
                if (http_field_resembles(span_of(no[i])))
                        fail_msg("%s", no[i]);
}

static const struct line_row {
        const char *line;
        enum http_verdict verdict;
        const char *name, *value;
} lines[] = {
        { "A:b", HTTP_OK, "A", "b" },         { "A: \tb c\t ", HTTP_OK, "A", "b c" },
        { "A:", HTTP_OK, "A", "" },           { "A: \t", HTTP_OK, "A", "" },
        { "A::b:", HTTP_OK, "A", ":b:" },     { "A", HTTP_HEADER_NAME, "", "" },
        { ":b", HTTP_HEADER_NAME, "", "" },   { "A :b", HTTP_HEADER_NAME, "", "" },
        { " A:b", HTTP_HEADER_NAME, "", "" }, { "A;:b", HTTP_HEADER_NAME, "", "" },
};

static void test_lines(void **state) {
        (void)state;
        for (size_t i = 0; i < ELEMENTS(lines); i++) {
                struct http_header h;

                assert_int_equal(http_header_read(&h, span_of(lines[i].line)), lines[i].verdict);
                if (lines[i].verdict != HTTP_OK)
                        continue;
                assert_span(h.name, lines[i].name);
                assert_span(h.value, lines[i].value);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_find),
                cmocka_unit_test(test_resembles),
                cmocka_unit_test(test_lines),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
