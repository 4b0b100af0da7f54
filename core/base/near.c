#include "base/near.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#define NAME_MAX_BYTES 64u

static bool same_letter(char a, char b)
{
    return strncasecmp(&a, &b, 1) == 0;
}

/* Returns the number of changes that turn one name into the other, without regard to case: letters
 * that are added, left out, replaced, or exchanged with their neighbour (optimal string alignment).
 * SIZE_MAX for a name longer than NAME_MAX_BYTES. */
static size_t distance(const char *a, const char *b)
{
    size_t rows[3][NAME_MAX_BYTES + 1];
    size_t a_len = strlen(a);
    size_t b_len = strlen(b);

    if (a_len > NAME_MAX_BYTES || b_len > NAME_MAX_BYTES)
        return SIZE_MAX;
    for (size_t j = 0; j <= b_len; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= a_len; i++) {
        size_t *row = rows[i % 3];
        const size_t *above = rows[(i + 2) % 3];
        const size_t *above_two = rows[(i + 1) % 3];

        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t best = above[j - 1] + !same_letter(a[i - 1], b[j - 1]);

            best = above[j] + 1 < best ? above[j] + 1 : best;
            best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
            if (i > 1 && j > 1 && same_letter(a[i - 1], b[j - 2]) &&
                same_letter(a[i - 2], b[j - 1]) && above_two[j - 2] + 1 < best)
                best = above_two[j - 2] + 1;
            row[j] = best;
        }
    }
    return rows[a_len % 3][b_len];
}

void grc_near_try(struct grc_near *near, const char *candidate)
{
    size_t far = distance(near->name, candidate);
    size_t limit = strlen(near->name) > 4 ? 2 : 1;

    if (far <= limit && far < strlen(candidate) && (!near->best || far < near->distance)) {
        near->best = candidate;
        near->distance = far;
    }
}

const char *grc_name_near(const char *name, const char *const *candidates)
{
    struct grc_near near = {.name = name};

    for (; *candidates; candidates++)
        grc_near_try(&near, *candidates);
    return near.best;
}
