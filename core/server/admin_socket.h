/*
 * How a command asks the gateway that runs: a socket in the state directory, which only the
 * gateway's own user and root can open. A client writes one line, a word and perhaps
 * a JSON value, and gets one JSON object;
 * then the connection ends. A client that is slow is given up after a second.
 *
 * All of this is for one thread, the one that starts, reloads and stops the gateway.
 */
#pragma once

#include "config/settings.h"

#include <jansson.h>

struct grc_admin_socket;

/* The answer to a word and what stands behind it (NULL: nothing). New reference; NULL: it is not
 * known, or makes no sense. */
typedef json_t *grc_admin_answer_fn(void *arg, const char *word, const json_t *details);

/* NULL: there is none, and the log says why; the gateway works without. */
struct grc_admin_socket *grc_admin_socket_open(const struct grc_settings *settings);
/* To wait for with poll(); -1 for NULL. */
int grc_admin_socket_fd(const struct grc_admin_socket *socket);
/* Answers one client, if there is one. */
void grc_admin_socket_serve(struct grc_admin_socket *socket, grc_admin_answer_fn *answer,
                            void *arg);
/* NULL is fine. */
void grc_admin_socket_close(struct grc_admin_socket *socket);

/* Asks the gateway that runs with this config (details may be NULL), and waits as long as it takes
 * to answer. New reference; NULL with a reason (malloc'ed). */
json_t *grc_admin_socket_ask(const struct grc_settings *settings, const char *word,
                             const json_t *details, char **ret_reason);
