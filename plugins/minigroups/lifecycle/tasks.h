/* The tasks for a recording at the other services: convert, adjust, transcode. */
#pragma once

#include "delivery.h"
#include "shared/queue.h"
#include "store/recordings.h"

/* A task for the transcoding queue. It stays in the outbox until the queue has accepted it. */
struct mini_task {
    struct queue_item item; /* its row in the outbox */
    const char *request;    /* "POST /path" */
    const char *payload;
};

/* Stores a convert task for one uploaded stream. entry is the entry of the stream in room.upload.
 * Needs a transaction. */
enum gr_err mini_task_convert(struct gr_call *call, const struct mini_class *row,
                              const struct mini_recording *stream, const json_t *entry,
                              struct mini_task *ret_task);
/* Sends the task after the transaction. When this fails, the outbox sends it later. */
void mini_task_send(struct gr_call *call, const struct mini_task *task);

/* Returns the tags of a task: those of the class and conference_room_id. New reference. */
json_t *mini_task_tags(const struct mini_class *row);
/* Returns the percent-encoded path of a task (call memory). stream NULL: for the whole class. */
const char *mini_task_path(struct gr_call *call, const struct mini_class *row, const char *template,
                           const char *stream);
/* Adds the audience's settings with these names to the bindings of a task. */
void mini_task_settings(struct gr_call *call, const struct mini_class *row, json_t *bindings,
                        const char *const *members);

/* Asks the event service to adjust the room when all streams are converted; otherwise returns
 * GR_OK. An error has failed the call. */
enum gr_err mini_adjust_when_ready(struct gr_call *call, const struct mini_delivery *delivery,
                                   const char *class_id);
/* Finds the agent or account of the host: from the first event of type host in the room, else from
 * the class. *ret_host is NULL when there is none. False when the event service failed. */
bool mini_find_host(struct gr_call *call, const struct mini_class *row, const char *room,
                    const char **ret_host);
/* Dumps the events of the modified room and requests the transcoding. Returns NULL on success, else
 * the reason of the failure. host comes from mini_find_host(), which is called if it is NULL.
 * priority is "low", "normal" or "high". delivery is the message that asks for it, or NULL. */
const char *mini_transcode_start(struct gr_call *call, const struct mini_delivery *delivery,
                                 const char *class_id, const char *host, const char *priority);
