/* Requests of web pages, where callers need no credential. */
#pragma once

#include "call/call.h"

/*
 * A gateway without credentials trusts whatever reaches it, and a browser on the same machine
 * brings it requests of every page that is open. So Host has to name this machine or one of
 * server.hosts, a page of another origin has to be in server.cors.origins, and a body needs a
 * Content-Type. Returns GR_OK; or GR_ERR_FORBIDDEN or GR_ERR_MEDIA_TYPE, with the call failed.
 */
enum gr_err grc_guard_page(struct grc_call *call);
