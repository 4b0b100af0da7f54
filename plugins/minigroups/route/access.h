/* What every route does first: who calls, which class is meant, may they. */
#pragma once

#include "responses.h"
#include "store/classes.h"
#include "store/recordings.h"

/* .authenticate: checks UUIDs in the path, then the bearer token; gr_caller() is the account id. */
gr_handler mini_authenticate;
/* .admit: a body, when there is one, has to be called JSON. */
gr_handler mini_admit_json;
/* Asks the authorizer of that audience. class_id NULL: the set of all classes. Fails the call. */
enum gr_err mini_authorize(struct gr_call *call, const char *audience, const char *class_id,
                           const char *action);
/* Finds the class the path names, by id or by audience and scope, and authorizes the action. */
enum gr_err mini_load_class(struct gr_call *call, const char *action, struct mini_class *ret_class);
/* The id in the path in its canonical form; NULL when the route has none. Call memory. */
const char *mini_path_id(struct gr_call *call);
/* Loads what every minigroup object needs: recordings, time, TURN host. Fails the call. */
enum gr_err mini_view_load(struct gr_call *call, const struct mini_class *row,
                           struct mini_recordings *ret_recordings, struct mini_view *ret_view);
/* Replies with the row shape. Fails the call. */
enum gr_err mini_reply_row(struct gr_call *call, int status, const struct mini_class *row);
/* Replies with {}. */
enum gr_err mini_reply_empty(struct gr_call *call, int status);
