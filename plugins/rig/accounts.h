/* The handlers of accounts, and what they share. */
#pragma once

#include "rig.h"

#define MINUTE_MS (60 * 1000)
#define HOUR_MS (60 * MINUTE_MS)
#define PAIR_WINDOW_MS (15 * MINUTE_MS)

/* A password out of the body, which is wiped with the body when the call ends. */
enum gr_err rig_take_password(struct gr_call *call, const char *name, gr_str *ret_password);
/* A limit that is reached (429), or a store that cannot count. */
enum gr_err rig_fail_throttle(struct gr_call *call, enum gr_err err, int64_t wait_ms,
                              enum rig_code code, const char *message);

gr_handler rig_accounts_create;
gr_handler rig_accounts_invite;
gr_handler rig_accounts_invite_verify;
gr_handler rig_accounts_login;
gr_handler rig_accounts_logout_all;
gr_handler rig_accounts_password;
gr_handler rig_accounts_remove;
