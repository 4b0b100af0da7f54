/*
 * Implements gr_authn_*() of greenroom/host.h: turns bearer tokens of configured issuers into
 * accounts. Immutable once made, so any thread may use it.
 */
#pragma once

#include "base/arena.h"

#include <jansson.h>

/* owner is the plugin's name, for the log. Copies what it needs. When an entry is wrong, it logs
 * why and returns NULL. */
struct gr_authn *grc_authn_new(const char *owner, const json_t *config, gr_str fallback_key);
void grc_authn_free(struct gr_authn *authn);
/* Checks a token at wall time now_s. Returns GR_OK with the account (sub and aud) in the arena, or
 * GR_ERR_UNAUTHORIZED with a static reason that may be shown to the client. */
enum gr_err grc_authn_check(const struct gr_authn *authn, struct grc_arena *arena, gr_str token,
                            int64_t now_s, struct gr_account *ret_account, const char **ret_reason);
