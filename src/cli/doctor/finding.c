/* SPDX-License-Identifier: MIT */
/* On the way a finding is: the level as a digit, then each text as a mark ('-' none, '+') and the
 * text itself with its NUL. */

#include "cli/doctor/finding.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/str.h"

static const struct {
        const char *word, *key;
} levels[LEVELS_COUNT] = {
        [LEVEL_OK] = { "OK", "ok" },
        [LEVEL_WARN] = { "WARN", "warn" },
        [LEVEL_CRITICAL] = { "CRITICAL", "critical" },
};

const char *level_word(enum level l) {
        return levels[l].word;
}

const char *level_key(enum level l) {
        return levels[l].key;
}

void finding_done(struct finding *f) {
#define X(name) str_freep(&f->name);
        FINDING_TEXTS(X)
#undef X
}

/* Takes text; NULL: no memory. */
static void replace(char **where, char *text) {
        if (!text)
                return;
        free(*where);
        *where = text;
}

PRINTF(1, 0) static char *printed(const char *fmt, va_list ap) {
        char *text;

        return vasprintf(&text, fmt, ap) < 0 ? NULL : text;
}

#define FINDING_SET(id, LEVEL)                                                                     \
        void finding_##id(struct finding *f, const char *fmt, ...) {                               \
                va_list ap;                                                                        \
                                                                                                   \
                va_start(ap, fmt);                                                                 \
                f->level = (LEVEL);                                                                \
                replace(&f->summary, printed(fmt, ap));                                            \
                va_end(ap);                                                                        \
        }

FINDING_SET(ok, LEVEL_OK)
FINDING_SET(warn, LEVEL_WARN)
FINDING_SET(critical, LEVEL_CRITICAL)

void words_set(char **text, const char *fmt, ...) {
        va_list ap;

        va_start(ap, fmt);
        replace(text, printed(fmt, ap));
        va_end(ap);
}

static void join(char **text, const char *between, char *more) {
        if (more && *text)
                replace(text, str_printf("%s%s%s", *text, between, more));
        else if (more)
                replace(text, strdup(more));
        free(more);
}

void words_line(char **text, const char *fmt, ...) {
        va_list ap;

        va_start(ap, fmt);
        join(text, "\n", printed(fmt, ap));
        va_end(ap);
}

void words_append(char **text, const char *fmt, ...) {
        va_list ap;

        va_start(ap, fmt);
        join(text, ", ", printed(fmt, ap));
        va_end(ap);
}

/* ---- on the way ---- */

static int write_all(int fd, const char *s, size_t n) {
        while (n > 0) {
                ssize_t k = write(fd, s, n);

                if (k < 0 && errno == EINTR)
                        continue;
                if (k < 0)
                        return -errno;
                s += k;
                n -= (size_t)k;
        }
        return 0;
}

static int text_write(int fd, const char *text, size_t *room) {
        size_t n = text ? strlen(text) : 0;
        int r;

        if (!text || *room == 0)
                return write_all(fd, "-", 1);
        n = n < *room ? n : *room;
        *room -= n;
        r = write_all(fd, "+", 1);
        if (r == 0)
                r = write_all(fd, text, n);
        return r < 0 ? r : write_all(fd, "", 1);
}

int finding_write(int fd, const struct finding *f) {
        const char level = (char)('0' + (int)f->level);
        size_t room = FINDING_MAX - 64; /* for the marks */
        int r;

        r = write_all(fd, &level, 1);
#define X(name)                                                                                    \
        if (r == 0)                                                                                \
                r = text_write(fd, f->name, &room);
        FINDING_TEXTS(X)
#undef X
        return r;
}

static int text_read(char **ret, const char **at, const char *end) {
        const char *nul;

        if (*at == end || (**at != '+' && **at != '-'))
                return -EBADMSG;
        if (*(*at)++ == '-')
                return 0;
        nul = memchr(*at, '\0', (size_t)(end - *at));
        if (!nul)
                return -EBADMSG;
        *ret = strdup(*at);
        *at = nul + 1;
        return *ret ? 0 : -ENOMEM;
}

int finding_read(struct finding *ret, const char *bytes, size_t size) {
        struct finding f = { .level = LEVEL_OK };
        const char *at = bytes, *end = bytes + size;
        int r = 0;

        if (size == 0 || *at < '0' || *at >= '0' + LEVELS_COUNT)
                return -EBADMSG;
        f.level = (enum level)(*at++ - '0');
#define X(name)                                                                                    \
        if (r == 0)                                                                                \
                r = text_read(&f.name, &at, end);
        FINDING_TEXTS(X)
#undef X
        if (r == 0 && (at != end || !f.summary))
                r = -EBADMSG;
        if (r < 0) {
                finding_done(&f);
                return r;
        }
        *ret = f;
        return 0;
}
