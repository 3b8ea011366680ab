/* SPDX-License-Identifier: MIT */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "core/diag.h"

static void add(struct diags *d, enum diag_level level, unsigned line, unsigned column) {
        struct diag p = { .level = level,
                          .code = level == DIAG_ERROR ? DIAG_E014 : DIAG_W003,
                          .at = { .file = "f", .line = line, .column = column },
                          .message = (char *)"text" };

        diags_add(d, &p);
}

static const struct diag *nth(const struct diags *d, unsigned n) {
        list_for_each(l, &d->list) {
                if (n-- == 0)
                        return container_of(l, struct diag, link);
        }
        return NULL;
}

static void test_order(void **state) {
        struct diags d;

        (void)state;
        diags_init(&d);
        add(&d, DIAG_ERROR, 5, 2);
        add(&d, DIAG_WARNING, 5, 1);
        add(&d, DIAG_ERROR, 0, 0); /* the whole file comes first */
        add(&d, DIAG_ERROR, 4, 9);
        add(&d, DIAG_WARNING, 5, 2); /* behind the one that was there before */

        assert_int_equal(d.n_errors, 3);
        assert_int_equal(d.n_warnings, 2);
        assert_int_equal(nth(&d, 0)->at.line, 0);
        assert_int_equal(nth(&d, 1)->at.line, 4);
        assert_int_equal(nth(&d, 2)->at.column, 1);
        assert_int_equal(nth(&d, 3)->level, DIAG_ERROR);
        assert_int_equal(nth(&d, 4)->level, DIAG_WARNING);
        assert_null(nth(&d, 5));
        diags_done(&d);
        diags_done(&d);
}

static void test_defaults(void **state) {
        struct diags d;
        const struct diag *p;

        (void)state;
        diags_init(&d);
        add(&d, DIAG_ERROR, 1, 1);
        p = nth(&d, 0);
        assert_string_equal(p->message, "text");
        assert_string_equal(p->brief, "text");
        assert_string_equal(p->path, "");
        assert_string_equal(p->do_this_now, "");
        assert_null(p->label);
        assert_null(p->source[2]);
        diags_done(&d);
}

static void test_copies(void **state) {
        char file[] = "file", message[] = "message", line[] = "line";
        struct diag problem = { .level = DIAG_ERROR,
                                .at = { .file = file, .line = 1, .column = 1 },
                                .other = { .file = file, .line = 2, .column = 3 },
                                .message = message,
                                .other_source = line,
                                .source = { NULL, NULL, line } };
        struct diags d;

        (void)state;
        diags_init(&d);
        diags_add(&d, &problem);
        memset(file, 'x', 4);
        memset(message, 'x', 4);
        memset(line, 'x', 4);
        assert_string_equal(nth(&d, 0)->at.file, "file");
        assert_string_equal(nth(&d, 0)->other.file, "file");
        assert_string_equal(nth(&d, 0)->message, "message");
        assert_string_equal(nth(&d, 0)->source[2], "line");
        assert_string_equal(nth(&d, 0)->other_source, "line");
        diags_done(&d);
}

/* The first of the file are kept, also when they are found last; each level has its own limit. */
static void test_limit(void **state) {
        struct diags d;
        unsigned n = 0;

        (void)state;
        diags_init(&d);
        for (unsigned line = 100; line > 50; line--)
                add(&d, DIAG_ERROR, line, 1);
        for (unsigned line = 1; line <= 30; line++)
                add(&d, DIAG_WARNING, line, 1);

        assert_int_equal(d.n_errors, 50);
        assert_int_equal(d.n_warnings, 30);
        assert_int_equal(d.n_suppressed, 50 - DIAGS_MAX + 30 - DIAGS_MAX);
        list_for_each(l, &d.list)
                n++;
        assert_int_equal(n, 2 * DIAGS_MAX);
        assert_int_equal(nth(&d, 0)->at.line, 1);
        assert_int_equal(nth(&d, DIAGS_MAX)->at.line, 51);
        assert_int_equal(nth(&d, 2 * DIAGS_MAX - 1)->at.line, 50 + DIAGS_MAX);
        diags_done(&d);
}

static void test_codes(void **state) {
        enum diag_code code;

        (void)state;
        for (unsigned i = 0; i < DIAG_CODES; i++) {
                const struct diag_info *info = diag_info(i);

                assert_int_equal(strlen(info->name), 4);
                assert_true(info->name[0] == 'E' || info->name[0] == 'W');
                assert_true(*info->title && *info->explanation && *info->wrong && *info->right);
                assert_int_equal(info->wrong[strlen(info->wrong) - 1], '\n');
                assert_int_equal(info->right[strlen(info->right) - 1], '\n');
                assert_int_equal(diag_find(&code, info->name), 0);
                assert_int_equal(code, i);
        }
        assert_int_equal(diag_find(&code, "e014"), 0);
        assert_int_equal(code, DIAG_E014);
        assert_int_equal(diag_find(&code, "E999"), -ENOENT);
        assert_int_equal(diag_find(&code, ""), -ENOENT);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_order),  cmocka_unit_test(test_defaults),
                cmocka_unit_test(test_copies), cmocka_unit_test(test_limit),
                cmocka_unit_test(test_codes),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
