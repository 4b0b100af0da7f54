#include "requests.h"

#include "base/ids.h"

#define SECONDS_MAX 253402300799.0 /* 9999-12-31T23:59:59Z */
#define RESERVE_MAX 2147483647.0

static enum gr_err check_time(struct gr_call *call, const json_t *parent, const json_t *value)
{
    const json_t *start = json_array_get(value, 0);
    const json_t *end = json_array_get(value, 1);

    (void)parent;
    if (json_is_integer(start) && json_is_integer(end) &&
        json_integer_value(start) >= json_integer_value(end))
        return gr_invalid(call, "time", GR_PROBLEM_VALUE, "a start before the end");
    return GR_OK;
}

static enum gr_err check_host(struct gr_call *call, const json_t *parent, const json_t *value)
{
    struct gr_account account;

    (void)parent;
    if (mini_account_parse(gr_str_of(json_string_value(value)), &account))
        return GR_OK;
    return gr_invalid(call, "host", GR_PROBLEM_VALUE, "an account id or agent id");
}

static enum gr_err check_agent(struct gr_call *call, const json_t *parent, const json_t *value)
{
    gr_str account;

    (void)parent;
    if (mini_agent_account(gr_str_of(json_string_value(value)), &account))
        return GR_OK;
    return gr_invalid(call, "host", GR_PROBLEM_VALUE, "an agent id: label.account.audience");
}

#define TIME_ROW(...)                                                                              \
    GR_FIELD("time", GR_ARRAY, "Start (included) and end (excluded) in Unix seconds; null: open",  \
             .range = GR_RANGE(2, 2), .items = GR_ITEM(GR_INT, .range = GR_RANGE(0, SECONDS_MAX)), \
             .check = check_time, .example = "[1772442000, 1772445600]", __VA_ARGS__)

const struct gr_field mini_create_body[] = {
    GR_FIELD("scope", GR_STRING, "Name of the class at the tenant, unique per audience",
             .flags = GR_FIELD_REQUIRED, .range = GR_MIN(1), .example = "\"algebra-7b-0302\""),
    GR_FIELD("audience", GR_STRING, "Tenant", .flags = GR_FIELD_REQUIRED,
             .example = "\"school.example.org\""),
    TIME_ROW(.default_doc = "[null, null]"),
    GR_FIELD("tags", GR_OBJECT, "Free tags, which are copied to both rooms and to tasks"),
    GR_FIELD("properties", GR_OBJECT, "Properties of the class", .flags = GR_FIELD_NOT_NULL,
             .default_doc = "{}"),
    GR_FIELD("host", GR_STRING,
             "Account id of the host; the option host_required makes it required",
             .check = check_host, .example = "\"t-17.usr.school.example.org\""),
    GR_FIELD("reserve", GR_INT, "Slots to reserve on the media backend",
             .range = GR_RANGE(0, RESERVE_MAX)),
    GR_FIELD("locked_chat", GR_BOOL, "Whether messages and reactions are locked",
             .flags = GR_FIELD_NOT_NULL, .default_doc = "true"),
    GR_FIELD("locked_questions", GR_BOOL, "Whether questions and their reactions are locked",
             .flags = GR_FIELD_NOT_NULL, .default_doc = "true"),
    GR_END,
};

const struct gr_field mini_update_body[] = {
    TIME_ROW(.any_of = "change"),
    GR_FIELD("reserve", GR_INT, "Slots to reserve on the media backend",
             .range = GR_RANGE(0, RESERVE_MAX), .any_of = "change"),
    GR_FIELD("host", GR_STRING, "Agent id of the host", .check = check_agent, .any_of = "change",
             .example = "\"web.t-17.usr.school.example.org\""),
    GR_END,
};

const struct gr_field mini_recreate_body[] = {
    TIME_ROW(.default_doc = "[null, null]"),
    GR_FIELD("locked_chat", GR_BOOL, "Whether messages and reactions are locked",
             .flags = GR_FIELD_NOT_NULL, .default_doc = "true"),
    GR_FIELD("locked_questions", GR_BOOL, "Whether questions and their reactions are locked",
             .flags = GR_FIELD_NOT_NULL, .default_doc = "true"),
    GR_END,
};

const struct gr_field mini_event_body[] = {
    GR_FIELD("type", GR_STRING, "Type of the event", .flags = GR_FIELD_REQUIRED,
             .range = GR_MIN(1)),
    GR_FIELD("set", GR_STRING, "Set of the event", .default_doc = "the type"),
    GR_FIELD("label", GR_STRING, "Label in the set"),
    GR_FIELD("attribute", GR_STRING, "Attribute for access control"),
    GR_FIELD("data", GR_ANY, "Data of the event; required, and may be null"),
    GR_FIELD("is_claim", GR_BOOL, "Whether the event is broadcast to the tenant",
             .default_doc = "false"),
    GR_FIELD("is_persistent", GR_BOOL, "Whether the event is stored", .default_doc = "true"),
    GR_END,
};

const struct gr_field mini_timestamp_body[] = {
    GR_FIELD("position", GR_INT, "Seconds from the start; stored up to 86400",
             .flags = GR_FIELD_REQUIRED, .range = GR_MIN(0), .example = "1250"),
    GR_END,
};

const struct gr_field mini_restart_body[] = {
    GR_FIELD("priority", GR_STRING, "Priority of the task",
             .values = GR_LIST("low", "normal", "high"), .default_doc = "normal"),
    GR_END,
};

const json_t *mini_member(const json_t *body, const char *name)
{
    const json_t *value = json_object_get(body, name);

    return json_is_null(value) ? NULL : value;
}

struct mini_num mini_member_num(const json_t *body, const char *name)
{
    const json_t *value = json_object_get(body, name);

    return (struct mini_num){json_is_integer(value), json_integer_value(value)};
}

bool mini_member_bool(const json_t *body, const char *name, bool fallback)
{
    const json_t *value = json_object_get(body, name);

    return json_is_boolean(value) ? json_is_true(value) : fallback;
}

static struct mini_num bound(const json_t *pair, size_t index)
{
    const json_t *value = json_array_get(pair, index);

    return (struct mini_num){json_is_integer(value), json_integer_value(value) * 1000};
}

bool mini_member_time(const json_t *body, struct mini_num *ret_start_ms,
                      struct mini_num *ret_end_ms)
{
    const json_t *pair = json_object_get(body, "time");

    *ret_start_ms = bound(pair, 0);
    *ret_end_ms = bound(pair, 1);
    return json_is_array(pair);
}
