/* SPDX-License-Identifier: MIT */
/* config/value_http.h - the scalars of protocol http: sizes, hosts, methods, which log. */
#pragma once

#include "config/value.h"

/* These return an enum verdict. */
unsigned value_parse_size(uint64_t *ret, const struct field *f, const char *text);
unsigned value_parse_network(const char *text);
unsigned value_parse_route_host(const char *text);
unsigned value_parse_route_path(const struct field *f, const char *text);
unsigned value_parse_method(const char *text);
unsigned value_parse_target(const struct field *f, const char *text);

/* "errors", "sample: 100": *ret_sample is 1 but for a sample. */
unsigned value_parse_access(enum config_access_log *ret,
                            uint32_t *ret_sample,
                            const struct field *f,
                            const char *text);

const char *size_text(uint64_t bytes, char buf[static VALUE_TEXT_MAX]); /* "8k" */
