/* SPDX-License-Identifier: MIT */

#include "config/fill.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "config/value.h"
#include "core/parse.h"

#define SOMAXCONN_FILE "/proc/sys/net/core/somaxconn"
#define SOMAXCONN_ELSE 4096 /* Linux's own default, for a system without /proc */

#define TWIN(c, r)                                                                                 \
        { offsetof(struct raw_check, c), offsetof(struct raw_runtime, r), #c, #r }
const struct twin fill_twins[FILL_TWINS] = {
        TWIN(interval, health_check_interval_ms),
        TWIN(timeout, health_check_timeout_ms),
        TWIN(unhealthy_threshold, health_check_fail_threshold),
        TWIN(healthy_threshold, health_check_success_threshold),
};

struct fill {
        struct arena *arena;
        size_t n_backends;
        bool present; /* in a section whose mere presence chooses the first column */
};

static int fill_section(struct fill fill, const struct section *s, void *raw);

static int fill_list(struct fill fill, const struct field *f, struct value *v) {
        char *items = v->list.items;
        int r = 0;

        for (size_t i = 0; i < v->list.n && r == 0; i++)
                r = fill_section(fill, f->section, items + i * f->section->size);
        return r;
}

static int fill_subsection(struct fill fill, const struct field *f, struct value *v) {
        if (!v->section && (f->flags & FIELD_OPTIONAL))
                return 0;
        if (!v->section)
                v->section = arena_alloc(fill.arena, f->section->size);
        if (!v->section)
                return -ENOMEM;

        fill.present = (f->flags & FIELD_PRESENT) && v->source != VALUE_UNSET;
        return fill_section(fill, f->section, v->section);
}

static void fill_value(const struct fill *fill, const struct field *f, struct value *v) {
        if (v->source != VALUE_UNSET)
                return;

        if (f->dflt) {
                value_parse(v, f, f->dflt); /* a test holds that every default is a value */
                v->source = VALUE_DEFAULT;
        } else if (f->tuning && fill->present) {
                v->u = f->tuning->present;
                v->source = VALUE_DEFAULT;
        } else if (f->tuning) {
                v->u = tuning_for(f->tuning, fill->n_backends);
                v->source = VALUE_TUNED;
                v->line = (unsigned)fill->n_backends;
        }
}

static int fill_section(struct fill fill, const struct section *s, void *raw) {
        int r = 0;

        for (size_t i = 0; i < s->n_fields; i++) {
                const struct value *v = field_value(&s->fields[i], raw);

                if ((s->fields[i].flags & FIELD_COUNTED) && v->source != VALUE_UNSET)
                        fill.n_backends = v->list.n;
        }

        for (size_t i = 0; i < s->n_fields && r == 0; i++) {
                const struct field *f = &s->fields[i];
                struct value *v = field_value(f, raw);

                if (f->type == FIELD_SECTION)
                        r = fill_subsection(fill, f, v);
                else if (f->type == FIELD_LIST)
                        r = fill_list(fill, f, v);
                else
                        fill_value(&fill, f, v);
        }
        return r;
}

/* Where the file is silent, another key's value holds, and so does its origin. */
static void inherit(struct value *v, const struct value *from) {
        if (v->source == VALUE_UNSET)
                *v = *from;
}

static uint64_t system_backlog(void) {
        _cleanup_(fd_closep) int fd = open(SOMAXCONN_FILE, O_RDONLY | O_CLOEXEC);
        char text[32];
        uint64_t v;
        ssize_t n;

        n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
        if (n <= 0)
                return SOMAXCONN_ELSE;

        text[n] = '\0';
        text[strcspn(text, "\n")] = '\0';
        if (parse_u64(&v, text) < 0 || v == 0 || v > INT32_MAX)
                return SOMAXCONN_ELSE;
        return v;
}

static void fill_backlog(struct value *v) {
        if (v->source == VALUE_UNSET)
                *v = (struct value){ .source = VALUE_SYSTEM, .u = system_backlog() };
}

static struct value *at(void *raw, size_t offset) {
        return (struct value *)((char *)raw + offset);
}

int fill_simple(struct raw_simple *raw, struct arena *a) {
        struct fill fill = { .arena = a };
        struct raw_check *check;
        int r;

        if (raw->health_check.section && !raw->runtime.section) {
                raw->runtime.section = arena_alloc(a, sizeof(struct raw_runtime));
                if (!raw->runtime.section)
                        return -ENOMEM;
        }
        if (raw->health_check.section) {
                for (size_t i = 0; i < FILL_TWINS; i++)
                        inherit(at(raw->runtime.section, fill_twins[i].runtime),
                                at(raw->health_check.section, fill_twins[i].check));
        }

        /* The check's own values come last: they are runtime's, with runtime's defaults. */
        r = fill_section(fill, &schema_simple, raw);
        if (r < 0)
                return r;

        check = raw->health_check.section;
        for (size_t i = 0; i < FILL_TWINS; i++) {
                struct value *v = at(check, fill_twins[i].check);

                if (v->source != VALUE_FILE && v->source != VALUE_BAD)
                        *v = *at(raw->runtime.section, fill_twins[i].runtime);
        }
        inherit(&check->unhealthy_interval, &check->interval);
        fill_backlog(&((struct raw_runtime *)raw->runtime.section)->tcp_backlog);
        return 0;
}

static int inherit_defaults(struct raw_pool *pool, const struct raw_defaults *d, struct arena *a) {
        struct raw_check *check;
        struct raw_failover *failover;

        if (!pool->health_check.section)
                pool->health_check.section = arena_alloc(a, sizeof(struct raw_check));
        if (!pool->failover.section)
                pool->failover.section = arena_alloc(a, sizeof(struct raw_failover));
        check = pool->health_check.section;
        failover = pool->failover.section;
        if (!check || !failover)
                return -ENOMEM;

        inherit(&check->interval, &d->interval);
        inherit(&check->timeout, &d->timeout);
        inherit(&check->unhealthy_threshold, &d->unhealthy_threshold);
        inherit(&check->healthy_threshold, &d->healthy_threshold);
        inherit(&check->unhealthy_interval, &d->unhealthy_interval);
        inherit(&failover->cooldown, &d->cooldown);
        return 0;
}

int fill_full(struct raw_full *raw, struct arena *a) {
        struct fill fill = { .arena = a };
        struct raw_pool *pools = raw->backends.list.items;
        struct raw_frontend *frontends = raw->frontends.list.items;
        int r;

        for (size_t i = 0; i < raw->backends.list.n && raw->health_check_defaults.section; i++) {
                r = inherit_defaults(&pools[i], raw->health_check_defaults.section, a);
                if (r < 0)
                        return r;
        }

        r = fill_section(fill, &schema_full, raw);
        if (r < 0)
                return r;

        for (size_t i = 0; i < raw->backends.list.n; i++) {
                struct raw_check *check = pools[i].health_check.section;

                inherit(&check->unhealthy_interval, &check->interval);
        }
        for (size_t i = 0; i < raw->frontends.list.n; i++)
                fill_backlog(&frontends[i].backlog);
        return 0;
}
