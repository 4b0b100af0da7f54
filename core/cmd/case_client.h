/* The client of a case: sends one request to the gateway and returns the answer unchanged. */
#pragma once

#include <jansson.h>

/* Sends the request of a case to 127.0.0.1 and waits for the whole answer. Returns a new reference:
 * {"status", "headers", "body"}, with the names of headers in lower case; or NULL with a malloc'ed
 * reason. */
json_t *grc_case_send(unsigned port, const json_t *one, char **ret_reason);
