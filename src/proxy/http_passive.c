/* SPDX-License-Identifier: MIT */
/*
 * What the answers of a backend say of its health, see proxy/passive.h. That it closes instead of
 * answering, or does not answer in HTTP, always counts; a status of 5xx with health_check.passive.
 */

#include "proxy/http_parts.h"
#include "proxy/passive.h"

int http_failure_of(int status) {
        return status >= 500 && status != 501 && status != 505 ? status : 0;
}

void http_judge(struct session *s, int failure) {
        bool counts = failure < 0 || s->target->pool->config->check.passive;

        if (failure != 0 && counts)
                passive_session_let_down(s, failure);
        else
                passive_session_served(s);
}
