/* Authentication, and the tokens that the sandbox signs. */
#pragma once

#include "sandbox.h"

enum gr_err sb_authenticate(struct gr_call *call);
/* Verifies a token of a type ("management", "app"). The claims are valid until the call ends. */
enum gr_err sb_check_token(struct gr_call *call, gr_str token, const char *type,
                           const json_t **ret_claims);
enum gr_err sb_bearer_claims(struct gr_call *call, const char *type, const json_t **ret_claims);
enum gr_err sb_new_app_token(struct gr_call *call, const char *room_id, const char *role,
                             const char *user_id, char **ret_token);
