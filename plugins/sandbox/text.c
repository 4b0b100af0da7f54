/* Ids, codes and times as text. */
#include "sandbox.h"

#include <stdio.h>
#include <time.h>

struct sb_name sb_new_hex(struct sandbox *sb, size_t digits)
{
    static const char hex[] = "0123456789abcdef";
    unsigned char bytes[32];
    struct sb_name name = {""};

    if (digits > sizeof(bytes))
        digits = sizeof(bytes);
    gr_random(sb->host, bytes, digits);
    for (size_t i = 0; i < digits; i++)
        name.text[i] = hex[bytes[i] & 15];
    return name;
}

struct sb_name sb_new_id(struct sandbox *sb)
{
    struct sb_name random = sb_new_hex(sb, 10);
    struct sb_name id = {""};

    /* Seconds, random digits and a counter, like ids of the service, so that ids sort by creation.
     */
    snprintf(id.text, sizeof(id.text), "%08x%.10s%06x", (unsigned)(sb->now_ms / 1000), random.text,
             (unsigned)(sb->id_counter++ & 0xffffffu));
    return id;
}

struct sb_name sb_new_uuid(struct sandbox *sb)
{
    struct sb_name uuid = {""};

    gr_uuid(sb->host, uuid.text);
    return uuid;
}

struct sb_name sb_new_code(struct sandbox *sb)
{
    unsigned char bytes[10];
    struct sb_name code = {""};
    size_t at = 0;

    gr_random(sb->host, bytes, sizeof(bytes));
    for (size_t i = 0; i < sizeof(bytes); i++) {
        if (i == 3 || i == 7)
            code.text[at++] = '-';
        code.text[at++] = (char)('a' + bytes[i] % 26);
    }
    return code;
}

struct sb_name sb_stamp(int64_t ms)
{
    time_t seconds = (time_t)(ms / 1000);
    struct sb_name stamp = {""};
    struct tm parts;
    size_t length;

    if (!gmtime_r(&seconds, &parts))
        return stamp;
    length = strftime(stamp.text, sizeof(stamp.text), "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(stamp.text + length, sizeof(stamp.text) - length, ".%03dZ", (int)(ms % 1000));
    return stamp;
}

json_t *sb_time(struct sandbox *sb, int64_t ms)
{
    struct sb_name stamp = sb_stamp(ms);

    return sb_pack(sb, "s", stamp.text);
}

uint64_t sb_hash(const char *text)
{
    uint64_t hash = 14695981039346656037u;

    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * 1099511628211u;
    return hash;
}
