/* SPDX-License-Identifier: MIT */
/*
 * The health floor in the control thread's event loop. Its own loop is one descriptor and one timer
 * here; what the workers leave for it is looked at NEWS_US later, so that a storm of failures costs
 * a look each few milliseconds and not one for each failure.
 */

#include "control/state.h"

#define LOG_MODULE "supervisor"

#define NEWS_US ((uint64_t)5000)

/* The moment when health wants to run may have moved. */
static void checks_arm(struct supervisor *s) {
        uint64_t ms = health_next_ms(s->health);

        if (ms == UINT64_MAX) {
                sd_event_source_set_enabled(s->checks_timer, SD_EVENT_OFF);
                return;
        }
        sd_event_source_set_time_relative(s->checks_timer, ms * 1000);
        sd_event_source_set_enabled(s->checks_timer, SD_EVENT_ONESHOT);
}

static int on_checks_io(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        struct supervisor *s = userdata;

        (void)source;
        (void)fd;
        (void)events;
        health_run(s->health);
        checks_arm(s);
        return 0;
}

static int on_checks_timer(sd_event_source *source, uint64_t at, void *userdata) {
        (void)at;
        return on_checks_io(source, -EBADF, 0, userdata);
}

static int on_news_timer(sd_event_source *source, uint64_t at, void *userdata) {
        struct supervisor *s = userdata;

        (void)source;
        (void)at;
        health_news(s->health);
        checks_arm(s);
        return 0;
}

void checks_on_news(void *arg) {
        struct supervisor *s = arg;
        int enabled = SD_EVENT_OFF;

        if (!s->news_timer || s->over)
                return;
        sd_event_source_get_enabled(s->news_timer, &enabled);
        if (enabled != SD_EVENT_OFF)
                return;
        sd_event_source_set_time_relative(s->news_timer, NEWS_US);
        sd_event_source_set_enabled(s->news_timer, SD_EVENT_ONESHOT);
}

static void on_went_down(struct endpoint *e, const struct config_pool *pool, void *userdata) {
        struct supervisor *s = userdata;

        (void)e;
        (void)pool; /* its resting connections go in any case */
        crew_mind(s->crew);
}

static void on_came_up(struct endpoint *e, void *userdata) {
        struct supervisor *s = userdata;

        (void)e;
        crew_wake(s->crew);
}

static void on_failed(const char *host, void *userdata) {
        struct supervisor *s = userdata;

        names_ask_again(s->names, host);
}

static int add_timer(struct supervisor *s, sd_event_source **ret, sd_event_time_handler_t fn) {
        int r = sd_event_add_time_relative(s->event, ret, CLOCK_MONOTONIC, 0, 1, fn, s);

        return r < 0 ? r : sd_event_source_set_enabled(*ret, SD_EVENT_OFF);
}

int checks_new(struct supervisor *s) {
        static const struct health_hooks hooks = { on_went_down, on_failed, on_came_up };
        int r;

        r = health_new(&s->health, &hooks, s);
        if (r < 0)
                return r;
        r = sd_event_add_io(s->event, &s->checks_source, health_fd(s->health), EPOLLIN,
                            on_checks_io, s);
        if (r < 0)
                return r;
        r = add_timer(s, &s->checks_timer, on_checks_timer);
        if (r < 0)
                return r;
        return add_timer(s, &s->news_timer, on_news_timer);
}

void checks_adopt(struct supervisor *s) {
        int r = health_adopt(s->health, s->upstream);

        if (r < 0)
                log_error(internal_error, "no memory: some backends are not checked", F_ERR(r));
        checks_arm(s);
}

void checks_admin_changed(struct supervisor *s, struct endpoint *e) {
        health_admin_changed(s->health, e);
        checks_arm(s);
        crew_mind(s->crew);
}

void checks_pause(struct supervisor *s) {
        health_pause(s->health);
        checks_arm(s);
}

void checks_free(struct supervisor *s) {
        sd_event_source_disable_unref(s->checks_source);
        sd_event_source_disable_unref(s->checks_timer);
        sd_event_source_disable_unref(s->news_timer);
        s->checks_source = s->checks_timer = s->news_timer = NULL;
        s->health = health_free(s->health);
}
