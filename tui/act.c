/* SPDX-License-Identifier: MIT */

#include "act.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/doc.h"
#include "core/parse.h"
#include "keys.h"

#define WEIGHT_MAX 256

static const struct {
        const char *title, *done, *state, *undo;
} acts[ACTS_COUNT] = {
        [ACT_DRAIN] = { "Drain", "drained", "drain", "e" },
        [ACT_MAINT] = { "Maint", "in maintenance", "maint", "e" },
        [ACT_ENABLE] = { "Enable", "enabled", "ready", "d" },
        [ACT_WEIGHT] = { "Weight", "weight set of", NULL, "w" },
};

const char *act_state(enum act verb) {
        return acts[verb].state;
}

void act_forget(struct ui *ui) {
        for (size_t i = 0; i < ui->n_orders; i++) {
                free(ui->orders[i].pool);
                free(ui->orders[i].backend);
        }
        free(ui->orders);
        free(ui->danger_pool);
        ui->orders = NULL;
        ui->danger_pool = NULL;
        ui->n_orders = ui->next_order = 0;
        *ui->typed = '\0';
}

static unsigned over(struct ui *ui) {
        act_forget(ui);
        ui->mode = MODE_TABLE;
        return DO_DRAW;
}

/* ---- what a pool would be left with ---- */

static bool is_ordered(const struct ui *ui, const struct backend *b) {
        for (size_t i = ui->next_order; i < ui->n_orders; i++) {
                if (strcmp(ui->orders[i].backend, b->name) == 0 &&
                    strcmp(ui->orders[i].pool, b->pool) == 0)
                        return true;
        }
        return false;
}

static bool takes_away(const struct ui *ui) {
        return ui->verb == ACT_DRAIN || ui->verb == ACT_MAINT ||
               (ui->verb == ACT_WEIGHT && ui->weight == 0);
}

/* As the daemon counts; it counts again. */
static bool is_severe(const struct ui *ui, const struct model *m, const char *pool, int64_t *ret) {
        int64_t used = 0, left = 0, total = 0;

        for (size_t i = 0; i < m->n_backends; i++) {
                const struct backend *b = &m->backends[i];

                if (strcmp(b->pool, pool) != 0)
                        continue;
                total++;
                used += backend_in_use(b);
                left += backend_in_use(b) && !(takes_away(ui) && is_ordered(ui, b));
        }
        ret[0] = left;
        ret[1] = total;
        return left < used && (left == 0 || left * 2 < total);
}

static void ask_danger(struct ui *ui, const char *pool, int64_t left, int64_t total) {
        char *name = strdup(pool);

        free(ui->danger_pool);
        ui->danger_pool = name;
        ui->danger_left = left;
        ui->danger_total = total;
        *ui->typed = '\0';
        ui->mode = name ? MODE_DANGER : MODE_TABLE;
}

/* The first pool that is in danger and whose name has not been typed; false: there is none. */
static bool ask_next_danger(struct ui *ui, const struct model *m) {
        int64_t counts[2];

        for (size_t i = ui->next_order; i < ui->n_orders; i++) {
                if (ui->orders[i].confirmed || !is_severe(ui, m, ui->orders[i].pool, counts))
                        continue;
                ask_danger(ui, ui->orders[i].pool, counts[0], counts[1]);
                return true;
        }
        return false;
}

/* ---- beginning ---- */

static int order_add(struct ui *ui, const struct backend *b) {
        struct order *orders = reallocarray(ui->orders, ui->n_orders + 1, sizeof(*orders));
        struct order o = { .pool = strdup(b->pool), .backend = strdup(b->name) };

        if (orders)
                ui->orders = orders;
        if (!orders || !o.pool || !o.backend) {
                free(o.pool);
                free(o.backend);
                return -ENOMEM;
        }
        ui->orders[ui->n_orders++] = o;
        return 0;
}

static int order_all(struct ui *ui, const struct model *m) {
        const struct backend *b = ui_backend(ui, m);
        int r = 0;

        if (ui_tagged(m) == 0)
                return b ? order_add(ui, b) : 0;
        for (size_t i = 0; i < m->n_backends && r == 0; i++) {
                if (m->backends[i].tagged)
                        r = order_add(ui, &m->backends[i]);
        }
        return r;
}

static bool may_act(struct ui *ui, uint64_t now_ms) {
        if (ui->n_orders > 0)
                ui_say(ui, now_ms, "the last action is not answered yet");
        else if (ui->page != PAGE_BACKENDS)
                ui_say(ui, now_ms, "actions are about backends: press 1 first");
        else if (ui->link != LINK_LIVE)
                ui_say(ui, now_ms, "no actions unless LIVE");
        else if (!ui->admin)
                ui_say(ui, now_ms, "read-only: press a for admin first");
        else
                return true;
        return false;
}

unsigned act_begin(struct ui *ui, struct model *m, enum act verb, uint64_t now_ms) {
        if (!may_act(ui, now_ms))
                return DO_DRAW;
        ui->verb = verb;
        ui->weight = -1;
        if (order_all(ui, m) < 0 || ui->n_orders == 0)
                return over(ui);
        if (verb == ACT_WEIGHT)
                ui->mode = MODE_WEIGHT;
        else if (!ask_next_danger(ui, m))
                ui->mode = MODE_CONFIRM;
        return DO_DRAW;
}

/* ---- answers of the user ---- */

static unsigned send(struct ui *ui) {
        ui->mode = MODE_TABLE;
        return DO_DRAW | DO_ORDERS;
}

static unsigned key_weight(struct ui *ui, struct model *m, int key, uint64_t now_ms) {
        uint64_t weight;

        if (key == KEY_ESC)
                return over(ui);
        if (key != KEY_RETURN) {
                if ((key >= '0' && key <= '9' && strlen(ui->typed) < 3) || key < ' ' ||
                    key == KEY_RUBOUT)
                        ui_type(ui->typed, sizeof(ui->typed), key);
                return DO_DRAW;
        }
        if (parse_u64(&weight, ui->typed) < 0 || weight > WEIGHT_MAX) {
                over(ui);
                ui_say(ui, now_ms, "a weight is 0 to %d; nothing was changed", WEIGHT_MAX);
                return DO_DRAW;
        }
        ui->weight = (int64_t)weight;
        if (!ask_next_danger(ui, m))
                ui->mode = MODE_CONFIRM;
        return DO_DRAW;
}

static unsigned key_danger(struct ui *ui, struct model *m, int key, uint64_t now_ms) {
        if (key == KEY_ESC)
                return over(ui);
        if (key != KEY_RETURN) {
                ui_type(ui->typed, sizeof(ui->typed), key);
                return DO_DRAW;
        }
        if (strcmp(ui->typed, ui->danger_pool) != 0) {
                over(ui);
                ui_say(ui, now_ms, "that is not the pool's name; nothing more was changed");
                return DO_DRAW;
        }
        for (size_t i = ui->next_order; i < ui->n_orders; i++) {
                if (strcmp(ui->orders[i].pool, ui->danger_pool) == 0)
                        ui->orders[i].confirmed = true;
        }
        return ask_next_danger(ui, m) ? DO_DRAW : send(ui);
}

unsigned act_key(struct ui *ui, struct model *m, int key, uint64_t now_ms) {
        if (ui->link != LINK_LIVE) {
                over(ui);
                ui_say(ui, now_ms, "no actions unless LIVE; nothing was changed");
                return DO_DRAW;
        }
        if (ui->mode == MODE_WEIGHT)
                return key_weight(ui, m, key, now_ms);
        if (ui->mode == MODE_DANGER)
                return key_danger(ui, m, key, now_ms);
        if (key == 'y' || key == 'Y')
                return send(ui);
        return over(ui);
}

/* ---- the prompt ---- */

static void describe_targets(const struct ui *ui, const struct model *m, char *to, size_t size) {
        int64_t active = 0;
        size_t n = ui->n_orders - ui->next_order;
        bool one;

        for (size_t i = ui->next_order; i < ui->n_orders; i++) {
                const struct backend *b = model_find(m, ui->orders[i].pool, ui->orders[i].backend);

                active += b ? b->active : 0;
        }
        one = active == 1;
        if (ui->verb == ACT_DRAIN || (ui->verb == ACT_WEIGHT && ui->weight == 0))
                snprintf(to, size, "%lld connection%s until %s.", (long long)active,
                         one ? " stays" : "s stay", one ? "it closes" : "they close");
        else if (ui->verb == ACT_MAINT)
                snprintf(to, size, "%lld connection%s after drain_timeout.", (long long)active,
                         one ? " is closed" : "s are closed");
        else if (ui->verb == ACT_ENABLE)
                snprintf(to, size, "New connections come to %s.", n == 1 ? "it" : "them");
        else
                *to = '\0';
}

const char *ui_prompt(const struct ui *ui, const struct model *m, char *buf, size_t size) {
        char what[NAME_MAX_ + 32], more[64];
        size_t n = ui->n_orders - ui->next_order;

        if (n == 1)
                snprintf(what, sizeof(what), "%s", ui->orders[ui->next_order].backend);
        else
                snprintf(what, sizeof(what), "%zu tagged backends", n);
        describe_targets(ui, m, more, sizeof(more));
        switch (ui->mode) {
        case MODE_FILTER:
                snprintf(buf, size, "/%s", ui->filter);
                break;
        case MODE_WEIGHT:
                snprintf(buf, size, "Weight of %s, 0-256, Esc to stop: %s", what, ui->typed);
                break;
        case MODE_CONFIRM:
                if (ui->verb == ACT_WEIGHT)
                        snprintf(buf, size, "Weight %lld for %s?%s%s [y/N]", (long long)ui->weight,
                                 what, *more ? " " : "", more);
                else
                        snprintf(buf, size, "%s %s? %s [y/N]", acts[ui->verb].title, what, more);
                break;
        case MODE_DANGER:
                snprintf(buf, size,
                         "DANGER pool '%s' keeps %lld of %lld backends. Type %s to go on, Esc to "
                         "stop: %s",
                         ui->danger_pool, (long long)ui->danger_left, (long long)ui->danger_total,
                         ui->danger_pool, ui->typed);
                break;
        default:
                *buf = '\0';
        }
        return buf;
}

/* ---- answers of the daemon ---- */

void ui_admin(struct ui *ui, int why, uint64_t now_ms) {
        ui->wants_admin = false;
        ui->admin = why == 0;
        if (why == -EACCES || why == -EPERM)
                ui_say(ui, now_ms,
                       "read-only: needs group bal-admin (sudo usermod -aG bal-admin %s)",
                       ui->user);
        else if (why < 0)
                ui_say(ui, now_ms, "read-only: no admin.sock: %s", strerror(-why));
        else
                ui_say(ui, now_ms, "admin: d drain, x maint, e enable, w weight; a: read-only");
}

const struct order *ui_next_order(const struct ui *ui) {
        return ui->next_order < ui->n_orders && ui->mode != MODE_DANGER
                       ? &ui->orders[ui->next_order]
                       : NULL;
}

unsigned ui_answered(struct ui *ui, const json_t *answer, const char *error, uint64_t now_ms) {
        char clock[TEXT_MAX], what[NAME_MAX_];
        const char *to = doc_text(answer, "to", "");

        if (ui->n_orders == 0)
                return 0;
        if (error) {
                size_t done = ui->next_order, all = ui->n_orders;

                over(ui);
                if (all > 1)
                        ui_say(ui, now_ms, "%s (%zu of %zu backends done)", error, done, all);
                else
                        ui_say(ui, now_ms, "%s", error);
                return DO_DRAW;
        }
        if (++ui->next_order < ui->n_orders)
                return DO_ORDERS;
        if (ui->n_orders > 1)
                snprintf(what, sizeof(what), "%zu backends", ui->n_orders);
        else
                snprintf(what, sizeof(what), "%s", ui->orders[0].backend);
        ui_say(ui, now_ms, "ok %s %s %s by %s (undo: %s)%s%s", text_clock(ui->data_real_s, clock),
               acts[ui->verb].done, what, ui->user, acts[ui->verb].undo,
               ui->n_orders == 1 && *to ? ", now " : "", ui->n_orders == 1 ? state_word(to) : "");
        act_forget(ui);
        return DO_DRAW | DO_SAMPLE;
}

unsigned ui_refused(struct ui *ui, const json_t *answer, uint64_t now_ms) {
        (void)now_ms;
        if (ui->n_orders > 0)
                ask_danger(ui, ui->orders[ui->next_order].pool, doc_int(answer, "left"),
                           doc_int(answer, "total"));
        return DO_DRAW;
}
