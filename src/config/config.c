/* SPDX-License-Identifier: MIT */
/*
 * One configuration lives in one arena. The struct values of the file stay in it: they know where
 * each value comes from, and config_values() writes them as text when somebody asks.
 */

#include "config/config.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/build.h"
#include "config/cross.h"
#include "config/fill.h"
#include "config/tree.h"
#include "config/value.h"
#include "config/walk.h"
#include "core/str.h"

/* --- sharing -------------------------------------------------------------------------------- */

size_t config_backends(const struct config *c) {
        size_t n = 0;

        for (size_t i = 0; i < c->n_pools; i++)
                n += c->pools[i].n_endpoints;
        return n;
}

bool config_uses(const struct config_frontend *f, size_t pool) {
        if (f->pool == pool)
                return true;
        for (size_t i = 0; f->http && i < f->http->n_routes; i++) {
                const struct config_route *r = &f->http->routes[i];

                if (r->action == CONFIG_TO_POOL && r->pool == pool)
                        return true;
        }
        return false;
}

struct config *config_ref(struct config *c) {
        struct loaded *l = container_of(c, struct loaded, config);

        atomic_fetch_add_explicit(&l->refs, 1, memory_order_relaxed);
        return c;
}

static struct loaded *loaded_free(struct loaded *l) {
        struct arena arena = l->arena; /* l lies in it */

        arena_done(&arena);
        return NULL;
}
DEFINE_CLEANUP(struct loaded *, loaded_free);

struct config *config_unref(struct config *c) {
        struct loaded *l;

        if (!c)
                return NULL;

        l = container_of(c, struct loaded, config);
        if (atomic_fetch_sub_explicit(&l->refs, 1, memory_order_acq_rel) == 1)
                loaded_free(l);
        return NULL;
}

static struct loaded *loaded_new(const char *path) {
        struct arena arena = { 0 };
        struct loaded *l = arena_alloc(&arena, sizeof(*l));

        if (!l)
                return NULL;

        l->arena = arena;
        atomic_init(&l->refs, 1);
        if (path) {
                l->config.path = arena_copy(&l->arena, path, strlen(path));
                if (!l->config.path)
                        return loaded_free(l);
        }
        return l;
}

/* --- loading -------------------------------------------------------------------------------- */

static int report_trouble(struct context *ctx, const struct text_trouble *t) {
        bool utf8 = t->fault == TEXT_CONTROL;
        struct diag p = problem_at(ctx, utf8 ? DIAG_E004 : DIAG_E003, t->line, t->column);

        if (utf8) {
                p.message = str_printf("a character that does not belong here: U+%04X", t->code);
                p.label = t->code == 0 ? strdup("NUL") : strdup("an invisible character");
                p.do_this_now = t->code == 0 ? strdup("check that this is a text file")
                                             : strdup("remove the character");
        } else {
                p.message = str_printf("the text is not UTF-8: byte 0x%02X", t->code);
                p.label = strdup("not UTF-8");
                p.do_this_now = strdup("save the file as UTF-8, or convert it: iconv -t UTF-8");
        }
        problem_add(ctx, &p);
        return -EINVAL;
}

static void report_root(struct context *ctx, const struct node *root) {
        struct diag p;

        if (root && root->reported)
                return;
        if (!root || node_is_null(root)) {
                p = problem_at(ctx, DIAG_E005, 0, 0);
                p.message = strdup("the file has no content");
                p.do_this_now = strdup("start with: backends: [ { host: 127.0.0.1, port: 9000 } ]");
        } else {
                p = problem(ctx, DIAG_E013, NULL, root);
                if (root->kind != NODE_SCALAR)
                        p.at.end_column = 0;
                p.message = strdup("the file is not a section of keys");
                p.label = strdup(root->kind == NODE_LIST ? "a list" : "a text without 'key:'");
                p.do_this_now = strdup("write lines of the form 'key: value'");
        }
        problem_add(ctx, &p);
}

static int plan_from(struct plan *ret,
                     struct loaded *l,
                     struct context *ctx,
                     struct arena *a,
                     struct node *root) {
        enum config_dialect dialect = walk_dialect(root);
        int r;

        l->config.dialect = dialect;
        l->raw = arena_alloc(&l->arena, schema_root(dialect)->size);
        if (!l->raw)
                return -ENOMEM;

        r = walk(l->raw, ctx, &l->arena, schema_root(dialect), root);
        if (r < 0)
                return r;

        if (dialect == CONFIG_SIMPLE)
                cross_twins(ctx, l->raw);
        r = dialect == CONFIG_SIMPLE ? fill_simple(l->raw, &l->arena)
                                     : fill_full(l->raw, &l->arena);
        if (r < 0)
                return r;
        return dialect == CONFIG_SIMPLE ? plan_simple(ret, ctx, a, l->raw)
                                        : plan_full(ret, ctx, a, l->raw);
}

/* Values of the file point into its tree: texts are copied, places are forgotten. */
static bool keep_section(struct arena *a, const struct section *s, void *raw);

static bool keep_text(struct arena *a, const char **s) {
        *s = *s ? arena_copy(a, *s, strlen(*s)) : NULL;
        return *s;
}

static bool holds_text(const struct field *f) {
        return f->type == FIELD_STRING || f->type == FIELD_NAME || f->type == FIELD_PATH ||
               f->type == FIELD_AUTHORITY || f->type == FIELD_HOST || f->type == FIELD_ADDRESS ||
               f->type == FIELD_BIND || f->type == FIELD_SOCKET || f->type == FIELD_STATUS ||
               f->type == FIELD_ACCESS || f->type == FIELD_TARGET || f->type == FIELD_ROUTE_PATH;
}

static bool keep_items(struct arena *a, const struct field *f, struct value *v) {
        struct pair *pairs = v->list.items;
        struct value *texts = v->list.items;

        for (size_t i = 0; i < v->list.n; i++) {
                if (f->type == FIELD_LIST) {
                        if (!keep_section(a, f->section,
                                          (char *)v->list.items + i * f->section->size))
                                return false;
                } else if (field_has_texts(f)) {
                        texts[i].key = texts[i].node = NULL;
                        if (!keep_text(a, &texts[i].s))
                                return false;
                } else {
                        pairs[i].value.key = pairs[i].value.node = NULL;
                        if (!keep_text(a, &pairs[i].key) || !keep_text(a, &pairs[i].value.s))
                                return false;
                }
        }
        return true;
}

static bool keep_section(struct arena *a, const struct section *s, void *raw) {
        for (size_t i = 0; i < s->n_fields; i++) {
                const struct field *f = &s->fields[i];
                struct value *v = field_value(f, raw);

                v->key = v->node = NULL;
                if (f->type == FIELD_SECTION) {
                        if (v->section && !keep_section(a, f->section, v->section))
                                return false;
                } else if (f->type == FIELD_LIST || field_has_texts(f) || field_has_pairs(f)) {
                        if (!keep_items(a, f, v))
                                return false;
                } else if (v->source == VALUE_FILE && holds_text(f) && !keep_text(a, &v->s)) {
                        return false;
                }
        }
        return true;
}

static int load_tree(struct loaded *l, struct context *ctx, struct arena *a, struct node *root) {
        struct plan plan;
        int r;

        r = plan_from(&plan, l, ctx, a, root);
        if (r < 0)
                return r;
        if (!problems_enough(ctx)) {
                r = cross_check(ctx, a, &plan);
                if (r < 0)
                        return r;
        }
        if (ctx->diags->n_errors > ctx->errors_before)
                return -EINVAL;

        r = build(l, &plan);
        if (r < 0)
                return r;
        return keep_section(&l->arena, schema_root(plan.dialect), l->raw) ? 0 : -ENOMEM;
}

static int load(struct loaded *l,
                const char *file,
                const char *bytes,
                size_t n,
                struct diags *diags) {
        _cleanup_(arena_done) struct arena arena = { 0 };
        struct text text;
        struct text_trouble trouble;
        struct context ctx = { .text = &text, .diags = diags, .errors_before = diags->n_errors };
        struct node *root = NULL;
        int r;

        r = text_init(&text, &trouble, &arena, file, bytes, n);
        if (r < 0)
                return r;
        if (trouble.fault != TEXT_FINE)
                return report_trouble(&ctx, &trouble);

        r = tree_read(&root, &ctx, &arena);
        if (r < 0)
                return r;
        if (!root || root->kind != NODE_MAP || (root->n_children == 0 && !ctx.partial)) {
                if (!ctx.partial)
                        report_root(&ctx, root && root->kind == NODE_MAP ? NULL : root);
                return -EINVAL;
        }

        r = load_tree(l, &ctx, &arena, root);
        return r;
}

static void report_file(struct diags *diags,
                        const char *file,
                        enum diag_code code,
                        const char *what,
                        const char *do_this_now) {
        struct text text = { .file = file, .bytes = "" };
        struct context ctx = { .text = &text, .diags = diags };
        struct diag p = problem_at(&ctx, code, 0, 0);
        _cleanup_(str_freep) char *q = quoted(file);

        p.message = str_printf("%s: %s", q, what);
        p.brief = strdup(what);
        p.do_this_now = strdup(do_this_now);
        problem_add(&ctx, &p);
}

static int load_checked(struct config **ret,
                        const char *path,
                        const char *file,
                        const char *text,
                        size_t n,
                        struct diags *diags) {
        _cleanup_(loaded_freep) struct loaded *l = NULL;
        int r;

        if (n > CONFIG_FILE_MAX) {
                report_file(diags, file, DIAG_E002, "the file is larger than 4 MiB",
                            "check that this is the right file");
                return -EFBIG;
        }

        l = loaded_new(path);
        if (!l)
                return -ENOMEM;

        r = load(l, file, text, n, diags);
        if (r < 0)
                return r;

        *ret = &take_ptr(l)->config;
        return 0;
}

int config_load_text(struct config **ret,
                     const char *file,
                     const char *text,
                     size_t n,
                     struct diags *diags) {
        return load_checked(ret, NULL, file, text, n, diags);
}

/* --- the file ------------------------------------------------------------------------------- */

static int report_errno(struct diags *diags, const char *path, int r) {
        const char *todo = r == -ENOENT
                                   ? "check the path, or run bal start once to get a first file"
                           : r == -EACCES ? "run as a user who may read it, or change its mode"
                           : r == -EISDIR ? "name the file inside of the directory"
                                          : "check the file and its file system";

        report_file(diags, path, DIAG_E001, strerror(-r), todo);
        return r;
}

/* A FIFO or a device could keep us waiting for ever: only regular files are read. */
static int open_file(const char *path) {
        _cleanup_(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        struct stat st;

        if (fd < 0)
                return -errno;
        if (fstat(fd, &st) < 0)
                return -errno;
        if (S_ISDIR(st.st_mode))
                return -EISDIR;
        if (!S_ISREG(st.st_mode))
                return -ENODEV;
        return take_fd(&fd);
}

/* Up to one byte more than allowed, so that the caller sees that it is too much. */
static int read_file(char **ret, size_t *ret_n, const char *path) {
        _cleanup_(fd_closep) int fd = open_file(path);
        const size_t max = CONFIG_FILE_MAX + 1;
        _cleanup_(str_freep) char *bytes = NULL;
        size_t n = 0, size = 0;

        if (fd < 0)
                return fd;

        for (;;) {
                ssize_t k;

                if (n == size) {
                        size_t more = size == 0 ? 16384 : size * 2;
                        char *larger = realloc(bytes, more < max ? more : max);

                        if (!larger)
                                return -ENOMEM;
                        bytes = larger;
                        size = more < max ? more : max;
                }

                k = read(fd, bytes + n, size - n);
                if (k < 0 && errno == EINTR)
                        continue;
                if (k < 0)
                        return -errno;
                n += (size_t)k;
                if (k == 0 || n == max)
                        break;
        }

        *ret_n = n;
        *ret = take_ptr(bytes);
        return 0;
}

int config_load(struct config **ret, const char *path, struct diags *diags) {
        _cleanup_(str_freep) char *bytes = NULL;
        size_t n = 0;
        int r;

        r = read_file(&bytes, &n, path);
        if (r == -ENOMEM)
                return r;
        if (r < 0)
                return report_errno(diags, path, r);
        return load_checked(ret, path, path, bytes, n, diags);
}
