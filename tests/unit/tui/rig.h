/* SPDX-License-Identifier: MIT */
/* What tests of bal-top share: documents as the daemon makes them. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* behind those it needs */
#include <cmocka.h>

#include "core/str.h"
#include "keys.h"
#include "paint.h"

#define NOW_S 1795176000ULL /* 2026-11-20T12:00:00Z */

struct rig_backend {
        const char *pool, *name, *state;
        int active;
        double failed_per_s;
};

static inline json_t *rig_backend(const struct rig_backend *b) {
        return json_pack(
                "{s:s, s:s, s:s, s:s, s:s, s:n, s:n, s:i, s:i, s:b, s:i, s:f, s:f, s:i, s:i, "
                "s:i, s:{s:i, s:i, s:i}, s:{s:s, s:s, s:i, s:i, s:i, s:i, s:i, s:i}}",
                "address", b->name, "name", b->name, "pool", b->pool, "state", b->state, "since",
                "2026-11-20T11:59:57.000Z", "reason", "reason_text", "weight", 10,
                "weight_configured", 10, "backup", 0, "max_connections", 0, "new_per_s", 1.5,
                "failed_per_s", b->failed_per_s, "active_connections", b->active, "bytes_in", 1000,
                "bytes_out", 2000, "counters", "timeout", 1, "refused", 2, "other", 3, "check",
                "type", "tcp", "last_result", "ok", "duration_ms", 2, "interval_ms", 1000,
                "failed_in_a_row", 0, "passed_in_a_row", 5, "fall", 3, "rise", 2);
}

static inline json_t *rig_pool(const char *name, int total) {
        return json_pack(
                "{s:s, s:i, s:i, s:i, s:{s:b, s:n, s:n, s:i, s:i, s:i, s:i, s:i, s:{}, s:n}}",
                "name", name, "backend_total", total, "backend_reachable", total,
                "unavailable_total", 0, "protection", "enabled", 0, "reason", "since", "failures",
                3, "trigger", 8, "window_ms", 10000, "successes", 0, "stable", 6, "activations",
                "last_ms");
}

/* Takes backends. */
static inline json_t *rig_document(json_t *backends) {
        json_t *doc = json_pack(
                "{s:s, s:s, s:s, s:b, s:i, s:i, s:s, s:i, s:s, s:s, s:i, s:s, s:i, s:i, s:o, s:i, "
                "s:i, s:i, s:i, s:n}",
                "verdict", "OK", "version", "1.0.0", "hostname", "lb1.example", "running", 1, "pid",
                4242, "uptime_s", 274320, "config_path", "/etc/bal/config.yaml", "config_number",
                17, "config_loaded_at", "2026-11-20T10:00:00.000Z", "bind_address", "0.0.0.0",
                "port", 9295, "method", "round_robin", "backend_total",
                (int)json_array_size(backends), "backend_reachable", 1, "backends", backends,
                "active_connections", 14210, "max_connections", 80000, "connections_total", 99,
                "rejected_total", 7, "last_check_time");
        json_t *more = json_pack(
                "{s:{s:f, s:f, s:f, s:f, s:f}, s:{s:b, s:n}, s:[{s:s, s:[s], s:s, s:s, s:s, s:i, "
                "s:i, s:i, s:i, s:i}], s:[o, o], s:{}}",
                "rates", "new_per_s", 4736.2, "rejected_per_s", 0.0, "timeout_per_s", 0.6,
                "refused_per_s", 2.1, "other_per_s", 0.0, "protection_mode", "enabled", 0, "reason",
                "frontends", "name", "main", "listen", "0.0.0.0:9295", "protocol", "tcp", "method",
                "round_robin", "pool", "web", "active_connections", 5, "max_connections", 100,
                "waiting", 0, "connections_total", 50, "rejected_total", 0, "pools",
                rig_pool("web", 2), rig_pool("pg", 2), "closed");

        assert_non_null(doc);
        assert_non_null(more);
        json_object_update(doc, more);
        json_decref(more);
        return doc;
}

static inline struct scan_text rig_span(const char *text) {
        assert_non_null(text);
        return (struct scan_text){ .text = text, .n = strlen(text) };
}

static inline void rig_sample(struct model *m,
                              const struct rig_backend *list,
                              size_t n,
                              uint64_t mono_ms) {
        json_t *backends = json_array(), *doc;
        char *text;

        for (size_t i = 0; i < n; i++) {
                json_t *b = rig_backend(&list[i]);

                assert_non_null(b);
                json_array_append_new(backends, b);
        }
        text = json_dumps(backends, 0);
        doc = rig_document(backends);
        assert_int_equal(model_snapshot(m, doc, rig_span(text), mono_ms, NOW_S + mono_ms / 1000),
                         0);
        free(text);
        json_decref(doc);
}

static const struct rig_backend rig_four[] = {
        { "web", "10.0.0.1:80", "up", 5, 0 },
        { "web", "10.0.0.2:80", "down", 0, 2.1 },
        { "pg", "db1:5432", "up", 9, 0 },
        { "pg", "db2:5432", "cool", 1, 0.2 },
};

/* A screen with these four on it. */
struct rig {
        struct model m;
        struct ui ui;
        struct canvas c;
};

static inline void rig_open(struct rig *rig, size_t columns, size_t rows) {
        *rig = (struct rig){ .c.utf8 = true };
        ui_init(&rig->ui);
        rig->ui.chars = CHARS_BLOCK;
        rig->ui.link = LINK_LIVE;
        rig->ui.data_real_s = NOW_S;
        rig_sample(&rig->m, rig_four, ELEMENTS(rig_four), 1000);
        ui_refresh(&rig->ui, &rig->m, 1000, true);
        assert_int_equal(canvas_resize(&rig->c, columns, rows), 0);
}

static inline void rig_close(struct rig *rig) {
        canvas_done(&rig->c);
        ui_done(&rig->ui);
        model_done(&rig->m);
}

static inline const char *rig_selected(struct rig *rig) {
        const struct backend *b = ui_backend(&rig->ui, &rig->m);

        return b ? b->name : "-";
}
