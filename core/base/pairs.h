/* Lists of names and values as the variables of OpenTelemetry have them: "name=value,other=value",
 * with values percent-encoded (OTEL_RESOURCE_ATTRIBUTES, OTEL_EXPORTER_OTLP_HEADERS). */
#pragma once

#include <greenroom/plugin.h>

/*
 * Takes the next pair off the list; blanks around names and values do not count. Start with the
 * whole list in *list. Returns false at the end, and for a member that is no pair, which then is
 * what *list begins with.
 */
bool grc_pairs_next(gr_str *list, gr_str *ret_name, gr_str *ret_value);

/* True when the whole list can be read, its names are tokens (RFC 9110, section 5.6.2) and its
 * values can be decoded. */
bool grc_pairs_good(gr_str list);
