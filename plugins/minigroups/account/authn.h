/*
 * Turns bearer tokens of the configured issuers into accounts. Immutable once made, so any thread
 * may use it.
 */
#pragma once

#include <greenroom/plugin.h>

struct mini_authn;

/*
 * In init: reads the accepted issuers of tokens, the value of the option authn. An issuer has one
 * key and one algorithm, which a token cannot change. An HS256 issuer without a key gets
 * fallback_key (may be empty). Copies everything. If an entry or a key is wrong, logs it and
 * returns NULL. With a NULL or empty config no token is accepted.
 */
struct mini_authn *mini_authn_new(struct gr_self *self, const json_t *config, gr_str fallback_key);
/* NULL is allowed. */
void mini_authn_free(struct gr_self *self, struct mini_authn *authn);

/*
 * Checks a token: signature, iss, exp, nbf and iat (the last two with 30 s of leeway), and that the
 * issuer is accepted for its aud up to the first colon. Refuses a sub with '.' or ':', which
 * separate the parts of an account id in text. Returns GR_OK with the account, which lives as long
 * as the call, or GR_ERR_UNAUTHORIZED with a static reason for the client (ret_reason may be NULL).
 * Does not fail the call.
 */
enum gr_err mini_authn_check(struct gr_call *call, const struct mini_authn *authn, gr_str token,
                             struct gr_account *ret_account, const char **ret_reason);
