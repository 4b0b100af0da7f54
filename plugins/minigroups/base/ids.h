/*
 * Ids of accounts, agents and rows. The functions depend only on their arguments.
 *
 * An account id is "label.audience", split at its first dot. An agent is one device or browser tab
 * of an account; its id is "agent.label.audience".
 */
#pragma once

#include <greenroom/plugin.h>

#define MINI_UUID_SIZE 37

/* Splits an account id from the config or a request. Not for the account of a token, whose label
 * and audience are separate claims. False when a part is missing. The parts are slices of text. */
bool mini_account_parse(gr_str text, struct gr_account *ret_account);
/* True when known, an account id from the config, is the id of this account. */
bool mini_account_is(const struct gr_account *account, const char *known);
/* Gets the account id from an agent id. False for fewer than two dots or an empty part. */
bool mini_agent_account(gr_str text, gr_str *ret_account);
/* True when created_by, the agent id of a stream's author, belongs to the host. host is an agent id
 * or an account id. */
bool mini_is_host(gr_str host, gr_str created_by);
/* Returns a token's audience up to its first ':', which is the tenant or service. */
gr_str mini_audience_root(gr_str audience);
/* Writes the lower-case form of a canonical 8-4-4-4-12 UUID; false when text is not one. */
bool mini_uuid_parse(gr_str text, char ret_text[MINI_UUID_SIZE]);
