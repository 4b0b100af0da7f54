/* Migrations, tried before they touch data that counts. */
#pragma once

#include <greenroom/plugin.h>

/* Runs the steps one after the other in an empty SQLite database in memory, which is thrown away.
 * false: a step fails, and ret_reason gets a malloc'ed line with its row and what SQLite says (NULL
 * without memory). steps are the host's own rows; NULL is fine. */
bool grc_migrations_try(const struct gr_migration *steps, char **ret_reason);
