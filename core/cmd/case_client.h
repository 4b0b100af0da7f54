/* The client of a case: one request to the gateway, its answer as it came. */
#pragma once

#include <jansson.h>

/* Sends a case's request to 127.0.0.1 and waits for the whole answer: {"status", "headers": {lower
 * case: text}, "body"}. A new reference; NULL with a malloc'ed reason. */
json_t *grc_case_send(unsigned port, const json_t *one, char **ret_reason);
