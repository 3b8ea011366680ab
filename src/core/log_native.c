/* SPDX-License-Identifier: MIT */
/*
 * One record in the journal's own protocol, "KEY=value" and a newline each; see
 * https://systemd.io/JOURNAL_NATIVE_PROTOCOL/. A value with a newline would need its length in
 * front; none has one here, since what a terminal obeys is replaced as in the pretty format.
 *
 * What people see of it is MESSAGE only, so that has the fields as well.
 */

#include <ctype.h>

#include "core/clock.h"
#include "core/log_out.h"

#define MESSAGE_MAX                                                                                \
        2048         /* bytes of MESSAGE, so that the fields themselves always have their room */
#define KEY_MAX   64 /* the journal refuses longer ones */
#define TAIL_ROOM 32

static const char *const ids[] = {
#define X(name, class, id, help) id,
        LOG_EVENTS(X)
#undef X
};

static void out_message(struct log_out *o, const struct log_record *record) {
        struct log_out message = { .buf = o->buf + o->n, .size = MESSAGE_MAX };

        if (o->size - o->n < MESSAGE_MAX)
                message.size = o->size - o->n;
        log_out_text(&message, record);
        o->n += message.n;
}

static void out_site(struct log_out *o, const struct log_record *record) {
        const struct log_site *site = record->site;
        char time[CLOCK_TEXT_MAX];

        log_out_fmt(o, "\nPRIORITY=%d\n", log_priority(site->level));
        log_out_fmt(o, "MESSAGE_ID=%s\n", ids[site->event]);
        log_out_str(o, "SYSLOG_IDENTIFIER=bal\n");
        log_out_fmt(o, "BAL_EVENT=%s\n", log_event_word(site->event));
        log_out_fmt(o, "BAL_MODULE=%s\n", site->module);
        log_out_fmt(o, "BAL_LEVEL=%s\n", log_level_word(site->level));
        log_out_fmt(o, "BAL_TIMESTAMP=%s\n", clock_text(record->real_us, time));
        if (!site->file)
                return;
        log_out_fmt(o, "CODE_FILE=%s\nCODE_LINE=%u\n", site->file, site->line);
        log_out_fmt(o, "CODE_FUNC=%s\n", site->function);
}

static void out_field(struct log_out *o, const char *key, const struct log_field *f) {
        char upper[KEY_MAX];
        size_t n = 0;

        for (; key[n] && n < sizeof(upper) - 1; n++)
                upper[n] = (char)toupper((unsigned char)key[n]);
        upper[n] = '\0';
        log_out_fmt(o, "BAL_%.58s=", upper);
        log_out_value(o, f, log_out_clean);
        log_out_str(o, "\n");
}

/* What a backend is now is looked for by that word, whichever way it came to be so. */
static bool is_state(const struct log_record *record, const struct log_field *f) {
        return record->site->event == EVENT_backend_state && f->key[0] == 't' && f->key[1] == 'o' &&
               f->key[2] == '\0';
}

size_t log_format_native(char *buf, size_t size, const struct log_record *record) {
        struct log_out o = { .buf = buf, .size = size - TAIL_ROOM };

        log_out_str(&o, "MESSAGE=");
        out_message(&o, record);
        out_site(&o, record);
        for (size_t i = 0; i < record->n_fields; i++) {
                const struct log_field *f = &record->fields[i];
                size_t before = o.n;

                if (f->kind == LOG_IS_STR && !f->s)
                        continue;
                out_field(&o, f->key, f);
                if (is_state(record, f))
                        out_field(&o, "state", f);
                if (!o.full)
                        continue;
                o = (struct log_out){ .buf = buf, .size = size, .n = before };
                log_out_str(&o, "BAL_TRUNCATED=true\n");
                break;
        }
        return o.n;
}
