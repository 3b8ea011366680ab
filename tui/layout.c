/* SPDX-License-Identifier: MIT */

#include "layout.h"

#include <string.h>

struct layout layout_rows(size_t columns, size_t rows) {
        struct layout l = { .narrow = columns < LAYOUT_NARROW, .wide = columns >= LAYOUT_WIDE };
        size_t next;

        if (columns < LAYOUT_LEAST_WIDTH || rows < LAYOUT_LEAST_ROWS) {
                l.line = true;
                return l;
        }
        l.head_rows = rows >= 14 ? 5 : rows >= 10 ? 4 : rows >= 7 ? 2 : 1;
        if (l.narrow && l.head_rows == 5)
                l.head_rows = 4; /* the short form has no more to say */
        l.bar = rows - 1;
        next = l.bar;
        if (rows >= 30) {
                l.n_status = l.n_event = l.n_separator = 1;
                l.status = next -= 1;
                l.event = next -= 1;
                next -= 1; /* a blank row */
                l.n_detail = 5;
        } else if (rows >= 20) {
                l.n_detail = 2;
        }
        l.detail = next -= l.n_detail;
        l.separator = next -= l.n_separator;
        l.table_head = l.head_rows + (rows >= 30);
        l.first = l.table_head + 1;
        l.rows = next - l.first;
        return l;
}

/* ---- columns ---- */

#define RANK_ALL (UINT8_MAX + 1U) /* when all that may leave have left, the others shrink */

static size_t least(const struct column *c) {
        return c->least > 0 ? c->least : c->width;
}

/* Its width at this stage; 0: it has left. At its own rank one that can shrink does. */
static size_t width_at(const struct column *c, unsigned rank) {
        unsigned own = c->rank > 0 ? c->rank : RANK_ALL;

        if (rank < own)
                return c->width;
        if (rank == own && c->least > 0)
                return c->least;
        return c->rank > 0 ? 0 : least(c);
}

/* The first stage at which they all fit next to each other. */
static unsigned rank_for(const struct column *c, size_t n, size_t room) {
        unsigned rank = 0;

        for (; rank < RANK_ALL; rank++) {
                size_t need = 0;

                for (size_t i = 0; i < n; i++) {
                        size_t width = width_at(&c[i], rank);

                        need += width > 0 ? width + 1 : 0;
                }
                if (need <= room + 1)
                        break;
        }
        return rank;
}

static uint32_t keep_by_rank(const struct column *c, size_t n, unsigned rank) {
        uint32_t kept = 0;

        for (size_t i = 0; i < n; i++)
                kept |= width_at(&c[i], rank) > 0 ? 1U << i : 0;
        return kept;
}

/* Those without a rank, and from the scrolled-to one on as many as fit. */
static uint32_t keep_scrolled(const struct column *c, size_t n, size_t room, size_t scroll) {
        uint32_t kept = 0;
        size_t need = 0;

        for (size_t i = 0; i < n; i++) {
                if (c[i].rank == 0) {
                        kept |= 1U << i;
                        need += least(&c[i]) + 1;
                }
        }
        for (size_t i = 0; i < n; i++) {
                if (c[i].rank == 0)
                        continue;
                if (scroll > 0) {
                        scroll--;
                        continue;
                }
                if (need + least(&c[i]) > room)
                        break;
                kept |= 1U << i;
                need += least(&c[i]) + 1;
        }
        return kept;
}

static size_t may_leave(const struct column *c, size_t n) {
        size_t all = 0;

        for (size_t i = 0; i < n; i++)
                all += c[i].rank > 0;
        return all;
}

static void place_all(struct table_layout *t, const struct column *c, size_t n, uint32_t kept) {
        for (size_t i = 0; i < n; i++) {
                if (!(kept & (1U << i))) {
                        t->dropped++;
                        continue;
                }
                t->places[t->n++] = (struct place){
                        .id = c[i].id,
                        .width = least(&c[i]),
                        .head = c[i].head,
                        .right = c[i].right,
                };
        }
}

static const struct column *column_of(const struct column *c, size_t n, uint8_t id) {
        for (size_t i = 0; i < n; i++) {
                if (c[i].id == id)
                        return &c[i];
        }
        return NULL;
}

/* What room is left goes to those that have less than they want, then to those that take more. */
static void widen(struct table_layout *t, const struct column *c, size_t n, size_t room) {
        for (int want_more = 0; want_more < 2; want_more++) {
                for (size_t i = 0; i < t->n && room > 0; i++) {
                        const struct column *from = column_of(c, n, t->places[i].id);
                        size_t wanted =
                                want_more && from->most > from->width ? from->most : from->width;
                        size_t more = wanted > t->places[i].width ? wanted - t->places[i].width : 0;

                        more = more < room ? more : room;
                        t->places[i].width += more;
                        room -= more;
                }
        }
}

/* Even those that stay may not fit: what hangs over the edge is cut, and then left out. */
static void settle(struct table_layout *t, size_t start, size_t end) {
        size_t column = start, n = 0;

        for (; n < t->n && column < end; n++) {
                t->places[n].column = column;
                if (t->places[n].width > end - column)
                        t->places[n].width = end - column;
                column += t->places[n].width + 1;
        }
        t->dropped += t->n - n;
        t->n = n;
}

struct table_layout layout_columns(const struct column *columns,
                                   size_t n,
                                   size_t start,
                                   size_t width,
                                   size_t scroll) {
        struct table_layout t = { .n = 0 };
        size_t room = width > start ? width - start : 0, used = 0, most = may_leave(columns, n);
        uint32_t kept = keep_by_rank(columns, n, rank_for(columns, n, room));

        place_all(&t, columns, n, kept);
        if (scroll > 0 && t.dropped > 0) {
                t.scrolled = scroll < most ? scroll : most > 0 ? most - 1 : 0;
                kept = keep_scrolled(columns, n, room, t.scrolled);
                t.n = t.dropped = 0;
                place_all(&t, columns, n, kept);
        }
        for (size_t i = 0; i < t.n; i++)
                used += t.places[i].width + 1;
        if (used < room + 1)
                widen(&t, columns, n, room + 1 - used);
        settle(&t, start, width);
        return t;
}

size_t layout_top(size_t top, size_t selected, size_t n, size_t rows) {
        if (rows == 0 || n <= rows)
                return 0;
        if (selected < top)
                top = selected;
        if (selected >= top + rows)
                top = selected - rows + 1;
        return top < n - rows ? top : n - rows;
}
