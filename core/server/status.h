/* The status of a running gateway, for `greenroom status`. */
#pragma once

#include "http/http.h"
#include "server/runtime_build.h"

/* How the last reload went. */
struct grc_reload_state {
    unsigned generation; /* 1 at start, increased by each successful reload */
    bool failed;         /* whether the last reload failed */
    int64_t at_ms;       /* when it was; 0: there was none */
};

/* New reference; NULL without memory. admin may be NULL. */
json_t *grc_status(const struct grc_runtime *runtime, const struct grc_http *http,
                   const struct grc_http *admin, const struct grc_reload_state *reload,
                   int64_t uptime_ms);
/* The configured groups: name, version, state, routes, and the reason of one that is left out. */
json_t *grc_status_groups(const struct grc_runtime *runtime);
