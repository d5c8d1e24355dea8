/* The ring of bytes. */
#include "tunnel/ring.h"

#include <stdlib.h>
#include <string.h>

#include "support_peer.h"
#include "support_test.h"

enum { SIZE = 64 };

/* Put up to ${bytes} of the stream 1 in, as far as there is room. */
static size_t
put(struct ring *ring, size_t bytes)
{
    struct iovec iov[2];
    int count = ring_room_iov(ring, iov);
    size_t done = 0;

    for (int i = 0; i < count && done < bytes; i++) {
        size_t part = iov[i].iov_len;

        if (part > bytes - done)
            part = bytes - done;
        peer_stream(1, ring->end + done, iov[i].iov_base, part);
        done += part;
    }
    ring_filled(ring, done);
    return done;
}

/* What is kept from the offset ${from} on is that part of the stream 1. */
static void
assert_kept(const struct ring *ring, uint64_t from)
{
    unsigned char expected[SIZE];
    struct iovec iov[2];
    int count = ring_bytes_iov(ring, from, iov);
    uint64_t at = from;

    for (int i = 0; i < count; i++) {
        assert_int_not_equal(iov[i].iov_len, 0);
        peer_stream(1, at, expected, iov[i].iov_len);
        assert_memory_equal(iov[i].iov_base, expected, iov[i].iov_len);
        at += iov[i].iov_len;
    }
    assert_int_equal(at, ring->end);
}

static void
a_new_ring_is_empty(void **state)
{
    struct iovec iov[2];
    struct ring ring;

    (void)state;
    assert_int_equal(ring_init(&ring, SIZE), 0);
    assert_int_equal(ring_length(&ring), 0);
    assert_int_equal(ring_room(&ring), SIZE);
    assert_int_equal(ring_bytes_iov(&ring, 0, iov), 0);
    assert_int_equal(ring_room_iov(&ring, iov), 1);
    assert_int_equal(iov[0].iov_len, SIZE);
    ring_fini(&ring);
}

static void
a_ring_of_one_byte_works(void **state)
{
    struct ring ring;

    (void)state;
    ring_init(&ring, 1);
    for (uint64_t i = 0; i < 5; i++) {
        assert_int_equal(put(&ring, 2), 1);
        assert_int_equal(ring_room(&ring), 0);
        assert_kept(&ring, i);
        ring_release(&ring, i + 1);
    }
    ring_fini(&ring);
}

static void
a_full_ring_has_no_room(void **state)
{
    struct iovec iov[2];
    struct ring ring;

    (void)state;
    ring_init(&ring, SIZE);
    assert_int_equal(put(&ring, SIZE - 1), SIZE - 1);
    assert_int_equal(ring_room(&ring), 1);
    assert_int_equal(put(&ring, 2), 1);
    assert_int_equal(ring_room(&ring), 0);
    assert_int_equal(ring_room_iov(&ring, iov), 0);
    assert_int_equal(ring_bytes_iov(&ring, 0, iov), 1);
    assert_kept(&ring, 0);
    ring_fini(&ring);
}

static void
bytes_and_room_wrap_around_in_two_pieces(void **state)
{
    struct iovec iov[2];
    struct ring ring;

    (void)state;
    ring_init(&ring, SIZE);
    put(&ring, SIZE - 4);
    ring_release(&ring, 10);
    assert_int_equal(ring_room_iov(&ring, iov), 2);
    assert_int_equal(iov[0].iov_len, 4);
    assert_int_equal(iov[1].iov_len, 10);
    assert_int_equal(put(&ring, 14), 14);
    assert_int_equal(ring_bytes_iov(&ring, ring.start, iov), 2);
    assert_int_equal(iov[0].iov_len, SIZE - 10);
    assert_int_equal(iov[1].iov_len, 10);
    assert_kept(&ring, ring.start);
    ring_fini(&ring);
}

static void
an_empty_ring_starts_over_at_its_first_byte(void **state)
{
    struct iovec iov[2];
    struct ring ring;

    (void)state;
    ring_init(&ring, SIZE);
    put(&ring, 10);
    ring_release(&ring, 9);
    assert_int_equal(ring_room_iov(&ring, iov), 2);
    ring_release(&ring, 10);
    assert_int_equal(ring_room_iov(&ring, iov), 1);
    assert_ptr_equal(iov[0].iov_base, ring.bytes);
    assert_int_equal(put(&ring, SIZE), SIZE);
    assert_kept(&ring, 10);
    ring_fini(&ring);
}

static void
a_writer_may_go_back_to_any_byte_that_is_kept(void **state)
{
    struct ring ring;

    (void)state;
    ring_init(&ring, SIZE);
    put(&ring, SIZE);
    ring_release(&ring, 40);
    put(&ring, 20);
    for (uint64_t from = 40; from <= 84; from++)
        assert_kept(&ring, from);
    ring_fini(&ring);
}

static void
random_steps_keep_every_byte(void **state)
{
    struct ring ring;
    unsigned random = 1;

    (void)state;
    ring_init(&ring, SIZE);
    for (int i = 0; i < 20000; i++) {
        size_t length;

        put(&ring, (size_t)rand_r(&random) % (SIZE + 2));
        length = ring_length(&ring);
        assert_int_equal(ring_room(&ring), SIZE - length);
        assert_kept(&ring, ring.start);
        ring_release(&ring,
                     ring.start + (unsigned)rand_r(&random) % (length + 1));
        assert_kept(&ring, ring.start);
    }
    ring_fini(&ring);
}

static void
a_ring_that_starts_over_forgets_and_begins_anywhere(void **state)
{
    static const uint64_t offsets[] = { 7, 0, 84, UINT64_C(1) << 40 };
    struct iovec iov[2];
    struct ring ring;

    (void)state;
    ring_init(&ring, SIZE);
    for (size_t i = 0; i < sizeof offsets / sizeof *offsets; i++) {
        put(&ring, SIZE);
        ring_release(&ring, ring.start + 40);
        put(&ring, 20);
        ring_restart(&ring, offsets[i]);
        assert_int_equal(ring_length(&ring), 0);
        assert_int_equal(ring_bytes_iov(&ring, offsets[i], iov), 0);
        assert_int_equal(ring_room_iov(&ring, iov), 1);
        assert_ptr_equal(iov[0].iov_base, ring.bytes);
        assert_int_equal(iov[0].iov_len, SIZE);
        assert_int_equal(put(&ring, SIZE - 3), SIZE - 3);
        assert_int_equal(ring.end, offsets[i] + SIZE - 3);
        assert_kept(&ring, offsets[i]);
        ring_release(&ring, offsets[i] + 50);
        assert_int_equal(put(&ring, SIZE), 53);
        assert_kept(&ring, offsets[i] + 50);
    }
    ring_fini(&ring);
}

static void
no_memory_is_an_error(void **state)
{
    struct ring ring;

    (void)state;
    assert_int_equal(ring_init(&ring, SIZE_MAX / 4 + 1), -1);
    ring_fini(&ring);
}

/* More than any process may have is no defect of the test. */
const char *__asan_default_options(void);

const char *
__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_ring_is_empty),
        cmocka_unit_test(a_ring_of_one_byte_works),
        cmocka_unit_test(a_full_ring_has_no_room),
        cmocka_unit_test(bytes_and_room_wrap_around_in_two_pieces),
        cmocka_unit_test(an_empty_ring_starts_over_at_its_first_byte),
        cmocka_unit_test(a_writer_may_go_back_to_any_byte_that_is_kept),
        cmocka_unit_test(random_steps_keep_every_byte),
        cmocka_unit_test(a_ring_that_starts_over_forgets_and_begins_anywhere),
        cmocka_unit_test(no_memory_is_an_error),
    };

    return RUN_TESTS(tests);
}
