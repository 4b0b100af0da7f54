/* Bodies of the routes, as field rows, and how they are read. */
#pragma once

#include "classes.h"

#include <jansson.h>

extern const struct gr_field mg_create_body[];
extern const struct gr_field mg_update_body[];
extern const struct gr_field mg_recreate_body[];
extern const struct gr_field mg_event_body[];
extern const struct gr_field mg_timestamp_body[];
extern const struct gr_field mg_restart_body[];

/* A member that is there and not null; else NULL. */
const json_t *mg_member(const json_t *body, const char *name);
const char *mg_member_text(const json_t *body, const char *name);
struct mg_num mg_member_num(const json_t *body, const char *name);
bool mg_member_bool(const json_t *body, const char *name, bool fallback);
/* Reads the pair "time"; false when it was not given: both bounds are unset then. */
bool mg_member_time(const json_t *body, struct mg_num *ret_start_ms, struct mg_num *ret_end_ms);
