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

/* Parses an offset like "+02:00" into minutes; "Z" is 0. False when it is malformed. */
static bool parse_zone(const char *text, int *ret_minutes)
{
    unsigned hours;
    unsigned minutes;
    int used = 0;

    *ret_minutes = 0;
    if ((text[0] == 'Z' || text[0] == 'z') && !text[1])
        return true;
    if (sscanf(text + 1, "%2u:%2u%n", &hours, &minutes, &used) != 2 || text[1 + used])
        return false;
    *ret_minutes = (int)(hours * 60 + minutes) * (text[0] == '-' ? -1 : 1);
    return text[0] == '+' || text[0] == '-';
}

bool sb_parse_time(const char *text, int64_t *ret_ms)
{
    struct tm parts = {0};
    int64_t fraction = 0;
    int64_t scale = 100;
    int used = 0;
    int zone;

    if (sscanf(text, "%4d-%2d-%2d%*1[Tt ]%2d:%2d:%2d%n", &parts.tm_year, &parts.tm_mon,
               &parts.tm_mday, &parts.tm_hour, &parts.tm_min, &parts.tm_sec, &used) != 6)
        return false;
    text += used;
    if (*text == '.') {
        for (text++; *text >= '0' && *text <= '9'; text++, scale /= 10)
            fraction += (*text - '0') * scale;
    }
    if (!parse_zone(text, &zone))
        return false;
    parts.tm_year -= 1900;
    parts.tm_mon -= 1;
    *ret_ms = (int64_t)timegm(&parts) * 1000 + fraction - (int64_t)zone * 60000;
    return true;
}

uint64_t sb_hash(const char *text)
{
    uint64_t hash = 14695981039346656037u;

    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * 1099511628211u;
    return hash;
}
