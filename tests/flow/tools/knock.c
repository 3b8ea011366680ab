/* SPDX-License-Identifier: MIT */
/*
 * tools/knock.c - one connection after the other, a request and its answer on each.
 *
 *   knock --to ADDR [--count N] [--from A.B.C.D [--addresses N]] [--timeout-ms N] [--map]
 *         [--close-first]
 *
 * The server is sample/backend.c in http mode: the first word of an answer's body names it. With
 * --from, connection i comes from the address i modulo --addresses further on (127.0.0.0/8 needs no
 * set-up). One JSON object on stdout: how many were answered, by whom, how long it took; with --map
 * also who answered each address. Exit status 0 however many failed: the reader judges.
 */
#include <arpa/inet.h>
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common.h"

#define NAMES_MAX 256

enum outcome { ANSWERED, REFUSED, RESET, EMPTY, TIMEOUT, OTHER, OUTCOMES };

static const char *const outcome_words[OUTCOMES] = { "answered", "refused", "reset",
                                                     "empty",    "timeout", "other" };

struct knock {
        struct target to, from;
        bool has_from, map, shut_first;
        uint64_t count, addresses, timeout_us;
        uint64_t outcomes[OUTCOMES];
        char names[NAMES_MAX][64];
        uint64_t by_name[NAMES_MAX];
        size_t n_names;
        int16_t *answered_by; /* per address; -1: nobody */
        int64_t *took_us;     /* of the answered ones */
        size_t n_took;
};

static int name_index(struct knock *k, const char *name) {
        for (size_t i = 0; i < k->n_names; i++) {
                if (strcmp(k->names[i], name) == 0)
                        return (int)i;
        }
        if (k->n_names == NAMES_MAX)
                return -1;
        snprintf(k->names[k->n_names], sizeof(k->names[0]), "%s", name);
        return (int)k->n_names++;
}

/* Waits for one of events until the deadline. */
static enum outcome wait_for(int fd, short events, int64_t deadline_us) {
        struct pollfd p = { .fd = fd, .events = events };
        int64_t left_us = deadline_us - now_us();

        if (left_us < 0 || poll(&p, 1, (int)(left_us / 1000) + 1) == 0)
                return TIMEOUT;
        return ANSWERED;
}

static enum outcome outcome_of(int error) {
        return error == -ECONNREFUSED                    ? REFUSED
               : error == -ECONNRESET || error == -EPIPE ? RESET
                                                         : OTHER;
}

/* Reads to the end; name gets the first word behind the head. */
static enum outcome read_answer(int fd, char name[static 64], int64_t deadline_us) {
        char text[4096] = "";
        size_t have = 0;
        char *body;

        for (;;) {
                ssize_t n = recv(fd, text + have, sizeof(text) - 1 - have, 0);

                if (n == 0)
                        break;
                if (n < 0 && errno == EAGAIN) {
                        if (wait_for(fd, POLLIN, deadline_us) == TIMEOUT)
                                return TIMEOUT;
                        continue;
                }
                if (n < 0)
                        return outcome_of(-errno);
                have += (size_t)n;
                text[have] = '\0';
                if (have == sizeof(text) - 1)
                        return OTHER;
        }
        body = strstr(text, "\r\n\r\n");
        if (!body)
                return have == 0 ? EMPTY : OTHER;
        return sscanf(body + 4, "%63s", name) == 1 ? ANSWERED : OTHER;
}

static enum outcome knock_fd(struct knock *k, int fd, char name[static 64], int64_t deadline_us) {
        static const char request[] = "GET / HTTP/1.1\r\nHost: sample\r\nConnection: close\r\n\r\n";
        int r;

        if (wait_for(fd, POLLOUT, deadline_us) == TIMEOUT)
                return TIMEOUT;
        r = socket_error(fd);
        if (r < 0)
                return outcome_of(r);
        if (send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL) != sizeof(request) - 1)
                return outcome_of(-errno);
        if (k->shut_first)
                shutdown(fd, SHUT_WR);
        return read_answer(fd, name, deadline_us);
}

static void knock_once(struct knock *k, uint64_t i) {
        struct target from = k->from;
        char name[64] = "";
        enum outcome outcome;
        int64_t start_us;
        int fd, index;

        if (k->has_from) {
                struct sockaddr_in *in4 = (struct sockaddr_in *)&from.sa;

                in4->sin_addr.s_addr =
                        htonl(ntohl(in4->sin_addr.s_addr) + (uint32_t)(i % k->addresses));
        }
        start_us = now_us();
        fd = target_connect(&k->to, k->has_from ? &from : NULL, 0);
        if (fd < 0) {
                k->outcomes[outcome_of(fd)]++;
                return;
        }
        outcome = knock_fd(k, fd, name, start_us + (int64_t)k->timeout_us);
        close(fd);
        k->outcomes[outcome]++;
        if (outcome != ANSWERED)
                return;

        k->took_us[k->n_took++] = now_us() - start_us;
        index = name_index(k, name);
        if (index < 0)
                return;
        k->by_name[index]++;
        if (k->answered_by)
                k->answered_by[i % k->addresses] = (int16_t)index;
}

static int compare(const void *a, const void *b) {
        int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

        return x < y ? -1 : x > y;
}

static int64_t percentile(const struct knock *k, unsigned percent) {
        return k->n_took ? k->took_us[(k->n_took - 1) * percent / 100] : 0;
}

static void print_report(struct knock *k) {
        qsort(k->took_us, k->n_took, sizeof(k->took_us[0]), compare);
        printf("{\"connects\":%llu", (unsigned long long)k->count);
        for (int i = 0; i < OUTCOMES; i++)
                printf(",\"%s\":%llu", outcome_words[i], (unsigned long long)k->outcomes[i]);
        printf(",\"p50_us\":%lld,\"p95_us\":%lld,\"p99_us\":%lld,\"max_us\":%lld,\"by_backend\":{",
               (long long)percentile(k, 50), (long long)percentile(k, 95),
               (long long)percentile(k, 99), (long long)percentile(k, 100));
        for (size_t i = 0; i < k->n_names; i++)
                printf("%s\"%s\":%llu", i ? "," : "", k->names[i],
                       (unsigned long long)k->by_name[i]);
        fputs("}", stdout);
        if (k->map) {
                fputs(",\"map\":[", stdout);
                for (uint64_t i = 0; i < k->addresses; i++)
                        printf(k->answered_by[i] < 0 ? "%snull" : "%s\"%s\"", i ? "," : "",
                               k->answered_by[i] < 0 ? "" : k->names[k->answered_by[i]]);
                fputs("]", stdout);
        }
        puts("}");
}

static const struct option options[] = {
        { "to", required_argument, NULL, 't' },
        { "count", required_argument, NULL, 'n' },
        { "from", required_argument, NULL, 'f' },
        { "addresses", required_argument, NULL, 'a' },
        { "timeout-ms", required_argument, NULL, 'w' },
        { "map", no_argument, NULL, 'm' },
        { "close-first", no_argument, NULL, 'c' },
        { NULL, 0, NULL, 0 },
};

int main(int argc, char **argv) {
        static struct knock k = { .count = 1, .addresses = 1, .timeout_us = 10000000 };
        char from[64];
        int option;

        while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
                switch (option) {
                case 't':
                        k.to = target_parse(optarg);
                        break;
                case 'n':
                        k.count = number(optarg);
                        break;
                case 'f':
                        snprintf(from, sizeof(from), "%s:0", optarg);
                        k.from = target_parse(from);
                        k.has_from = true;
                        break;
                case 'a':
                        k.addresses = number(optarg);
                        break;
                case 'w':
                        k.timeout_us = number(optarg) * 1000;
                        break;
                case 'm':
                        k.map = true;
                        break;
                case 'c':
                        k.shut_first = true;
                        break;
                default:
                        return 64;
                }
        }
        if (!k.to.len || k.addresses == 0 || k.count > 10000000 || k.addresses > 1000000)
                fail("usage: knock --to ADDR [--count N] [--from A.B.C.D [--addresses N]] "
                     "[--timeout-ms N] [--map] [--close-first]");

        raise_limits();
        k.took_us = calloc(k.count + 1, sizeof(k.took_us[0]));
        k.answered_by = malloc(k.addresses * sizeof(k.answered_by[0]));
        if (!k.took_us || !k.answered_by)
                fail("out of memory");
        memset(k.answered_by, 0xff, k.addresses * sizeof(k.answered_by[0]));
        for (uint64_t i = 0; i < k.count; i++)
                knock_once(&k, i);
        print_report(&k);
        free(k.took_us);
        free(k.answered_by);
        return 0;
}
