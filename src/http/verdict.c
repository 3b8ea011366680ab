/* SPDX-License-Identifier: MIT */

#include "http/verdict.h"

static const struct {
        const char *word, *text;
        int status;
} verdicts[HTTP_VERDICTS_COUNT] = {
#define X(id, w, s, t) [HTTP_##id] = { .word = (w), .text = (t), .status = (s) },
        HTTP_VERDICTS(X)
#undef X
};

const char *http_verdict_word(enum http_verdict v) {
        return verdicts[v].word;
}

const char *http_verdict_text(enum http_verdict v) {
        return verdicts[v].text;
}

int http_verdict_status(enum http_verdict v, bool response) {
        return verdicts[v].status > 0 && response ? 502 : verdicts[v].status;
}
