/* The rows of the routes' bodies, and functions that read their members. */
#pragma once

#include "store/classes.h"

#include <jansson.h>

extern const struct gr_field mini_create_body[];
extern const struct gr_field mini_update_body[];
extern const struct gr_field mini_recreate_body[];
extern const struct gr_field mini_event_body[];
extern const struct gr_field mini_timestamp_body[];
extern const struct gr_field mini_restart_body[];

/* Return a member; NULL (or unset, or fallback) when it is absent or null. */
const json_t *mini_member(const json_t *body, const char *name);
struct mini_num mini_member_num(const json_t *body, const char *name);
bool mini_member_bool(const json_t *body, const char *name, bool fallback);
/* Reads the pair "time". When it is absent, both bounds are unset and the result is false. */
bool mini_member_time(const json_t *body, struct mini_num *ret_start_ms,
                      struct mini_num *ret_end_ms);
