/* Tokens: who may call, and the tokens that the sandbox makes. */
#pragma once

#include "sandbox.h"

enum gr_err sb_authenticate(struct gr_call *call);
/* Checks a token of that type ("management", "app"); claims live as long as the call. */
enum gr_err sb_check_token(struct gr_call *call, gr_str token, const char *type,
                           const json_t **ret_claims);
enum gr_err sb_bearer_claims(struct gr_call *call, const char *type, const json_t **ret_claims);
enum gr_err sb_new_app_token(struct gr_call *call, const char *room_id, const char *role,
                             const char *user_id, char **ret_token);
