/* The envelopes and topics of the services' messages. The functions only use call memory. */
#pragma once

#include <greenroom/plugin.h>

#include <jansson.h>

/* A broadcast about a room. Text is call memory. */
struct mq_message {
    const char *audience;
    const char *label;
    const char *agent;   /* agent id of the sender */
    const char *payload; /* JSON text */
};

/* Returns the topic for a service's broadcasts about an audience. share: of the subscription. */
char *mq_topic_in(struct gr_call *call, const char *share, const char *sender,
                  const char *audience);
/* Returns the topic of a notification: pattern with {account} and {audience} replaced. */
char *mq_topic_out(struct gr_call *call, const char *pattern, const char *account,
                   const char *audience);
/* Parses a topic of mq_topic_in() and an envelope {"payload": "…", "properties": {"type": "event",
 * "label": …}}. False when one of them is different. */
bool mq_unwrap(struct gr_call *call, const char *topic, gr_str text,
               struct mq_message *ret_message);
/* Returns the envelope of a notification; NULL without memory. */
char *mq_wrap(struct gr_call *call, gr_str payload, const char *label, const char *agent);
