/* Messages as the original's services wrap them, and their topics. Pure, but for call memory. */
#pragma once

#include <greenroom/plugin.h>

#include <jansson.h>

/* A broadcast about a room. Text is call memory. */
struct mq_message {
    const char *audience;
    const char *label;
    const char *agent;   /* agent id of the service that sent it */
    const char *payload; /* JSON text */
};

/* Topic that a service's broadcasts of one audience come on; share: the group that shares them. */
char *mq_topic_in(struct gr_call *call, const char *share, const char *sender,
                  const char *audience);
/* Puts account and audience for {account} and {audience} in a configured topic. */
char *mq_topic_out(struct gr_call *call, const char *pattern, const char *account,
                   const char *audience);
/* Reads topic and envelope {"payload": "…", "properties": {"type": "event", "label": …}}. False
 * when it is not an event with a label, on a topic of that form. */
bool mq_unwrap(struct gr_call *call, const char *topic, gr_str text,
               struct mq_message *ret_message);
/* The envelope of a notification; NULL without memory. */
char *mq_wrap(struct gr_call *call, gr_str payload, const char *label, const char *agent);
