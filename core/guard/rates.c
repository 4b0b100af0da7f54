#include "guard/rates.h"

#include "base/siphash.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>

#define WAYS 8u
#define PARTS 256u

/* 32 bytes: two to a cache line. */
struct slot {
    uint64_t key;  /* 0: free */
    double tokens; /* at at_us */
    int64_t at_us;
    int64_t in_use;
};

/* A lock on a cache line of its own, so that two locks do not slow each other. */
struct part {
    pthread_mutex_t mutex;
    char pad[64 - sizeof(pthread_mutex_t) % 64];
};

struct grc_rates {
    struct slot *slots;
    size_t set_mask; /* the number of sets, of WAYS slots each, minus one */
    struct part parts[PARTS];
};

struct grc_rates *grc_rates_new(size_t slots)
{
    struct grc_rates *rates = calloc(1, sizeof(*rates));
    size_t sets = PARTS;

    if (!rates)
        return NULL;
    while (sets * WAYS < slots)
        sets *= 2;
    rates->slots = calloc(sets * WAYS, sizeof(*rates->slots));
    if (!rates->slots) {
        free(rates);
        return NULL;
    }
    rates->set_mask = sets - 1;
    for (size_t i = 0; i < PARTS; i++)
        pthread_mutex_init(&rates->parts[i].mutex, NULL);
    return rates;
}

void grc_rates_free(struct grc_rates *rates)
{
    if (!rates)
        return;
    for (size_t i = 0; i < PARTS; i++)
        pthread_mutex_destroy(&rates->parts[i].mutex);
    free(rates->slots);
    free(rates);
}

uint64_t grc_rates_key(enum grc_rate_class class, gr_str who, gr_str what)
{
    struct grc_siphash hash;
    const unsigned char head[9] = {
        (unsigned char)class,
        (unsigned char)who.len,
        (unsigned char)(who.len >> 8),
        (unsigned char)(who.len >> 16),
    };

    grc_siphash_begin(&hash);
    grc_siphash_add(&hash, (gr_str){(const char *)head, sizeof(head)});
    grc_siphash_add(&hash, who);
    grc_siphash_add(&hash, what);
    uint64_t key = grc_siphash_end(&hash);
    return key ? key : 1;
}

/* --- slots; the lock of their part is held --- */

static pthread_mutex_t *lock_of(struct grc_rates *rates, uint64_t key)
{
    pthread_mutex_t *mutex = &rates->parts[key & (PARTS - 1)].mutex;

    pthread_mutex_lock(mutex);
    return mutex;
}

static struct slot *set_of(struct grc_rates *rates, uint64_t key)
{
    return &rates->slots[(key & rates->set_mask) * WAYS];
}

static struct slot *find(struct grc_rates *rates, uint64_t key)
{
    struct slot *set = set_of(rates, key);

    for (size_t i = 0; i < WAYS; i++) {
        if (set[i].key == key)
            return &set[i];
    }
    return NULL;
}

/* Finds or makes a slot. NULL when all slots of the set count something in use. *ret_new tells
 * whether the slot has to be initialised. */
static struct slot *obtain(struct grc_rates *rates, uint64_t key, bool *ret_new)
{
    struct slot *set = set_of(rates, key);
    struct slot *slot = find(rates, key);

    *ret_new = slot == NULL;
    for (size_t i = 0; !slot && i < WAYS; i++) {
        if (set[i].key == 0)
            slot = &set[i];
    }
    if (slot)
        return slot;
    for (size_t i = 0; i < WAYS; i++) {
        if (set[i].in_use == 0 && (!slot || set[i].at_us < slot->at_us))
            slot = &set[i];
    }
    return slot;
}

/* --- rates --- */

static void fill(struct slot *slot, const struct grc_rate *rate, int64_t now_us)
{
    double size = (double)rate->burst;
    double passed_s = now_us > slot->at_us ? (double)(now_us - slot->at_us) / 1e6 : 0;

    slot->tokens = fmin(size, slot->tokens + passed_s * rate->per_s);
    if (now_us > slot->at_us)
        slot->at_us = now_us;
}

struct grc_rate_view grc_rates_view(double tokens, const struct grc_rate *rate)
{
    double lack = tokens < 1 ? 1 - tokens : 0;

    return (struct grc_rate_view){
        .limit = rate->burst,
        .remaining = (int64_t)floor(tokens),
        .full_s = (int64_t)ceil(((double)rate->burst - tokens) / rate->per_s),
        .next_s = (int64_t)fmax(1, ceil(lack / rate->per_s)),
    };
}

bool grc_rates_take(struct grc_rates *rates, uint64_t key, const struct grc_rate *rate,
                    int64_t now_us, struct grc_rate_view *ret_view)
{
    bool is_new;
    bool taken = true;
    double tokens = (double)rate->burst;
    pthread_mutex_t *mutex = lock_of(rates, key);
    struct slot *slot = obtain(rates, key, &is_new);

    if (slot) {
        if (is_new)
            *slot = (struct slot){.key = key, .tokens = tokens, .at_us = now_us};
        fill(slot, rate, now_us);
        taken = slot->tokens >= 1;
        slot->tokens -= taken ? 1 : 0;
        tokens = slot->tokens;
    }
    pthread_mutex_unlock(mutex);
    if (ret_view)
        *ret_view = grc_rates_view(tokens, rate);
    return taken;
}

void grc_rates_look(struct grc_rates *rates, uint64_t key, const struct grc_rate *rate,
                    int64_t now_us, struct grc_rate_view *ret_view)
{
    pthread_mutex_t *mutex = lock_of(rates, key);
    const struct slot *slot = find(rates, key);
    struct slot copy = slot ? *slot : (struct slot){.tokens = (double)rate->burst};

    pthread_mutex_unlock(mutex);
    if (slot)
        fill(&copy, rate, now_us);
    *ret_view = grc_rates_view(copy.tokens, rate);
}

/* --- concurrent use --- */

bool grc_rates_enter(struct grc_rates *rates, uint64_t key, int64_t max, int64_t now_us,
                     bool *ret_counted)
{
    bool is_new;
    bool fits = true;
    pthread_mutex_t *mutex = lock_of(rates, key);
    struct slot *slot = obtain(rates, key, &is_new);

    if (slot) {
        if (is_new)
            *slot = (struct slot){.key = key};
        slot->at_us = now_us;
        fits = slot->in_use < max;
        slot->in_use += fits ? 1 : 0;
    }
    pthread_mutex_unlock(mutex);
    *ret_counted = slot && fits;
    return fits;
}

void grc_rates_leave(struct grc_rates *rates, uint64_t key)
{
    pthread_mutex_t *mutex = lock_of(rates, key);
    struct slot *slot = find(rates, key);

    if (slot && slot->in_use > 0)
        slot->in_use--;
    pthread_mutex_unlock(mutex);
}
