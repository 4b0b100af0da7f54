#pragma once

struct grc_route;

/* Prints what greenroom call takes as NAME=VALUE for a route: its parameters and the members of its
 * body. Returns the exit status. */
int grc_call_names_print(const struct grc_route *route);
