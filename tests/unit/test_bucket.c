/* A limit on bytes a second that several users share. */
#include "wire/bucket.h"

#include <pthread.h>
#include <string.h>

#include "support_test.h"

enum { MIB = 1 << 20, SECOND_US = 1000000, START_US = 5 * SECOND_US };

static void
without_a_limit_everything_may_go(void **state)
{
    struct bucket bucket;
    struct bucket_user user = { 0 };
    uint64_t wait_us = 0;

    (void)state;
    bucket_init(&bucket, 0);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(bucket_ask(&bucket, &user, START_US, &wait_us),
                         UINT64_MAX);
        bucket_spend(&bucket, &user, START_US, MIB);
    }
    assert_int_equal(wait_us, 0);
    assert_int_equal(bucket_rate(&bucket), 0);
}

static void
a_piece_takes_10_ms_within_bounds(void **state)
{
    static const struct {
        uint64_t rate;
        uint64_t piece;
    } cases[] = {
        { 1, BUCKET_PIECE_MIN },
        { BUCKET_PIECE_MIN * 100 - 1, BUCKET_PIECE_MIN },
        { BUCKET_PIECE_MIN * 100, BUCKET_PIECE_MIN },
        { (BUCKET_PIECE_MIN + 1) * 100, BUCKET_PIECE_MIN + 1 },
        { (BUCKET_PIECE_MAX - 1) * 100, BUCKET_PIECE_MAX - 1 },
        { BUCKET_PIECE_MAX * 100, BUCKET_PIECE_MAX },
        { UINT64_MAX, BUCKET_PIECE_MAX },
    };
    struct bucket bucket;
    struct bucket_user user = { 0 };
    uint64_t wait_us;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bucket_init(&bucket, cases[i].rate);
        assert_int_equal(bucket_ask(&bucket, &user, 0, &wait_us),
                         cases[i].piece);
    }
}

static void
a_user_waits_until_its_bytes_have_left_and_not_a_moment_longer(void **state)
{
    struct bucket bucket;
    struct bucket_user user = { 0 };
    uint64_t wait_us = 0;

    (void)state;
    bucket_init(&bucket, MIB);
    bucket_spend(&bucket, &user, START_US, MIB / 2);
    assert_int_equal(bucket_ask(&bucket, &user, START_US, &wait_us), 0);
    assert_int_equal(wait_us, SECOND_US / 2 - BUCKET_CREDIT_US);
    assert_int_equal(
        bucket_ask(&bucket, &user, START_US + wait_us - 1, &wait_us), 0);
    assert_int_equal(wait_us, 1);
    assert_true(bucket_ask(&bucket, &user,
                           START_US + SECOND_US / 2 - BUCKET_CREDIT_US,
                           &wait_us) > 0);
}

static void
nothing_sent_costs_nothing(void **state)
{
    struct bucket bucket;
    struct bucket_user user = { 0 };
    uint64_t wait_us = 0;

    (void)state;
    bucket_init(&bucket, 1);
    bucket_spend(&bucket, &user, START_US, 0);
    assert_true(bucket_ask(&bucket, &user, START_US, &wait_us) > 0);
    bucket_spend(&bucket, &user, 0, 1); /* a clock that has just begun */
    assert_int_equal(bucket_ask(&bucket, &user, SECOND_US - 1, &wait_us), 0);
    assert_int_equal(wait_us, 1);
}

static void
a_wait_is_at_most_a_second(void **state)
{
    struct bucket bucket;
    struct bucket_user user = { 0 };
    uint64_t wait_us = 0;

    (void)state;
    bucket_init(&bucket, 1);
    bucket_spend(&bucket, &user, START_US, UINT32_MAX);
    assert_int_equal(bucket_ask(&bucket, &user, START_US, &wait_us), 0);
    assert_int_equal(wait_us, BUCKET_WAIT_MAX_US);
}

static void
another_rate_counts_from_the_next_question_on(void **state)
{
    struct bucket bucket;
    struct bucket_user user = { 0 };
    uint64_t wait_us = 0;

    (void)state;
    bucket_init(&bucket, 1);
    bucket_spend(&bucket, &user, START_US, MIB);
    assert_int_equal(bucket_ask(&bucket, &user, START_US, &wait_us), 0);
    bucket_set_rate(&bucket, MIB);
    assert_int_equal(bucket_rate(&bucket), MIB);
    assert_int_equal(bucket_ask(&bucket, &user, START_US, &wait_us), MIB / 100);
    bucket_spend(&bucket, &user, START_US, MIB / 2);
    assert_int_equal(bucket_ask(&bucket, &user, START_US, &wait_us), 0);
    assert_int_equal(wait_us, SECOND_US / 2 - BUCKET_CREDIT_US);
    bucket_set_rate(&bucket, 0);
    assert_int_equal(bucket_ask(&bucket, &user, START_US, &wait_us),
                     UINT64_MAX);
    bucket_spend(&bucket, &user, START_US, MIB);
    bucket_set_rate(&bucket, MIB);
    assert_true(bucket_ask(&bucket, &user, START_US, &wait_us) > 0);
}

static void
who_was_silent_waits_for_nobody(void **state)
{
    struct bucket bucket;
    struct bucket_user busy = { 0 }, silent = { 0 };
    uint64_t wait_us = 0;

    (void)state;
    bucket_init(&bucket, MIB);
    bucket_spend(&bucket, &busy, START_US, MIB);
    assert_int_equal(bucket_ask(&bucket, &busy, START_US, &wait_us), 0);
    assert_true(bucket_ask(&bucket, &silent, START_US, &wait_us) > 0);
    bucket_spend(&bucket, &silent, START_US, MIB / 2); /* behind the other */
    assert_int_equal(
        bucket_ask(&bucket, &silent, START_US + SECOND_US, &wait_us), 0);
    assert_int_equal(wait_us, SECOND_US / 2 - BUCKET_CREDIT_US);
}

enum { USERS_MAX = 16 };

/* Let ${count} users send all they may for ${us}; each comes ${late_us} late.
 * Return how often one of them had to wait. */
static unsigned
play(struct bucket *bucket, unsigned count, uint64_t us, uint64_t late_us,
     uint64_t sent[USERS_MAX])
{
    struct bucket_user users[USERS_MAX] = { 0 };
    uint64_t next[USERS_MAX] = { 0 }, wait_us;
    unsigned waits = 0;

    memset(sent, 0, USERS_MAX * sizeof *sent);
    for (uint64_t now = START_US; now < START_US + us; now += 100)
        for (unsigned i = 0; i < count; i++) {
            uint64_t bytes;

            while (next[i] <= now &&
                   (bytes = bucket_ask(bucket, &users[i], now, &wait_us)) > 0) {
                bucket_spend(bucket, &users[i], now, bytes);
                sent[i] += bytes;
            }
            if (next[i] > now)
                continue;
            next[i] = now + wait_us + late_us;
            waits++;
        }
    return waits;
}

static void
users_together_keep_to_the_limit_and_each_has_its_share(void **state)
{
    static const unsigned counts[] = { 1, 4, USERS_MAX };
    static const uint64_t rates[] = { MIB, 10 * MIB, 100 * MIB };
    struct bucket bucket;
    uint64_t sent[USERS_MAX];

    (void)state;
    for (size_t c = 0; c < 3; c++)
        for (size_t r = 0; r < 3; r++) {
            uint64_t rate = rates[r], total = 0, piece = rate / 100;
            unsigned count = counts[c];

            bucket_init(&bucket, rate);
            play(&bucket, count, 4 * SECOND_US, 0, sent);
            for (unsigned i = 0; i < count; i++) {
                total += sent[i];
                assert_in_range(sent[i], 4 * rate / count - 2 * piece,
                                4 * rate / count + 4 * piece);
            }
            assert_in_range(total, 4 * rate - piece,
                            4 * rate + (count + 3) * piece);
        }
}

static void
who_comes_late_makes_up_for_it(void **state)
{
    struct bucket bucket;
    uint64_t sent[USERS_MAX];

    (void)state;
    bucket_init(&bucket, 10 * MIB);
    play(&bucket, 1, 4 * SECOND_US, 3000, sent);
    assert_in_range(sent[0], 39 * MIB, 41 * MIB);
}

static void
a_user_is_woken_up_100_times_a_second_at_most(void **state)
{
    struct bucket bucket;
    uint64_t sent[USERS_MAX];

    (void)state;
    for (uint64_t rate = 1 << 10; rate <= 16 * MIB; rate *= 4) {
        bucket_init(&bucket, rate);
        assert_in_range(play(&bucket, 1, SECOND_US, 0, sent), 1, 101);
    }
}

enum { THREADS = 4, SPENDS = 20000, SPEND_BYTES = 1000 };

static void *
spend_much(void *arg)
{
    struct bucket_user user = { 0 };

    for (unsigned i = 0; i < SPENDS; i++)
        bucket_spend(arg, &user, START_US, SPEND_BYTES);
    return NULL;
}

static void
threads_lose_nothing_of_what_they_spend(void **state)
{
    struct bucket bucket;
    struct bucket_user last = { 0 };
    pthread_t threads[THREADS];
    uint64_t bytes = (uint64_t)THREADS * SPENDS * SPEND_BYTES;

    (void)state;
    bucket_init(&bucket, SECOND_US); /* a byte is a microsecond */
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, spend_much, &bucket),
                         0);
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    bucket_spend(&bucket, &last, START_US, 1);
    assert_int_equal(last.due_ns / 1000,
                     START_US - BUCKET_CREDIT_US + bytes + 1);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_limit_everything_may_go),
        cmocka_unit_test(a_piece_takes_10_ms_within_bounds),
        cmocka_unit_test(
            a_user_waits_until_its_bytes_have_left_and_not_a_moment_longer),
        cmocka_unit_test(nothing_sent_costs_nothing),
        cmocka_unit_test(a_wait_is_at_most_a_second),
        cmocka_unit_test(another_rate_counts_from_the_next_question_on),
        cmocka_unit_test(who_was_silent_waits_for_nobody),
        cmocka_unit_test(
            users_together_keep_to_the_limit_and_each_has_its_share),
        cmocka_unit_test(who_comes_late_makes_up_for_it),
        cmocka_unit_test(a_user_is_woken_up_100_times_a_second_at_most),
        cmocka_unit_test(threads_lose_nothing_of_what_they_spend),
    };

    return RUN_TESTS(tests);
}
