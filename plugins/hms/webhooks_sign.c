/*
 * The signatures of deliveries. The form of Standard Webhooks (standardwebhooks.com): webhook-id,
 * webhook-timestamp and webhook-signature, which is "v1," and the base64 of the HMAC-SHA256 of
 * "id.timestamp.body", once for each secret, so that a target can change its secret without a gap.
 * The form of 100ms: x-100ms-signature, the HMAC-SHA256 of the body in hex digits.
 */
#include "webhooks.h"

#define PREFIX "whsec_"
/* Fewer bytes could be guessed; the specification says 24 to 64. */
#define KEY_MIN_BYTES 24
#define DIGEST_BYTES 32
#define BASE64_BYTES 44 /* of a digest */
#define HEX_BYTES 64
#define ID_BYTES 64

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* --- base64 (RFC 4648, section 4) --- */

/* Writes 4 characters for every 3 bytes begun, and a NUL. */
static void encode(const unsigned char *bytes, size_t count, char *text)
{
    for (size_t i = 0; i < count; i += 3) {
        size_t left = count - i;
        unsigned group = (unsigned)bytes[i] << 16 | (left > 1 ? (unsigned)bytes[i + 1] << 8 : 0) |
                         (left > 2 ? (unsigned)bytes[i + 2] : 0);

        *text++ = alphabet[group >> 18];
        *text++ = alphabet[group >> 12 & 63];
        *text++ = left > 1 ? alphabet[group >> 6 & 63] : '=';
        *text++ = left > 2 ? alphabet[group & 63] : '=';
    }
    *text = '\0';
}

/* Reads base64, with or without its padding. Returns the number of bytes, or 0 when the text is not
 * base64 or is longer than max bytes. */
static size_t decode(const char *text, unsigned char *bytes, size_t max)
{
    size_t len = strcspn(text, "=");
    size_t count = 0;
    unsigned group = 0;
    unsigned bits = 0;

    if (strspn(text + len, "=") != strlen(text + len) || strlen(text + len) > 2 || len % 4 == 1)
        return 0;
    for (size_t i = 0; i < len; i++) {
        const char *at = strchr(alphabet, text[i]);

        if (!at)
            return 0;
        group = group << 6 | (unsigned)(at - alphabet);
        bits += 6;
        if (bits < 8)
            continue;
        bits -= 8;
        if (count == max)
            return 0;
        bytes[count++] = (unsigned char)(group >> bits);
        group &= (1u << bits) - 1;
    }
    return count;
}

/* --- secrets --- */

static bool read_key(const char *secret, struct webhooks_key *key)
{
    if (strncmp(secret, PREFIX, strlen(PREFIX)) != 0)
        return false;
    key->len = decode(secret + strlen(PREFIX), key->bytes, sizeof(key->bytes));
    return key->len >= KEY_MIN_BYTES;
}

enum gr_err webhooks_keys_init(struct gr_self *self, const json_t *settings,
                               struct webhooks_target *target)
{
    const json_t *secrets = json_object_get(settings, "secrets");
    size_t count = json_array_size(secrets);

    for (size_t i = 0; i < count && i < WEBHOOKS_SECRETS_MAX; i++) {
        if (!read_key(json_string_value(json_array_get(secrets, i)), &target->keys[i])) {
            gr_log_self(self, GR_LOG_ERROR,
                        "forward_to '%s': secrets[%zu]: expected " PREFIX
                        " and base64 of %d to %d bytes",
                        target->name, i, KEY_MIN_BYTES, WEBHOOKS_KEY_MAX_BYTES);
            return GR_ERR_INVALID;
        }
        target->key_count = i + 1;
    }
    return GR_OK;
}

void webhooks_keys_done(const struct gr_host *host, struct webhooks_target *target)
{
    gr_wipe(host, target->keys, sizeof(target->keys));
    if (target->signature_secret)
        gr_wipe(host, target->signature_secret, strlen(target->signature_secret));
}

/* --- signing --- */

/* The id of an event stands in a header, and before a full stop in the signed text. The ids of
 * 100ms fit there; an id that does not is replaced by its digest. */
static const char *message_id(struct gr_call *call, gr_str event_id)
{
    unsigned char digest[DIGEST_BYTES];
    char hex[2 * DIGEST_BYTES + 1];
    bool fits = event_id.len > 0 && event_id.len <= ID_BYTES;

    for (size_t i = 0; i < event_id.len && fits; i++) {
        char c = event_id.ptr[i];

        fits = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
               c == '-' || c == '_';
    }
    if (fits)
        return gr_copy(call, event_id);
    gr_sha256(call->host, event_id, digest);
    gr_hex(call->host, digest, sizeof(digest), hex);
    return gr_format(call, "sha256_%s", hex);
}

/* Writes "id.timestamp." in front of the body, and returns it with the body. */
static gr_str signed_text(const char *id, const char *timestamp, char *body, size_t len)
{
    size_t id_len = strlen(id);
    size_t time_len = strlen(timestamp);
    char *at = body - (id_len + time_len + 2);

    memcpy(at, id, id_len);
    at[id_len] = '.';
    memcpy(at + id_len + 1, timestamp, time_len);
    body[-1] = '.';
    return (gr_str){at, id_len + time_len + 2 + len};
}

/* "v1,… v1,…", one for each key; NULL without memory. */
static const char *signatures(struct gr_call *call, const struct webhooks_target *target,
                              gr_str text)
{
    const char *all = "";

    for (size_t i = 0; i < target->key_count && all; i++) {
        const struct webhooks_key *key = &target->keys[i];
        unsigned char digest[DIGEST_BYTES];
        char base64[BASE64_BYTES + 1];

        gr_hmac_sha256(call->host, (gr_str){(const char *)key->bytes, key->len}, text, digest);
        encode(digest, sizeof(digest), base64);
        all = gr_format(call, "%s%sv1,%s", all, i ? " " : "", base64);
    }
    return all;
}

static bool add(struct gr_pair *headers, size_t *count, const char *name, const char *value)
{
    if (!value)
        return false;
    headers[(*count)++] = (struct gr_pair){gr_str_of(name), gr_str_of(value)};
    return true;
}

static bool sign_as_100ms(struct gr_call *call, const struct webhooks_target *target, gr_str body,
                          struct gr_pair *headers, size_t *count)
{
    unsigned char digest[DIGEST_BYTES];
    char hex[HEX_BYTES + 1];

    gr_hmac_sha256(call->host, gr_str_of(target->signature_secret), body, digest);
    gr_hex(call->host, digest, sizeof(digest), hex);
    return add(headers, count, "x-100ms-signature", gr_copy(call, gr_str_of(hex)));
}

bool webhooks_sign(struct gr_call *call, const struct webhooks_target *target, gr_str event_id,
                   char *body, size_t len, struct gr_pair *headers, size_t *count)
{
    if (target->signature_secret &&
        !sign_as_100ms(call, target, (gr_str){body, len}, headers, count))
        return false;
    if (target->key_count == 0)
        return true;
    const char *id = message_id(call, event_id);
    const char *timestamp = gr_format(call, "%lld", (long long)(gr_now_ms(call->host) / 1000));
    return id && timestamp && add(headers, count, "webhook-id", id) &&
           add(headers, count, "webhook-timestamp", timestamp) &&
           add(headers, count, "webhook-signature",
               signatures(call, target, signed_text(id, timestamp, body, len)));
}
