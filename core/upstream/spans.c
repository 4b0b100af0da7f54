/* Each attempt of a recorded call is a span of its own, with the names of OpenTelemetry's semantic
 * conventions for HTTP clients. Of the target, it has only the constant template. */
#include "upstream/transfer.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/method.h"

#include <stdio.h>
#include <stdlib.h>

void grc_transfer_span_begin(struct grc_transfer *transfer)
{
    if (!transfer->exchange->trace || !transfer->parent)
        return;
    grc_context_child(transfer->parent, transfer->context);
    transfer->exchange->traceparent = transfer->context;
}

struct address {
    gr_str host;
    int64_t port;
};

/* Splits "host", "host:port" or "[::1]:port". */
static struct address address_of(const struct grc_upstream *upstream)
{
    const char *text = upstream->url.authority;
    const char *colon = strrchr(text, ':');
    struct address address = {gr_str_of(text), upstream->url.tls ? 443 : 80};

    if (colon && !strchr(colon, ']')) {
        address.host.len = (size_t)(colon - text);
        address.port = strtol(colon + 1, NULL, 10);
    }
    return address;
}

/* OpenTelemetry counts a 4xx as an error of a client. */
static const char *error_of(const struct grc_outcome *outcome, char ret_status[16])
{
    if (outcome->err != GR_OK)
        return grc_err_slug(outcome->err);
    snprintf(ret_status, 16, "%d", outcome->status);
    return outcome->status >= 400 ? ret_status : "";
}

void grc_transfer_span_end(struct grc_transfer *transfer, const struct grc_outcome *outcome)
{
    const struct grc_exchange *exchange = transfer->exchange;
    const struct grc_log_field end = {.kind = GRC_LOG_END};

    if (!exchange->trace || !transfer->parent)
        return;
    const char *method = grc_method_name(exchange->method);
    const char *template = exchange->path_template ? exchange->path_template : "";
    const struct address address = address_of(transfer->upstream);
    char status[16];
    const char *error = error_of(outcome, status);
    char name[256];

    snprintf(name, sizeof(name), "%s%s%s", method, template[0] ? " " : "", template);
    const struct grc_span span = {
        .context = transfer->context,
        .parent_id = grc_context_span_id(transfer->parent),
        .name = name,
        .kind = GRC_SPAN_CLIENT,
        .began_us = transfer->launched_us,
        .ended_us = grc_mono_us(),
        .failed = error[0] != '\0',
        .attributes = GRC_LOG_FIELDS(
            GRC_LT("http.request.method", method), GRC_LS("server.address", address.host),
            GRC_LI("server.port", address.port), GRC_LT("url.template", template),
            GRC_LT("error.type", error),
            GRC_LT("greenroom.upstream", transfer->upstream->settings->name),
            outcome->err == GR_OK ? GRC_LI("http.response.status_code", outcome->status)
                                  : GRC_LT("http.response.status_code", ""),
            transfer->tries > 0 ? GRC_LI("http.request.resend_count", transfer->tries) : end),
    };
    grc_trace_add(exchange->trace, &span);
}
