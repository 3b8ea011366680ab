/* SPDX-License-Identifier: MIT */
/* One record as one line for programs, or for people. */

#include <stdio.h>
#include <string.h>

#include "core/clock.h"
#include "core/log_out.h"

#define TAIL_ROOM   32       /* for what closes a record that was cut */
#define BAL_ROOM    8        /* for what opens the object of names that are bal's own */
#define ECS_VERSION "8.11.0" /* of the Elastic Common Schema, whose names are used */

static const char *const level_words[] = {
#define X(name, word, key, priority, help) word,
        LOG_LEVELS(X)
#undef X
};

static const char *const event_words[] = {
#define X(name, class, id, help) #name,
        LOG_EVENTS(X)
#undef X
};

static const struct {
        const char *key, *ecs;
} ecs_names[] = {
        { "client", "client.address" },
        { "error", "error.code" },
        { "reason", "event.reason" },
        { "version", "service.version" },
};

const char *log_event_word(enum log_event event) {
        return event_words[event];
}

const char *log_level_word(enum log_level level) {
        return level_words[level];
}

/* False: it does not fit, and nothing of it is written, since half a field is worse than none. */
static bool out_member(struct log_out *o,
                       const char *comma,
                       const char *key,
                       const struct log_field *f) {
        size_t before = o->n;

        log_out_fmt(o, "%s\"%s\":", comma, key);
        log_out_value(o, f, log_out_json_string);
        if (!o->full)
                return true;
        o->n = before;
        o->full = false;
        return false;
}

/* The fields that have no name of their own (all, without names) as members of an object, up to the
 * first one that does not fit; cut: one before them did not. */
static void out_fields(struct log_out *o,
                       const struct log_record *record,
                       const char *(*name)(const struct log_field *),
                       bool cut) {
        const char *comma = "";

        for (size_t i = 0; i < record->n_fields && !cut; i++) {
                const struct log_field *f = &record->fields[i];

                if (name && name(f))
                        continue;
                cut = !out_member(o, comma, f->key, f);
                comma = cut ? comma : ",";
        }
        o->size += TAIL_ROOM;
        if (cut)
                log_out_fmt(o, "%s\"truncated\":true", comma);
        log_out_str(o, "}}");
}

size_t log_format_json(char *buf, size_t size, const struct log_record *record) {
        const struct log_site *site = record->site;
        struct log_out o = { .buf = buf, .size = size - TAIL_ROOM };
        char time[CLOCK_TEXT_MAX];

        log_out_fmt(&o, "{\"timestamp\":\"%s\",", clock_text(record->real_us, time));
        log_out_fmt(&o, "\"level\":\"%s\",\"message\":", level_words[site->level]);
        log_out_json_string(&o, site->message);
        log_out_fmt(&o, ",\"module\":\"%s\",", site->module);
        log_out_fmt(&o, "\"event\":\"%s\",\"fields\":{", event_words[site->event]);
        out_fields(&o, record, NULL, false);
        return o.n;
}

static const char *ecs_name(const struct log_field *f) {
        for (size_t i = 0; i < ELEMENTS(ecs_names); i++)
                if (strcmp(f->key, ecs_names[i].key) == 0)
                        return ecs_names[i].ecs;
        return NULL;
}

size_t log_format_ecs(char *buf, size_t size, const struct log_record *record) {
        const struct log_site *site = record->site;
        struct log_out o = { .buf = buf, .size = size - TAIL_ROOM - BAL_ROOM };
        char time[CLOCK_TEXT_MAX];
        bool cut = false;

        log_out_fmt(&o, "{\"@timestamp\":\"%s\",", clock_text(record->real_us, time));
        log_out_fmt(&o, "\"log.level\":\"%s\",\"message\":", level_words[site->level]);
        log_out_json_string(&o, site->message);
        log_out_str(&o, ",\"ecs.version\":\"" ECS_VERSION "\",\"service.name\":\"bal\"");
        log_out_fmt(&o, ",\"event.module\":\"%s\"", site->module);
        log_out_fmt(&o, ",\"event.action\":\"%s\"", event_words[site->event]);
        for (size_t i = 0; i < record->n_fields; i++) {
                const char *name = ecs_name(&record->fields[i]);

                if (name && !out_member(&o, ",", name, &record->fields[i]))
                        cut = true;
        }
        o.size += BAL_ROOM;
        log_out_str(&o, ",\"bal\":{");
        out_fields(&o, record, ecs_name, cut);
        return o.n;
}

size_t log_format_pretty(char *buf, size_t size, const struct log_record *record) {
        struct log_out o = { .buf = buf, .size = size };
        char time[CLOCK_TEXT_MAX];

        clock_text(record->real_us, time);
        log_out_fmt(&o, "%.12s %-5s ", time + 11, level_words[record->site->level]);
        log_out_text(&o, record);
        return o.n;
}
