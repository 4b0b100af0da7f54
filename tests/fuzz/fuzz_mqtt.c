/* Reads topics and envelopes of messages of a broker. The first line of an input is the topic, the
 * rest is the envelope. A message that is accepted must name the account of its topic, and an
 * envelope that is made of it must be accepted again. */
#include "../../plugins/minigroups/mqtt/envelope.h"

#include "call/call.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void judge(struct gr_call *call, const char *topic, const struct mq_message *message)
{
    struct mq_message again;
    static const char prefix[] = "apps/";
    const char *account = topic + sizeof(prefix) - 1;

    if (!message->audience || !message->label || !message->agent || !message->payload ||
        strchr(message->audience, '/') || !*message->audience)
        abort();
    /* In "LABEL.ACCOUNT", the account must be that of the topic, whatever the envelope says. */
    const char *dot = strchr(message->agent, '.');
    size_t len = dot ? strlen(dot + 1) : 0;
    if (!len || strncmp(dot + 1, account, len) != 0 || account[len] != '/')
        abort();
    char *text = mq_wrap(call, gr_str_of(message->payload), message->label, message->agent);
    if (!text)
        return; /* the memory of the call is used up */
    if (!mq_unwrap(call, topic, gr_str_of(text), &again) ||
        strcmp(again.payload, message->payload) != 0 || strcmp(again.label, message->label) != 0 ||
        strcmp(again.agent, message->agent) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct gr_self self = {.host = &grc_host, .name = "fuzz"};
    static struct grc_call call;
    const char *end = size ? memchr(data, '\n', size) : NULL;
    struct mq_message message;

    if (!end)
        return 0;
    call = (struct grc_call){.pub = {.host = &grc_host, .self = &self}};
    grc_arena_init(&call.arena, 1 << 20);
    const size_t topic_len = (size_t)(end - (const char *)data);
    const char *topic = gr_copy(&call.pub, (gr_str){(const char *)data, topic_len});
    const gr_str text = {end + 1, size - topic_len - 1};
    if (topic && mq_unwrap(&call.pub, topic, text, &message))
        judge(&call.pub, topic, &message);
    grc_arena_done(&call.arena);
    return 0;
}
