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

/* The topic to subscribe to for what a service broadcasts about one audience. share: the name of
 * the shared subscription. */
char *mq_topic_in(struct gr_call *call, const char *share, const char *sender,
                  const char *audience);
/* The topic of a notification: the configured pattern, with {account} and {audience} filled in. */
char *mq_topic_out(struct gr_call *call, const char *pattern, const char *account,
                   const char *audience);
/* Reads topic and envelope {"payload": "…", "properties": {"type": "event", "label": …}}. False
 * when it is not an event with a label, on a topic of that form. */
bool mq_unwrap(struct gr_call *call, const char *topic, gr_str text,
               struct mq_message *ret_message);
/* The envelope of a notification; NULL without memory. */
char *mq_wrap(struct gr_call *call, gr_str payload, const char *label, const char *agent);
