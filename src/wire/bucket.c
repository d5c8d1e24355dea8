#include "wire/bucket.h"

static const uint64_t SECOND_NS = 1000000000, SECOND_US = 1000000;

void
bucket_init(struct bucket *bucket, uint64_t rate)
{
    atomic_init(&bucket->rate, rate);
    atomic_init(&bucket->used_ns, 0);
    atomic_init(&bucket->changes, 0);
}

void
bucket_set_rate(struct bucket *bucket, uint64_t rate)
{
    atomic_store(&bucket->rate, rate);
    atomic_store(&bucket->used_ns, 0);
    atomic_fetch_add(&bucket->changes, 1);
}

uint64_t
bucket_rate(const struct bucket *bucket)
{
    return atomic_load(&bucket->rate);
}

static uint64_t
piece_bytes(uint64_t rate)
{
    uint64_t bytes = rate / (SECOND_US / BUCKET_PIECE_US);

    if (bytes < BUCKET_PIECE_MIN)
        return BUCKET_PIECE_MIN;
    return bytes < BUCKET_PIECE_MAX ? bytes : BUCKET_PIECE_MAX;
}

uint64_t
bucket_ask(const struct bucket *bucket, const struct bucket_user *user,
           uint64_t now_us, uint64_t *wait_us)
{
    uint64_t rate = atomic_load(&bucket->rate);
    uint64_t due_us = (user->due_ns + 999) / 1000;

    if (rate == 0)
        return UINT64_MAX;
    if (due_us <= now_us || user->changes != atomic_load(&bucket->changes))
        return piece_bytes(rate);
    *wait_us = due_us - now_us;
    if (*wait_us > BUCKET_WAIT_MAX_US)
        *wait_us = BUCKET_WAIT_MAX_US;
    return 0;
}

/* How long the line takes for ${bytes}. */
static uint64_t
carried_ns(uint64_t bytes, uint64_t rate)
{
    return bytes * SECOND_NS / rate;
}

void
bucket_spend(struct bucket *bucket, struct bucket_user *user, uint64_t now_us,
             uint64_t bytes)
{
    uint64_t rate = atomic_load(&bucket->rate);
    uint64_t used = atomic_load(&bucket->used_ns), from, until;
    uint64_t least =
        now_us > BUCKET_CREDIT_US ? (now_us - BUCKET_CREDIT_US) * 1000 : 0;

    user->changes = atomic_load(&bucket->changes);
    if (rate == 0 || bytes == 0)
        return;
    do {
        from = used > least ? used : least;
        until = from + carried_ns(bytes, rate);
    } while (!atomic_compare_exchange_weak(&bucket->used_ns, &used, until));
    user->due_ns = until;
}
