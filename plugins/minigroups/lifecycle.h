/*
 * What the other services report about the rooms of a class, and what follows from it.
 *
 * Every handler tolerates repeats: it decides in a transaction that holds the class, and only then
 * calls other services; a sender that got an error may send the same message again.
 */
#pragma once

#include "config.h"
#include "problem.h"
#include "recordings.h"
#include "rows.h"
#include "services.h"

/* One message. */
struct mg_delivery {
    const char *audience;    /* of the path; has to be the class's */
    gr_str source;           /* account id of the service that made the message */
    const json_t *payload;   /* its shape has been checked */
    enum mg_problem failure; /* how a failure is called */
};

typedef enum gr_err mg_message_fn(struct gr_call *call, const struct mg_delivery *delivery);
mg_message_fn mg_on_close;   /* lifecycle_room.c */
mg_message_fn mg_on_upload;  /* lifecycle_room.c */
mg_message_fn mg_on_dump;    /* lifecycle_room.c */
mg_message_fn mg_on_task;    /* lifecycle_task.c */
mg_message_fn mg_on_adjust;  /* lifecycle_adjust.c */
mg_message_fn mg_on_edition; /* lifecycle_adjust.c */

/* Shapes of the payloads. */
extern const struct gr_field mg_close_payload[];
extern const struct gr_field mg_upload_payload[];
extern const struct gr_field mg_dump_payload[];
extern const struct gr_field mg_task_payload[];
extern const struct gr_field mg_adjust_payload[];
extern const struct gr_field mg_edition_payload[];

/* Fails with the delivery's failure, for a store error or with a text. */
enum gr_err mg_flow_fail(struct gr_call *call, const struct mg_delivery *delivery,
                         const char *detail);
enum gr_err mg_flow_store(struct gr_call *call, const struct mg_delivery *delivery,
                          enum gr_err err);
/* Finds the class of a room and checks its audience. GR_ERR_NOT_FOUND, not failed, when there is
 * none. */
enum gr_err mg_flow_class(struct gr_call *call, const struct mg_delivery *delivery,
                          enum mg_class_by by, const char *room, struct mg_class *ret_class);

/* In a transaction: locks the class, loads what a decision needs. */
struct mg_scene {
    struct mg_class row;
    struct mg_recordings recordings;
    struct mg_facts facts; /* same_rooms is left to the caller */
    int64_t now_ms;
};
enum gr_err mg_scene_enter(struct gr_call *call, const char *class_id, struct mg_scene *scene);
/* The same without a lock, outside of a transaction. */
enum gr_err mg_scene_look(struct gr_call *call, const char *class_id, struct mg_scene *scene);
