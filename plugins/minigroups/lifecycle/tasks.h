/* What a recording needs from the other services: conversion, adjusting, transcoding. */
#pragma once

#include "delivery.h"
#include "shared/queue.h"
#include "store/recordings.h"

/* A task for the transcoding queue, kept in the outbox until the queue has taken it. */
struct mini_task {
    struct queue_item item; /* its row in the outbox */
    const char *request;    /* "POST /path" */
    const char *payload;
};

/* In a transaction: keeps a convert task for one uploaded stream (its entry in room.upload). */
enum gr_err mini_task_convert(struct gr_call *call, const struct mini_class *row,
                              const struct mini_recording *stream, const json_t *entry,
                              struct mini_task *ret_task);
/* After that transaction: sends the task at once. When that fails, the outbox sends it later. */
void mini_task_send(struct gr_call *call, const struct mini_task *task);

/* The parts of a task: the tags of the class with conference_room_id (a new reference); the path,
 * percent-encoded, in call memory (stream NULL: for the whole class); and the named settings of the
 * audience, added to bindings. */
json_t *mini_task_tags(const struct mini_class *row);
const char *mini_task_path(struct gr_call *call, const struct mini_class *row, const char *template,
                           const char *stream);
void mini_task_settings(struct gr_call *call, const struct mini_class *row, json_t *bindings,
                        const char *const *members);

/* Asks the event service to adjust the room when every stream is converted; until then it does
 * nothing and returns GR_OK. */
enum gr_err mini_adjust_when_ready(struct gr_call *call, const struct mini_delivery *delivery,
                                   const char *class_id);
/* The agent or account that hosts: the first event of type host in the room, else the class's host.
 * False when the event service failed; *ret_host may be NULL. */
bool mini_find_host(struct gr_call *call, const struct mini_class *row, const char *room,
                    const char **ret_host);
/* Dumps the modified room's events and asks the queue to transcode. NULL on success, else what went
 * wrong. host: what mini_find_host() gave; NULL: it is called. priority: "low", "normal", "high".
 */
const char *mini_transcode_start(struct gr_call *call, const char *class_id, const char *host,
                                 const char *priority);
