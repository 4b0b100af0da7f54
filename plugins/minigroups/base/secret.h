/* The secret that the services of one installation share. */
#pragma once

#include <greenroom/plugin.h>

/*
 * text when it is not empty, else the content of file, which is made with a fresh secret when it
 * does not exist; a relative file is in the state directory. malloc'ed, for mini_secret_free();
 * empty with a line in the log when neither works.
 */
gr_str mini_secret_load(struct gr_self *self, const char *text, const char *file);
void mini_secret_free(struct gr_self *self, gr_str secret);
/* Reads a whole small file, a secret or a key; false when it cannot be read. The bytes are
 * malloc'ed.
 */
bool mini_read_file(const char *path, gr_str *ret_bytes);
