/* The secret that the services of one installation share. */
#pragma once

#include <greenroom/plugin.h>

/* text when it is not empty, else the content of file, which is made with a fresh secret when it
 * does not exist; a relative file is in the state directory. Lives as long as the instance; empty,
 * with a line in the log, when neither works. */
static inline gr_str mini_secret(struct gr_self *self, const char *text, const char *file)
{
    return text && *text ? gr_str_of(text) : gr_state_secret(self, file);
}
