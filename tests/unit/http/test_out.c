/* SPDX-License-Identifier: MIT */

#include "http/out.h"

#include "feed.h"

/* Memory of exactly that room, so that a sanitizer sees one byte too far. Not inline, or gcc takes
 * what it knows of the memory for a reason to warn of writes that room forbids. */
static __attribute__((__noinline__)) struct http_out out_new(size_t room) {
        struct http_out o = { .p = malloc(room > 0 ? room : 1), .room = room };

        assert_non_null(o.p);
        return o;
}

static void assert_out(struct http_out *o, const char *text) {
        assert_int_equal(o->n, strlen(text));
        assert_memory_equal(o->p, text, o->n);
        free(o->p);
}

static void test_pieces(void **state) {
        struct http_out o = out_new(200);

        (void)state;
        http_out_bytes(&o, "ab", 2);
        http_out_bytes(&o, NULL, 0);
        http_out_text(&o, "cd");
        http_out_span(&o, (struct span){ NULL, 0 });
        http_out_span(&o, span_of("ef "));
        http_out_number(&o, 0);
        http_out_text(&o, " ");
        http_out_number(&o, 1200);
        http_out_text(&o, " ");
        http_out_number(&o, UINT64_MAX);
        http_out_text(&o, "\r\n");
        http_out_header(&o, span_of("A"), span_of("b"));
        http_out_header(&o, span_of("A"), (struct span){ NULL, 0 });
        http_out_field(&o, span_of("c"), span_of("d"));
        http_out_field(&o, span_of("c"), (struct span){ NULL, 0 });
        assert_false(o.full);
        assert_out(&o, "abcdef 0 1200 18446744073709551615\r\nA: b\r\nA: \r\nc: d\r\nc: \r\n");
}

/* No value gets out of its line, whatever it is made of. */
static void test_control_bytes(void **state) {
        static const char bad[] = "\r\nX: y\r\n\r\n\0z\x7f\x1b\t\xff ";
        struct http_piece pieces[] = {
                { -1, span_of("a\r\nb") },
                { HTTP_VAR_HOST, span_of("host") },
                { -1, span_of("\n") },
        };
        struct http_template t = { pieces, ELEMENTS(pieces) };
        struct http_values v = { .of = { [HTTP_VAR_HOST] = { bad, sizeof(bad) - 1 } } };
        struct http_out o = out_new(100);

        (void)state;
        http_out_template(&o, &t, &v);
        http_out_text(&o, "|");
        http_out_header(&o, span_of("A"), v.of[HTTP_VAR_HOST]);
        http_out_value(&o, span_of("\r"));
        http_out_value(&o, span_of("\ra\r"));
        assert_out(&o, "abX: yz\t\xff |A: X: yz\t\xff \r\na");
}

/* At each room: full, and nothing beyond it, or everything. */
static void test_full(void **state) {
        static const char whole[] = "abc: def\r\nX: 12\r\n7yz: q\r\n";

        (void)state;
        for (size_t room = 0; room <= strlen(whole); room++) {
                struct http_out o = out_new(room);

                http_out_field(&o, span_of("abc"), span_of("def"));
                http_out_header(&o, span_of("X"), span_of("12"));
                http_out_number(&o, 7);
                http_out_field(&o, span_of("yz"), span_of("q"));
                assert_int_equal(o.full, room < strlen(whole));
                assert_true(o.n <= room);
                assert_memory_equal(o.p, whole, o.n); /* no later piece fills a hole */
                free(o.p);
        }
}

static void test_rules(void **state) {
        struct http_piece value[] = { { HTTP_VAR_CLIENT_IP, span_of("client_ip") } };
        struct http_rule list[4] = { { .op = HTTP_RULE_SET } };
        struct http_rules rules = { list, ELEMENTS(list) };
        struct http_values v = { .of = { [HTTP_VAR_CLIENT_IP] = span_of("::1") } };
        struct http_out o = out_new(200);

        (void)state;
        assert_int_equal(http_rule_read(&list[0], HTTP_REQUEST, span_of("X-Set")), 0);
        assert_int_equal(http_rule_read(&list[1], HTTP_REQUEST, span_of("+X-Add")), 0);
        assert_int_equal(http_rule_read(&list[2], HTTP_REQUEST, span_of("-X-Gone")), 0);
        assert_int_equal(http_rule_read(&list[3], HTTP_REQUEST, span_of("Host")), 0);
        list[0].value = list[1].value = list[3].value = (struct http_template){ value, 1 };

        http_out_rules(&o, &rules, &v);
        http_out_rules(&o, NULL, &v);
        http_out_own(&o, &rules, span_of("x-set"), span_of("1"));
        http_out_own(&o, &rules, span_of("x-gone"), span_of("2"));
        http_out_own(&o, &rules, span_of("x-add"), span_of("3"));
        http_out_own(&o, NULL, span_of("x-set"), span_of("4"));
        assert_out(&o, "X-Set: ::1\r\nX-Add: ::1\r\nx-add: 3\r\nx-set: 4\r\n");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_pieces),
                cmocka_unit_test(test_control_bytes),
                cmocka_unit_test(test_full),
                cmocka_unit_test(test_rules),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
