#include "otlp/resource.h"

#include "base/pairs.h"
#include "base/secure.h"
#include "base/uri.h"

#include <greenroom/version.h>
#include <pthread.h>
#include <stdlib.h>

/* The same for all runtimes of the process. */
static char instance_id[37];

static void make_instance_id(void)
{
    grc_uuid(instance_id);
}

static gr_str text_of(const char *text)
{
    return text ? gr_str_of(text) : (gr_str){NULL, 0};
}

static bool names(gr_str list, const char *wanted)
{
    gr_str name;
    gr_str value;

    while (grc_pairs_next(&list, &name, &value)) {
        if (gr_str_eq(name, gr_str_of(wanted)))
            return true;
    }
    return false;
}

static enum gr_err add(struct grc_buf *out, gr_str name, gr_str value)
{
    bool first = out->ptr[out->len - 1] == '[';
    enum gr_err err = grc_buf_text(out, first ? "{\"key\":" : ",{\"key\":");

    if (err == GR_OK)
        err = grc_buf_json_string(out, name);
    if (err == GR_OK)
        err = grc_buf_text(out, ",\"value\":{\"stringValue\":");
    if (err == GR_OK)
        err = grc_buf_json_string(out, value);
    return err == GR_OK ? grc_buf_text(out, "}}") : err;
}

/* The operator's attributes, without those that other settings name. */
static enum gr_err add_configured(struct grc_buf *out, gr_str list, bool with_name)
{
    char *decoded = malloc(list.len + 1);
    enum gr_err err = decoded ? GR_OK : GR_ERR_NO_MEMORY;
    gr_str name;
    gr_str value;
    size_t len = 0;

    while (err == GR_OK && grc_pairs_next(&list, &name, &value)) {
        if ((!with_name && gr_str_eq(name, GR_STR("service.name"))) ||
            !grc_uri_decode(value, false, decoded, &len))
            continue;
        err = add(out, name, (gr_str){decoded, len});
    }
    free(decoded);
    return err;
}

static enum gr_err add_attributes(struct grc_buf *out, const struct grc_trace_settings *settings)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    gr_str list = text_of(settings->resource);
    gr_str service = text_of(settings->service_name);
    bool named = service.len == 0 && names(list, "service.name");
    enum gr_err err = add_configured(out, list, named);

    pthread_once(&once, make_instance_id);
    if (err == GR_OK && !named)
        err = add(out, GR_STR("service.name"), service.len ? service : GR_STR("greenroom"));
    if (err == GR_OK && !names(list, "service.version"))
        err = add(out, GR_STR("service.version"), GR_STR(GR_VERSION));
    if (err == GR_OK && !names(list, "service.instance.id"))
        err = add(out, GR_STR("service.instance.id"), gr_str_of(instance_id));
    return err;
}

enum gr_err grc_resource_write(struct grc_buf *out, const struct grc_trace_settings *settings)
{
    enum gr_err err = grc_buf_text(out, "{\"resourceSpans\":[{\"resource\":{\"attributes\":[");

    if (err == GR_OK)
        err = add_attributes(out, settings);
    if (err == GR_OK)
        err = grc_buf_text(out, "]},\"scopeSpans\":[{\"scope\":{\"name\":\"greenroom\","
                                "\"version\":\"" GR_VERSION "\"},\"spans\":[");
    return err;
}
