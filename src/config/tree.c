/* SPDX-License-Identifier: MIT */

#include "config/tree.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <yaml.h>

#include "config/syntax.h"
#include "core/str.h"

struct level { /* an open list or section */
        struct node *node;
        struct node **tail; /* where its next child goes */
        struct node *key;   /* of a section: the key that waits for its value */
        struct scope scope; /* of the child that comes next */
};

struct reader {
        struct context *ctx;
        struct arena *arena;
        yaml_parser_t parser;
        struct level levels[TREE_DEPTH_MAX];
        unsigned depth;
        struct scope top;
        struct node *root;
        struct node *run_on; /* the first quoted text that ends in a later line */
        struct node *last;   /* the scalar that came last */
        size_t n_nodes;
        unsigned n_documents;
        bool stop;
};

bool node_is_null(const struct node *n) {
        return n->kind == NODE_SCALAR && n->style == NODE_PLAIN &&
               (n->n == 0 || strcmp(n->text, "~") == 0 || strcasecmp(n->text, "null") == 0);
}

static const struct scope *reader_scope(struct reader *y) {
        return y->depth > 0 ? &y->levels[y->depth - 1].scope : &y->top;
}

static struct node *node_new(struct reader *y, enum node_kind kind, const yaml_event_t *e) {
        struct node *n = arena_alloc(y->arena, sizeof(*n));

        if (!n)
                return NULL;

        n->kind = kind;
        n->line = (unsigned)e->start_mark.line + 1;
        n->column = (unsigned)e->start_mark.column + 1;
        n->end_line = (unsigned)e->end_mark.line + 1;
        n->end_column = (unsigned)e->end_mark.column + 1;
        y->n_nodes++;
        return n;
}

static struct node *scalar_new(struct reader *y, const yaml_event_t *e) {
        struct node *n = node_new(y, NODE_SCALAR, e);

        if (!n)
                return NULL;

        n->text = arena_copy(y->arena, (const char *)e->data.scalar.value, e->data.scalar.length);
        if (!n->text)
                return NULL;

        n->n = e->data.scalar.length;
        switch (e->data.scalar.style) {
        case YAML_SINGLE_QUOTED_SCALAR_STYLE:
        case YAML_DOUBLE_QUOTED_SCALAR_STYLE:
                n->style = NODE_QUOTED;
                if (!y->run_on && n->end_line > n->line)
                        y->run_on = n;
                break;
        case YAML_LITERAL_SCALAR_STYLE:
        case YAML_FOLDED_SCALAR_STYLE:
                n->style = NODE_BLOCK;
                break;
        default:
                n->style = NODE_PLAIN;
        }
        y->last = n;
        return n;
}

static void refuse_alias(struct reader *y, struct node *n, const char *what) {
        struct diag p = problem(y->ctx, DIAG_E011, reader_scope(y), n);

        p.message = str_printf("%s are not used in a configuration", what);
        p.brief = str_printf("%s are not used", what);
        p.label = strdup("not used here");
        p.do_this_now =
                strdup("write the value itself; put a text that starts with '&' or '*' in quotes");
        problem_add(y->ctx, &p);
        n->reported = true;
}

static void refuse_tag(struct reader *y, struct node *n) {
        struct diag p = problem(y->ctx, DIAG_E018, reader_scope(y), n);

        p.message = strdup("tags ('!name') are not used in a configuration");
        p.brief = strdup("tags are not used");
        p.label = strdup("remove the tag");
        p.do_this_now = strdup("remove the tag, or put a text that starts with '!' in quotes");
        problem_add(y->ctx, &p);
        n->reported = true;
}

static void refuse_properties(struct reader *y,
                              struct node *n,
                              const void *anchor,
                              const void *tag) {
        if (anchor)
                refuse_alias(y, n, "anchors ('&name')");
        else if (tag)
                refuse_tag(y, n);
}

/* Sets what the path of the child after this one is. */
static void level_next(struct level *l) {
        bool named = l->key && l->key->kind == NODE_SCALAR;

        l->scope.key = named ? l->key->text : NULL;
        l->scope.index = l->node->kind == NODE_LIST ? (unsigned)l->node->n_children : SCOPE_KEY;
}

static void add_key(struct reader *y, struct level *l, struct node *n) {
        l->key = n;
        if (n->kind == NODE_SCALAR && n->style == NODE_PLAIN && strcmp(n->text, "<<") == 0)
                refuse_alias(y, n, "merge keys ('<<')");
}

/* A key joins its section together with its value, so no key is ever seen without one. */
static void add_node(struct reader *y, struct node *n) {
        struct level *l = y->depth > 0 ? &y->levels[y->depth - 1] : NULL;
        struct node *child = n;

        if (!l) {
                y->root = n;
                return;
        }

        if (l->node->kind == NODE_MAP) {
                if (!l->key) {
                        add_key(y, l, n);
                        level_next(l);
                        return;
                }
                child = take_ptr(l->key);
                child->value = n;
        }

        *l->tail = child;
        l->tail = &child->next;
        l->node->n_children++;
        level_next(l);
}

static void refuse_depth(struct reader *y, const yaml_event_t *e) {
        struct diag p = problem_at(y->ctx, DIAG_E012, (unsigned)e->start_mark.line + 1,
                                   (unsigned)e->start_mark.column + 1);

        p.path = scope_text(reader_scope(y));
        p.message = str_printf("sections and lists are nested more than %u deep", TREE_DEPTH_MAX);
        p.label = strdup("too deep");
        p.do_this_now = strdup("remove the inner brackets or indentation");
        problem_add(y->ctx, &p);
        y->stop = y->ctx->partial = true;
}

static int open_level(struct reader *y, enum node_kind kind, bool flow, const yaml_event_t *e) {
        struct node *n;
        struct level *l;

        if (y->depth == TREE_DEPTH_MAX) {
                refuse_depth(y, e);
                return 0;
        }

        n = node_new(y, kind, e);
        if (!n)
                return -ENOMEM;

        n->flow = flow;
        if (kind == NODE_LIST)
                refuse_properties(y, n, e->data.sequence_start.anchor, e->data.sequence_start.tag);
        else
                refuse_properties(y, n, e->data.mapping_start.anchor, e->data.mapping_start.tag);

        /* The level's scope needs the scope of n itself, which add_node() moves on. */
        l = &y->levels[y->depth];
        *l = (struct level){ .node = n, .tail = &n->first, .scope.up = reader_scope(y) };
        level_next(l);
        y->depth++;
        return 0;
}

static void close_level(struct reader *y, const yaml_event_t *e) {
        struct node *n = y->levels[--y->depth].node;

        n->end_line = (unsigned)e->end_mark.line + 1;
        n->end_column = (unsigned)e->end_mark.column + 1;
        add_node(y, n);
}

static int add_scalar(struct reader *y, const yaml_event_t *e) {
        struct node *n = scalar_new(y, e);

        if (!n)
                return -ENOMEM;

        refuse_properties(y, n, e->data.scalar.anchor, e->data.scalar.tag);
        add_node(y, n);
        return 0;
}

static int add_alias(struct reader *y, const yaml_event_t *e) {
        struct node *n = node_new(y, NODE_ALIAS, e);

        if (!n)
                return -ENOMEM;

        refuse_alias(y, n, "aliases ('*name')");
        add_node(y, n);
        return 0;
}

static void start_document(struct reader *y, const yaml_event_t *e) {
        struct diag p;

        if (y->n_documents++ == 0)
                return;

        p = problem_at(y->ctx, DIAG_E010, (unsigned)e->start_mark.line + 1,
                       (unsigned)e->start_mark.column + 1);
        p.at.end_column = p.at.column + 3;
        p.message = strdup("a second document starts here");
        p.brief = strdup("more than one document");
        p.label = strdup("one file holds one configuration");
        p.do_this_now = str_printf(
                "remove line %u and what follows, or put it into a file of its own", p.at.line);
        problem_add(y->ctx, &p);
        y->stop = true;
}

static int take_event(struct reader *y, const yaml_event_t *e) {
        switch (e->type) {
        case YAML_DOCUMENT_START_EVENT:
                start_document(y, e);
                return 0;
        case YAML_SCALAR_EVENT:
                return add_scalar(y, e);
        case YAML_ALIAS_EVENT:
                return add_alias(y, e);
        case YAML_SEQUENCE_START_EVENT:
                return open_level(y, NODE_LIST,
                                  e->data.sequence_start.style == YAML_FLOW_SEQUENCE_STYLE, e);
        case YAML_MAPPING_START_EVENT:
                return open_level(y, NODE_MAP,
                                  e->data.mapping_start.style == YAML_FLOW_MAPPING_STYLE, e);
        case YAML_SEQUENCE_END_EVENT:
        case YAML_MAPPING_END_EVENT:
                close_level(y, e);
                return 0;
        case YAML_STREAM_END_EVENT:
                y->stop = true;
                return 0;
        default:
                return 0;
        }
}

static void refuse_size(struct reader *y) {
        struct diag p = problem_at(y->ctx, DIAG_E002, 0, 0);

        p.message = str_printf("the file has more than %u keys and values", TREE_NODES_MAX);
        p.do_this_now = strdup("check that this is the right file");
        problem_add(y->ctx, &p);
        y->stop = y->ctx->partial = true;
}

static int read_events(struct reader *y) {
        int r = 0;

        while (!y->stop && r == 0) {
                yaml_event_t event;

                if (!yaml_parser_parse(&y->parser, &event)) {
                        if (y->parser.error == YAML_MEMORY_ERROR)
                                return -ENOMEM;
                        y->ctx->partial = true;
                        syntax_report(y->ctx, &y->parser, y->last, y->run_on);
                        return 0;
                }

                r = take_event(y, &event);
                yaml_event_delete(&event);

                if (y->n_nodes > TREE_NODES_MAX)
                        refuse_size(y);
                if (problems_enough(y->ctx))
                        y->stop = y->ctx->partial = true;
        }
        return r;
}

int tree_read(struct node **ret, struct context *ctx, struct arena *a) {
        struct reader y = { .ctx = ctx, .arena = a };
        int r;

        if (!yaml_parser_initialize(&y.parser))
                return -ENOMEM;
        yaml_parser_set_encoding(&y.parser, YAML_UTF8_ENCODING);
        yaml_parser_set_input_string(&y.parser, (const unsigned char *)ctx->text->bytes,
                                     ctx->text->n);

        r = read_events(&y);
        /* What a YAML error left open is closed, so that the part before it can be looked at. */
        while (y.depth > 0) {
                struct level *l = &y.levels[--y.depth];

                add_node(&y, l->node);
        }
        yaml_parser_delete(&y.parser);
        if (r < 0)
                return r;

        *ret = y.root;
        return 0;
}
