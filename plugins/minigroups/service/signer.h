/* Our own tokens, for calls to other services. */
#pragma once

#include "base/options.h"

struct mini_signer;

/* Signs with the key in id_token_key_file, else with the shared secret, which has to live as long.
 * NULL, with a line in the log, when the file cannot be read. */
struct mini_signer *mini_signer_new(struct gr_self *self, const struct mini_options *options,
                                    gr_str secret);
void mini_signer_free(struct gr_self *self, struct mini_signer *signer);
/* The service token (call memory), minted once and kept for half of its lifetime. NULL on failure,
 * which has been logged. */
const char *mini_service_token(struct gr_call *call);
/* A token for a tenant's authorization service: its aud also names the tenant. */
gr_bearer_fn mini_tenant_token;
