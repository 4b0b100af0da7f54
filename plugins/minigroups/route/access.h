/* What every route does first: it finds out who calls, which class is meant, and whether the caller
 * may do that to it. The answers that several routes give are here as well. */
#pragma once

#include "responses.h"
#include "store/classes.h"
#include "store/recordings.h"

/* The group's .authenticate: checks the id in the path, then the bearer token, and names the caller
 * by account. */
gr_handler mini_authenticate;
/* .admit of routes with a body: a request that has a body must declare it as JSON. */
gr_handler mini_admit_json;
/* Whether the caller may do this to a class of that audience, or (class_id NULL) to the set of all
 * its classes. Fails the call when not. */
enum gr_err mini_authorize(struct gr_call *call, const char *audience, const char *class_id,
                           const char *action);
/* Finds the class that the path names, by id or by audience and scope, and asks whether the caller
 * may do the action. Fails the call when there is none, and when the caller may not. */
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
