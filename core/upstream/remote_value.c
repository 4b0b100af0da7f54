#include "upstream/remote_value.h"

#include <stdlib.h>

/* To be changed together with the format below: values with another number are not read. */
#define FORMAT 1u

/* What stands before type and body. Numbers are in network order. */
struct head {
    unsigned char format;
    unsigned char unused[3];
    unsigned char kept_ms[8]; /* the wall clock when it was kept */
    unsigned char ttl_ms[8];
    unsigned char stale_ms[8];
    unsigned char age_s[8];
    unsigned char type_len[8];
};

static void put(unsigned char at[8], int64_t number)
{
    for (int i = 0; i < 8; i++)
        at[i] = (unsigned char)((uint64_t)number >> (56 - 8 * i));
}

static int64_t get(const unsigned char at[8])
{
    uint64_t number = 0;

    for (int i = 0; i < 8; i++)
        number = number << 8 | at[i];
    return (int64_t)number;
}

size_t grc_remote_value_size(const struct grc_answer *answer)
{
    return GRC_SEAL_EXTRA + sizeof(struct head) + answer->type.len + answer->body.len;
}

unsigned char *grc_remote_value_new(const unsigned char key[GRC_SEAL_KEY], gr_str place,
                                    const struct grc_answer *answer,
                                    const struct grc_remote_times *times, int64_t now_ms,
                                    size_t *ret_len)
{
    size_t len = grc_remote_value_size(answer);
    unsigned char *value = malloc(len);
    char *plain = malloc(len - GRC_SEAL_EXTRA);
    struct head head = {.format = FORMAT};
    bool fine = false;

    if (value && plain) {
        put(head.kept_ms, now_ms);
        put(head.ttl_ms, times->ttl_ms);
        put(head.stale_ms, times->stale_ms);
        put(head.age_s, times->age_s);
        put(head.type_len, (int64_t)answer->type.len);
        memcpy(plain, &head, sizeof(head));
        memcpy(plain + sizeof(head), answer->type.ptr, answer->type.len);
        memcpy(plain + sizeof(head) + answer->type.len, answer->body.ptr, answer->body.len);
        fine = grc_seal(key, place, (gr_str){plain, len - GRC_SEAL_EXTRA}, value);
    }
    free(plain);
    if (!fine) {
        free(value);
        return NULL;
    }
    *ret_len = len;
    return value;
}

/* Reads the head of an opened value. What was encrypted with our key was written by a gateway; the
 * checks are for one of another release. */
static bool read_head(gr_str plain, int64_t now_ms, struct grc_remote_times *ret_times,
                      size_t *ret_type_len)
{
    struct head head;

    if (plain.len < sizeof(head))
        return false;
    memcpy(&head, plain.ptr, sizeof(head));
    int64_t kept_ms = get(head.kept_ms);
    int64_t type_len = get(head.type_len);

    *ret_times = (struct grc_remote_times){
        .ttl_ms = get(head.ttl_ms), .stale_ms = get(head.stale_ms), .age_s = get(head.age_s)};
    *ret_type_len = (size_t)type_len;
    return head.format == FORMAT && type_len >= 0 && (size_t)type_len <= plain.len - sizeof(head) &&
           ret_times->ttl_ms > 0 && ret_times->stale_ms >= 0 && ret_times->age_s >= 0 &&
           now_ms <
               kept_ms + ret_times->ttl_ms + ret_times->stale_ms + (int64_t)GRC_REMOTE_CLOCKS_MS;
}

struct grc_answer *grc_remote_value_read(const unsigned char key[GRC_SEAL_KEY], gr_str place,
                                         gr_str value, int64_t now_ms,
                                         struct grc_remote_times *ret_times)
{
    size_t len = value.len >= GRC_SEAL_EXTRA ? value.len - GRC_SEAL_EXTRA : 0;
    char *plain = len ? malloc(len) : NULL;
    struct grc_answer *answer = NULL;
    size_t type_len = 0;

    if (plain && grc_unseal(key, place, value, (unsigned char *)plain) &&
        read_head((gr_str){plain, len}, now_ms, ret_times, &type_len)) {
        char *texts = plain + sizeof(struct head);
        const struct grc_exchange exchange = {
            .err = GR_OK,
            .status = 200,
            .answer_type = {texts, type_len},
            .answer = {texts + type_len, len - sizeof(struct head) - type_len},
        };

        answer = grc_answer_new(&exchange);
    }
    free(plain);
    return answer;
}
