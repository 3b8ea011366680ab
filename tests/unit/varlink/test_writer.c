/* SPDX-License-Identifier: MIT */

#include "varlink/writer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bal/protocol.h"
#include "core/base.h"

/* The text is expected, with exactly one NUL, at its end. */
static void expect(int r, struct varlink_text *text, const char *expected) {
        assert_int_equal(r, 0);
        assert_string_equal(text->bytes, expected);
        assert_int_equal(text->n, strlen(expected) + 1);
        free(text->bytes);
}

static void test_forms(void **state) {
        json_t *p = json_pack("{s:i, s:s}", "a", 1, "b", "\xea\xb0\x80\n");
        struct varlink_text t;

        (void)state;
        expect(varlink_write_call(&t, "a.b.C", NULL, false), &t, "{\"method\":\"a.b.C\"}");
        expect(varlink_write_call(&t, "a.b.C", NULL, true), &t,
               "{\"method\":\"a.b.C\",\"more\":true}");
        expect(varlink_write_call(&t, "a.b.C", p, false), &t,
               "{\"method\":\"a.b.C\",\"parameters\":{\"a\":1,\"b\":\"\xea\xb0\x80\\n\"}}");
        expect(varlink_write_reply(&t, NULL, false), &t, "{\"parameters\":{}}");
        expect(varlink_write_reply(&t, p, true), &t,
               "{\"parameters\":{\"a\":1,\"b\":\"\xea\xb0\x80\\n\"},\"continues\":true}");
        expect(varlink_write_error(&t, "a.b.D", NULL), &t,
               "{\"parameters\":{},\"error\":\"a.b.D\"}");
        expect(varlink_write_error(&t, "a.b.D", p), &t,
               "{\"parameters\":{\"a\":1,\"b\":\"\xea\xb0\x80\\n\"},\"error\":\"a.b.D\"}");

        assert_int_equal(p->refcount, 1); /* borrowed, and given back */
        json_decref(p);
}

static json_t *blob(size_t n) {
        char *text = malloc(n);
        json_t *p;

        memset(text, 'z', n);
        p = json_pack("{s:s%}", "x", text, n);
        free(text);
        return p;
}

/* {"method":"a.b.C","parameters":{"x":"zzz"}} and {"parameters":{"x":"zzz"}}, to the byte. */
static void test_limits(void **state) {
        struct varlink_text t;
        json_t *p;

        (void)state;
        p = blob(BAL_CALL_MAX - strlen("{\"method\":\"a.b.C\",\"parameters\":{\"x\":\"\"}}"));
        assert_int_equal(varlink_write_call(&t, "a.b.C", p, false), 0);
        assert_int_equal(t.n, BAL_CALL_MAX + 1);
        free(t.bytes);
        assert_int_equal(varlink_write_call(&t, "a.b.CD", p, false), -EMSGSIZE);
        json_decref(p);

        p = blob(BAL_REPLY_MAX - strlen("{\"parameters\":{\"x\":\"\"}}"));
        assert_int_equal(varlink_write_reply(&t, p, false), 0);
        assert_int_equal(t.n, BAL_REPLY_MAX + 1);
        free(t.bytes);
        assert_int_equal(varlink_write_reply(&t, p, true), -EMSGSIZE);
        assert_int_equal(varlink_write_error(&t, "a.b.C", p), -EMSGSIZE);
        json_decref(p);
}

static void test_ring(void **state) {
        json_t *a = json_object(), *b = json_object();
        struct varlink_text t;

        (void)state;
        json_object_set(a, "b", b);
        json_object_set(b, "a", a);
        assert_int_equal(varlink_write_reply(&t, a, false), -EINVAL);
        json_object_del(b, "a");
        json_decref(a);
        json_decref(b);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_forms),
                cmocka_unit_test(test_limits),
                cmocka_unit_test(test_ring),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
