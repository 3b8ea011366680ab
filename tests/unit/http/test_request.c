/* SPDX-License-Identifier: MIT */

#include "http/head.h"

#include "again.h"
#include "feed.h"

#define S(text)       (text), sizeof(text) - 1
#define LINE(line)    S(line "\r\nHost: a\r\n\r\n")
#define GET(headers)  S("GET / HTTP/1.1\r\nHost: a\r\n" headers "\r\n")
#define POST(headers) S("POST / HTTP/1.1\r\nHost: a\r\n" headers "\r\n")
#define TE            "Transfer-Encoding: "
#define CL            "Content-Length: "

static const struct verdict_row {
        const char *text;
        size_t n;
        enum http_verdict verdict;
        const char *why;
} rows[] = {
        /* clang-format off */
        { GET(""),                                        HTTP_OK, "the least there can be" },
        { GET("A:b\r\nC: d \r\nE:\r\n"),                  HTTP_OK, "blanks around a value, or none" },
        { S("GET / HTTP/1.0\r\n\r\n"),                    HTTP_OK, "1.0 needs no Host" },
        { LINE("GET / HTTP/1.2"),                         HTTP_OK, "a later minor version" },
        { LINE("GET / HTTP/1.9"),                         HTTP_OK, "the last of them" },
        { S(""),                                          HTTP_MORE, "nothing yet" },
        { S("GET / HTTP/1.1\r\nHost: a\r\n\r"),           HTTP_MORE, "one byte is missing" },
        { S("GET / HTTP/1.1\r\nHost: a\r\n"),             HTTP_MORE, "the empty line is missing" },

        { POST(CL "5\r\n" TE "chunked\r\n"),              HTTP_LENGTH_AND_CODING, "both" },
        { POST(TE "chunked\r\n" CL "5\r\n"),              HTTP_LENGTH_AND_CODING, "the other way round" },
        { POST(TE "gzip\r\n" CL "x\r\n"),                 HTTP_LENGTH_AND_CODING, "both, and both bad" },
        { S("POST / HTTP/1.0\r\n" CL "5\r\n" TE "chunked\r\n\r\n"), HTTP_LENGTH_AND_CODING, "both in 1.0" },
        { POST(CL "5\r\n" CL "5\r\n"),                    HTTP_LENGTH_TWICE, "two, equal" },
        { POST(CL "5\r\n" CL "6\r\n"),                    HTTP_LENGTH_TWICE, "two, different" },
        { POST(CL "5\r\ncontent-LENGTH: 6\r\n"),          HTTP_LENGTH_TWICE, "in another case" },
        { POST(CL "5, 5\r\n"),                            HTTP_LENGTH, "a list" },
        { POST(CL "5,5\r\n"),                             HTTP_LENGTH, "a list" },
        { POST(CL "+5\r\n"),                              HTTP_LENGTH, "a sign" },
        { POST(CL "-5\r\n"),                              HTTP_LENGTH, "negative" },
        { POST(CL "0x5\r\n"),                             HTTP_LENGTH, "hexadecimal" },
        { POST(CL "a\r\n"),                               HTTP_LENGTH, "a hexadecimal digit" },
        { POST(CL "5 5\r\n"),                             HTTP_LENGTH, "a blank" },
        { POST(CL "\t5\t5\r\n"),                          HTTP_LENGTH, "a tab" },
        { POST(CL "9223372036854775808\r\n"),             HTTP_LENGTH, "one more than an off_t" },
        { POST(CL "18446744073709551616\r\n"),            HTTP_LENGTH, "2^64 would wrap to 0" },
        { POST(CL "18446744073709551621\r\n"),            HTTP_LENGTH, "and this one to 5" },
        { POST(CL "\r\n"),                                HTTP_LENGTH, "empty" },
        { POST(CL "5;\r\n"),                              HTTP_LENGTH, "something behind" },
        { POST(CL "5.0\r\n"),                             HTTP_LENGTH, "a fraction" },
        { POST(CL "5_0\r\n"),                             HTTP_LENGTH, "an underscore" },
        { POST(CL "\"5\"\r\n"),                           HTTP_LENGTH, "quotes" },
        { POST(CL "\xd9\xa5\r\n"),                        HTTP_LENGTH, "a digit of another script" },
        { POST(CL "9223372036854775807\r\n"),             HTTP_OK, "the largest" },
        { POST(CL " 5 \t\r\n"),                           HTTP_OK, "blanks around it are legal" },

        { POST(TE "identity\r\n"),                        HTTP_CODING, "withdrawn" },
        { POST(TE "xchunked\r\n"),                        HTTP_CODING, "looks like chunked" },
        { POST(TE "chunked, chunked\r\n"),                HTTP_CODING, "chunked twice" },
        { POST(TE "chunked\r\n" TE "chunked\r\n"),        HTTP_CODING, "in two headers" },
        { POST(TE "chunked\r\n" TE "identity\r\n"),       HTTP_CODING, "in two headers" },
        { POST(TE "chunked, gzip\r\n"),                   HTTP_CODING, "chunked not last" },
        { POST(TE "gzip, chunked\r\n"),                   HTTP_CODING, "unknown, but not alone" },
        { POST(TE "chunked,\r\n"),                        HTTP_CODING, "trailing comma" },
        { POST(TE ",chunked\r\n"),                        HTTP_CODING, "leading comma" },
        { POST(TE "\r\n"),                                HTTP_CODING, "empty" },
        { POST(TE "\"chunked\"\r\n"),                     HTTP_CODING, "quotes" },
        { POST(TE "chunked;a=b\r\n"),                     HTTP_CODING, "chunked has no parameters" },
        { POST(TE "chunked chunked\r\n"),                 HTTP_CODING, "a blank inside" },
        { POST(TE "\xc2\xa0" "chunked\r\n"),              HTTP_CODING, "a blank of another script" },
        { POST(TE "\x0b" "chunked\r\n"),                  HTTP_CONTROL_BYTE, "a vertical tab" },
        { POST(TE "gzip\r\n"),                            HTTP_CODING_UNKNOWN, "unknown alone" },
        { POST(TE "nonsense\r\n"),                        HTTP_CODING_UNKNOWN, "unknown alone" },
        { POST("Transfer-Encoding:\tchunked\r\n"),        HTTP_OK, "a leading tab is legal" },
        { POST("TRANSFER-encoding: ChunKed \r\n"),        HTTP_OK, "case does not count" },
        { POST("Transfer-Encoding : chunked\r\n"),        HTTP_HEADER_NAME, "a blank before the colon" },
        { S("POST / HTTP/1.0\r\n" TE "chunked\r\n\r\n"),  HTTP_CODING_1_0, "1.0 has no chunks" },
        { S("POST / HTTP/1.0\r\n" TE "x\r\n\r\n"),        HTTP_CODING_1_0, "nor any coding" },

        { GET("A: b\r\n c\r\n"),                          HTTP_OBS_FOLD, "obs-fold" },
        { GET("A: b\r\n\tc\r\n"),                         HTTP_OBS_FOLD, "by a tab" },
        { GET("A: b\r\n \r\n"),                           HTTP_OBS_FOLD, "of nothing" },
        { S("GET / HTTP/1.1\r\n Host: a\r\n\r\n"),        HTTP_OBS_FOLD, "right behind the first line" },

        { S("GET / HTTP/1.1\nHost: a\r\n\r\n"),           HTTP_BARE_LF, "behind the request line" },
        { S("GET / HTTP/1.1\r\nHost: a\n\r\n"),           HTTP_BARE_LF, "behind a header" },
        { S("GET / HTTP/1.1\r\nHost: a\r\n\n"),           HTTP_BARE_LF, "as the empty line" },
        { S("\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"),       HTTP_BARE_LF, "before everything" },
        { GET("A: b\nTransfer-Encoding: chunked\r\n"),    HTTP_BARE_LF, "a header hides in a value" },
        { S("GET / HTTP/1.1\rHost: a\r\n\r\n"),           HTTP_BARE_CR, "behind the request line" },
        { GET("A: b\rc\r\n"),                             HTTP_BARE_CR, "in a value" },
        { GET("A\r: b\r\n"),                              HTTP_BARE_CR, "in a name" },
        { GET("A: b\r\r\n"),                              HTTP_BARE_CR, "two CR" },
        { S("GET / HTTP/1.1\r\nHost: a\r\n\rX"),          HTTP_BARE_CR, "in the empty line" },
        { S("\rGET / HTTP/1.1\r\nHost: a\r\n\r\n"),       HTTP_BARE_CR, "before everything" },

        { GET("A : b\r\n"),                               HTTP_HEADER_NAME, "a blank before the colon" },
        { GET("A\t: b\r\n"),                              HTTP_HEADER_NAME, "a tab before the colon" },
        { GET(": b\r\n"),                                 HTTP_HEADER_NAME, "no name" },
        { GET("A b: c\r\n"),                              HTTP_HEADER_NAME, "a blank in the name" },
        { GET("A(b): c\r\n"),                             HTTP_HEADER_NAME, "no token byte" },
        { GET("A\xc3\xa4: c\r\n"),                        HTTP_HEADER_NAME, "not ASCII" },
        { GET("A\r\n"),                                   HTTP_HEADER_NAME, "no colon" },
        { GET("GET / HTTP/1.1\r\n"),                      HTTP_HEADER_NAME, "another request line" },
        { GET("A_b: c\r\n"),                              HTTP_OK, "an underscore passes" },
        { GET("!#$%&'*+-.^_`|~09azAZ: c\r\n"),            HTTP_OK, "all token bytes" },

        { GET("A: b\0c\r\n"),                             HTTP_CONTROL_BYTE, "NUL" },
        { GET("A: b\1c\r\n"),                             HTTP_CONTROL_BYTE, "a control byte" },
        { GET("A: b\x7f\r\n"),                            HTTP_CONTROL_BYTE, "DEL" },
        { GET("A\0: b\r\n"),                              HTTP_CONTROL_BYTE, "NUL in a name" },
        { GET("A: b\tc\r\n"),                             HTTP_OK, "a tab is fine" },
        { GET("A: \xc3\xa4\x80\xff\r\n"),                 HTTP_OK, "obs-text" },

        { S("GET / HTTP/1.1\r\n\r\n"),                    HTTP_HOST_MISSING, "1.1 without Host" },
        { S("GET / HTTP/1.9\r\n\r\n"),                    HTTP_HOST_MISSING, "1.9 is as 1.1" },
        { S("GET http://a/ HTTP/1.1\r\n\r\n"),            HTTP_HOST_MISSING, "whatever the target says" },
        { GET("Host: a\r\n"),                             HTTP_HOST_TWICE, "two, equal" },
        { GET("hOST: b\r\n"),                             HTTP_HOST_TWICE, "two, different" },
        { S("GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n"), HTTP_HOST_TWICE, "two in 1.0" },
        { S("GET http://a/ HTTP/1.1\r\nHost: a/b\r\n\r\n"), HTTP_HOST, "a bad one that does not count" },
        { S("GET / HTTP/1.1\r\nHost: a/b@c\r\n\r\n"),     HTTP_HOST, "a path and a user" },
        { S("GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n"),   HTTP_HOST, "port too large" },
        { S("GET / HTTP/1.1\r\nHost: a:4294967376\r\n\r\n"), HTTP_HOST, "it would wrap to 80" },
        { S("GET / HTTP/1.1\r\nHost: a:0\r\n\r\n"),       HTTP_HOST, "port 0" },
        { S("GET / HTTP/1.1\r\nHost: a:b\r\n\r\n"),       HTTP_HOST, "no port" },
        { S("GET / HTTP/1.1\r\nHost: a:+80\r\n\r\n"),     HTTP_HOST, "a sign" },
        { S("GET / HTTP/1.1\r\nHost: a:80:80\r\n\r\n"),   HTTP_HOST, "two ports" },
        { S("GET / HTTP/1.1\r\nHost: a, b\r\n\r\n"),      HTTP_HOST, "a list" },
        { S("GET / HTTP/1.1\r\nHost: a%2eb\r\n\r\n"),     HTTP_HOST, "percent-encoded" },
        { S("GET / HTTP/1.1\r\nHost: a b\r\n\r\n"),       HTTP_HOST, "a blank" },
        { S("GET / HTTP/1.1\r\nHost: \xc3\xa4\r\n\r\n"),  HTTP_HOST, "not ASCII" },
        { S("GET / HTTP/1.1\r\nHost:\r\n\r\n"),           HTTP_HOST, "empty" },
        { S("GET / HTTP/1.1\r\nHost: :80\r\n\r\n"),       HTTP_HOST, "a port alone" },
        { S("GET / HTTP/1.1\r\nHost: ::1\r\n\r\n"),       HTTP_HOST, "IPv6 without brackets" },
        { S("GET / HTTP/1.1\r\nHost: [::1\r\n\r\n"),      HTTP_HOST, "a bracket that stays open" },
        { S("GET / HTTP/1.1\r\nHost: []\r\n\r\n"),        HTTP_HOST, "empty brackets" },
        { S("GET / HTTP/1.1\r\nHost: [::1]80\r\n\r\n"),   HTTP_HOST, "no colon before the port" },
        { S("GET / HTTP/1.1\r\nHost: [fe80::1%25e]\r\n\r\n"), HTTP_HOST, "a zone" },
        { S("GET / HTTP/1.1\r\nHost: [::1]:65535\r\n\r\n"), HTTP_OK, "IPv6 and the last port" },
        { S("GET / HTTP/1.1\r\nHost: a-b.c_d~:\r\n\r\n"), HTTP_OK, "a port may be empty" },

        { LINE("GET http://b/ HTTP/1.1"),                 HTTP_OK, "absolute form" },
        { LINE("GET HTTPS://b:1?q HTTP/1.1"),             HTTP_OK, "without a path" },
        { LINE("GET http://u@b/ HTTP/1.1"),               HTTP_USERINFO, "a user" },
        { LINE("GET http://u:p@b/ HTTP/1.1"),             HTTP_USERINFO, "with a password" },
        { LINE("GET http://@b/ HTTP/1.1"),                HTTP_USERINFO, "empty" },
        { LINE("GET http:///a HTTP/1.1"),                 HTTP_HOST, "no host" },
        { LINE("GET http://a:99999/ HTTP/1.1"),           HTTP_HOST, "port too large" },
        { LINE("GET http://a\\b/ HTTP/1.1"),              HTTP_HOST, "the wrong slash" },
        { LINE("GET http:/a HTTP/1.1"),                   HTTP_TARGET, "one slash" },
        { LINE("GET ftp://a/ HTTP/1.1"),                  HTTP_TARGET, "another scheme" },
        { LINE("GET a HTTP/1.1"),                         HTTP_TARGET, "none of the forms" },
        { LINE("GET a:80 HTTP/1.1"),                      HTTP_TARGET, "CONNECT's form" },
        { LINE("GET ?a HTTP/1.1"),                        HTTP_TARGET, "a query alone" },
        { LINE("GET /a#b HTTP/1.1"),                      HTTP_TARGET, "a fragment" },
        { LINE("GET /# HTTP/1.1"),                        HTTP_TARGET, "an empty fragment" },
        { LINE("GET http://b/#c HTTP/1.1"),               HTTP_TARGET, "in absolute form" },
        { LINE("GET /a b HTTP/1.1"),                      HTTP_TARGET, "a blank" },
        { LINE("GET  / HTTP/1.1"),                        HTTP_TARGET, "two blanks" },
        { LINE("GET /  HTTP/1.1"),                        HTTP_TARGET, "two blanks" },
        { LINE("GET  HTTP/1.1"),                          HTTP_TARGET, "no target" },
        { LINE("GET /\ta HTTP/1.1"),                      HTTP_TARGET, "a tab" },
        { LINE("GET /\xc3\xa4 HTTP/1.1"),                 HTTP_TARGET, "not ASCII" },
        { LINE("GET /\x01 HTTP/1.1"),                     HTTP_CONTROL_BYTE, "a control byte" },
        { LINE("GET /\0 HTTP/1.1"),                       HTTP_CONTROL_BYTE, "NUL" },
        { LINE("GET /%00%zz?a=%0d%0a HTTP/1.1"),          HTTP_OK, "what is encoded passes" },
        { LINE("OPTIONS * HTTP/1.1"),                     HTTP_OK, "asterisk form" },
        { LINE("GET * HTTP/1.1"),                         HTTP_TARGET, "with another method" },
        { LINE("options * HTTP/1.1"),                     HTTP_TARGET, "case counts" },
        { LINE("OPTIONS ** HTTP/1.1"),                    HTTP_TARGET, "two" },
        { LINE("CONNECT a:443 HTTP/1.1"),                 HTTP_OK, "authority form" },
        { LINE("CONNECT a HTTP/1.1"),                     HTTP_TARGET, "without port" },
        { LINE("CONNECT u@a:1 HTTP/1.1"),                 HTTP_USERINFO, "a user" },
        { LINE("CONNECT / HTTP/1.1"),                     HTTP_TARGET, "a path" },
        { LINE("CONNECT http://a:1/ HTTP/1.1"),           HTTP_TARGET, "absolute form" },
        { LINE("CONNECT * HTTP/1.1"),                     HTTP_TARGET, "asterisk form" },
        { S("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n" CL "5\r\n\r\n"), HTTP_CONNECT_BODY, "with a length" },
        { S("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n" TE "chunked\r\n\r\n"), HTTP_CONNECT_BODY, "chunked" },

        { LINE("GET / HTTP/2.0"),                         HTTP_VERSION, "another major version" },
        { LINE("GET / HTTP/0.9"),                         HTTP_VERSION, "an older one" },
        { LINE("GET / HTTP/3.0"),                         HTTP_VERSION, "another one" },
        { S("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),          HTTP_PREFACE, "the preface" },
        { LINE("PRI * HTTP/1.1"),                         HTTP_TARGET, "only half of it" },
        { LINE("GET / HTTP/1.10"),                        HTTP_REQUEST_LINE, "two digits" },
        { LINE("GET / HTTP/01.1"),                        HTTP_REQUEST_LINE, "two digits" },
        { LINE("GET / HTTP/1,1"),                         HTTP_REQUEST_LINE, "a comma" },
        { LINE("GET / HTTP/2"),                           HTTP_REQUEST_LINE, "no minor version" },
        { LINE("GET / http/1.1"),                         HTTP_REQUEST_LINE, "case counts" },
        { LINE("GET / HTTP/1.1 "),                        HTTP_REQUEST_LINE, "a blank at the end" },
        { LINE("GET / HTTP /1.1"),                        HTTP_REQUEST_LINE, "a blank inside" },
        { LINE("GET /"),                                  HTTP_REQUEST_LINE, "HTTP/0.9 had no version" },
        { LINE("GET"),                                    HTTP_REQUEST_LINE, "a method alone" },
        { LINE("GET\t/ HTTP/1.1"),                        HTTP_REQUEST_LINE, "a tab is no blank" },
        { LINE("G\tT / HTTP/1.1"),                       HTTP_METHOD, "a tab in the method" },

        { LINE("Q / HTTP/1.1"),                           HTTP_OK, "an unknown method" },
        { LINE("get / HTTP/1.1"),                         HTTP_OK, "another unknown method" },
        { LINE("ABCDEFGHIJKLMNOPQRSTUVWXYZ012345 / HTTP/1.1"), HTTP_OK, "32 bytes" },
        { LINE("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456 / HTTP/1.1"), HTTP_METHOD_LONG, "33 bytes" },
        { LINE("G(T / HTTP/1.1"),                         HTTP_METHOD, "no token" },
        { LINE("G\xc3\xa4T / HTTP/1.1"),                  HTTP_METHOD, "not ASCII" },

        { S("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"),     HTTP_OK, "one empty line before" },
        { S("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"), HTTP_EMPTY_LINES, "two" },
        { S("\r\n\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"),   HTTP_BARE_LF, "one and a half" },
        { S("\r\n GET / HTTP/1.1\r\nHost: a\r\n\r\n"),    HTTP_LEADING_BLANK, "and a blank" },
        { S(" GET / HTTP/1.1\r\nHost: a\r\n\r\n"),        HTTP_LEADING_BLANK, "a blank before" },
        { S("\tGET / HTTP/1.1\r\nHost: a\r\n\r\n"),       HTTP_LEADING_BLANK, "a tab before" },
        { S("\xff\xfe"),                                  HTTP_METHOD, "garbage, at once" },
        { S("\0\0\0\0"),                                  HTTP_CONTROL_BYTE, "garbage, at once" },
        { S("{\"a\":1}"),                                 HTTP_METHOD, "another protocol" },
        { S("\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03"),  HTTP_TLS, "a ClientHello" },
        { S("\r\n\x16\x03\x01"),                          HTTP_TLS, "behind an empty line" },
        { S("\x16"),                                      HTTP_MORE, "perhaps one" },
        { S("\x16\x04"),                                  HTTP_CONTROL_BYTE, "none" },
        { S("SSH-2.0-x\r\n"),                             HTTP_REQUEST_LINE, "before the head ends" },

        { GET("Connection: close\r\n"),                   HTTP_OK, "an option" },
        { GET("Connection: ,a,, b ,\r\nA: b\r\n"),        HTTP_OK, "empty elements are ignored" },
        { GET("Connection: a b\r\n"),                     HTTP_CONNECTION, "no token" },
        { GET("Connection: \"a\"\r\n"),                   HTTP_CONNECTION, "quotes" },
        { GET("Connection: a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a\r\n"
              "Connection: a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a\r\n"), HTTP_OK, "32" },
        { GET("Connection: a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a\r\n"
              "Connection: a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a\r\n"), HTTP_CONNECTION, "33" },
        { GET("Connection: Host\r\n"),                    HTTP_NOMINATED, "Host" },
        { GET("Connection: close, content-length\r\n"),   HTTP_NOMINATED, "Content-Length" },
        { GET("Connection: Transfer-Encoding\r\n"),       HTTP_NOMINATED, "Transfer-Encoding" },
        { GET("Connection: X-Forwarded-For\r\n"),         HTTP_NOMINATED, "X-Forwarded-For" },
        { GET("Connection: x-forwarded-anything\r\n"),    HTTP_NOMINATED, "its kin" },
        { GET("Connection: X-Real-IP\r\n"),               HTTP_NOMINATED, "the same in other words" },
        { GET("Connection: Forwarded\r\n"),               HTTP_NOMINATED, "the same in other words" },
        { GET("Connection: close\r\nConnection: Host\r\n"), HTTP_NOMINATED, "in the second header" },

        { POST("Expect: 100-Continue\r\n" CL "5\r\n"),    HTTP_OK, "case does not count" },
        { POST("Expect: 200-ok\r\n" CL "5\r\n"),          HTTP_EXPECTATION, "unknown" },
        { POST("Expect: 100-continue, x\r\n"),            HTTP_EXPECTATION, "one of them unknown" },
        { POST("Expect:\r\n"),                            HTTP_EXPECTATION, "empty" },
        { POST("Expect: 100-continue\r\nExpect: x\r\n"),  HTTP_EXPECTATION, "the second one" },
        { S("POST / HTTP/1.0\r\nExpect: x\r\n\r\n"),      HTTP_OK, "1.0 expects nothing" },
        { POST("Expect: x\r\n" CL "5, 5\r\n"),            HTTP_LENGTH, "framing goes first" },
        { S("GET /# HTTP/2.0\r\nA\0\n"),                  HTTP_VERSION, "the first line goes first" },
        /* clang-format on */
};

static enum http_verdict read_request(struct http_head *h,
                                      struct http_scan *s,
                                      const char *buf,
                                      size_t n) {
        return http_read_request(h, s, buf, n, &http_request_limits);
}

static void test_verdicts(void **state) {
        (void)state;
        for (size_t i = 0; i < ELEMENTS(rows); i++)
                feed_all(read_request, rows[i].text, rows[i].n, rows[i].verdict, rows[i].why);
}

/* All that is accepted goes on in every way, and means the same to whoever reads it next. */
static void assert_forwarded(const struct verdict_row *row, unsigned how) {
        struct http_values values = { .of = { [HTTP_VAR_BACKEND_NAME] = { "b:80", 4 } } };
        struct http_forward f = {
                .values = &values,
                .via = how & 1,
                .trusted = how & 2,
                .forwarded = how & 4,
                .drop_underscore = how & 8,
                .request_id = { "id", how & 16 ? 2 : 0 },
                .peer_ip = { "::1", how & 32 ? 3 : 0 },
                .scheme = { "http", 4 },
        };
        struct http_scan s = { 0 };
        struct http_head h;
        const char *differs;

        assert_int_equal(read_request(&h, &s, row->text, row->n), HTTP_OK);
        f.head = &h;
        differs = again(&f, (struct http_asked){ 0 });
        if (differs)
                fail_msg("%s, in way %u: %s", row->why, how, differs);
}

static void test_forwarded(void **state) {
        (void)state;
        for (size_t i = 0; i < ELEMENTS(rows); i++)
                for (unsigned how = 0; how < 64 && rows[i].verdict == HTTP_OK; how++)
                        assert_forwarded(&rows[i], how);
}

/* What follows a head is not looked at. */
static void test_size(void **state) {
        static const char two[] = "\r\nGET / HTTP/1.0\r\n\r\n\0\n garbage";
        struct http_head h;
        struct http_scan s = { 0 };

        (void)state;
        assert_int_equal(read_request(&h, &s, S(two)), HTTP_OK);
        assert_int_equal(h.size, 20);
        assert_int_equal(h.n_headers, 0);
}

static struct http_head read_ok(const char *text) {
        struct http_head h;
        struct http_scan s = { 0 };

        assert_int_equal(read_request(&h, &s, text, strlen(text)), HTTP_OK);
        assert_int_equal(h.size, strlen(text));
        return h;
}

static void test_parts(void **state) {
        struct http_head h = read_ok("POST /a/b?c?d HTTP/1.1\r\nhost: Ex.org:81\r\nA:  b c \r\n"
                                     "Content-Length: 0017\r\nEmpty:\r\n\r\n");

        (void)state;
        assert_span(h.method, "POST");
        assert_span(h.target, "/a/b?c?d");
        assert_span(h.path, "/a/b");
        assert_span(h.query, "c?d");
        assert_span(h.authority.text, "Ex.org:81");
        assert_span(h.authority.host, "Ex.org");
        assert_int_equal(h.authority.port, 81);
        assert_int_equal(h.form, HTTP_FORM_ORIGIN);
        assert_int_equal(h.minor, 1);
        assert_int_equal(h.framing, HTTP_FRAMING_LENGTH);
        assert_int_equal(h.length, 17);
        assert_int_equal(h.n_headers, 4);
        assert_span(h.headers[1].name, "A");
        assert_span(h.headers[1].value, "b c");
        assert_span(h.headers[3].value, "");
        assert_true(h.keep_alive);
        assert_false(h.upgrade || h.h2c || h.expect_continue || h.te_trailers || h.interim);
}

static void test_target_wins(void **state) {
        struct http_head h =
                read_ok("OPTIONS http://[::1]:8?x HTTP/1.9\r\nHost: b\r\nA: b\r\n\r\n");

        (void)state;
        assert_int_equal(h.form, HTTP_FORM_ABSOLUTE);
        assert_span(h.authority.text, "[::1]:8");
        assert_span(h.authority.host, "[::1]");
        assert_int_equal(h.authority.port, 8);
        assert_span(h.path, "");
        assert_span(h.query, "x");
        assert_true(h.headers[0].drop);
        assert_false(h.headers[1].drop);
        assert_int_equal(h.minor, 1);

        h = read_ok("CONNECT b:443 HTTP/1.1\r\nHost: c\r\n\r\n");
        assert_int_equal(h.form, HTTP_FORM_AUTHORITY);
        assert_span(h.authority.text, "b:443");
        assert_true(http_asked_by(&h).connect);
        assert_span(h.path, "");

        h = read_ok("OPTIONS * HTTP/1.1\r\nHost: c\r\n\r\n");
        assert_int_equal(h.form, HTTP_FORM_ASTERISK);
        assert_span(h.path, "*");
        assert_span(h.authority.text, "c");
}

static void test_keep_alive(void **state) {
        (void)state;
        assert_false(read_ok("GET / HTTP/1.0\r\n\r\n").keep_alive);
        assert_true(read_ok("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n").keep_alive);
        assert_false(read_ok("GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n").keep_alive);
        assert_true(read_ok("GET / HTTP/1.1\r\nHost: a\r\n\r\n").keep_alive);
        assert_false(
                read_ok("GET / HTTP/1.1\r\nHost: a\r\nConnection: x, CLOSE\r\n\r\n").keep_alive);
}

/* The names of all headers that are not forwarded, as digits of their places. */
static void assert_dropped(const struct http_head *h, const char *want) {
        char places[HTTP_HEADERS_MAX + 1];
        size_t n = 0;

        for (size_t i = 0; i < h->n_headers; i++)
                if (h->headers[i].drop)
                        places[n++] = (char)('0' + i);
        places[n] = '\0';
        assert_string_equal(places, want);
}

static void test_hop_by_hop(void **state) {
        struct http_head h;

        (void)state;
        h = read_ok("GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, b\r\nKeep-Alive: x\r\n"
                    "Proxy-Connection: x\r\nTE: gzip, trailers\r\nUpgrade: x\r\nTrailer: x\r\n"
                    "B: c\r\nBc: d\r\n\r\n");
        assert_dropped(&h, "123457");
        assert_true(h.te_trailers);
        assert_false(h.upgrade); /* Connection does not name it */

        h = read_ok("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \tchunked\r\n"
                    "B: c\r\nconnection: B\r\nb: d\r\n\r\n");
        assert_dropped(&h, "1234");
        assert_int_equal(h.framing, HTTP_FRAMING_CHUNKED);

        h = read_ok("POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n");
        assert_dropped(&h, "0");
        assert_false(h.expect_continue);
        assert_true(read_ok("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n")
                            .expect_continue);
}

static void test_upgrade(void **state) {
        struct http_head h;

        (void)state;
        h = read_ok(
                "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
        assert_true(h.upgrade && !h.h2c && http_asked_by(&h).upgrade);
        assert_dropped(&h, "1");

        h = read_ok("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\n"
                    "Upgrade: websocket, H2C\r\nHTTP2-Settings: x\r\n\r\n");
        assert_true(!h.upgrade && h.h2c);
        assert_dropped(&h, "123");

        h = read_ok("GET / HTTP/1.0\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
        assert_false(h.upgrade);
        h = read_ok("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade:\r\n\r\n");
        assert_false(h.upgrade);
}

/* For the log of a refusal. */
static void test_refused_has_its_line(void **state) {
        static const char text[] = "PUT /x HTTP/1.1\r\nHost: a\r\nB : c\r\n\r\n";
        struct http_head h;
        struct http_scan s = { 0 };

        (void)state;
        assert_int_equal(read_request(&h, &s, text, 30), HTTP_MORE);
        assert_int_equal(read_request(&h, &s, S(text)), HTTP_HEADER_NAME);
        assert_span(h.method, "PUT");
        assert_span(h.target, "/x");
        assert_int_equal(h.size, 0);
}

/* head, then n times part, then tail */
static void repeat(const char *head, const char *part, size_t n, const char *tail, int want) {
        size_t size = strlen(head) + n * strlen(part) + strlen(tail);
        char *text = malloc(size + 1), *p;

        assert_non_null(text);
        p = stpcpy(text, head);
        for (size_t i = 0; i < n; i++)
                p = stpcpy(p, part);
        stpcpy(p, tail);
        feed_growing(read_request, text, size, (enum http_verdict)want, head);
        for (size_t cut = 0; cut < 2; cut++) {
                struct http_head h;
                struct http_scan s = { 0 };

                if (cut == 1)
                        assert_int_equal(read_request(&h, &s, text, size / 2), HTTP_MORE);
                assert_int_equal(read_request(&h, &s, text, size), want);
        }
        assert_true(size <= http_head_room(&http_request_limits) || want != HTTP_OK);
        free(text);
}

static void test_limits(void **state) {
        static const char host[] = "GET / HTTP/1.0\r\n", end[] = "\r\n\r\n";

        (void)state;
        /* 8192 bytes of a request line: "GET /" and " HTTP/1.0" are 14 */
        repeat("GET /", "a", 8192 - 14, " HTTP/1.0\r\n\r\n", HTTP_OK);
        repeat("GET /", "a", 8193 - 14, " HTTP/1.0\r\n\r\n", HTTP_LINE_LONG);
        repeat("GET /", "a", 9000, "", HTTP_LINE_LONG);
        repeat("GET / HTTP/1.0\r\nA:", "b", 8190, end, HTTP_OK);
        repeat("GET / HTTP/1.0\r\nA:", "b", 8191, end, HTTP_HEADER_LONG);
        repeat(host, "A: b\r\n", 100, "\r\n", HTTP_OK);
        repeat(host, "A: b\r\n", 101, "\r\n", HTTP_HEADERS_MANY);
        /* 64 lines of 512 bytes are 32 KiB */
#define B16  "bbbbbbbbbbbbbbbb"
#define B128 B16 B16 B16 B16 B16 B16 B16 B16
#define A512 "A:" B128 B128 B128 B16 B16 B16 B16 B16 B16 B16 "bbbbbbbbbbbb\r\n"
        assert_int_equal(strlen(A512), 512);
        repeat(host, A512, 64, "\r\n", HTTP_OK);
        repeat(host, A512, 64, "A:\r\n\r\n", HTTP_HEADERS_LONG);
        repeat(host, A512, 65, "\r\n", HTTP_HEADERS_LONG);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_verdicts),
                cmocka_unit_test(test_forwarded),
                cmocka_unit_test(test_size),
                cmocka_unit_test(test_parts),
                cmocka_unit_test(test_target_wins),
                cmocka_unit_test(test_keep_alive),
                cmocka_unit_test(test_hop_by_hop),
                cmocka_unit_test(test_upgrade),
                cmocka_unit_test(test_refused_has_its_line),
                cmocka_unit_test(test_limits),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
