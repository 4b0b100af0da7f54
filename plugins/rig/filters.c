/* Lists of the operator: passwords to refuse and networks to trust. They do not change after
 * loading. */
#include "rig.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

#define WORDS_FILE_MAX (16L << 20)

/* ------------------------------------------------------------------------------------------ */
/* Words                                                                                      */

struct rig_words {
    char *text;
    gr_str *list;
    size_t count;
};

static int compare(const void *left, const void *right)
{
    const gr_str *a = left;
    const gr_str *b = right;
    size_t shared = a->len < b->len ? a->len : b->len;
    int order = shared ? memcmp(a->ptr, b->ptr, shared) : 0;

    if (order == 0)
        return (a->len > b->len) - (a->len < b->len);
    return order;
}

static char *read_text(const char *path)
{
    FILE *file = fopen(path, "rbe");
    char *text = NULL;

    if (!file)
        return NULL;
    if (fseek(file, 0, SEEK_END) == 0) {
        long size = ftell(file);
        if (size >= 0 && size <= WORDS_FILE_MAX && fseek(file, 0, SEEK_SET) == 0)
            text = calloc(1, (size_t)size + 1);
        if (text && fread(text, 1, (size_t)size, file) != (size_t)size) {
            free(text);
            text = NULL;
        }
    }
    (void)fclose(file);
    return text;
}

struct rig_words *rig_words_load(struct gr_self *self, const char *path)
{
    struct rig_words *words = calloc(1, sizeof(*words));
    size_t lines = 1;

    if (!words)
        return NULL;
    words->text = read_text(path);
    if (!words->text) {
        gr_log_self(self, GR_LOG_ERROR, "common_passwords: cannot read '%s'", path);
        rig_words_free(words);
        return NULL;
    }
    for (const char *at = words->text; *at; at++)
        lines += *at == '\n';
    words->list = calloc(lines, sizeof(*words->list));
    if (!words->list) {
        rig_words_free(words);
        return NULL;
    }
    for (const char *at = words->text; *at;) {
        size_t len = strcspn(at, "\r\n");
        if (len)
            words->list[words->count++] = (gr_str){at, len};
        at += len;
        at += strspn(at, "\r\n");
    }
    qsort(words->list, words->count, sizeof(*words->list), compare);
    return words;
}

bool rig_words_has(const struct rig_words *words, gr_str word)
{
    return words->count && bsearch(&word, words->list, words->count, sizeof(word), compare);
}

void rig_words_free(struct rig_words *words)
{
    if (!words)
        return;
    free(words->list);
    free(words->text);
    free(words);
}

/* ------------------------------------------------------------------------------------------ */
/* Networks                                                                                   */

struct network {
    int family;
    unsigned char address[16];
    unsigned bits;
};

struct rig_networks {
    size_t count;
    struct network list[];
};

static bool address_parse(const char *text, int *ret_family, unsigned char ret_address[16])
{
    if (inet_pton(AF_INET, text, ret_address) == 1) {
        *ret_family = AF_INET;
        return true;
    }
    *ret_family = AF_INET6;
    return inet_pton(AF_INET6, text, ret_address) == 1;
}

/* "10.0.0.0/8", "::1" */
static bool network_parse(const char *text, struct network *network)
{
    char address[64];
    const char *slash = strchr(text, '/');
    size_t len = slash ? (size_t)(slash - text) : strlen(text);

    if (len >= sizeof(address))
        return false;
    memcpy(address, text, len);
    address[len] = '\0';
    if (!address_parse(address, &network->family, network->address))
        return false;
    unsigned widest = network->family == AF_INET ? 32 : 128;
    network->bits = widest;
    if (!slash)
        return true;
    char *end = NULL;
    unsigned long bits = strtoul(slash + 1, &end, 10);
    if (slash[1] < '0' || slash[1] > '9' || *end || bits > widest)
        return false;
    network->bits = (unsigned)bits;
    return true;
}

struct rig_networks *rig_networks_new(struct gr_self *self, const char *const *blocks)
{
    size_t count = 0;

    while (blocks && blocks[count])
        count++;
    struct rig_networks *networks =
        calloc(1, sizeof(*networks) + count * sizeof(networks->list[0]));
    for (size_t i = 0; networks && i < count; i++) {
        if (!network_parse(blocks[i], &networks->list[i])) {
            gr_log_self(self, GR_LOG_ERROR,
                        "allow_unauthenticated_from: expected an address block like 10.0.0.0/8, "
                        "found '%s'",
                        blocks[i]);
            free(networks);
            return NULL;
        }
        networks->count++;
    }
    return networks;
}

static bool network_has(const struct network *network, int family, const unsigned char *address)
{
    if (network->family != family)
        return false;
    for (unsigned i = 0; i < network->bits; i++) {
        if ((network->address[i / 8] ^ address[i / 8]) & 0x80u >> i % 8)
            return false;
    }
    return true;
}

bool rig_networks_have(const struct rig_networks *networks, gr_str address)
{
    unsigned char bytes[16];
    char text[64];
    int family;

    if (!networks || networks->count == 0 || address.len >= sizeof(text))
        return false;
    memcpy(text, address.ptr, address.len);
    text[address.len] = '\0';
    if (!address_parse(text, &family, bytes))
        return false;
    for (size_t i = 0; i < networks->count; i++) {
        if (network_has(&networks->list[i], family, bytes))
            return true;
    }
    return false;
}

void rig_networks_free(struct rig_networks *networks)
{
    free(networks);
}
