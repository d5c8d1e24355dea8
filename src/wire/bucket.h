/*
 * A limit on bytes a second that several users share: a token bucket.
 *
 * The limit is thought of as a line that carries so many bytes a second.  What
 * a user sends is put on that line behind what all have sent before, and the
 * user may send again when its own last bytes have left it.  So users take
 * turns, one that has been silent waits for nobody, and each is woken up once
 * for each piece that it sends.  A line that stood still makes up for at most
 * BUCKET_CREDIT_US of it.
 *
 * The bucket may be used by several threads at once, without a lock: its
 * members are atomic, and what is on the line only ever changes by one
 * compare-and-exchange.  A user belongs to one thread.  A change of the rate
 * that meets a user who is just sending is off by that one piece.
 */
#ifndef WIRE_BUCKET_H
#define WIRE_BUCKET_H

#include <stdatomic.h>
#include <stdint.h>

enum {
    BUCKET_CREDIT_US = 20000,
    BUCKET_PIECE_US = 10000,      /* what a user sends at once takes so long */
    BUCKET_PIECE_MIN = 4 << 10,   /* but is no smaller, */
    BUCKET_PIECE_MAX = 256 << 10, /* and no larger */
    BUCKET_WAIT_MAX_US = 1000000, /* then ask again: the rate may be another */
};

struct bucket {
    _Atomic uint64_t rate;    /* bytes a second; 0 is no limit */
    _Atomic uint64_t used_ns; /* when the line will be empty */
    _Atomic uint64_t changes; /* of the rate */
};

/* All zeros is a user that has not sent yet. */
struct bucket_user {
    uint64_t due_ns;  /* when its last bytes will have left */
    uint64_t changes; /* at the rate after so many changes */
};

/**
 * bucket_init(bucket, rate):
 * Begin with a limit of ${rate} bytes a second; 0 is no limit.
 */
void bucket_init(struct bucket *bucket, uint64_t rate);

/**
 * bucket_set_rate(bucket, rate):
 * bucket_rate(bucket):
 * Change the limit, or return it.  Who waits by the old one asks again within
 * BUCKET_WAIT_MAX_US, and then goes on at once.
 */
void bucket_set_rate(struct bucket *bucket, uint64_t rate);
uint64_t bucket_rate(const struct bucket *bucket);

/**
 * bucket_ask(bucket, user, now_us, wait_us):
 * Return how many bytes ${user} may send now: UINT64_MAX without a limit; or 0,
 * and then *${wait_us} is the time after which to ask again, which is above 0.
 */
uint64_t bucket_ask(const struct bucket *bucket, const struct bucket_user *user,
                    uint64_t now_us, uint64_t *wait_us);

/**
 * bucket_spend(bucket, user, now_us, bytes):
 * ${user} has sent ${bytes}, at most 4 GiB.
 */
void bucket_spend(struct bucket *bucket, struct bucket_user *user,
                  uint64_t now_us, uint64_t bytes);

#endif
