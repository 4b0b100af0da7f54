/* Handlers and fields of stream keys, SIP and the sandbox's own routes. */
#pragma once

#include "fields.h"
#include "sandbox.h"

gr_handler sb_keys_get;
gr_handler sb_keys_create;
gr_handler sb_keys_disable;
gr_handler sb_sip_trunk_create;
gr_handler sb_sip_trunk_update;
gr_handler sb_sip_call;
gr_handler sb_sip_dtmf;
extern const struct gr_field sb_trunk_create_fields[];
extern const struct gr_field sb_trunk_update_fields[];
extern const struct gr_field sb_call_fields[];
extern const struct gr_field sb_dtmf_fields[];

gr_handler sb_admin_reset;
gr_handler sb_admin_seed;
gr_handler sb_admin_state;
gr_handler sb_admin_stats;
gr_handler sb_admin_clock;
gr_handler sb_admin_join;
gr_handler sb_admin_leave;
gr_handler sb_faults_add;
gr_handler sb_faults_list;
gr_handler sb_faults_clear;
extern const struct gr_field sb_clock_fields[];
extern const struct gr_field sb_join_fields[];
extern const struct gr_field sb_fault_fields[];
