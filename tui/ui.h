/* SPDX-License-Identifier: MIT */
/*
 * tui/ui.h - what the user has asked for: page, selection, order, filter, prompts, and what a key
 * does to them. Pure: no terminal, no socket, no clock; a key comes in, and bits come out that say
 * what else is to be done.
 */
#pragma once

#include "core/base.h"
#include "layout.h"
#include "model.h"
#include "text.h"

/* clang-format off */
/* X(enum, title) */
#define PAGES(X)                                                                                   \
        X(BACKENDS,  "backends")                                                                   \
        X(FRONTENDS, "frontends")                                                                  \
        X(EVENTS,    "events")                                                                     \
        X(SESSIONS,  "sessions")

enum page {
#define X(id, title) PAGE_##id,
        PAGES(X)
#undef X
        PAGES_COUNT
};

/* X(enum, word on the screen, page, word of GetSessions): how rows are sorted; the first of a page
 * is its default */
#define SORTS(X)                                                                                   \
        X(TROUBLE, "state+fail/s", BACKENDS,  NULL)                                                \
        X(NAME,    "name",         BACKENDS,  NULL)                                                \
        X(POOL,    "pool",         BACKENDS,  NULL)                                                \
        X(ACTIVE,  "connections",  BACKENDS,  NULL)                                                \
        X(NEW,     "conn/s",       BACKENDS,  NULL)                                                \
        X(TRAFFIC, "traffic",      BACKENDS,  NULL)                                                \
        X(FAILED,  "fail/s",       BACKENDS,  NULL)                                                \
        X(SINCE,   "since",        BACKENDS,  NULL)                                                \
        X(F_NAME,  "name",         FRONTENDS, NULL)                                                \
        X(F_ACTIVE,"connections",  FRONTENDS, NULL)                                                \
        X(NEWEST,  "newest",       EVENTS,    NULL)                                                \
        X(AGE,     "age",          SESSIONS,  "age")                                               \
        X(IDLE,    "idle",         SESSIONS,  "idle")                                              \
        X(BYTES,   "bytes",        SESSIONS,  "bytes")                                             \
        X(RTT,     "rtt",          SESSIONS,  "rtt")                                               \
        X(RETRANS, "retransmits",  SESSIONS,  "retransmits")

enum sort {
#define X(id, word, page, method) SORT_##id,
        SORTS(X)
#undef X
        SORTS_COUNT
};
/* clang-format on */

struct sort_info {
        const char *word;
        enum page page;
        const char *method;
};
extern const struct sort_info sorts[SORTS_COUNT];
extern const char *const page_titles[PAGES_COUNT];

enum mode {
        MODE_TABLE,
        MODE_DETAIL, /* one backend on the whole screen */
        MODE_HELP,
        MODE_SORT,    /* the menu */
        MODE_FILTER,  /* typing one */
        MODE_WEIGHT,  /* typing one */
        MODE_CONFIRM, /* y or not */
        MODE_DANGER,  /* typing the pool's name */
};

enum link_state { LINK_WAITING, LINK_LIVE, LINK_STALE, LINK_RECONNECTING, LINK_PAUSED };

enum act { ACT_DRAIN, ACT_MAINT, ACT_ENABLE, ACT_WEIGHT, ACTS_COUNT };

/* What is left to do after a key. */
#define DO_DRAW     (1U << 0)
#define DO_QUIT     (1U << 1)
#define DO_REPAINT  (1U << 2) /* the terminal shows something else than we think */
#define DO_SAMPLE   (1U << 3) /* ask the daemon now */
#define DO_INTERVAL (1U << 4) /* subscribe again */
#define DO_PAUSE    (1U << 5) /* pause or resume */
#define DO_MOUSE    (1U << 6)
#define DO_COPY     (1U << 7)
#define DO_ADMIN    (1U << 8)  /* may we? ui->wants_admin */
#define DO_ORDERS   (1U << 9)  /* send them */
#define DO_HISTORY  (1U << 10) /* of the backend on its own page */
#define DO_SESSIONS (1U << 11)

#define TYPED_MAX   64
#define NAME_MAX_   256
#define MESSAGE_MAX 256

struct order {                /* one call of io.bal.Admin */
        char *pool, *backend; /* owned */
        bool confirmed;
};

struct ui {
        enum page page;
        enum mode mode;
        enum sort sort[PAGES_COUNT];
        bool inverted[PAGES_COUNT];
        char filter[TYPED_MAX], filter_before[TYPED_MAX]; /* before: of Esc */
        char typed[TYPED_MAX];
        size_t scroll;     /* columns */
        size_t help_top;   /* its first row */
        size_t menu;       /* the row of the sort menu */
        size_t rows_shown; /* of the table or the help, as last painted */
        size_t top[PAGES_COUNT];

        /* The rows of the page in their order: numbers of the model's. */
        size_t *order; /* owned */
        size_t n_order, size_order;
        uint64_t sorted_ms;
        uint64_t settled_ms; /* when backends in the same trouble were sorted too, and how many */
        size_t n_settled;
        size_t *place; /* owned; where they stood before */
        /* The selected one: backends by name, others by place, sessions by id. */
        char *pool, *name; /* owned; NULL: none yet, the first one */
        int64_t session;
        size_t row[PAGES_COUNT];

        struct strip detail; /* of the backend on its own page */
        size_t interval;     /* of intervals_ms */
        bool paused, admin, mouse;
        bool wants_admin;
        enum link_state link;
        uint64_t link_s; /* how long stale or away */
        uint64_t retry_ms;
        uint64_t data_real_s; /* when the last data came */
        char link_why[NAME_MAX_ +
                      MESSAGE_MAX]; /* "/run/bal/status.sock: No such file or directory" */
        char socket[NAME_MAX_];
        char user[TEXT_MAX];

        char message[MESSAGE_MAX]; /* in place of the key bar until message_ms; "" */
        uint64_t message_ms;

        /* What is asked about now. */
        enum act verb;
        int64_t weight;
        struct order *orders; /* owned */
        size_t n_orders, next_order;
        char *danger_pool; /* owned; whose name has to be typed */
        int64_t danger_left, danger_total;

        /* How it looks. */
        enum chars chars;
        bool batch; /* nothing is selected */
};

extern const uint32_t intervals_ms[];
extern const size_t n_intervals;

void ui_init(struct ui *ui);
void ui_done(struct ui *ui);

/* Sorts and filters anew, at most once a second unless at once; the selection stays. */
void ui_refresh(struct ui *ui, const struct model *m, uint64_t now_ms, bool at_once);
/* A key as of keys.h, at a time; bits of DO_. */
unsigned ui_key(struct ui *ui, struct model *m, int key, uint64_t now_ms);
unsigned ui_select(struct ui *ui,
                   const struct model *m,
                   size_t row); /* by its place in the order */

size_t ui_selected(const struct ui *ui, const struct model *m);         /* place in order */
struct backend *ui_backend(const struct ui *ui, const struct model *m); /* NULL */
size_t ui_tagged(const struct model *m);
uint32_t ui_interval_ms(const struct ui *ui);

/* Admin right or not: why is of the socket's failure, 0: it opens. */
void ui_admin(struct ui *ui, int why, uint64_t now_ms);
/* The order that is to be sent next; NULL. Its answer comes to ui_answered(). */
const struct order *ui_next_order(const struct ui *ui);
/* error: NULL, or a sentence. refused: the daemon wants the pool's name first. */
unsigned ui_answered(struct ui *ui, const json_t *answer, const char *error, uint64_t now_ms);
unsigned ui_refused(struct ui *ui, const json_t *answer, uint64_t now_ms);
void ui_say(struct ui *ui, uint64_t now_ms, const char *fmt, ...) PRINTF(3, 4);
bool ui_message_over(struct ui *ui, uint64_t now_ms); /* and forgets it */
const char *ui_prompt(const struct ui *ui, const struct model *m, char *buf, size_t size);
bool ui_prompting(const struct ui *ui);          /* then nothing is sorted */
bool ui_type(char *typed, size_t size, int key); /* false: not a key of typing */
