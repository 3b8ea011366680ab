/* SPDX-License-Identifier: MIT */

#include "http/rules.h"

#include "feed.h"

/* Pieces as "[text]" and "<variable>". */
static const struct template_row {
        const char *text, *pieces, *why;
} templates[] = {
        { "", "", "nothing" },
        { "abc", "[abc]", "a text" },
        { "$client_ip", "<client_ip>", "a variable" },
        { "a$host/b", "[a]<host>[/b]", "between texts" },
        { "$client_ip:$client_port", "<client_ip>[:]<client_port>", "two" },
        { "$host$uri", "<host><uri>", "one behind the other" },
        { "$backend_name $backend_addr $request_id",
          "<backend_name>[ ]<backend_addr>[ ]<request_id>", "all the others" },
        { "$$", "[$]", "a dollar" },
        { "a$$b", "[a$][b]", "inside" },
        { "$$host", "[$][host]", "no variable" },
        { "$$$host", "[$]<host>", "a dollar and a variable" },
        { "$$$$", "[$][$]", "two" },
};

static void test_templates(void **state) {
        (void)state;
        for (size_t i = 0; i < ELEMENTS(templates); i++) {
                static const char *const names[] = {
#define X(id, name) name,
                        HTTP_VARIABLES(X)
#undef X
                };
                struct span text = span_of(templates[i].text), bad = { NULL, 0 };
                struct http_piece pieces[32];
                struct http_template t;
                char got[256] = "";

                assert_int_equal(http_template_read(&t, pieces, text, &bad), 0);
                assert_true(t.n <= http_template_room(text));
                for (size_t j = 0; j < t.n; j++) {
                        size_t n = strlen(got);
                        int v = t.pieces[j].variable;

                        if (v < 0)
                                snprintf(got + n, sizeof(got) - n, "[%.*s]",
                                         (int)t.pieces[j].text.n, t.pieces[j].text.p);
                        else
                                snprintf(got + n, sizeof(got) - n, "<%s>", names[v]);
                }
                assert_string_equal(got, templates[i].pieces);
        }
}

static const struct bad_row {
        const char *text, *bad;
} bads[] = {
        { "$nonsense", "$nonsense" },
        { "a$host2b c", "$host2b" },
        { "$", "$" },
        { "a $ b", "$" },
        { "$host $", "$" },
        { "$Host", "$Host" },
        { "${host}", "$" },
        { "$hos", "$hos" },
        { "$$$", "$" },
};

static void test_unknown_variables(void **state) {
        (void)state;
        for (size_t i = 0; i < ELEMENTS(bads); i++) {
                struct http_piece pieces[32];
                struct http_template t;
                struct span bad;

                assert_int_equal(http_template_read(&t, pieces, span_of(bads[i].text), &bad),
                                 -EINVAL);
                assert_span(bad, bads[i].bad);
        }
}

/* Dollars only: the most pieces a text can have. */
static void test_room(void **state) {
        struct http_piece *pieces;
        struct http_template t;
        struct span bad, s = span_of("a$host/$uri$$$$b$host");

        (void)state;
        pieces = calloc(http_template_room(s), sizeof(*pieces));
        assert_non_null(pieces);
        assert_int_equal(http_template_read(&t, pieces, s, &bad), 0);
        assert_int_equal(t.n, 8);
        free(pieces);
        assert_int_equal(http_template_room(span_of("")), 1);
}

static const struct rule_row {
        const char *key;
        int request, response; /* what reading it returns */
        enum http_rule_op op;
        const char *name;
} rules[] = {
        /* clang-format off */
        { "X-A",                0,       0,       HTTP_RULE_SET,    "X-A" },
        { "+X-A",               0,       0,       HTTP_RULE_ADD,    "X-A" },
        { "-X-A",               0,       0,       HTTP_RULE_REMOVE, "X-A" },
        { "--a",                0,       0,       HTTP_RULE_REMOVE, "-a" },
        { "X-Forwarded-Proto",  0,       0,       HTTP_RULE_SET,    "X-Forwarded-Proto" },
        { "-X-Request-ID",      0,       0,       HTTP_RULE_REMOVE, "X-Request-ID" },
        { "-Server",            0,       0,       HTTP_RULE_REMOVE, "Server" },
        { "Host",               0,       -EPERM,  HTTP_RULE_SET,    "Host" },
        { "+host",              -EPERM,  -EPERM,  HTTP_RULE_ADD,    "" },
        { "-HOST",              -EPERM,  -EPERM,  HTTP_RULE_REMOVE, "" },
        { "-Content-Length",    -EPERM,  -EPERM,  HTTP_RULE_REMOVE, "" },
        { "transfer-encoding",  -EPERM,  -EPERM,  HTTP_RULE_SET,    "" },
        { "Connection",         -EPERM,  -EPERM,  HTTP_RULE_SET,    "" },
        { "Keep-Alive",         -EPERM,  -EPERM,  HTTP_RULE_SET,    "" },
        { "-Proxy-Connection",  -EPERM,  -EPERM,  HTTP_RULE_REMOVE, "" },
        { "+TE",                -EPERM,  -EPERM,  HTTP_RULE_ADD,    "" },
        { "-Upgrade",           -EPERM,  -EPERM,  HTTP_RULE_REMOVE, "" },
        { "HTTP2-Settings",     -EPERM,  -EPERM,  HTTP_RULE_SET,    "" },
        { "-Expect",            -EPERM,  -EPERM,  HTTP_RULE_REMOVE, "" },
        { "",                   -EINVAL, -EINVAL, HTTP_RULE_SET,    "" },
        { "+",                  -EINVAL, -EINVAL, HTTP_RULE_ADD,    "" },
        { "-",                  -EINVAL, -EINVAL, HTTP_RULE_REMOVE, "" },
        { "A B",                -EINVAL, -EINVAL, HTTP_RULE_SET,    "" },
        { "A:",                 -EINVAL, -EINVAL, HTTP_RULE_SET,    "" },
        { "A\r\nB",             -EINVAL, -EINVAL, HTTP_RULE_SET,    "" },
        { "\xc3\xa4",           -EINVAL, -EINVAL, HTTP_RULE_SET,    "" },
        /* clang-format on */
};

static void assert_rule(const struct rule_row *row, enum http_side side, int want) {
        struct http_rule r;
        int is = http_rule_read(&r, side, span_of(row->key));

        if (is != want)
                fail_msg("%s: %d and not %d", row->key, is, want);
        if (is < 0)
                return;
        assert_int_equal(r.op, row->op);
        assert_span(r.name, row->name);
        assert_int_equal(r.id, http_field_find(r.name));
}

static void test_rules(void **state) {
        (void)state;
        for (size_t i = 0; i < ELEMENTS(rules); i++) {
                assert_rule(&rules[i], HTTP_REQUEST, rules[i].request);
                assert_rule(&rules[i], HTTP_RESPONSE, rules[i].response);
        }
}

static void test_replace(void **state) {
        struct http_rule list[3];
        struct http_rules all = { list, ELEMENTS(list) };
        struct http_header h = { .name = span_of("x-set") };

        (void)state;
        assert_int_equal(http_rule_read(&list[0], HTTP_REQUEST, span_of("X-Set")), 0);
        assert_int_equal(http_rule_read(&list[1], HTTP_REQUEST, span_of("+X-Added")), 0);
        assert_int_equal(http_rule_read(&list[2], HTTP_REQUEST, span_of("-X-Removed")), 0);
        assert_true(http_rules_replace(&all, h.name));
        h.name = span_of("X-REMOVED");
        assert_true(http_rules_replace(&all, h.name));
        h.name = span_of("X-Added");
        assert_false(http_rules_replace(&all, h.name));
        h.name = span_of("X-Sets");
        assert_false(http_rules_replace(&all, h.name));
        assert_false(http_rules_replace(NULL, h.name));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_templates), cmocka_unit_test(test_unknown_variables),
                cmocka_unit_test(test_room),      cmocka_unit_test(test_rules),
                cmocka_unit_test(test_replace),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
