/*
 * Behind gr_authn_*() (greenroom/host.h): bearer tokens of configured issuers become accounts.
 * Immutable once made, so any thread may use it.
 */
#pragma once

#include "base/arena.h"

#include <jansson.h>

/* owner: the plugin's name, for the lines in the log. Copies what it needs; NULL with a line in the
 * log when an entry is wrong. */
struct gr_authn *grc_authn_new(const char *owner, const json_t *config, gr_str fallback_key);
void grc_authn_free(struct gr_authn *authn);
/* Checks a token at wall time now_s. GR_OK with the account, sub and aud, in the arena, or
 * GR_ERR_UNAUTHORIZED with a static reason, fit for the client. */
enum gr_err grc_authn_check(const struct gr_authn *authn, struct grc_arena *arena, gr_str token,
                            int64_t now_s, struct gr_account *ret_account, const char **ret_reason);
