/* Metrics that are read when a client asks for them: of listeners, upstreams, process and build. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "http/http.h"

/* Sets the generation of the config, whether the last reload failed, and its wall-clock time. */
void grc_metrics_page_reload(unsigned generation, bool failed, int64_t at_ms);
/* Sets the listeners to show. Both may be NULL, and must be before a listener is freed.
 * Thread-safe. */
void grc_metrics_page_listeners(const struct grc_http *http, const struct grc_http *admin);
/* The port of the first listener that clients reach; 0 when none is shown. Thread-safe. */
unsigned grc_metrics_page_port(void);
/* Calls visit with the listeners that are shown, either of which may be NULL; they live until it
 * returns. Thread-safe. */
typedef void grc_listeners_fn(void *arg, const struct grc_http *http, const struct grc_http *admin);
void grc_metrics_page_visit(grc_listeners_fn *visit, void *arg);
/* A grc_collect_fn; arg is the struct grc_runtime. */
void grc_metrics_page_collect(void *arg, struct grc_buf *out);
