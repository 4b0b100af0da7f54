/* The handlers of accounts and their helpers. */
#pragma once

#include "rig.h"

#define MINUTE_MS (60 * 1000)
#define HOUR_MS (60 * MINUTE_MS)
#define PAIR_WINDOW_MS (15 * MINUTE_MS)

/* Gets a password from the body. The password and the body are wiped when the call ends. */
enum gr_err rig_take_password(struct gr_call *call, const char *name, gr_str *ret_password);
/* Fails the call with the error of rig_throttle_take(): 429, or a failure of the store. */
enum gr_err rig_fail_throttle(struct gr_call *call, enum gr_err err, int64_t wait_ms,
                              enum rig_code code, const char *message);

gr_handler rig_accounts_create;
gr_handler rig_accounts_invite;
gr_handler rig_accounts_invite_verify;
gr_handler rig_accounts_login;
gr_handler rig_accounts_logout_all;
gr_handler rig_accounts_password;
gr_handler rig_accounts_remove;
