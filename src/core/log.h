/* SPDX-License-Identifier: MIT */
/*
 * core/log.h - one event, one NDJSON line: timestamp, level, message, module, event, fields.
 *
 * The event is a stable snake_case name for programs, the message a constant sentence for people;
 * whatever varies is a field. A line goes to this thread's ring, so a slow log never holds up a
 * worker; a full ring drops the line and counts it. The log thread (control/logsink.h) drains the
 * rings and writes.
 *
 * A file that logs names its module before its first line: #define LOG_MODULE "session"
 */
#pragma once

#include "core/base.h"
#include "core/log_events.h"

/* clang-format off */
/* X(enum, word in the log, word in the configuration, syslog priority, help) */
#define LOG_LEVELS(X)                                                           \
        X(ERROR, "ERROR", "error", 3, "something failed and a person should look") \
        X(WARN,  "WARN",  "warn",  4, "something is wrong, and bal copes")         \
        X(INFO,  "INFO",  "info",  6, "the ordinary life of the daemon")           \
        X(DEBUG, "DEBUG", "debug", 7, "every session's end")                       \
        X(TRACE, "TRACE", "trace", 7, "for developers")

enum log_level {
#define X(name, word, key, priority, help) LOG_LEVEL_##name,
        LOG_LEVELS(X)
#undef X
        LOG_LEVELS_COUNT
};

enum log_event {
#define X(name, class, id, help) EVENT_##name,
        LOG_EVENTS(X)
#undef X
        LOG_EVENTS_COUNT
};
/* clang-format on */

struct log_site { /* what is constant about a line; static, so the ring keeps a pointer */
        enum log_level level;
        enum log_event event;
        const char *module, *message;
        const char *file, *function; /* NULL: not known */
        unsigned line;
};

#define LOG_SITE(lvl, ev, msg)                                                                     \
        { (lvl), EVENT_##ev, LOG_MODULE, (msg), __FILE_NAME__, __func__, __LINE__ }

struct log_field {
        const char *key; /* static */
        enum log_kind { LOG_IS_STR, LOG_IS_U64, LOG_IS_I64, LOG_IS_BOOL, LOG_IS_ERRNO } kind;
        union {
                const char *s; /* copied, cut when too long; NULL: written as null */
                uint64_t u;
                int64_t i;
        };
};

#define F_STR(k, v)  ((struct log_field){ .key = (k), .kind = LOG_IS_STR, .s = (v) })
#define F_U64(k, v)  ((struct log_field){ .key = (k), .kind = LOG_IS_U64, .u = (v) })
#define F_I64(k, v)  ((struct log_field){ .key = (k), .kind = LOG_IS_I64, .i = (v) })
#define F_BOOL(k, v) ((struct log_field){ .key = (k), .kind = LOG_IS_BOOL, .u = (v) })
#define F_ERR(r)     ((struct log_field){ .key = "error", .kind = LOG_IS_ERRNO, .i = (r) })

/* A client's address, in every record that has one; text is made only if log_clients is on. */
#define F_CLIENT(text) F_STR("client", log_clients() ? (text) : NULL)

#define LOG(lvl, ev, msg, ...)                                                                     \
        do {                                                                                       \
                if (log_enabled(lvl)) {                                                            \
                        static const struct log_site _site = LOG_SITE(lvl, ev, msg);               \
                        const struct log_field _fields[] = { { 0 }, ##__VA_ARGS__ };               \
                                                                                                   \
                        log_emit(&_site, _fields + 1, ELEMENTS(_fields) - 1);                      \
                }                                                                                  \
        } while (0)

#define log_error(event, message, ...) LOG(LOG_LEVEL_ERROR, event, message, ##__VA_ARGS__)
#define log_warn(event, message, ...)  LOG(LOG_LEVEL_WARN, event, message, ##__VA_ARGS__)
#define log_info(event, message, ...)  LOG(LOG_LEVEL_INFO, event, message, ##__VA_ARGS__)
#define log_debug(event, message, ...) LOG(LOG_LEVEL_DEBUG, event, message, ##__VA_ARGS__)

bool log_enabled(enum log_level level);   /* any thread; one relaxed load */
void log_set_level(enum log_level level); /* any thread */
bool log_clients(void);                   /* any thread; off from the start */
void log_set_clients(bool on);            /* any thread; for sessions under way as well */
int log_level_find(const char *key);      /* "info" -> LOG_LEVEL_INFO; -ENOENT */
const char *log_level_key(enum log_level level);
const char *log_level_word(enum log_level level); /* "INFO", as in the log */
const char *log_event_word(enum log_event event); /* "daemon_ready" */
int log_priority(enum log_level level);           /* as syslog(3) counts: 3 error .. 7 debug */

/* Any thread. Of a LIMITED event each thread's records pass one token bucket: LOG_LIMIT_BURST at
 * once, LOG_LIMIT_PER_S in the long run. The next one that passes has the field "suppressed". */
void log_emit(const struct log_site *site, const struct log_field *fields, size_t n);
uint64_t log_written(enum log_level level); /* records on their way to the log so far */
uint64_t log_suppressed(void);              /* records held back so far */

/* A thread's own ring. Without one, log_emit() drops and counts. The ring lives until the drain
 * after log_thread_done() has emptied it; -ENOMEM, -ENOSPC (LOG_RINGS_MAX). */
#define LOG_RINGS_MAX  130
#define LOG_RING_SIZE  (64 * 1024) /* bytes per thread */
#define LOG_RECORD_MAX 8192        /* bytes of a written line; a longer one says "truncated":true */
int log_thread_init(void);
void log_thread_done(void);

/* For the one thread that drains. A record is valid during the call; fn says whether it can take
 * another one, and must not block: others wait for the list of rings. Returns how many it took. */
struct log_record {
        const struct log_site *site;
        uint64_t real_us;               /* CLOCK_REALTIME, microseconds */
        const struct log_field *fields; /* strings point into the ring */
        size_t n_fields;
};
typedef bool (*log_record_fn)(const struct log_record *record, void *userdata);
size_t log_drain(log_record_fn fn, void *userdata);
void log_wake_fd(
        int fd); /* an eventfd that log_emit() writes to when a ring was empty; -EBADF: none */
uint64_t log_dropped(void); /* records lost so far: by all threads, and by the one that drains */
void log_lost(uint64_t n);  /* that one could not write so many */

/* Also for that thread: records held back that no later record of their event has told of. Is there
 * any such event? Then, with last or as soon as the event has been quiet for five seconds, how many
 * of an event; they count as told. The first one held back wakes it as well. */
bool log_suppressed_waits(void);
uint64_t log_suppressed_tell(enum log_event event, bool last);

/* One record as a line, without newline, cut so that it stays below size; returns its length. */
size_t log_format_json(char *buf, size_t size, const struct log_record *record);
size_t log_format_ecs(char *buf, size_t size, const struct log_record *record);
size_t log_format_pretty(char *buf, size_t size, const struct log_record *record);
/* As a datagram of the journal's own protocol. */
size_t log_format_native(char *buf, size_t size, const struct log_record *record);
