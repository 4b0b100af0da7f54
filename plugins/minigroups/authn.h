/*
 * Authentication: bearer tokens of configured issuers become account ids.
 *
 * Knows nothing of the group it serves: a config value in, an account id or a reason out. Immutable
 * after mg_authn_init(), so any thread may use it.
 */
#pragma once

#include <greenroom/plugin.h>

struct mg_issuer {
    const char *issuer;
    const json_t *audiences; /* borrowed from the config: array of strings */
    struct gr_jwt_key key;   /* .key is owned */
};

struct mg_authn {
    struct mg_issuer *issuers;
    size_t count;
};

/* The shape of the config value: an array of issuers. */
extern const struct gr_field mg_authn_shape[];

/*
 * Reads the config: [{"issuer", "audience": [], "algorithm", "key" | "key_file"}]. An entry without
 * key takes fallback_key (may be empty). False with one line in the log when an entry is wrong. The
 * config is borrowed until mg_authn_done().
 */
bool mg_authn_init(struct mg_authn *authn, struct gr_self *self, const json_t *config,
                   gr_str fallback_key);
void mg_authn_done(struct mg_authn *authn, struct gr_self *self);
/* Checks a token. NULL on success, with the account id "sub.aud" (call memory), else the reason,
 * fit for the client. */
const char *mg_authn_check(struct gr_call *call, const struct mg_authn *authn, gr_str token,
                           gr_str *ret_account);
/* The bearer token of the request: header first, then query access_token; empty when neither. A
 * header of another scheme is not a token: *ret_malformed. */
gr_str mg_authn_token(struct gr_call *call, bool *ret_malformed);
