/* The gateway's tokens for calls to other services. */
#pragma once

#include "base/options.h"

struct mini_signer;

/* Uses the key in id_token_key_file, otherwise the shared secret, which must outlive the signer.
 * NULL after an error, which has been logged. */
struct mini_signer *mini_signer_new(struct gr_self *self, const struct mini_options *options,
                                    gr_str secret);
void mini_signer_free(struct gr_self *self, struct mini_signer *signer);
/* Returns the service token (call memory), which is cached for half of its lifetime. NULL after an
 * error, which has been logged. */
const char *mini_service_token(struct gr_call *call);
/* Returns a token for a tenant's authorization service, in call memory; its aud also
 * contains the tenant. NULL after an error, which has been logged. */
const char *mini_tenant_token(struct gr_call *call, const char *audience);
