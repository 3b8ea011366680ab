/* SPDX-License-Identifier: MIT */
/* cli/doc.h - reading a document that somebody else wrote: the value, or what stands in for it. */
#pragma once

#include <jansson.h>

#include "core/base.h"

const char *doc_text(const json_t *doc, const char *key, const char *otherwise);
int64_t doc_int(const json_t *doc, const char *key);   /* 0 */
double doc_number(const json_t *doc, const char *key); /* 0 */
bool doc_bool(const json_t *doc, const char *key);     /* false */
json_t *doc_array(const json_t *doc, const char *key); /* NULL, which is as good as empty */
