/* SPDX-License-Identifier: MIT */

#include "control/metrics_http.h"

#include <fcntl.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "control/metrics_mhd.h"
#include "control/server_parts.h"
#include "core/clock.h"
#include "core/list.h"
#include "core/log.h"
#include "net/sock.h"

#define LOG_MODULE "metrics"

#define PRIORITY          (SERVER_PRIORITY + 10) /* status and admin come first */
#define ACCEPTS_AT_A_TIME 16
#define ACCEPT_PAUSE_US   (1000 * 1000)
#define HEAD_MAX          8192 /* bytes of a request; libmicrohttpd answers 431 to a longer one */

struct client {
        struct link link; /* of metrics_http, oldest first */
        int fd;           /* borrowed */
        uint64_t born_ms;
        bool is_cut;
};

struct page {                          /* as it was sent last */
        struct MHD_Response *response; /* referenced; NULL: none */
        uint64_t made_ms;
};

struct metrics_http {
        const struct mhd *mhd;     /* NULL: nobody has come yet */
        struct MHD_Daemon *daemon; /* likewise */
        sd_event *event;           /* referenced */
        sd_event_source *accept, *pause, *io, *timer;
        int listen_fd; /* owned */
        char *path;    /* owned */
        struct metrics_http_hooks hooks;
        struct page pages[EXPOSITION_FORMATS];
        struct link clients;
        size_t n_clients;
};

/* ---- answers ---- */

static void page_drop(struct metrics_http *h, struct page *page) {
        if (page->response)
                h->mhd->destroy_response(page->response); /* goes with its last reader */
        *page = (struct page){ 0 };
}

/* Takes bytes. No connection is kept alive: libmicrohttpd names no time-out for an idle one. */
static struct MHD_Response *response_new(struct metrics_http *h,
                                         char *bytes,
                                         size_t n,
                                         const char *type) {
        struct MHD_Response *response =
                h->mhd->create_response_from_buffer(n, bytes, MHD_RESPMEM_MUST_FREE);

        if (!response) {
                free(bytes);
                return NULL;
        }
        if (h->mhd->add_response_header(response, "Content-Type", type) == MHD_YES &&
            h->mhd->add_response_header(response, "Connection", "close") == MHD_YES)
                return response;
        h->mhd->destroy_response(response);
        return NULL;
}

/* Anew, unless somebody has just asked for it. NULL: it cannot be made. */
static struct MHD_Response *page_get(struct metrics_http *h, enum exposition_format f) {
        struct page *page = &h->pages[f];
        uint64_t now_ms = clock_mono_ms();
        struct exposition x;
        int r;

        if (page->response && now_ms - page->made_ms < METRICS_FRESH_MS)
                return page->response;
        page_drop(h, page);
        r = h->hooks.page(&x, f, h->hooks.userdata);
        if (r < 0)
                return NULL;
        *page = (struct page){ response_new(h, x.out.bytes, x.out.n, exposition_content_type(f)),
                               now_ms };
        return page->response;
}

static enum MHD_Result refuse(struct metrics_http *h,
                              struct MHD_Connection *connection,
                              unsigned status,
                              const char *text) {
        struct MHD_Response *response;
        enum MHD_Result result = MHD_NO;
        char *copy = strdup(text);

        response = copy ? response_new(h, copy, strlen(copy), "text/plain; charset=utf-8") : NULL;
        if (!response)
                return MHD_NO;
        if (status != MHD_HTTP_METHOD_NOT_ALLOWED ||
            h->mhd->add_response_header(response, "Allow", "GET, HEAD") == MHD_YES)
                result = h->mhd->queue_response(connection, status, response);
        h->mhd->destroy_response(response);
        return result;
}

static enum MHD_Result on_request(void *cls,
                                  struct MHD_Connection *connection,
                                  const char *url,
                                  const char *method,
                                  const char *version,
                                  const char *upload,
                                  size_t *n_upload,
                                  void **state) {
        struct metrics_http *h = cls;
        struct MHD_Response *page;
        const char *accept;

        (void)version, (void)upload, (void)n_upload, (void)state;
        if (strcmp(url, h->path) != 0)
                return refuse(h, connection, MHD_HTTP_NOT_FOUND,
                              "There is nothing here: the metrics have another path.\n");
        if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
                return refuse(h, connection, MHD_HTTP_METHOD_NOT_ALLOWED,
                              "The metrics can be read only: GET or HEAD.\n");
        accept = h->mhd->lookup_connection_value(connection, MHD_HEADER_KIND, "Accept");
        page = page_get(h, exposition_choose(accept));
        if (!page)
                return refuse(h, connection, MHD_HTTP_INTERNAL_SERVER_ERROR,
                              "The metrics cannot be written: out of memory.\n");
        return h->mhd->queue_response(connection, MHD_HTTP_OK, page);
}

/* ---- clients ---- */

/* libmicrohttpd notices, and closes it. */
static void client_cut(struct client *c) {
        if (!c->is_cut)
                shutdown(c->fd, SHUT_RDWR);
        c->is_cut = true;
}

static void client_new(struct metrics_http *h, struct MHD_Connection *connection, void **context) {
        const union MHD_ConnectionInfo *info =
                h->mhd->get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        struct client *c = malloc(sizeof(*c));

        *context = c;
        if (!c) { /* without a place in the list it would have no end */
                shutdown(info->connect_fd, SHUT_RDWR);
                return;
        }
        *c = (struct client){ .fd = info->connect_fd, .born_ms = clock_mono_ms() };
        link_init(&c->link);
        link_before(&h->clients, &c->link);
        h->n_clients++;
        if (h->n_clients <= METRICS_CLIENTS_MAX)
                return;
        list_for_each(l, &h->clients) {
                c = container_of(l, struct client, link);
                if (!c->is_cut) {
                        client_cut(c);
                        return;
                }
        }
}

static void on_connection(void *cls,
                          struct MHD_Connection *connection,
                          void **context,
                          enum MHD_ConnectionNotificationCode code) {
        struct metrics_http *h = cls;
        struct client *c;

        if (code == MHD_CONNECTION_NOTIFY_STARTED) {
                client_new(h, connection, context);
                return;
        }
        c = *context;
        if (!c)
                return;
        link_remove(&c->link);
        h->n_clients--;
        free(c);
}

/* ---- the event loop ---- */

/* Its time-out is in milliseconds from now. */
static void run(struct metrics_http *h) {
        MHD_UNSIGNED_LONG_LONG ms;

        h->mhd->run(h->daemon);
        if (h->mhd->get_timeout(h->daemon, &ms) != MHD_YES) {
                sd_event_source_set_enabled(h->timer, SD_EVENT_OFF);
                return;
        }
        sd_event_source_set_time_relative(h->timer, (uint64_t)ms * 1000);
        sd_event_source_set_enabled(h->timer, SD_EVENT_ONESHOT);
}

static int on_io(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        (void)source, (void)fd, (void)events;
        run(userdata);
        return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        (void)source, (void)usec;
        run(userdata);
        return 0;
}

static int add_timer(struct metrics_http *h, sd_event_source **ret, sd_event_time_handler_t fn) {
        /* 1: as exactly as can be; it is mostly 0 ms that libmicrohttpd asks for */
        int r = sd_event_add_time_relative(h->event, ret, CLOCK_MONOTONIC, 0, 1, fn, h);

        if (r < 0)
                return r;
        sd_event_source_set_priority(*ret, PRIORITY);
        return sd_event_source_set_enabled(*ret, SD_EVENT_OFF);
}

/* ---- the first client ---- */

/* It accepts nothing itself: it would spin where descriptors are short. */
static struct MHD_Daemon *start(struct metrics_http *h) {
        return h->mhd->start_daemon(
                MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET, 0, NULL, NULL, on_request, h,
                MHD_OPTION_CONNECTION_LIMIT, (unsigned)METRICS_FDS, MHD_OPTION_CONNECTION_TIMEOUT,
                (unsigned)(METRICS_CLIENT_MS / 1000), MHD_OPTION_CONNECTION_MEMORY_LIMIT,
                (size_t)HEAD_MAX, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_NOTIFY_CONNECTION,
                on_connection, h, MHD_OPTION_END);
}

static int add_daemon(struct metrics_http *h) {
        const union MHD_DaemonInfo *info =
                h->mhd->get_daemon_info(h->daemon, MHD_DAEMON_INFO_EPOLL_FD);
        int r;

        if (!info)
                return -ENOTSUP;
        r = sd_event_add_io(h->event, &h->io, info->epoll_fd, EPOLLIN, on_io, h);
        if (r < 0)
                return r;
        sd_event_source_set_priority(h->io, PRIORITY);
        return add_timer(h, &h->timer, on_timer);
}

/* ---- accepting ---- */

static int on_pause_over(sd_event_source *source, uint64_t usec, void *userdata) {
        struct metrics_http *h = userdata;

        (void)source, (void)usec;
        sd_event_source_set_enabled(h->accept, SD_EVENT_ON);
        return 0;
}

static void pause_accept(struct metrics_http *h, int error) {
        log_warn(accept_paused, "the socket of the metrics waits a second before it accepts",
                 F_ERR(error));
        sd_event_source_set_enabled(h->accept, SD_EVENT_OFF);
        sd_event_source_set_time_relative(h->pause, ACCEPT_PAUSE_US);
        sd_event_source_set_enabled(h->pause, SD_EVENT_ONESHOT);
}

/* The loader says "not found" also where it had no descriptor to look with. */
static bool descriptors_are_short(void) {
        _cleanup_(fd_closep) int fd = open("/", O_PATH | O_CLOEXEC);

        return fd < 0;
}

/* False: nobody can be accepted; h may be gone. */
static bool is_woken(struct metrics_http *h) {
        int r;

        h->mhd = mhd_load();
        h->daemon = h->mhd ? start(h) : NULL;
        r = h->daemon ? add_daemon(h) : h->mhd ? -ENOMEM : -ELIBACC;
        if (!h->daemon && descriptors_are_short())
                pause_accept(h, -EMFILE);
        else if (r < 0)
                h->hooks.failed(r, h->hooks.userdata);
        return r == 0;
}

static int on_accept(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        struct metrics_http *h = userdata;
        enum sock_accept verdict = SOCK_ACCEPT_NEXT;

        (void)source, (void)events;
        if (!h->daemon && !is_woken(h))
                return 0;
        for (int i = 0; i < ACCEPTS_AT_A_TIME && verdict == SOCK_ACCEPT_NEXT; i++) {
                struct addr peer = { .len = sizeof(peer.un) };
                int client = accept4(fd, &peer.sa, &peer.len, SOCK_CLOEXEC | SOCK_NONBLOCK);
                int error = client < 0 ? -errno : 0;

                if (client >= 0) /* it takes the descriptor, also where it fails */
                        h->mhd->add_connection(h->daemon, client, &peer.sa, peer.len);
                else
                        verdict = sock_accept_verdict(error);
                if (verdict == SOCK_ACCEPT_PAUSE)
                        pause_accept(h, error);
        }
        run(h);
        return 0;
}

/* ---- birth and death ---- */

/* For as long as nobody has come it is the listening socket alone. */
static int add_listener(struct metrics_http *h) {
        int r = sd_event_add_io(h->event, &h->accept, h->listen_fd, EPOLLIN, on_accept, h);

        if (r < 0)
                return r;
        sd_event_source_set_priority(h->accept, PRIORITY);
        return add_timer(h, &h->pause, on_pause_over);
}

int metrics_http_new(struct metrics_http **ret,
                     sd_event *event,
                     int listen_fd,
                     const char *path,
                     const struct metrics_http_hooks *hooks) {
        _cleanup_(metrics_http_freep) struct metrics_http *h = malloc(sizeof(*h));
        int r;

        if (!h) {
                fd_close(listen_fd);
                return -ENOMEM;
        }
        *h = (struct metrics_http){ .listen_fd = listen_fd, .hooks = *hooks };
        link_init(&h->clients);
        h->event = sd_event_ref(event);
        h->path = strdup(path);
        if (!h->path)
                return -ENOMEM;
        if (!mhd_is_there())
                return -ELIBACC;
        r = add_listener(h);
        if (r < 0)
                return r;
        *ret = take_ptr(h);
        return 0;
}

struct metrics_http *metrics_http_free(struct metrics_http *h) {
        if (!h)
                return NULL;
        sd_event_source_disable_unref(h->accept);
        sd_event_source_disable_unref(h->pause);
        sd_event_source_disable_unref(h->io);
        sd_event_source_disable_unref(h->timer);
        fd_close(h->listen_fd);
        if (h->daemon)
                h->mhd->stop_daemon(h->daemon); /* closes its clients, and tells */
        for (size_t i = 0; i < ELEMENTS(h->pages); i++)
                page_drop(h, &h->pages[i]);
        sd_event_unref(h->event);
        free(h->path);
        free(h);
        return NULL;
}

const char *metrics_http_library(void) {
        return mhd_problem();
}

int metrics_http_set_path(struct metrics_http *h, const char *path) {
        char *copy = strdup(path);

        if (!copy)
                return -ENOMEM;
        free(h->path);
        h->path = copy;
        return 0;
}

/* A drop a second would keep a connection alive for ever: its time-out counts from the last one. */
void metrics_http_tick(struct metrics_http *h) {
        uint64_t now_ms = clock_mono_ms();

        for (size_t i = 0; i < ELEMENTS(h->pages); i++)
                if (h->pages[i].response && now_ms - h->pages[i].made_ms >= METRICS_FRESH_MS)
                        page_drop(h, &h->pages[i]);
        list_for_each(l, &h->clients) {
                struct client *c = container_of(l, struct client, link);

                if (now_ms - c->born_ms < METRICS_CLIENT_MS)
                        break;
                client_cut(c);
        }
}
