/*
 * The socket in the state directory over which commands talk to the running gateway. Only the
 * gateway's user and root can open it. A client writes a line, which has a word and optionally a
 * JSON value, and gets one JSON object; then the connection ends. A slow client is dropped after a
 * second.
 *
 * Only for the thread that starts, reloads and stops the gateway.
 */
#pragma once

#include "config/settings.h"

#include <jansson.h>

struct grc_admin_socket;

/* Returns the answer to a word and its details (NULL: none), as a new reference; NULL if the word
 * is unknown or the details are malformed. */
typedef json_t *grc_admin_answer_fn(void *arg, const char *word, const json_t *details);

/* On failure logs the reason and returns NULL; the gateway works without the socket. */
struct grc_admin_socket *grc_admin_socket_open(const struct grc_settings *settings);
/* A descriptor for poll(); -1 for NULL. */
int grc_admin_socket_fd(const struct grc_admin_socket *socket);
/* Answers one client, if one waits. */
void grc_admin_socket_serve(struct grc_admin_socket *socket, grc_admin_answer_fn *answer,
                            void *arg);
/* NULL is allowed. */
void grc_admin_socket_close(struct grc_admin_socket *socket);

/* Asks the gateway that runs with this config, and waits for the answer without a timeout. details
 * may be NULL. Returns a new reference, or NULL with a reason (malloc'ed). */
json_t *grc_admin_socket_ask(const struct grc_settings *settings, const char *word,
                             const json_t *details, char **ret_reason);
