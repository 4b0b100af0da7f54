/* Tries migrations before they touch real data. */
#pragma once

#include <greenroom/plugin.h>

/* Runs the steps one after the other in an empty SQLite database in memory, which is thrown away.
 * Returns false when a step fails; ret_reason gets a malloc'ed line with its row and the message of
 * SQLite (NULL without memory). steps are rows of the host's size; NULL is allowed. */
bool grc_migrations_try(const struct gr_migration *steps, char **ret_reason);
