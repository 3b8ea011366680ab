/* SPDX-License-Identifier: MIT */
/*
 * sample/backend.c - a small real server to put behind bal: sample/run.sh starts two of them, and
 * the tests lean on it.
 *
 *   http   answers GET and HEAD with its name and the number of requests it has answered;
 *          keep-alive, pipelining, Connection: close
 *   echo   sends back what it gets; when the client has shut its side, it sends the rest and closes
 *
 * One thread, level-triggered epoll. A connection reads only while it owes nothing, so a client
 * that does not read costs at most one buffer.
 */
#include <getopt.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "core/list.h"

#define HEAD_MAX        8192    /* bytes of one request's head */
#define CHUNK           65536   /* bytes read at once; who owes more reads nothing */
#define HTTP_IDLE_MS    120000  /* an HTTP client that says nothing */
#define LINGER_MS       2000    /* after our last byte, for the client to close */
#define LINGER_MAX      1048576 /* bytes a client may still send meanwhile */
#define ACCEPT_PAUSE_MS 100     /* out of descriptors */

struct conn {
        struct link link; /* of server.conns, the longest idle first */
        int fd;
        uint32_t events; /* what epoll watches for */
        bool eof;        /* the client has shut its side */
        bool closing;    /* after the bytes owed: shut our side */
        bool shut;       /* done; the client's FIN is awaited */
        size_t drained;  /* bytes thrown away since */
        int64_t active_ms;
        char *in; /* owned: an unfinished request; NULL: none */
        size_t in_len;
        char *out; /* owned: bytes owed; NULL: none */
        size_t out_len, out_done;
};

struct server {
        const char *name;
        bool echo;
        int epoll_fd, listen_fd, signal_fd;
        char *unix_path; /* owned: to be removed at the end */
        struct link conns;
        int64_t now_ms, paused_until_ms; /* 0: accepting */
        unsigned long long requests;
};

static char chunk[CHUNK + 1];

static int64_t clock_ms(void) {
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void conn_close(struct server *s, struct conn *c) {
        link_remove(&c->link);
        close(c->fd);
        free(c->in);
        free(c->out);
        free(c);
        s->paused_until_ms = s->paused_until_ms ? 1 : 0; /* a descriptor is free again */
}

static void conn_touch(struct server *s, struct conn *c) {
        c->active_ms = s->now_ms;
        link_remove(&c->link);
        link_before(&s->conns, &c->link);
}

static bool conn_owe(struct conn *c, const char *bytes, size_t n) {
        char *more;

        more = realloc(c->out, c->out_len + n);
        if (!more)
                return false;

        c->out = more;
        memcpy(c->out + c->out_len, bytes, n);
        c->out_len += n;
        return true;
}

/* Sends what is owed. False: the connection is broken. */
static bool conn_flush(struct conn *c) {
        while (c->out_done < c->out_len) {
                ssize_t n =
                        send(c->fd, c->out + c->out_done, c->out_len - c->out_done, MSG_NOSIGNAL);

                if (n < 0)
                        return errno == EAGAIN || errno == EINTR;
                c->out_done += (size_t)n;
        }
        free(c->out);
        c->out = NULL;
        c->out_len = c->out_done = 0;
        return true;
}

static bool http_error(struct conn *c, const char *status) {
        char text[256];
        int n;

        c->closing = true;
        n = snprintf(text, sizeof(text),
                     "HTTP/1.1 %s\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n"
                     "Connection: close\r\n\r\n%s\n",
                     status, strlen(status) + 1, status);
        return conn_owe(c, text, (size_t)n);
}

/* The value of a header, case-insensitively; head ends in a NUL. */
static const char *http_header(const char *head, const char *name) {
        size_t n = strlen(name);

        for (const char *line = strchr(head, '\n'); line; line = strchr(line, '\n')) {
                line++;
                if (strncasecmp(line, name, n) == 0 && line[n] == ':')
                        return line + n + 1 + strspn(line + n + 1, " \t");
        }
        return NULL;
}

static bool http_says(const char *value, const char *word) {
        char line[64];

        if (!value)
                return false;
        snprintf(line, sizeof(line), "%.*s", (int)strcspn(value, "\r\n"), value);
        return strcasestr(line, word) != NULL;
}

/* One request, its head ending in a NUL. */
static bool http_answer(struct server *s, struct conn *c, const char *head) {
        bool is_head = strncmp(head, "HEAD ", 5) == 0, keep;
        const char *version, *connection, *length;
        char body[320], text[512];
        int n, m;

        version = head + strcspn(head, "\r\n");
        if (version - head < 12 || strncmp(version - 9, " HTTP/1.", 8) != 0)
                return http_error(c, "400 Bad Request");
        if (!is_head && strncmp(head, "GET ", 4) != 0)
                return http_error(c, "405 Method Not Allowed");

        connection = http_header(head, "connection");
        keep = version[-1] == '0' ? http_says(connection, "keep-alive")
                                  : !http_says(connection, "close");
        length = http_header(head, "content-length");
        if ((length && strtoull(length, NULL, 10) > 0) || http_header(head, "transfer-encoding"))
                keep = false; /* nobody here reads a body; what follows is no request */

        m = snprintf(body, sizeof(body), "%s request %llu\n", s->name, ++s->requests);
        n = snprintf(text, sizeof(text),
                     "HTTP/1.1 200 OK\r\nServer: sample-backend\r\nContent-Type: text/plain\r\n"
                     "Content-Length: %d\r\nConnection: %s\r\n\r\n",
                     m, keep ? "keep-alive" : "close");
        c->closing = !keep;
        return conn_owe(c, text, (size_t)n) && (is_head || conn_owe(c, body, (size_t)m));
}

/* Answers every complete request in c->in until more is owed than a chunk. */
static bool http_work(struct server *s, struct conn *c) {
        size_t done = 0;

        while (c->in && !c->closing && c->out_len < CHUNK) {
                char *head = c->in + done, *end;

                while (*head == '\r' || *head == '\n') /* between requests it is allowed */
                        head++;
                done = (size_t)(head - c->in);
                end = strstr(head, "\r\n\r\n");
                if (!end) {
                        if (strlen(head) < c->in_len - done)
                                return http_error(c, "400 Bad Request"); /* a NUL */
                        if (c->in_len - done > HEAD_MAX)
                                return http_error(c, "431 Request Header Fields Too Large");
                        break;
                }
                if (end - head > HEAD_MAX)
                        return http_error(c, "431 Request Header Fields Too Large");
                end[2] = '\0';
                if (!http_answer(s, c, head))
                        return false;
                done = (size_t)(end + 4 - c->in);
        }
        if (!c->in || done == 0)
                return true;

        c->in_len -= done;
        memmove(c->in, c->in + done, c->in_len + 1);
        if (c->in_len == 0) {
                free(c->in);
                c->in = NULL;
        }
        return true;
}

static bool conn_got(struct server *s, struct conn *c, size_t n) {
        char *more;

        if (s->echo)
                return conn_owe(c, chunk, n);

        more = realloc(c->in, c->in_len + n + 1);
        if (!more)
                return false;
        c->in = more;
        memcpy(c->in + c->in_len, chunk, n);
        c->in_len += n;
        c->in[c->in_len] = '\0';
        return true;
}

static bool conn_read(struct server *s, struct conn *c) {
        ssize_t n = recv(c->fd, chunk, CHUNK, 0);

        if (n < 0)
                return errno == EAGAIN || errno == EINTR;
        if (n == 0) {
                c->eof = true;
                return true;
        }
        conn_touch(s, c);
        if (!c->shut)
                return conn_got(s, c, (size_t)n);

        c->drained += (size_t)n;
        return c->drained < LINGER_MAX;
}

/* After bytes came or left: what now? False: the connection is over. */
static bool conn_step(struct server *s, struct conn *c) {
        do {
                if (!s->echo && !http_work(s, c))
                        return false;
                if (!conn_flush(c))
                        return false;
        } while (!c->out && !c->closing && c->in && strstr(c->in, "\r\n\r\n"));

        if (c->out || c->shut)
                return !(c->shut && c->eof);
        if (!c->closing && !c->eof)
                return true;

        c->shut = true;
        conn_touch(s, c);
        return !c->eof && shutdown(c->fd, SHUT_WR) == 0; /* a close at once could become a reset */
}

static void conn_on_ready(struct server *s, struct conn *c, uint32_t events) {
        uint32_t want;

        if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) && !c->out && !conn_read(s, c)) {
                conn_close(s, c);
                return;
        }
        if (!conn_step(s, c)) {
                conn_close(s, c);
                return;
        }

        want = c->out ? EPOLLOUT : EPOLLIN;
        if (want == c->events)
                return;
        c->events = want;
        epoll_ctl(s->epoll_fd, EPOLL_CTL_MOD, c->fd,
                  &(struct epoll_event){ .events = want, .data.ptr = c });
}

static void server_accept(struct server *s) {
        for (int i = 0; i < 64; i++) {
                struct conn *c;
                int fd;

                fd = accept4(s->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
                if (fd < 0) {
                        if (errno != EMFILE && errno != ENFILE && errno != ENOBUFS &&
                            errno != ENOMEM)
                                return; /* none left, or that one is gone already */
                        s->paused_until_ms = s->now_ms + ACCEPT_PAUSE_MS;
                        epoll_ctl(s->epoll_fd, EPOLL_CTL_DEL, s->listen_fd, NULL);
                        return;
                }
                c = malloc(sizeof(*c));
                if (!c) {
                        close(fd);
                        return;
                }
                *c = (struct conn){ .fd = fd, .events = EPOLLIN, .active_ms = s->now_ms };
                link_before(&s->conns, &c->link);
                setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
                if (epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, fd,
                              &(struct epoll_event){ .events = EPOLLIN, .data.ptr = c }) < 0)
                        conn_close(s, c);
        }
}

/* Closes who has been silent too long; returns the time to sleep. */
static int server_expire(struct server *s) {
        for (struct link *l = s->conns.next, *next; l != &s->conns; l = next) {
                struct conn *c = container_of(l, struct conn, link);
                int64_t silent_ms = s->now_ms - c->active_ms;

                next = l->next;
                if (silent_ms < LINGER_MS)
                        break;
                if (c->shut || (!s->echo && silent_ms >= HTTP_IDLE_MS))
                        conn_close(s, c);
        }
        if (s->paused_until_ms && s->now_ms >= s->paused_until_ms) {
                s->paused_until_ms = 0;
                epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, s->listen_fd,
                          &(struct epoll_event){ .events = EPOLLIN, .data.ptr = &s->listen_fd });
        }
        return s->paused_until_ms ? ACCEPT_PAUSE_MS : link_idle(&s->conns) ? -1 : LINGER_MS / 2;
}

static int server_run(struct server *s) {
        struct epoll_event ready[256];
        int64_t expire_ms = 0;
        int wait_ms = -1;

        for (;;) {
                int n;

                n = epoll_wait(s->epoll_fd, ready, ELEMENTS(ready), wait_ms);
                if (n < 0 && errno != EINTR)
                        return -errno;

                s->now_ms = clock_ms();
                for (int i = 0; i < n; i++) {
                        if (ready[i].data.ptr == &s->signal_fd)
                                return 0;
                        if (ready[i].data.ptr == &s->listen_fd)
                                server_accept(s);
                        else
                                conn_on_ready(s, ready[i].data.ptr, ready[i].events);
                }
                if (s->now_ms >= expire_ms || wait_ms < 0 || s->paused_until_ms) {
                        expire_ms = s->now_ms + LINGER_MS / 2;
                        wait_ms = server_expire(s);
                }
        }
}

static int complain(const char *what, const char *subject, const char *why) {
        fprintf(stderr, "sample-backend: %s %s: %s\n", what, subject, why);
        return -1;
}

static int listen_unix(struct server *s, const char *path) {
        struct sockaddr_un un = { .sun_family = AF_UNIX };
        struct stat st;
        int fd, probe;

        if (strlen(path) == 0 || strlen(path) >= sizeof(un.sun_path))
                return complain("bad path", path, "1 to 107 bytes are allowed");
        strcpy(un.sun_path, path);
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        probe = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (fd < 0 || probe < 0)
                return complain("cannot open a socket for", path, strerror(errno));
        /* A socket nobody listens on is what a killed server has left behind. */
        if (connect(probe, (struct sockaddr *)&un, sizeof(un)) < 0 && errno == ECONNREFUSED &&
            lstat(path, &st) == 0 && S_ISSOCK(st.st_mode))
                unlink(path);
        close(probe);
        if (bind(fd, (struct sockaddr *)&un, sizeof(un)) < 0)
                return complain("cannot listen on", path, strerror(errno));
        s->unix_path = strdup(path);
        return fd;
}

static int listen_tcp(const char *text) {
        struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
                                  .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE };
        struct addrinfo *info;
        char host[256];
        const char *port = strrchr(text, ':');
        size_t n;
        int fd, r;

        n = port ? (size_t)(port - text) : 0;
        if (n < 1 || n >= sizeof(host))
                return complain("bad address", text, "want ADDR:PORT, [ADDR]:PORT or unix:/path");
        memcpy(host, text, n);
        host[n] = '\0';
        if (host[0] == '[' && host[n - 1] == ']') {
                memmove(host, host + 1, n - 2);
                host[n - 2] = '\0';
        }
        r = getaddrinfo(host, port + 1, &hints, &info);
        if (r != 0)
                return complain("bad address", text, gai_strerror(r));

        fd = socket(info->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (fd >= 0)
                setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int));
        r = fd < 0 ? -1 : bind(fd, info->ai_addr, info->ai_addrlen);
        freeaddrinfo(info);
        if (r < 0) {
                complain("cannot listen on", text, strerror(errno));
                if (fd >= 0)
                        close(fd);
                return -1;
        }
        return fd;
}

static int server_listen(struct server *s, const char *text) {
        char host[NI_MAXHOST] = "", port[NI_MAXSERV] = "";
        struct sockaddr_storage sa;
        socklen_t len = sizeof(sa);

        s->listen_fd = strncmp(text, "unix:", 5) == 0 ? listen_unix(s, text + 5) : listen_tcp(text);
        if (s->listen_fd < 0)
                return -1;
        if (listen(s->listen_fd, 4096) < 0)
                return complain("cannot listen on", text, strerror(errno));
        if (s->unix_path) {
                printf("listening %s\n", text);
        } else {
                getsockname(s->listen_fd, (struct sockaddr *)&sa, &len);
                getnameinfo((struct sockaddr *)&sa, len, host, sizeof(host), port, sizeof(port),
                            NI_NUMERICHOST | NI_NUMERICSERV);
                printf(strchr(host, ':') ? "listening [%s]:%s\n" : "listening %s:%s\n", host, port);
        }
        return fflush(stdout) == 0 ? 0 : complain("cannot write to", "stdout", strerror(errno));
}

static int server_init(struct server *s, const char *address) {
        struct rlimit files;
        sigset_t ends;

        link_init(&s->conns);
        if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
                files.rlim_cur = files.rlim_max;
                setrlimit(RLIMIT_NOFILE, &files);
        }
        sigemptyset(&ends);
        sigaddset(&ends, SIGTERM);
        sigaddset(&ends, SIGINT);
        sigprocmask(SIG_BLOCK, &ends,
                    NULL); /* before the address is printed: from then on it ends clean */
        s->signal_fd = signalfd(-1, &ends, SFD_CLOEXEC | SFD_NONBLOCK);
        s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
        if (s->signal_fd < 0 || s->epoll_fd < 0)
                return complain("cannot set up", "epoll", strerror(errno));
        if (server_listen(s, address) < 0)
                return -1;

        if (epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, s->signal_fd,
                      &(struct epoll_event){ .events = EPOLLIN, .data.ptr = &s->signal_fd }) < 0 ||
            epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, s->listen_fd,
                      &(struct epoll_event){ .events = EPOLLIN, .data.ptr = &s->listen_fd }) < 0)
                return complain("cannot watch", address, strerror(errno));
        return 0;
}

static void server_done(struct server *s) {
        while (!link_idle(&s->conns))
                conn_close(s, container_of(s->conns.next, struct conn, link));
        if (s->listen_fd >= 0)
                close(s->listen_fd);
        if (s->signal_fd >= 0)
                close(s->signal_fd);
        if (s->epoll_fd >= 0)
                close(s->epoll_fd);
        if (s->unix_path)
                unlink(s->unix_path);
        free(s->unix_path);
}

static int usage(FILE *to, int status) {
        fputs("usage: sample-backend --listen ADDR:PORT|unix:/path --name NAME [--mode http|echo]\n"
              "Port 0 takes a free one; the address is printed. Ends on SIGTERM.\n",
              to);
        return status;
}

int main(int argc, char **argv) {
        static const struct option options[] = {
                { "listen", required_argument, NULL, 'l' },
                { "name", required_argument, NULL, 'n' },
                { "mode", required_argument, NULL, 'm' },
                { "help", no_argument, NULL, 'h' },
                { NULL, 0, NULL, 0 },
        };
        struct server s = { .epoll_fd = -EBADF, .listen_fd = -EBADF, .signal_fd = -EBADF };
        const char *address = NULL;
        int option, r;

        while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
                if (option == 'h')
                        return usage(stdout, 0);
                if (option == 'l')
                        address = optarg;
                else if (option == 'n')
                        s.name = optarg;
                else if (option == 'm' &&
                         (strcmp(optarg, "http") == 0 || strcmp(optarg, "echo") == 0))
                        s.echo = optarg[0] == 'e';
                else
                        return usage(stderr, 64);
        }
        if (!address || !s.name || optind < argc || strlen(s.name) > 255)
                return usage(stderr, 64);

        r = server_init(&s, address);
        if (r == 0) {
                r = server_run(&s);
                if (r < 0)
                        complain("cannot wait for", address, strerror(-r));
        }
        server_done(&s);
        return r < 0 ? 1 : 0;
}
