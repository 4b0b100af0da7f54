/* One at a time, by name: calls of this process that work on the same class wait for each other. */
#pragma once

#include "config.h"

void mg_gate_init(struct mg_gate *gate);
void mg_gate_done(struct mg_gate *gate);
/* Waits until nobody else holds the name, then holds it until the call ends. Fails the call without
 * memory. A call may hold one name. */
enum gr_err mg_gate_enter(struct gr_call *call, const char *name);
