#include "envelope.h"

#include "base/ids.h"

#include <stdlib.h>

#define PREFIX "apps/"
#define MIDDLE "/api/v1/audiences/"
#define SUFFIX "/events"

char *mq_topic_in(struct gr_call *call, const char *share, const char *sender, const char *audience)
{
    return gr_format(call, "$share/%s/" PREFIX "%s" MIDDLE "%s" SUFFIX, share, sender, audience);
}

/* Gets the value of the {name} that begins pattern. Returns the length of the name, or 0. */
static size_t expand(const char *pattern, const char *account, const char *audience,
                     const char **ret_text)
{
    static const char account_name[] = "{account}";
    static const char audience_name[] = "{audience}";

    if (strncmp(pattern, account_name, sizeof(account_name) - 1) == 0) {
        *ret_text = account;
        return sizeof(account_name) - 1;
    }
    if (strncmp(pattern, audience_name, sizeof(audience_name) - 1) == 0) {
        *ret_text = audience;
        return sizeof(audience_name) - 1;
    }
    return 0;
}

char *mq_topic_out(struct gr_call *call, const char *pattern, const char *account,
                   const char *audience)
{
    char *topic = gr_format(call, "%s", "");

    while (topic && *pattern) {
        const char *text = NULL;
        size_t taken = expand(pattern, account, audience, &text);

        topic =
            taken ? gr_format(call, "%s%s", topic, text) : gr_format(call, "%s%c", topic, *pattern);
        pattern += taken ? taken : 1;
    }
    return topic;
}

/* Splits "apps/<account>/api/v1/audiences/<audience>/events". */
static bool split_topic(struct gr_call *call, const char *topic, char **ret_account,
                        char **ret_audience)
{
    const char *middle = strstr(topic, MIDDLE);
    size_t len = strlen(topic);
    size_t end = sizeof(SUFFIX) - 1;

    if (strncmp(topic, PREFIX, sizeof(PREFIX) - 1) != 0 || !middle || len < end ||
        strcmp(topic + len - end, SUFFIX) != 0)
        return false;
    const char *account = topic + sizeof(PREFIX) - 1;
    const char *audience = middle + sizeof(MIDDLE) - 1;
    if (middle <= account || audience >= topic + len - end)
        return false;
    *ret_account = gr_copy(call, (gr_str){account, (size_t)(middle - account)});
    *ret_audience = gr_copy(call, (gr_str){audience, (size_t)(topic + len - end - audience)});
    return *ret_account && *ret_audience && !strchr(*ret_audience, '/');
}

bool mq_unwrap(struct gr_call *call, const char *topic, gr_str text, struct mq_message *ret_message)
{
    const json_t *envelope = gr_parse_json(call, text);
    const json_t *properties = json_object_get(envelope, "properties");
    const char *type = json_string_value(json_object_get(properties, "type"));
    const char *label = json_string_value(json_object_get(properties, "label"));
    const char *agent = json_string_value(json_object_get(properties, "agent_id"));
    const char *payload = json_string_value(json_object_get(envelope, "payload"));
    char *account = NULL;
    char *audience = NULL;
    gr_str inner;

    if (!payload || !label || !type || strcmp(type, "event") != 0 ||
        !split_topic(call, topic, &account, &audience))
        return false;
    /* The broker authorises topics, so the account comes from there; agent_id adds the device. */
    if (!agent || !mini_agent_account(gr_str_of(agent), &inner) ||
        !gr_str_eq(inner, gr_str_of(account)))
        agent = gr_format(call, "mqtt.%s", account);
    *ret_message = (struct mq_message){audience, label, agent, payload};
    return agent != NULL;
}

char *mq_wrap(struct gr_call *call, gr_str payload, const char *label, const char *agent)
{
    json_t *envelope = json_pack("{s:s%, s:{s:s, s:s, s:s}}", "payload", payload.ptr, payload.len,
                                 "properties", "type", "event", "label", label, "agent_id", agent);
    char *text = envelope ? json_dumps(envelope, JSON_COMPACT) : NULL;
    char *copy = text ? gr_copy(call, gr_str_of(text)) : NULL;

    json_decref(envelope);
    free(text);
    return copy;
}
