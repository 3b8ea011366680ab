/* SPDX-License-Identifier: MIT */
/*
 * tools/hold.c - idle HTTP clients: each has asked once, got its answer, and says nothing more.
 *
 *   hold --to ADDR --sessions N
 *
 * Prints "holding N" when all have been answered. Each line on stdin is then answered with
 * "alive N": how many of them the other side has neither closed nor sent anything. The end of stdin
 * ends it. One after the other they are quick enough, so nothing here is asynchronous.
 */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "common.h"
#include "message.h"

#define ASK        "GET / HTTP/1.1\r\nHost: bench\r\n\r\n"
#define PATIENCE_S 10

static int client_open(const struct target *to) {
        static const struct timeval patience = { .tv_sec = PATIENCE_S };
        struct message m;
        int fd, r = 0;

        fd = socket(to->sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0)
                fail("no socket: %s", strerror(errno));
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
        if (connect(fd, (const struct sockaddr *)&to->sa, to->len) < 0 ||
            send(fd, ASK, strlen(ASK), MSG_NOSIGNAL) < 0)
                fail("cannot connect and ask: %s", strerror(errno));

        message_begin(&m);
        for (int64_t end = now_us() + PATIENCE_S * 1000000LL; r == 0 && now_us() < end;)
                r = message_read(&m, fd);
        if (r <= 0)
                fail("no answer: %s", r == 0 ? "it took too long" : strerror(-r));
        if (message_status(&m) != 200)
                fail("answered with %u", message_status(&m));
        return fd;
}

/* Nobody owes anybody anything, so a connection on which something happens has ended. */
static size_t count_alive(struct pollfd *clients, size_t n) {
        size_t alive = 0;

        if (poll(clients, n, 0) < 0)
                fail("cannot poll: %s", strerror(errno));
        for (size_t i = 0; i < n; i++)
                alive += clients[i].revents == 0;
        return alive;
}

int main(int argc, char **argv) {
        static const struct option options[] = { { "to", required_argument, NULL, 't' },
                                                 { "sessions", required_argument, NULL, 'n' },
                                                 { NULL, 0, NULL, 0 } };
        struct target to = { 0 };
        struct pollfd *clients;
        size_t n = 0;
        int option;
        char line[64];

        while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
                if (option == 't')
                        to = target_parse(optarg);
                else if (option == 'n')
                        n = number(optarg);
                else
                        return 64;
        }
        if (!to.len || n == 0 || n > 1000000)
                fail("usage: hold --to ADDR --sessions N");

        raise_limits();
        clients = calloc(n, sizeof(*clients));
        if (!clients)
                fail("no memory for %zu clients", n);
        for (size_t i = 0; i < n; i++)
                clients[i] = (struct pollfd){ .fd = client_open(&to), .events = POLLIN };

        printf("holding %zu\n", n);
        fflush(stdout);
        while (fgets(line, sizeof(line), stdin)) {
                printf("alive %zu\n", count_alive(clients, n));
                fflush(stdout);
        }
        for (size_t i = 0; i < n; i++)
                close(clients[i].fd);
        free(clients);
        return 0;
}
