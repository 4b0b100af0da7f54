#include "unit/config_dir.h"

#include "base/file.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static const char *const files[] = {
    "greenroom.json",
    "secret",
    "plugins.d/rooms.json",
    "plugins.d/token.json",
    "plugins.d/.hidden.json",
    "plugins.d/rooms.json.bak",
    "ca.pem",
    "environment",
};

void config_dir_make(struct config_dir *dir)
{
    char sub[PATH_MAX];

    *dir = (struct config_dir){.path = "/tmp/greenroom-test.XXXXXX"};
    grc_buf_init(&dir->lines, 65536);
    assert_non_null(mkdtemp(dir->path));
    snprintf(sub, sizeof(sub), "%s/plugins.d", dir->path);
    assert_int_equal(mkdir(sub, 0700), 0);
}

void config_dir_write(struct config_dir *dir, const char *name, const char *content, unsigned mode)
{
    char *path = grc_path_join(dir->path, name);

    assert_non_null(path);
    assert_true(grc_file_write(path, gr_str_of(content), mode));
    free(path);
}

void config_dir_report(void *arg, const char *line)
{
    struct config_dir *dir = arg;
    size_t len = strlen(dir->path);
    const char *at;

    for (at = strstr(line, dir->path); at; at = strstr(line, dir->path)) {
        assert_int_equal(grc_buf_add(&dir->lines, line, (size_t)(at - line)), GR_OK);
        assert_int_equal(grc_buf_char(&dir->lines, 'D'), GR_OK);
        line = at + len;
    }
    assert_null(strchr(line, '\n'));
    assert_int_equal(grc_buf_format(&dir->lines, "%s\n", line), GR_OK);
    dir->line_count++;
}

void config_dir_clear(struct config_dir *dir)
{
    grc_buf_clear(&dir->lines);
    dir->line_count = 0;
}

void config_dir_remove(struct config_dir *dir)
{
    char path[PATH_MAX];
    size_t i;

    for (i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", dir->path, files[i]);
        unlink(path);
    }
    snprintf(path, sizeof(path), "%s/plugins.d", dir->path);
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(rmdir(dir->path), 0);
    grc_buf_done(&dir->lines);
}
