/* Our own tokens, for calls to other services. */
#pragma once

#include "config.h"

/* Takes a copy of the key. False with a line in the log when there is none. */
bool mg_signer_init(struct mg_signer *signer, struct gr_self *self,
                    const struct mg_options *options, gr_str secret);
void mg_signer_done(struct mg_signer *signer, struct gr_self *self);
/* The service token (call memory), minted once and kept for half of its lifetime. NULL on failure,
 * which has been logged. */
const char *mg_service_token(struct gr_call *call);
/* A token for a tenant's authorization service: its aud also names the tenant. */
gr_bearer_fn mg_tenant_token;
