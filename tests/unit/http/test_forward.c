/* SPDX-License-Identifier: MIT */

#include "http/forward.h"

#include "feed.h"

#define HOST   "Host: a.example\r\n"
#define ORIGIN "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: http\r\n"
#define REAL   "X-Real-IP: 192.0.2.1\r\n"
#define XHOST  "X-Forwarded-Host: a.example\r\n"
#define OWN    ORIGIN XHOST REAL
#define RULES  8

enum {
        VIA = 1 << 0,
        TRUSTED = 1 << 1,
        FORWARDED = 1 << 2,
        DROP = 1 << 3, /* headers with an underscore */
        ID = 1 << 4,
        V6 = 1 << 5,   /* the peer's address */
        UNIX = 1 << 6, /* it has none */
        CLOSE = 1 << 7,
        OLD = 1 << 8, /* the client speaks HTTP/1.0 */
        DATE = 1 << 9,
        HEAD = 1 << 10,
        CONNECT = 1 << 11,
        UPGRADE = 1 << 12,
};

struct rule_text {
        const char *key, *value;
};

struct rule_memory {
        struct http_rule rules[RULES];
        struct http_piece pieces[RULES][16];
        struct http_rules all;
};

static const struct http_rules *rules_read(struct rule_memory *m,
                                           enum http_side side,
                                           const struct rule_text *texts) {
        m->all = (struct http_rules){ .rules = m->rules };
        for (; texts && texts->key; texts++) {
                struct http_rule *rule = &m->rules[m->all.n];
                struct span bad;

                assert_int_equal(http_rule_read(rule, side, span_of(texts->key)), 0);
                assert_int_equal(http_template_read(&rule->value, m->pieces[m->all.n],
                                                    span_of(texts->value), &bad),
                                 0);
                m->all.n++;
        }
        return texts ? &m->all : NULL;
}

static const struct http_values values = { .of = {
                                                   [HTTP_VAR_CLIENT_IP] = { "198.51.100.7", 12 },
                                                   [HTTP_VAR_CLIENT_PORT] = { "5000", 4 },
                                                   [HTTP_VAR_BACKEND_NAME] = { "web1:8080", 9 },
                                                   [HTTP_VAR_BACKEND_ADDR] = { "10.0.0.1:8080",
                                                                               13 },
                                                   [HTTP_VAR_HOST] = { "a.example", 9 },
                                                   [HTTP_VAR_URI] = { "/a?b", 4 },
                                           } };

/* Once with just enough room, in memory that ends there, and once with one byte less. */
static void assert_written(bool (*forward)(struct http_out *, const struct http_forward *),
                           const struct http_forward *f,
                           const char *want,
                           const char *why) {
        size_t n = strlen(want);
        struct http_out o = { .p = malloc(65536), .room = 65536 };

        assert_non_null(o.p);
        assert_true(forward(&o, f));
        if (o.n != n || memcmp(o.p, want, n) != 0)
                fail_msg("%s:\n%.*s\nand not\n%s", why, (int)o.n, o.p, want);
        free(o.p);
        for (size_t room = n - 1; room <= n; room++) {
                o = (struct http_out){ .p = malloc(room), .room = room };
                assert_non_null(o.p);
                assert_int_equal(forward(&o, f), room == n);
                assert_true(o.n <= room && o.full == (room < n));
                free(o.p);
        }
}

static const struct request_row {
        unsigned how;
        const struct rule_text *rules;
        const char *text, *want; /* without the empty line at the end */
        const char *why;
} requests[] = {
        /* clang-format off */
        { 0, NULL, "GET /a?b HTTP/1.1\r\n" HOST, "GET /a?b HTTP/1.1\r\n" HOST OWN, "the least there is" },
        { 0, NULL, "GET / HTTP/1.1\r\nB: c\r\n" HOST "d:  e \t\r\nF:\r\n",
          "GET / HTTP/1.1\r\n" HOST "B: c\r\nd: e\r\nF: \r\n" OWN, "Host goes first, blanks around values" },
        { 0, NULL, "Get /%2E%2e/%00 HTTP/1.7\r\n" HOST, "Get /%2E%2e/%00 HTTP/1.1\r\n" HOST OWN,
          "method and target as they came" },
        { 0, NULL, "OPTIONS * HTTP/1.1\r\n" HOST, "OPTIONS * HTTP/1.1\r\n" HOST OWN, "asterisk form" },
        { 0, NULL, "GET http://a.example/b HTTP/1.1\r\nHost: c\r\n", "GET http://a.example/b HTTP/1.1\r\n" HOST OWN,
          "absolute form: its authority wins" },
        { 0, NULL, "CONNECT a.example:443 HTTP/1.1\r\nHost: b\r\n",
          "CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n" ORIGIN
          "X-Forwarded-Host: a.example:443\r\n" REAL, "CONNECT" },
        { 0, NULL, "GET / HTTP/1.0\r\n", "GET / HTTP/1.1\r\nHost: web1:8080\r\n" ORIGIN REAL,
          "HTTP/1.0 without Host gets the backend's name" },
        { 0, NULL, "GET / HTTP/1.0\r\n" HOST "Connection: keep-alive\r\nKeep-Alive: 5\r\nExpect: x\r\n",
          "GET / HTTP/1.1\r\n" HOST OWN, "HTTP/1.0 with all that it has" },

        { 0, NULL, "POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\n",
          "POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\n" OWN, "a length" },
        { 0, NULL, "POST / HTTP/1.1\r\n" HOST "content-length: 00010\r\n",
          "POST / HTTP/1.1\r\n" HOST "content-length: 10\r\n" OWN, "zeros in front are left out" },
        { 0, NULL, "POST / HTTP/1.1\r\n" HOST "Content-Length: 000\r\n",
          "POST / HTTP/1.1\r\n" HOST "Content-Length: 0\r\n" OWN, "but not the last one" },
        { 0, NULL, "POST / HTTP/1.1\r\nTransfer-Encoding:\tChunked\r\n" HOST "Trailer: X\r\n",
          "POST / HTTP/1.1\r\n" HOST "Trailer: X\r\n" OWN "Transfer-Encoding: chunked\r\n", "chunks, in canonical form" },
        { 0, NULL, "POST / HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: 1\r\n",
          "POST / HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: 1\r\n" OWN, "Expect passes" },

        { 0, NULL, "GET / HTTP/1.1\r\n" HOST "Connection: close, X-A\r\nX-A: 1\r\nx-a: 2\r\nX-B: 3\r\nKeep-Alive: 4\r\n"
          "Proxy-Connection: 5\r\nTE: gzip\r\nUpgrade: 6\r\nHTTP2-Settings: 7\r\n",
          "GET / HTTP/1.1\r\n" HOST "X-B: 3\r\n" OWN, "between neighbours only, and nominated" },
        { 0, NULL, "GET / HTTP/1.1\r\n" HOST "TE: gzip, trailers\r\nConnection: TE\r\n",
          "GET / HTTP/1.1\r\n" HOST OWN "Connection: TE\r\nTE: trailers\r\n", "TE: trailers" },
        { 0, NULL, "GET / HTTP/1.0\r\n" HOST "TE: trailers\r\n", "GET / HTTP/1.1\r\n" HOST OWN, "not for HTTP/1.0" },
        { 0, NULL, "GET / HTTP/1.1\r\n" HOST "Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n",
          "GET / HTTP/1.1\r\n" HOST "Upgrade: websocket\r\n" OWN "Connection: upgrade\r\n", "an upgrade" },
        { 0, NULL, "GET / HTTP/1.1\r\n" HOST "Connection: Upgrade, TE\r\nUpgrade: a, b/2\r\nUpgrade: c\r\nTE: trailers\r\n",
          "GET / HTTP/1.1\r\n" HOST "Upgrade: a, b/2\r\nUpgrade: c\r\n" OWN "Connection: upgrade, TE\r\nTE: trailers\r\n",
          "of several, with trailers" },
        { 0, NULL, "GET / HTTP/1.1\r\n" HOST "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\n",
          "GET / HTTP/1.1\r\n" HOST OWN, "h2c is dropped" },
        { 0, NULL, "GET / HTTP/1.1\r\n" HOST "Upgrade: websocket\r\n", "GET / HTTP/1.1\r\n" HOST OWN,
          "an upgrade that Connection does not name" },

        { 0, NULL, "GET / HTTP/1.1\r\n" HOST "X-Forwarded-For: 1.1.1.1\r\nx-forwarded-proto: https\r\nX-Forwarded-Host: x\r\n"
          "X-Forwarded-Prefix: /x\r\nX-Real-IP: 1.1.1.1\r\nForwarded: for=1.1.1.1\r\n",
          "GET / HTTP/1.1\r\n" HOST OWN, "what a stranger says of himself is replaced" },
        { TRUSTED, NULL, "GET / HTTP/1.1\r\n" HOST, "GET / HTTP/1.1\r\n" HOST ORIGIN XHOST "X-Real-IP: 198.51.100.7\r\n",
          "a trusted peer that says nothing" },
        { TRUSTED, NULL, "GET / HTTP/1.1\r\n" HOST "X-Forwarded-For: 1.1.1.1\r\nX-Forwarded-Proto: https\r\n"
          "X-Forwarded-Host: x\r\nX-Forwarded-Prefix: /x\r\nX-Real-IP: 1.1.1.1\r\nForwarded: for=1.1.1.1\r\n",
          "GET / HTTP/1.1\r\n" HOST "X-Forwarded-For: 1.1.1.1, 192.0.2.1\r\nX-Forwarded-Proto: https\r\n"
          "X-Forwarded-Host: x\r\nX-Forwarded-Prefix: /x\r\nX-Real-IP: 1.1.1.1\r\nForwarded: for=1.1.1.1\r\n",
          "what a trusted peer says stands" },
        { TRUSTED, NULL, "GET / HTTP/1.1\r\n" HOST "X-Forwarded-For: 1.1.1.1, 2.2.2.2\r\nA: b\r\nx-forwarded-for:\r\n"
          "X-FORWARDED-FOR: 3.3.3.3\r\n",
          "GET / HTTP/1.1\r\n" HOST "X-Forwarded-For: 1.1.1.1, 2.2.2.2, 3.3.3.3, 192.0.2.1\r\nA: b\r\n"
          "X-Forwarded-Proto: http\r\n" XHOST "X-Real-IP: 198.51.100.7\r\n", "several of them become one" },
        { TRUSTED | UNIX, NULL, "GET / HTTP/1.1\r\n" HOST "X-Forwarded-For: 1.1.1.1\r\n",
          "GET / HTTP/1.1\r\n" HOST "X-Forwarded-For: 1.1.1.1\r\nX-Forwarded-Proto: http\r\n" XHOST
          "X-Real-IP: 198.51.100.7\r\n", "a peer without an address" },
        { UNIX, NULL, "GET / HTTP/1.1\r\n" HOST "X-Forwarded-For: 1.1.1.1\r\n",
          "GET / HTTP/1.1\r\n" HOST "X-Forwarded-Proto: http\r\n" XHOST, "that is not trusted" },
        { FORWARDED, NULL, "GET / HTTP/1.1\r\n" HOST "Forwarded: for=x\r\n",
          "GET / HTTP/1.1\r\n" HOST OWN "Forwarded: for=192.0.2.1;host=\"a.example\";proto=http\r\n", "Forwarded" },
        { FORWARDED | V6, NULL, "GET / HTTP/1.0\r\n",
          "GET / HTTP/1.1\r\nHost: web1:8080\r\nX-Forwarded-For: 2001:db8::1\r\nX-Forwarded-Proto: http\r\n"
          "X-Real-IP: 2001:db8::1\r\nForwarded: for=\"[2001:db8::1]\";proto=http\r\n", "of IPv6, without a host" },
        { FORWARDED | UNIX, NULL, "GET / HTTP/1.1\r\n" HOST,
          "GET / HTTP/1.1\r\n" HOST "X-Forwarded-Proto: http\r\n" XHOST
          "Forwarded: for=unknown;host=\"a.example\";proto=http\r\n", "of a peer without an address" },
        { FORWARDED | TRUSTED, NULL, "GET / HTTP/1.1\r\n" HOST "Forwarded: for=x;a=\"b,c\"\r\nForwarded: for=y\r\n",
          "GET / HTTP/1.1\r\n" HOST "Forwarded: for=x;a=\"b,c\", for=y, for=192.0.2.1;host=\"a.example\";proto=http\r\n"
          ORIGIN XHOST "X-Real-IP: 198.51.100.7\r\n", "behind what came" },

        { 0, NULL, "OPTIONS /a HTTP/1.1\r\n" HOST "max-forwards: 010\r\n", "OPTIONS /a HTTP/1.1\r\n" HOST
          "max-forwards: 9\r\n" OWN, "Max-Forwards of OPTIONS is one less" },
        { 0, NULL, "TRACE / HTTP/1.1\r\nMax-Forwards: 1\r\n" HOST, "TRACE / HTTP/1.1\r\n" HOST "Max-Forwards: 0\r\n" OWN,
          "and of TRACE" },
        { 0, NULL, "TRACE / HTTP/1.1\r\nMax-Forwards: 99999999999999999999\r\n" HOST,
          "TRACE / HTTP/1.1\r\n" HOST "Max-Forwards: 999999998\r\n" OWN, "from the greatest that counts" },
        { 0, NULL, "GET / HTTP/1.1\r\nMax-Forwards: 5\r\nMax-Forwards: x\r\n" HOST, "GET / HTTP/1.1\r\n" HOST
          "Max-Forwards: 5\r\nMax-Forwards: x\r\n" OWN, "to other methods it means nothing" },
        { 0, NULL, "trace / HTTP/1.1\r\nMax-Forwards: 0\r\n" HOST, "trace / HTTP/1.1\r\n" HOST "Max-Forwards: 0\r\n" OWN,
          "case counts in methods" },
        { 0, NULL, "OPTIONS / HTTP/1.1\r\nMax-Forwards: 5\r\nConnection: max-forwards\r\n" HOST,
          "OPTIONS / HTTP/1.1\r\n" HOST OWN, "nominated it does not pass" },
        { 0, (const struct rule_text[]){ { "Max-Forwards", "3" }, { NULL, NULL } }, "OPTIONS / HTTP/1.1\r\nMax-Forwards: 9\r\n" HOST,
          "OPTIONS / HTTP/1.1\r\n" HOST OWN "Max-Forwards: 3\r\n", "a rule stands above it" },

        { VIA, NULL, "GET / HTTP/1.1\r\n" HOST, "GET / HTTP/1.1\r\n" HOST OWN "Via: 1.1 bal\r\n", "Via" },
        { VIA, NULL, "GET / HTTP/1.0\r\n" HOST "via: 1.1 a\r\nB: c\r\nVia: 1.0 d, 1.1 e\r\n",
          "GET / HTTP/1.1\r\n" HOST "Via: 1.1 a, 1.0 d, 1.1 e, 1.0 bal\r\nB: c\r\n" OWN, "behind others" },
        { VIA, NULL, "GET / HTTP/1.1\r\n" HOST "Connection: via\r\nVia: 1.1 a\r\n",
          "GET / HTTP/1.1\r\n" HOST OWN "Via: 1.1 bal\r\n", "that were nominated" },
        { 0, NULL, "GET / HTTP/1.1\r\n" HOST "Via: 1.1 a\r\nVia: 1.1 b\r\n",
          "GET / HTTP/1.1\r\n" HOST "Via: 1.1 a\r\nVia: 1.1 b\r\n" OWN, "not asked for" },

        { ID, NULL, "GET / HTTP/1.1\r\n" HOST "x-request-id: a\r\nX-Request-ID: b\r\n",
          "GET / HTTP/1.1\r\n" HOST OWN "X-Request-ID: id-1\r\n", "the request id" },
        { 0, NULL, "GET / HTTP/1.1\r\n" HOST "x-request-id: a\r\n",
          "GET / HTTP/1.1\r\n" HOST "x-request-id: a\r\n" OWN, "none of our own" },

        { 0, NULL, "GET / HTTP/1.1\r\n" HOST "A_B: c\r\n_: d\r\n", "GET / HTTP/1.1\r\n" HOST "A_B: c\r\n_: d\r\n" OWN,
          "underscores pass" },
        { DROP, NULL, "GET / HTTP/1.1\r\n" HOST "A_B: c\r\n_: d\r\nE: f_g\r\n", "GET / HTTP/1.1\r\n" HOST "E: f_g\r\n" OWN,
          "or do not" },
        { 0, NULL, "GET / HTTP/1.1\r\n" HOST "X_Forwarded_For: 1\r\nx-forwarded_for: 2\r\nCONTENT_LENGTH: 3\r\n"
          "Transfer_Encoding: chunked\r\nX_Real_IP: 4\r\nX_Request_Id: 5\r\nX_Forwarded_0123456789_0123456789: 6\r\n"
          "Ho_st: 7\r\nX_Forwarded: 8\r\n",
          "GET / HTTP/1.1\r\n" HOST "Ho_st: 7\r\nX_Forwarded: 8\r\n" OWN, "but not those that look like bal's own" },

        { ID, (const struct rule_text[]){ { "X-A", "$client_ip:$client_port" }, { "+X-B", "$backend_name $$" }, { "-X-C", "" },
                                         { NULL, NULL } },
          "GET / HTTP/1.1\r\n" HOST "x-a: 1\r\nx-b: 2\r\nX-C: 3\r\nX-D: 4\r\nX-a: 5\r\n",
          "GET / HTTP/1.1\r\n" HOST "x-b: 2\r\nX-D: 4\r\n" OWN "X-Request-ID: id-1\r\nX-A: 192.0.2.1:5000\r\n"
          "X-B: web1:8080 $\r\n", "rules" },
        { ID | VIA | FORWARDED, (const struct rule_text[]){ { "X-Forwarded-Proto", "https" }, { "-X-Forwarded-For", "" },
                                         { "-x-forwarded-host", "" }, { "-X-Real-IP", "" }, { "-Via", "" },
                                         { "-X-Request-ID", "" }, { "Forwarded", "for=_hidden" }, { NULL, NULL } },
          "GET / HTTP/1.1\r\n" HOST "Via: 1.1 a\r\n",
          "GET / HTTP/1.1\r\n" HOST "X-Forwarded-Proto: https\r\nForwarded: for=_hidden\r\n",
          "that stand above bal's own headers" },
        { TRUSTED, (const struct rule_text[]){ { "X-Forwarded-Proto", "https" }, { "-X-Forwarded-For", "" }, { NULL, NULL } },
          "GET / HTTP/1.1\r\n" HOST "X-Forwarded-For: 1.1.1.1\r\nX-Forwarded-Proto: ftp\r\n",
          "GET / HTTP/1.1\r\n" HOST XHOST "X-Real-IP: 198.51.100.7\r\nX-Forwarded-Proto: https\r\n",
          "and above a trusted peer's" },
        { 0, (const struct rule_text[]){ { "Host", "b.example" }, { NULL, NULL } }, "GET / HTTP/1.1\r\nX: y\r\n" HOST,
          "GET / HTTP/1.1\r\nHost: b.example\r\nX: y\r\n" OWN, "a Host of our own, in its place" },
        { 0, (const struct rule_text[]){ { "Host", "$backend_addr" }, { NULL, NULL } }, "GET / HTTP/1.1\r\n" HOST,
          "GET / HTTP/1.1\r\nHost: 10.0.0.1:8080\r\n" OWN, "from a variable" },
        { 0, (const struct rule_text[]){ { "Host", "a b" }, { NULL, NULL } }, "GET / HTTP/1.1\r\n" HOST,
          "GET / HTTP/1.1\r\n" HOST OWN, "that is not valid" },
        { 0, (const struct rule_text[]){ { "Host", "$request_id" }, { NULL, NULL } }, "GET / HTTP/1.1\r\n" HOST,
          "GET / HTTP/1.1\r\n" HOST OWN, "that is empty" },
        /* clang-format on */
};

static void forward_options(struct http_forward *f, unsigned how) {
        f->values = &values;
        f->via = how & VIA;
        f->trusted = how & TRUSTED;
        f->forwarded = how & FORWARDED;
        f->drop_underscore = how & DROP;
        f->request_id = how & ID ? span_of("id-1") : (struct span){ NULL, 0 };
        f->peer_ip = how & UNIX ? (struct span){ NULL, 0 }
                     : how & V6 ? span_of("2001:db8::1")
                                : span_of("192.0.2.1");
        f->scheme = span_of("http");
        f->client_minor = how & OLD ? 0 : 1;
        f->close = how & CLOSE;
        f->now_s = how & DATE ? 784111777 : 0;
}

static void assert_request(const struct request_row *row) {
        struct http_values mine = values;
        struct http_forward f = { .head = NULL };
        struct rule_memory memory;
        struct http_scan s = { 0 };
        struct http_head h;
        char text[1024], want[1024];
        int n = snprintf(text, sizeof(text), "%s\r\n", row->text);

        snprintf(want, sizeof(want), "%s\r\n", row->want);
        assert_int_equal(http_read_request(&h, &s, text, (size_t)n, &http_request_limits), HTTP_OK);
        forward_options(&f, row->how);
        f.head = &h;
        f.rules = rules_read(&memory, HTTP_REQUEST, row->rules);
        f.values = &mine;
        if (!f.trusted) /* then the peer is the client */
                mine.of[HTTP_VAR_CLIENT_IP] = f.peer_ip;
        assert_written(http_forward_request, &f, want, row->why);
}

static void test_requests(void **state) {
        (void)state;
        for (size_t i = 0; i < ELEMENTS(requests); i++)
                assert_request(&requests[i]);
}

#define OK  "HTTP/1.1 200 OK\r\n"
#define LEN "Content-Length: 5\r\n"

static const struct response_row {
        unsigned how;
        const struct rule_text *rules;
        const char *text, *want; /* without the empty line at the end */
        const char *why;
} responses[] = {
        /* clang-format off */
        { 0, NULL, OK LEN, OK LEN, "the least there is" },
        { 0, NULL, "HTTP/1.0 599 a\tb \xc3\xa4\r\nServer:x\r\nContent-Length: 07\r\n",
          "HTTP/1.1 599 a\tb \xc3\xa4\r\nServer: x\r\nContent-Length: 7\r\n", "reason and headers as they came" },
        { 0, NULL, "HTTP/1.1 404\r\n" LEN, "HTTP/1.1 404 \r\n" LEN, "no reason" },
        { 0, NULL, OK "Transfer-Encoding:\tchunked\r\nTrailer: A\r\n", OK "Trailer: A\r\nTransfer-Encoding: chunked\r\n", "chunks" },
        { OLD, NULL, OK "Transfer-Encoding: chunked\r\nTrailer: A\r\n", OK "Connection: close\r\n", "no chunks for HTTP/1.0" },
        { OLD, NULL, OK LEN, OK LEN "Connection: keep-alive\r\n", "HTTP/1.0 that is kept" },
        { OLD | CLOSE, NULL, OK LEN, OK LEN "Connection: close\r\n", "or not" },
        { CLOSE, NULL, OK LEN, OK LEN "Connection: close\r\n", "HTTP/1.1 that is not" },
        { 0, NULL, OK, OK "Connection: close\r\n", "only the end ends it" },
        { 0, NULL, OK LEN "Connection: close, X-A\r\nX-A: b\r\nKeep-Alive: 5\r\nProxy-Connection: x\r\nTE: y\r\n", OK LEN,
          "between neighbours only, and nominated" },
        { HEAD, NULL, OK LEN, OK LEN, "HEAD with a length" },
        { HEAD, NULL, OK "Transfer-Encoding: chunked\r\n", OK, "HEAD, chunked" },
        { HEAD | OLD, NULL, OK, OK "Connection: keep-alive\r\n", "HEAD with neither" },
        { 0, NULL, "HTTP/1.1 204 No Content\r\n" LEN, "HTTP/1.1 204 No Content\r\n", "204 has no length" },
        { 0, NULL, "HTTP/1.1 304 Not Modified\r\n" LEN "ETag: x\r\n", "HTTP/1.1 304 Not Modified\r\n" LEN "ETag: x\r\n", "304 has one" },
        { UPGRADE, NULL, "HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: x\r\n" LEN,
          "HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n", "an upgrade" },
        { UPGRADE | CLOSE | ID, NULL, "HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: x\r\n",
          "HTTP/1.1 101 Switching\r\nUpgrade: x\r\nX-Request-ID: id-1\r\nConnection: upgrade\r\n", "a tunnel says no close" },
        { CLOSE, NULL, "HTTP/1.1 426 x\r\nConnection: Upgrade\r\nUpgrade: y\r\n" LEN,
          "HTTP/1.1 426 x\r\nUpgrade: y\r\n" LEN "Connection: upgrade, close\r\n", "what it would upgrade to" },
        { 0, NULL, OK LEN "Upgrade: h2c\r\nConnection: upgrade\r\n", OK LEN, "but not to h2c" },
        { CONNECT, NULL, OK LEN, OK, "a tunnel by CONNECT" },
        { CONNECT | OLD, NULL, OK, OK, "to HTTP/1.0" },

        { VIA | ID | CLOSE | DATE, (const struct rule_text[]){ { "+X-A", "b" }, { NULL, NULL } },
          "HTTP/1.1 100 Continue\r\n", "HTTP/1.1 100 Continue\r\n", "nothing is added to an interim one" },
        { 0, (const struct rule_text[]){ { "-x-a", "" }, { "X-B", "2" }, { NULL, NULL } },
          "HTTP/1.1 103 Early Hints\r\nX-A: 1\r\nX-B: 1\r\nLink: </a>\r\nX-Request-ID: y\r\nConnection: upgrade\r\nUpgrade: z\r\n",
          "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nX-Request-ID: y\r\n", "but taken away" },
        { ID, NULL, OK LEN "x-request-id: from the backend\r\n", OK LEN "X-Request-ID: id-1\r\n", "the request id" },
        { VIA, NULL, "HTTP/1.0 200 OK\r\nVia: 1.1 a\r\n" LEN, OK "Via: 1.1 a, 1.0 bal\r\n" LEN, "Via" },
        { VIA, NULL, OK LEN, OK LEN "Via: 1.1 bal\r\n", "the first one" },
        { DATE, NULL, OK LEN, OK LEN "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n", "a Date where there is none" },
        { DATE, NULL, OK LEN "date: x\r\n", OK LEN "date: x\r\n", "and none where there is one" },
        { DROP, NULL, OK LEN "A_B: c\r\n", OK LEN, "underscores" },
        { 0, NULL, OK LEN "A_B: c\r\nX_Forwarded_For: d\r\n", OK LEN "A_B: c\r\nX_Forwarded_For: d\r\n", "of a backend pass" },
        { 0, NULL, OK LEN "Set-Cookie: a=b\r\nSet-Cookie: c=d\r\n", OK LEN "Set-Cookie: a=b\r\nSet-Cookie: c=d\r\n", "never joined" },
        { ID | DATE, (const struct rule_text[]){ { "-Server", "" }, { "X-Served-By", "$backend_name" }, { "-X-Request-ID", "" },
                                                 { "Date", "never" }, { "+Set-Cookie", "e=f" }, { NULL, NULL } },
          OK LEN "Server: x\r\nSet-Cookie: a=b\r\nx-served-by: y\r\n",
          OK LEN "Set-Cookie: a=b\r\nX-Served-By: web1:8080\r\nDate: never\r\nSet-Cookie: e=f\r\n", "rules" },
        /* clang-format on */
};

static void assert_response(const struct response_row *row) {
        struct http_asked asked = { row->how & HEAD, row->how & CONNECT, row->how & UPGRADE };
        struct http_forward f = { .head = NULL };
        struct rule_memory memory;
        struct http_scan s = { 0 };
        struct http_head h;
        char text[1024], want[1024];
        int n = snprintf(text, sizeof(text), "%s\r\n", row->text);

        snprintf(want, sizeof(want), "%s\r\n", row->want);
        assert_int_equal(http_read_response(&h, &s, text, (size_t)n, &http_response_limits, asked),
                         HTTP_OK);
        forward_options(&f, row->how);
        f.head = &h;
        f.rules = rules_read(&memory, HTTP_RESPONSE, row->rules);
        assert_written(http_forward_response, &f, want, row->why);
}

static void test_responses(void **state) {
        (void)state;
        for (size_t i = 0; i < ELEMENTS(responses); i++)
                assert_response(&responses[i]);
}

/* "10." and what has two colons in a row is trusted. */
static bool trusts(struct span address, void *arg) {
        ++*(unsigned *)arg;
        return span_starts(address, "10.") || span_contains(address, "::");
}

static const struct client_row {
        const char *headers, *client;
        unsigned asked; /* how often trusts() is asked */
        const char *why;
} clients[] = {
        /* clang-format off */
        { "", "", 0, "no header" },
        { "X-Forwarded-For:\r\n", "", 0, "an empty one" },
        { "X-Forwarded-For: ,, ,\r\n", "", 0, "of nothing" },
        { "X-Forwarded-Host: 1.1.1.1\r\nX_Forwarded_For: 2.2.2.2\r\n", "", 0, "its kin" },
        { "X-Forwarded-For: 1.1.1.1\r\n", "1.1.1.1", 1, "one" },
        { "X-Forwarded-For: 1.1.1.1, 2.2.2.2\r\n", "2.2.2.2", 1, "the last one" },
        { "X-Forwarded-For: 1.1.1.1, 2.2.2.2 ,\t10.0.0.1, 10.0.0.2\r\n", "2.2.2.2", 3, "before those that are trusted" },
        { "X-Forwarded-For: 10.0.0.1,10.0.0.2\r\n", "10.0.0.1", 2, "the first one: all are trusted" },
        { "X-Forwarded-For: 1.1.1.1\r\nA: b\r\nx-forwarded-for: 10.0.0.1\r\n", "1.1.1.1", 2, "over several lines" },
        { "X-Forwarded-For: 10.0.0.1\r\nX-Forwarded-For:\r\n", "10.0.0.1", 1, "of which one is empty" },
        { "X-Forwarded-For: 1.1.1.1:80, 10.0.0.1:81\r\n", "1.1.1.1", 2, "with ports" },
        { "X-Forwarded-For: 2001:db8:1:2:3:4:5:6\r\n", "2001:db8:1:2:3:4:5:6", 1, "IPv6" },
        { "X-Forwarded-For: [fe80:0:0:0:0:0:0:1], [::1]:80\r\n", "fe80:0:0:0:0:0:0:1", 2, "in brackets" },
        { "X-Forwarded-For: [1.1.1.1\r\n", "[1.1.1.1", 1, "a bracket that stays open" },
        { "X-Forwarded-For: 1.1.1.1, unknown, 10.0.0.1\r\n", "unknown", 2, "no address" },
        { "X-Forwarded-For: 1.1.1.1, :, []\r\n", "", 1, "nothing at all" },
        /* clang-format on */
};

static void test_client(void **state) {
        (void)state;
        for (size_t i = 0; i < ELEMENTS(clients); i++) {
                struct http_scan s = { 0 };
                struct http_head h;
                struct span client;
                unsigned asked = 0;
                char text[256];
                int n = snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: a\r\n%s\r\n",
                                 clients[i].headers);

                assert_int_equal(http_read_request(&h, &s, text, (size_t)n, &http_request_limits),
                                 HTTP_OK);
                client = http_forwarded_client(&h, trusts, &asked);
                if (client.n != strlen(clients[i].client) ||
                    (client.n > 0 && memcmp(client.p, clients[i].client, client.n) != 0) ||
                    asked != clients[i].asked)
                        fail_msg("%s: %.*s, asked %u times", clients[i].why, (int)client.n,
                                 client.n > 0 ? client.p : "", asked);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_requests),
                cmocka_unit_test(test_responses),
                cmocka_unit_test(test_client),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
