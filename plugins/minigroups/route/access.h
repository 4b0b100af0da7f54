/* The first steps of every route: it authenticates the caller, finds the class and authorises the
 * action. Also the answers of several routes. */
#pragma once

#include "responses.h"
#include "store/classes.h"
#include "store/recordings.h"

/* .authenticate of the group: checks the path's id and the bearer token, sets the caller's account.
 */
gr_handler mini_authenticate;
/* .admit of routes with a body: a request with a body must declare it as JSON. */
gr_handler mini_admit_json;
/* Authorises the action on a class of the audience, or (class_id NULL) on the set of its classes.
 * Fails the call when the caller may not do it. */
enum gr_err mini_authorize(struct gr_call *call, const char *audience, const char *class_id,
                           const char *action);
/* Finds the class of the path, by id or by audience and scope, and authorises the action. Fails the
 * call when there is no such class or the caller may not do it. */
enum gr_err mini_load_class(struct gr_call *call, const char *action, struct mini_class *ret_class);
/* Returns the id in the path in canonical form (call memory); NULL when the route has none. */
const char *mini_path_id(struct gr_call *call);
/* Loads recordings, time and TURN host for a minigroup object. An error has failed the call. */
enum gr_err mini_view_load(struct gr_call *call, const struct mini_class *row,
                           struct mini_recordings *ret_recordings, struct mini_view *ret_view);
/* Replies with the row shape. An error has failed the call. */
enum gr_err mini_reply_row(struct gr_call *call, int status, const struct mini_class *row);
/* Replies with {}. */
enum gr_err mini_reply_empty(struct gr_call *call, int status);
