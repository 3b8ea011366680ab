/* SPDX-License-Identifier: MIT */

#include "control/exposition.h"

#include <assert.h>
#include <string.h>

static const char *const type_words[] = { [METRIC_COUNTER] = "counter",
                                          [METRIC_GAUGE] = "gauge",
                                          [METRIC_HISTOGRAM] = "histogram" };

const char *exposition_content_type(enum exposition_format f) {
        return f == EXPOSITION_OPENMETRICS
                       ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                       : "text/plain; version=0.0.4; charset=utf-8";
}

/* ---- bytes ---- */

void exposition_init(struct exposition *x, enum exposition_format f, size_t max) {
        *x = (struct exposition){ .format = f };
        textout_init(&x->out, max);
}

void exposition_done(struct exposition *x) {
        textout_done(&x->out);
}

static void put(struct exposition *x, const char *bytes, size_t n) {
        textout_bytes(&x->out, bytes, n);
}

static void put_text(struct exposition *x, const char *text) {
        textout_text(&x->out, text);
}

/* ---- labels ---- */

/* Cleaned: one byte that is no UTF-8 would cost the whole scrape. */
static void put_labels(struct exposition *x, const struct label *labels, size_t n) {
        for (size_t i = 0; i < n; i++) {
                put(x, i == 0 ? "{" : ",", 1);
                put_text(x, labels[i].name);
                put(x, "=", 1);
                textout_quoted(&x->out, labels[i].value);
        }
        if (n > 0)
                put(x, "}", 1);
}

/* ---- numbers ---- */

#define DIGITS_MAX 32

/* "0.0005", "12.5", "3.0": with a point always, so that a bound is written the same way in both
 * formats. buf is filled from its end; *ret_n: without NUL, which follows. */
static const char *seconds_text(uint64_t us, char buf[static DIGITS_MAX], size_t *ret_n) {
        uint64_t whole = us / 1000000, rest = us % 1000000;
        char *end = buf + DIGITS_MAX - 1, *from = end;

        for (int i = 0; i < 6; i++, rest /= 10)
                *--from = (char)('0' + rest % 10);
        *--from = '.';
        from = textout_digits(from, whole);
        while (end[-1] == '0' && end[-2] != '.')
                end--;
        *end = '\0';
        *ret_n = (size_t)(end - from);
        return from;
}

static void put_seconds(struct exposition *x, uint64_t us) {
        char buf[DIGITS_MAX];
        size_t n;
        const char *text = seconds_text(us, buf, &n);

        put(x, text, n);
}

/* ---- families and samples ---- */

static void put_about(struct exposition *x, const char *what, const char *text) {
        bool is_total = x->family->type == METRIC_COUNTER && x->format == EXPOSITION_TEXT;

        put(x, "# ", 2);
        put_text(x, what);
        put(x, " ", 1);
        put_text(x, x->family->name);
        put_text(x, is_total ? "_total " : " ");
        put_text(x, text);
        put(x, "\n", 1);
}

void exposition_family(struct exposition *x, const struct metric *m) {
        x->family = m;
        put_about(x, "HELP", m->help);
        put_about(x, "TYPE", type_words[m->type]);
}

static void begin(struct exposition *x,
                  const char *suffix,
                  const struct label *labels,
                  size_t n_labels) {
        put_text(x, x->family->name);
        put_text(x, suffix);
        put_labels(x, labels, n_labels);
        put(x, " ", 1);
}

static const char *suffix_of(const struct exposition *x) {
        return x->family->type == METRIC_COUNTER ? "_total" : "";
}

void exposition_number(struct exposition *x, const struct label *labels, size_t n, uint64_t value) {
        begin(x, suffix_of(x), labels, n);
        textout_number(&x->out, value);
        put(x, "\n", 1);
}

void exposition_seconds(struct exposition *x, const struct label *labels, size_t n, uint64_t us) {
        begin(x, suffix_of(x), labels, n);
        put_seconds(x, us);
        put(x, "\n", 1);
}

void exposition_histogram(struct exposition *x,
                          const struct label *labels,
                          size_t n,
                          const struct exposition_times *t) {
        struct label all[EXPOSITION_LABELS_MAX];
        char buf[DIGITS_MAX];
        uint64_t sum = 0;
        size_t ignored;

        assert(n < EXPOSITION_LABELS_MAX);
        if (n > 0)
                memcpy(all, labels, n * sizeof(*labels));
        for (size_t i = 0; i <= t->n_bounds; i++) {
                const char *le =
                        i < t->n_bounds ? seconds_text(t->bounds_us[i], buf, &ignored) : "+Inf";

                sum += t->counts[i]; /* a bucket holds all that is not above its bound */
                all[n] = (struct label){ "le", le };
                begin(x, "_bucket", all, n + 1);
                textout_number(&x->out, sum);
                put(x, "\n", 1);
        }
        begin(x, "_sum", labels, n);
        put_seconds(x, t->sum_us);
        put(x, "\n", 1);
        begin(x, "_count", labels, n);
        textout_number(&x->out, sum);
        put(x, "\n", 1);
}

void exposition_end(struct exposition *x) {
        if (x->format == EXPOSITION_OPENMETRICS)
                put_text(x, "# EOF\n");
}
