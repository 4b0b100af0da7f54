/* The secret that the services of one installation share. */
#pragma once

#include <greenroom/plugin.h>

/* Returns text when it is not empty, otherwise the content of file. A relative file is in the state
 * directory, and it is made with a random secret when it does not exist. The result is valid as
 * long as the instance; it is empty after an error, which has been logged. */
static inline gr_str mini_secret(struct gr_self *self, const char *text, const char *file)
{
    return text && *text ? gr_str_of(text) : gr_state_secret(self, file);
}
