/* Compressed payload: made, taken apart, and lied about. */
#include "wire/packer.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "support_test.h"
#include "wire/unpacker.h"

enum {
    LOG = PACKER_WINDOW_LOG,
    IN = PACKER_IN_BYTES,
    PAGE = 4096,
};

/* Two ends, and what goes between them. */
struct rig {
    struct packer *packer;
    struct unpacker *unpacker;
    unsigned char in[IN];
    unsigned char payload[PACKER_OUT_BYTES];
    unsigned char out[IN + 1];
    size_t length; /* of the payload */
    size_t made;
};

static struct rig *
rig_new(unsigned pack_log, unsigned unpack_log)
{
    struct rig *rig = calloc(1, sizeof *rig);

    assert_non_null(rig);
    rig->packer = packer_new(pack_log);
    rig->unpacker = unpacker_new(unpack_log);
    assert_non_null(rig->packer);
    assert_non_null(rig->unpacker);
    return rig;
}

static void
rig_free(struct rig *rig)
{
    packer_free(rig->packer);
    unpacker_free(rig->unpacker);
    free(rig);
}

/* Bytes that do not give way, or that do. */
static void
fill(unsigned char *to, size_t bytes, uint64_t seed, bool noise)
{
    uint64_t random = seed * 2 + 1;

    for (size_t i = 0; i < bytes; i++) {
        random = random * UINT64_C(6364136223846793005) + 1442695040888963407u;
        to[i] = (unsigned char)(noise ? random >> 56 : (random >> 62) + 'a');
    }
}

static void
pack(struct rig *rig, int level, size_t bytes)
{
    rig->length = packer_pack(rig->packer, level, rig->in, bytes, rig->payload);
    assert_in_range(rig->length, PACKED_LENGTH_BYTES + 1,
                    PACKED_LENGTH_BYTES + bytes + PACKED_GROWTH_MAX);
}

/* Give the payload in pieces of ${step}, to be written in two at ${cut}. */
static enum reason
unpack(struct rig *rig, uint32_t says, size_t step, size_t cut)
{
    const unsigned char *from = rig->payload;
    size_t left = rig->length;
    enum reason reason = REASON_NONE;

    rig->made = 0;
    unpacker_begin(rig->unpacker, says);
    while (reason == REASON_NONE && unpacker_wants(rig->unpacker) > 0) {
        size_t n = unpacker_wants(rig->unpacker), made;
        struct iovec iov[2] = { { rig->out + rig->made, sizeof rig->out } };
        int count = 1;

        n = n < step ? n : step;
        assert_in_range(n, 1, left);
        iov[0].iov_len = sizeof rig->out - rig->made;
        if (rig->made < cut && cut < says) {
            iov[0].iov_len = cut - rig->made;
            iov[1] = (struct iovec){ rig->out + cut, says - cut };
            count = 2;
        }
        reason = unpacker_take(rig->unpacker, from, n, iov, count, &made);
        rig->made += made;
        assert_in_range(rig->made, 0, says);
        from += n;
        left -= n;
    }
    if (reason == REASON_NONE)
        assert_int_equal(left, 0);
    return reason;
}

static void
assert_round_trip(struct rig *rig, int level, size_t bytes, size_t step,
                  size_t cut)
{
    pack(rig, level, bytes);
    memset(rig->out, 0x5a, sizeof rig->out);
    assert_int_equal(unpack(rig, (uint32_t)bytes, step, cut), REASON_NONE);
    assert_int_equal(rig->made, bytes);
    assert_memory_equal(rig->in, rig->out, bytes);
    assert_int_equal(rig->out[bytes], 0x5a);
}

static void
every_piece_comes_apart_as_soon_as_it_is_there(void **state)
{
    static const size_t sizes[] = { 1,    2,      100,    PAGE - 1,
                                    PAGE, IN / 2, IN - 1, IN };
    struct rig *rig = rig_new(LOG, LOG);

    (void)state;
    for (int noise = 0; noise < 2; noise++)
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            fill(rig->in, sizes[i], i, noise != 0);
            assert_round_trip(rig, 3, sizes[i], SIZE_MAX, SIZE_MAX);
        }
    rig_free(rig);
}

static void
it_does_not_matter_in_which_pieces_it_comes_or_goes(void **state)
{
    static const size_t steps[] = { 1, 2, 3, 5, 100, 1000, IN };
    static const size_t cuts[] = { 1, 2, PAGE, IN - 1, IN };
    struct rig *rig = rig_new(LOG, LOG);

    (void)state;
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
        for (size_t j = 0; j < sizeof cuts / sizeof *cuts; j++) {
            fill(rig->in, IN, i * 10 + j, (i + j) % 2 == 0);
            assert_round_trip(rig, 1, IN, steps[i], cuts[j]);
        }
    rig_free(rig);
}

static void
the_level_may_change_at_any_piece(void **state)
{
    struct rig *rig = rig_new(LOG, LOG);

    (void)state;
    for (int level = 1; level <= PACKER_LEVEL_MAX; level += 3) {
        fill(rig->in, IN, (uint64_t)level, level % 2 == 0);
        assert_round_trip(rig, level, IN, 999, IN / 2);
        assert_round_trip(rig, level, 10, 1, 1);
        assert_round_trip(rig, 1, 1, 1, 1);
    }
    rig_free(rig);
}

static void
the_smallest_and_the_largest_window_come_apart(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        unsigned log = i == 0 ? PACKED_WINDOW_LOG_MIN : PACKED_WINDOW_LOG_MAX;
        struct rig *rig = rig_new(log, log);

        for (int noise = 0; noise < 2; noise++) {
            fill(rig->in, IN, 4, noise != 0);
            assert_round_trip(rig, 1, IN, SIZE_MAX, SIZE_MAX);
        }
        rig_free(rig);
    }
}

static void
what_repeats_within_the_window_is_small(void **state)
{
    struct rig *rig = rig_new(LOG, LOG);

    (void)state;
    fill(rig->in, IN, 1, true);
    pack(rig, 1, IN);
    assert_in_range(rig->length, IN, PACKER_OUT_BYTES);
    pack(rig, 1, IN);
    assert_in_range(rig->length, 1, IN / 10);
    rig_free(rig);
}

/* After ${apart} bytes of other noise. */
static size_t
repeated_after(unsigned log, size_t apart)
{
    struct rig *rig = rig_new(log, log);
    size_t length;

    for (size_t at = 0; at <= apart; at += IN) {
        fill(rig->in, IN, at + 1, true);
        pack(rig, 1, IN);
    }
    fill(rig->in, IN, 1, true);
    pack(rig, 1, IN);
    length = rig->length;
    rig_free(rig);
    return length;
}

static void
a_larger_window_finds_what_is_further_back(void **state)
{
    enum { APART = 6 << 20 };

    (void)state;
    assert_in_range(repeated_after(LOG, APART), IN, PACKER_OUT_BYTES);
    assert_in_range(repeated_after(23, APART), 1, IN / 4);
}

static void
a_reset_begins_anew_for_another_peer(void **state)
{
    struct rig *rig = rig_new(LOG, LOG);

    (void)state;
    fill(rig->in, IN, 1, false);
    assert_round_trip(rig, 3, IN, SIZE_MAX, SIZE_MAX);
    packer_reset(rig->packer);
    unpacker_free(rig->unpacker);
    rig->unpacker = unpacker_new(LOG);
    assert_non_null(rig->unpacker);
    assert_round_trip(rig, 3, IN, SIZE_MAX, SIZE_MAX);
    rig_free(rig);
}

static void
what_a_peer_has_not_had_is_corrupt_to_it(void **state)
{
    struct rig *rig = rig_new(LOG, LOG);

    (void)state;
    fill(rig->in, IN, 1, false);
    pack(rig, 3, IN);
    pack(rig, 3, IN);
    assert_int_equal(unpack(rig, IN, SIZE_MAX, SIZE_MAX), REASON_BAD_PACKED);
    rig_free(rig);
}

/* A payload of zeros, of which ${says} is said. */
static enum reason
zeros_said_to_be(uint32_t says, size_t step)
{
    struct rig *rig = rig_new(LOG, LOG);
    enum reason reason;

    pack(rig, 1, 1000);
    memset(rig->out, 0x5a, sizeof rig->out);
    reason = unpack(rig, says, step, SIZE_MAX);
    if (says < 1000)
        assert_int_equal(rig->out[says], 0x5a);
    rig_free(rig);
    return reason;
}

static void
a_payload_makes_exactly_what_it_says(void **state)
{
    static const size_t steps[] = { 1, 7, SIZE_MAX };

    (void)state;
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        assert_int_equal(zeros_said_to_be(1000, steps[i]), REASON_NONE);
        assert_int_equal(zeros_said_to_be(1, steps[i]), REASON_BAD_UNPACKED);
        assert_int_equal(zeros_said_to_be(999, steps[i]), REASON_BAD_UNPACKED);
        assert_int_equal(zeros_said_to_be(1001, steps[i]), REASON_BAD_UNPACKED);
        assert_int_equal(zeros_said_to_be(IN, steps[i]), REASON_BAD_UNPACKED);
    }
}

static void
a_length_out_of_bounds_is_refused_before_there_is_more(void **state)
{
    static const struct {
        uint32_t says;
        uint32_t packed;
        enum reason reason;
    } cases[] = {
        { 1, 0, REASON_BAD_LENGTH },
        { 1, 1 + PACKED_GROWTH_MAX, REASON_NONE },
        { 1, 2 + PACKED_GROWTH_MAX, REASON_BAD_LENGTH },
        { IN, IN + PACKED_GROWTH_MAX + 1, REASON_BAD_LENGTH },
        { IN, UINT32_MAX, REASON_BAD_LENGTH },
    };
    struct rig *rig = rig_new(LOG, LOG);
    struct iovec iov = { rig->out, sizeof rig->out };
    size_t made;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (int at = 0; at < PACKED_LENGTH_BYTES; at++)
            rig->payload[at] =
                (unsigned char)(cases[i].packed >> (24 - 8 * at));
        unpacker_begin(rig->unpacker, cases[i].says);
        assert_int_equal(unpacker_take(rig->unpacker, rig->payload,
                                       PACKED_LENGTH_BYTES, &iov, 1, &made),
                         cases[i].reason);
        assert_int_equal(made, 0);
    }
    rig_free(rig);
}

static void
a_window_beyond_the_bound_is_refused(void **state)
{
    struct rig *rig = rig_new(LOG, LOG - 1);

    (void)state;
    fill(rig->in, IN, 1, false);
    pack(rig, 1, IN);
    assert_int_equal(unpack(rig, IN, SIZE_MAX, SIZE_MAX), REASON_BAD_PACKED);
    rig_free(rig);
}

/*
 * Formats from before zstd's first version, which the library may still read:
 * whole ones that make five bytes, of the format 0.7 with a window of 128 MiB
 * and of 0.6 with one of 64 MiB.
 */
static void
a_format_that_is_older_than_zstd_is_corrupt(void **state)
{
    static const unsigned char olds[][17] = {
        { 0x27, 0xb5, 0x2f, 0xfd, 0, (27 - 10) << 3, 0x40, 0, 5, 'h', 'e', 'l',
          'l', 'o', 0xc0, 0, 0 },
        { 0x26, 0xb5, 0x2f, 0xfd, 26 - 12, 0x40, 0, 5, 'h', 'e', 'l', 'l', 'o',
          0xc0, 0, 0 },
    };
    static const size_t lengths[] = { 17, 16 }, steps[] = { 1, 5, SIZE_MAX };

    (void)state;
    for (size_t i = 0; i < 2 * sizeof steps / sizeof *steps; i++) {
        struct rig *rig = rig_new(LOG, PACKED_WINDOW_LOG_MIN);
        size_t length = lengths[i % 2];

        memset(rig->payload, 0, PACKED_LENGTH_BYTES);
        rig->payload[PACKED_LENGTH_BYTES - 1] = (unsigned char)length;
        memcpy(rig->payload + PACKED_LENGTH_BYTES, olds[i % 2], length);
        rig->length = PACKED_LENGTH_BYTES + length;
        assert_int_equal(unpack(rig, 5, steps[i / 2], SIZE_MAX),
                         REASON_BAD_PACKED);
        assert_int_equal(rig->made, 0);
        rig_free(rig);
    }
}

/* Whatever is changed: a reason, or as many bytes as there should be. */
static void
a_payload_changed_anywhere_does_no_harm(void **state)
{
    enum { SMALL = 300 };
    unsigned refused = 0;

    (void)state;
    for (size_t at = PACKED_LENGTH_BYTES;; at++) {
        struct rig *rig = rig_new(LOG, LOG);
        enum reason reason;
        bool over;

        fill(rig->in, SMALL, 3, false);
        pack(rig, 3, SMALL);
        over = at == rig->length;
        if (!over) {
            rig->payload[at] ^= 0x41;
            reason = unpack(rig, SMALL, 13, SIZE_MAX);
            refused += reason != REASON_NONE;
            if (reason == REASON_NONE)
                assert_int_equal(rig->made, SMALL);
            else
                assert_true(reason == REASON_BAD_PACKED ||
                            reason == REASON_BAD_UNPACKED);
        }
        rig_free(rig);
        if (over)
            break;
    }
    assert_in_range(refused, 1, SMALL);
}

static void
nothing_is_wanted_between_payloads(void **state)
{
    struct rig *rig = rig_new(LOG, LOG);

    (void)state;
    assert_int_equal(unpacker_wants(NULL), 0);
    assert_int_equal(unpacker_wants(rig->unpacker), 0);
    fill(rig->in, 10, 1, false);
    assert_round_trip(rig, 1, 10, 1, 1);
    assert_int_equal(unpacker_wants(rig->unpacker), 0);
    rig_free(rig);
    packer_free(NULL);
    unpacker_free(NULL);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_piece_comes_apart_as_soon_as_it_is_there),
        cmocka_unit_test(it_does_not_matter_in_which_pieces_it_comes_or_goes),
        cmocka_unit_test(the_level_may_change_at_any_piece),
        cmocka_unit_test(the_smallest_and_the_largest_window_come_apart),
        cmocka_unit_test(what_repeats_within_the_window_is_small),
        cmocka_unit_test(a_larger_window_finds_what_is_further_back),
        cmocka_unit_test(a_reset_begins_anew_for_another_peer),
        cmocka_unit_test(what_a_peer_has_not_had_is_corrupt_to_it),
        cmocka_unit_test(a_payload_makes_exactly_what_it_says),
        cmocka_unit_test(
            a_length_out_of_bounds_is_refused_before_there_is_more),
        cmocka_unit_test(a_window_beyond_the_bound_is_refused),
        cmocka_unit_test(a_format_that_is_older_than_zstd_is_corrupt),
        cmocka_unit_test(a_payload_changed_anywhere_does_no_harm),
        cmocka_unit_test(nothing_is_wanted_between_payloads),
    };

    return RUN_TESTS(tests);
}
