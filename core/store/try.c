#include "store/try.h"

#include "base/format.h"

#include <sqlite3.h>

bool grc_migrations_try(const struct gr_migration *steps, char **ret_reason)
{
    sqlite3 *database = NULL;
    bool good = sqlite3_open(":memory:", &database) == SQLITE_OK &&
                sqlite3_exec(database, "PRAGMA foreign_keys = ON", NULL, NULL, NULL) == SQLITE_OK;

    if (!good)
        (void)grc_refuse(ret_reason, "migrations cannot be tried: %s", sqlite3_errmsg(database));
    for (size_t i = 0; good && steps && steps[i].version; i++) {
        good = sqlite3_exec(database, steps[i].sql, NULL, NULL, NULL) == SQLITE_OK;
        if (!good)
            (void)grc_refuse(ret_reason, "migration %zu (%s): %s", i, steps[i].name,
                             sqlite3_errmsg(database));
    }
    sqlite3_close(database);
    return good;
}
