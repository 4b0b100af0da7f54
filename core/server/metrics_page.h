/* Figures that are read when a client asks for metrics: listeners, upstreams, process, build. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "http/http.h"

/* Which reading of the config serves, how the last reload went, and when it was, in wall time. */
void grc_metrics_page_reload(unsigned generation, bool failed, int64_t at_ms);
/* Sets the listeners that are shown from now on; admin may be NULL. With both NULL none are shown;
 * this is to be called before they are stopped. Thread-safe. */
void grc_metrics_page_listeners(const struct grc_http *http, const struct grc_http *admin);
/* The port of the first listener that clients reach; 0 when none is shown. Thread-safe. */
unsigned grc_metrics_page_port(void);
/* A grc_collect_fn; arg is the struct grc_runtime. */
void grc_metrics_page_collect(void *arg, struct grc_buf *out);
