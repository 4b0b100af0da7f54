/*
 * Ids of accounts, agents and rows. These functions depend on nothing but their arguments.
 *
 * An account id is "label.audience", split at its first dot. An agent id, one device or tab of an
 * account, is "agent.label.audience".
 */
#pragma once

#include <greenroom/plugin.h>

#define MINI_UUID_SIZE 37

/* Splits an account id of a config or a request; a token's account comes as a pair and is never
 * put together and split. False unless both parts are there. The parts are slices of text. */
bool mini_account_parse(gr_str text, struct gr_account *ret_account);
/* Whether known, an account id of the config, names this account. */
bool mini_account_is(const struct gr_account *account, const char *known);
/* The account id inside an agent id; false when text has fewer than two dots or an empty part. */
bool mini_agent_account(gr_str text, gr_str *ret_account);
/* Whether a stream's author (agent id) is the host, who is known by agent id or account id. */
bool mini_is_host(gr_str host, gr_str created_by);
/* The part of a token's audience that names the tenant or service: up to the first ':'. */
gr_str mini_audience_root(gr_str audience);
/* Writes the lower-case form of a canonical 8-4-4-4-12 UUID; false when text is not one. */
bool mini_uuid_parse(gr_str text, char ret_text[MINI_UUID_SIZE]);
