/* SPDX-License-Identifier: MIT */
/*
 * Bytes from a stranger on a control socket: the reader at two ways of cutting them, then each
 * message as a call and as a reply. The first byte says how the second way cuts.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/base.h"
#include "varlink/message.h"
#include "varlink/names.h"
#include "varlink/reader.h"
#include "varlink/writer.h"

/* Not assert(), which a release build leaves out. */
#define MUST(condition)                                                                            \
        do {                                                                                       \
                if (!(condition))                                                                  \
                        abort();                                                                   \
        } while (0)

#define MESSAGE_MAX 512 /* small, so that a fuzzer reaches it */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct summary {
        size_t messages, bytes;
        unsigned hash;
        bool too_long;
};

/* What we understood, written again, must be understood the same. */
static void check_call(const char *text, size_t n) {
        struct varlink_call call, again;
        struct varlink_text out;

        if (varlink_read_call(&call, text, n) == VARLINK_OK) {
                int m = varlink_method_find(call.method);

                MUST(m < 0 || strcmp(bal_method_name(m), call.method) == 0);
                MUST(varlink_write_call(&out, call.method, call.parameters, call.more) == 0);
                MUST(strlen(out.bytes) + 1 == out.n);
                MUST(varlink_read_call(&again, out.bytes, out.n - 1) == VARLINK_OK);
                MUST(strcmp(again.method, call.method) == 0 && again.more == call.more);
                MUST(!call.parameters || json_equal(call.parameters, again.parameters));
                varlink_call_done(&again);
                free(out.bytes);
        }
        varlink_call_done(&call);
}

static void check_reply(const char *text, size_t n) {
        struct varlink_reply reply, again;
        struct varlink_text out;
        int r;

        if (varlink_read_reply(&reply, text, n) == VARLINK_OK) {
                r = reply.error ? varlink_write_error(&out, reply.error, reply.parameters)
                                : varlink_write_reply(&out, reply.parameters, reply.continues);
                MUST(r == 0);
                MUST(varlink_read_reply(&again, out.bytes, out.n - 1) == VARLINK_OK);
                MUST(again.continues == reply.continues && !again.error == !reply.error);
                varlink_reply_done(&again);
                free(out.bytes);
        }
        varlink_reply_done(&reply);
}

static void take_messages(struct varlink_reader *r, struct summary *s, bool look_inside) {
        const char *text;
        size_t n;
        int e;

        while ((e = varlink_reader_next(r, &text, &n)) == 1) {
                MUST(n <= MESSAGE_MAX && strlen(text) == n);
                ++s->messages;
                s->bytes += n;
                for (size_t i = 0; i <= n; ++i)
                        s->hash = s->hash * 31 + (unsigned char)text[i];
                if (look_inside) {
                        check_call(text, n);
                        check_reply(text, n);
                }
        }
        s->too_long = e < 0;
}

static struct summary read_all(const uint8_t *data, size_t size, size_t piece, bool look_inside) {
        struct varlink_reader r;
        struct summary s = { 0 };

        varlink_reader_init(&r, MESSAGE_MAX);
        while (size > 0 && !s.too_long) {
                char *room;
                size_t n;

                MUST(varlink_reader_room(&r, &room, &n) == 0 && n > 0);
                n = n < piece ? n : piece;
                n = n < size ? n : size;
                memcpy(room, data, n);
                varlink_reader_fed(&r, n);
                data += n;
                size -= n;
                MUST(r.size <= MESSAGE_MAX + 1);
                take_messages(&r, &s, look_inside);
        }
        varlink_reader_done(&r);
        return s;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct summary whole, pieces;

        if (size == 0)
                return 0;
        whole = read_all(data + 1, size - 1, SIZE_MAX, true);
        pieces = read_all(data + 1, size - 1, (size_t)data[0] + 1, false);
        MUST(whole.messages == pieces.messages && whole.bytes == pieces.bytes);
        MUST(whole.hash == pieces.hash && whole.too_long == pieces.too_long);
        return 0;
}
