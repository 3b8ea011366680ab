/* SPDX-License-Identifier: MIT */
/* Where bal listens: two listeners in one place, or a listener and the metrics, circles through bal
 * itself, every interface. */

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "config/cross.h"
#include "core/str.h"

struct listener {
        const struct addr *addr;
        const struct value *value;
        const struct plan_frontend *frontend;
        size_t index;
};

static bool is_in(const struct addr *a) {
        return a->sa.sa_family == AF_INET || a->sa.sa_family == AF_INET6;
}

/* Whether a listener on a would also take what is meant for b. [::] takes IPv4 too. */
static bool covers(const struct addr *a, const struct addr *b) {
        if (!is_in(a) || !is_in(b) || addr_port(a) != addr_port(b) || !host_is_wildcard(a))
                return false;
        return a->sa.sa_family == AF_INET6 || b->sa.sa_family == AF_INET;
}

/* Only one of them can be opened. */
static bool excludes(const struct addr *a, const struct addr *b) {
        return addr_equal(a, b) || covers(a, b) || covers(b, a);
}

static void report_same_listener(const struct context *ctx,
                                 const struct listener *first,
                                 const struct listener *again) {
        struct diag d = problem(ctx, DIAG_E033, NULL, again->value->node);
        char text[ADDR_TEXT_MAX], other[ADDR_TEXT_MAX];
        bool same = addr_equal(first->addr, again->addr);

        free(d.path);
        d.path = again->frontend->n_listen > 1
                         ? str_printf("%s.listen[%zu]", again->frontend->path, again->index)
                         : str_printf("%s.listen", again->frontend->path);
        addr_text(again->addr, text);
        addr_text(first->addr, other);
        d.message = same ? str_printf("two listeners on %s", text)
                         : str_printf("listeners on %s and %s exclude each other", other, text);
        d.brief = same ? str_printf("a second listener on %s, first in line %u", text,
                                    first->value->line)
                       : str_printf("%s and %s of line %u exclude each other", text, other,
                                    first->value->line);
        d.label =
                strdup(same ? "listens here again" : "the same port on an address that is covered");
        problem_other(ctx, &d, first->value->node, "first given here");
        d.do_this_now = strdup("remove one of the two, or give it another port");
        problem_add(ctx, &d);
}

static int listener_compare(const void *a, const void *b) {
        const struct listener *x = a, *y = b;
        uint16_t p = addr_port(x->addr), q = addr_port(y->addr);

        if (p != q)
                return p < q ? -1 : 1;
        if (x->value->line != y->value->line)
                return x->value->line < y->value->line ? -1 : 1;
        if (x->value->node && y->value->node)
                return x->value->node->column < y->value->node->column ? -1 : 1;
        return 0;
}

static void check_listeners(const struct context *ctx, const struct listener *l, size_t n) {
        for (size_t i = 1; i < n; i++) {
                for (size_t k = i; k > 0 && addr_port(l[k - 1].addr) == addr_port(l[i].addr); k--) {
                        const struct listener *other = &l[k - 1];

                        if (excludes(other->addr, l[i].addr)) {
                                report_same_listener(ctx, other, &l[i]);
                                break;
                        }
                }
        }
}

static void report_metrics(const struct context *ctx,
                           const struct plan *plan,
                           const struct addr *metrics,
                           const struct listener *l) {
        const struct value *address = &plan->metrics->address;
        struct diag d = problem(ctx, DIAG_E033, NULL,
                                address->key ? address->node : plan->metrics_value->key);
        char text[ADDR_TEXT_MAX], other[ADDR_TEXT_MAX];

        free(d.path);
        d.path = strdup(plan->dialect == CONFIG_SIMPLE ? "metrics.address"
                                                       : "global.metrics.address");
        addr_text(metrics, text);
        addr_text(l->addr, other);
        d.message = addr_equal(metrics, l->addr)
                            ? str_printf("metrics and a listener on %s", text)
                            : str_printf("metrics on %s and the listener on %s exclude each other",
                                         text, other);
        d.brief = strdup(d.message ? d.message : "");
        d.label = address->key ? strdup("metrics could not be served here")
                               : str_printf("without an address they are served on %s", text);
        if (l->value->node)
                problem_other(ctx, &d, l->value->node, "bal listens here");
        d.do_this_now = strdup(address->key ? "give the metrics another port"
                                            : "give the metrics an address of their own: "
                                              "address: 127.0.0.1:PORT");
        problem_add(ctx, &d);
}

/* On the default of the full dialect nobody may rely: there it is left to the log. */
static void check_metrics(const struct context *ctx,
                          const struct plan *plan,
                          const struct listener *l,
                          size_t n) {
        const struct value *address = &plan->metrics->address;
        struct host h;

        if (!plan->metrics_on || plan->metrics_value->source != VALUE_FILE ||
            !value_good(address) || host_parse_port(&h, address->s) != HOST_OK)
                return;
        for (size_t i = 0; i < n; i++) {
                if (!excludes(l[i].addr, &h.addr))
                        continue;
                report_metrics(ctx, plan, &h.addr, &l[i]);
                return;
        }
}

static bool is_loopback(const struct host *h) {
        if (h->addr.len == 0)
                return strcmp(h->name, "localhost") == 0 || strcmp(h->name, "localhost.") == 0;
        if (h->addr.sa.sa_family == AF_INET)
                return ntohl(h->addr.in4.sin_addr.s_addr) >> 24 == 127;
        return h->addr.sa.sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&h->addr.in6.sin6_addr);
}

static bool listens_on_loopback(const struct addr *l) {
        struct host h = { .addr = *l };

        return host_is_wildcard(l) || is_loopback(&h);
}

/* Connecting to h would arrive at the listener. Other addresses of this machine behind a wildcard
 * are not looked at: the file may be checked on another one. */
static bool reaches(const struct host *h, const struct addr *l) {
        if (h->addr.len > 0 && addr_equal(&h->addr, l))
                return true;
        if (!is_in(l) || host_is_unix(h) || h->port != addr_port(l) || !is_loopback(h))
                return false;
        return h->addr.len == 0 ? listens_on_loopback(l) : covers(l, &h->addr);
}

static void report_circle(const struct context *ctx,
                          const struct plan_pool *p,
                          size_t i,
                          const struct listener *l,
                          bool own) {
        const struct plan_server *s = &p->servers[i];
        struct diag d = problem(ctx, own ? DIAG_E035 : DIAG_W008, NULL, s->address->node);
        _cleanup_(str_freep) char *q = quoted(s->name);

        free(d.path);
        d.path = str_printf("%s[%zu]", p->list, i);
        d.message = own ? str_printf("backend %s is bal itself", q)
                        : str_printf("backend %s is another frontend of bal", q);
        d.label = own ? strdup("sessions would go round in a circle")
                      : str_printf("frontend '%s' listens there",
                                   l->frontend->name ? l->frontend->name : "?");
        if (l->value->node)
                problem_other(ctx, &d, l->value->node, "bal listens here");
        d.do_this_now = own ? strdup("give the backend's own address and port")
                            : strdup("send the sessions to the pool of that frontend");
        problem_add(ctx, &d);
}

static void check_circles(const struct context *ctx,
                          const struct plan *plan,
                          const struct plan_pool *p,
                          const struct listener *l,
                          size_t n) {
        for (size_t i = 0; i < p->n_servers && !problems_enough(ctx); i++) {
                const struct plan_server *s = &p->servers[i];
                uint16_t port = s->name && !host_is_unix(&s->host) ? s->host.port : 0;
                size_t low = 0, high = n;

                while (low < high) {
                        size_t mid = (low + high) / 2;

                        if (addr_port(l[mid].addr) < port)
                                low = mid + 1;
                        else
                                high = mid;
                }
                for (; s->name && low < n && addr_port(l[low].addr) == port; low++) {
                        bool own = plan_uses(l[low].frontend, (size_t)(p - plan->pools));

                        if (!reaches(&s->host, l[low].addr))
                                continue;
                        if (own || p->used)
                                report_circle(ctx, p, i, &l[low], own);
                        break;
                }
        }
}

int cross_addresses(const struct context *ctx, struct arena *a, const struct plan *plan) {
        struct listener *l;
        size_t n = 0;

        for (size_t i = 0; i < plan->n_frontends; i++)
                n += plan->frontends[i].n_listen;
        l = arena_alloc(a, (n + 1) * sizeof(*l));
        if (!l)
                return -ENOMEM;

        n = 0;
        for (size_t i = 0; i < plan->n_frontends; i++) {
                const struct plan_frontend *f = &plan->frontends[i];

                for (size_t k = 0; k < f->n_listen; k++) {
                        if (f->listen[k].len > 0)
                                l[n++] = (struct listener){ &f->listen[k], f->listen_values[k], f,
                                                            k };
                }
        }
        if (n > 0)
                qsort(l, n, sizeof(*l), listener_compare);

        check_listeners(ctx, l, n);
        check_metrics(ctx, plan, l, n);
        for (size_t i = 0; i < plan->n_pools; i++)
                check_circles(ctx, plan, &plan->pools[i], l, n);
        return 0;
}

/* --- bind_address --------------------------------------------------------------------------- */

static bool is_private4(uint32_t ip) {
        return ip >> 24 == 10 || ip >> 20 == 0xac1 || ip >> 16 == 0xc0a8 || ip >> 16 == 0xa9fe ||
               ip >> 22 == 0x191 /* 100.64.0.0/10 */;
}

static bool is_public(const struct sockaddr *sa) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)sa;
        uint32_t ip;

        if (sa->sa_family == AF_INET) {
                ip = ntohl(((const struct sockaddr_in *)sa)->sin_addr.s_addr);
                return ip >> 24 != 127 && !is_private4(ip);
        }
        return sa->sa_family == AF_INET6 && (in6->sin6_addr.s6_addr[0] & 0xe0) == 0x20;
}

struct links {         /* of this machine */
        char *names;   /* "lo, eth0 (public), eth1" */
        char *private; /* an address of its own that is better than all; NULL: none */
        unsigned n;
};

static bool is_first(const struct ifaddrs *all, const struct ifaddrs *i) {
        for (; all != i; all = all->ifa_next) {
                if (strcmp(all->ifa_name, i->ifa_name) == 0)
                        return false;
        }
        return true;
}

static bool has_public(const struct ifaddrs *all, const char *name) {
        for (; all; all = all->ifa_next) {
                if (all->ifa_addr && strcmp(all->ifa_name, name) == 0 && is_public(all->ifa_addr))
                        return true;
        }
        return false;
}

static void links_add(struct links *l, const struct ifaddrs *all, const struct ifaddrs *i) {
        const char *mark = has_public(all, i->ifa_name) ? " (public)" : "";
        char *longer;

        l->n++;
        if (l->n > 8) /* a host full of containers has hundreds; the count tells it */
                return;
        longer = l->n == 8 ? str_printf("%s, ...", l->names)
                           : str_printf("%s%s%s%s", l->names, l->n > 1 ? ", " : "", i->ifa_name,
                                        mark);
        if (longer) {
                free(l->names);
                l->names = longer;
        }
}

static void links_read(struct links *l) {
        struct ifaddrs *all = NULL;
        char text[INET_ADDRSTRLEN];

        *l = (struct links){ .names = strdup("") };
        if (!l->names || getifaddrs(&all) < 0)
                return;

        for (const struct ifaddrs *i = all; i; i = i->ifa_next) {
                const struct sockaddr_in *in4 = (const struct sockaddr_in *)i->ifa_addr;

                if (!(i->ifa_flags & IFF_UP))
                        continue;
                if (is_first(all, i))
                        links_add(l, all, i);
                if (!l->private && in4 && in4->sin_family == AF_INET &&
                    is_private4(ntohl(in4->sin_addr.s_addr)) &&
                    inet_ntop(AF_INET, &in4->sin_addr, text, sizeof(text)))
                        l->private = strdup(text);
        }
        freeifaddrs(all);
}

/* Only when somebody wrote it: the default is what most people expect. */
void cross_wildcard(const struct context *ctx, const struct plan *plan) {
        const struct plan_frontend *f = plan->frontends;
        const struct value *v = plan->dialect == CONFIG_SIMPLE ? f->listen_values[0] : NULL;
        struct host h;
        struct links l;
        struct diag d;

        if (!v || !value_good(v) || !v->key || strcmp(v->key->text, "bind_address") != 0)
                return;
        if (host_parse(&h, v->s, 1) != HOST_OK || !host_is_wildcard(&h.addr))
                return;

        links_read(&l);
        d = problem(ctx, DIAG_W003, NULL, v->node);
        free(d.path);
        d.path = strdup("bind_address");
        d.message = str_printf("bind_address %s listens on every interface", v->s);
        d.brief = str_printf("bind_address %s: every interface", v->s);
        d.label = str_printf("%u interface%s here: %s", l.n, l.n == 1 ? "" : "s", l.names);
        d.do_this_now = str_printf("bind %s, or keep it and check the firewall",
                                   l.private ? l.private : "127.0.0.1");
        problem_add(ctx, &d);
        free(l.names);
        free(l.private);
}
