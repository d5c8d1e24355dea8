/* Frames through a socket: frame_reader and frame_writer. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/transport.h"
#include "support_faults.h"
#include "support_net.h"
#include "support_peer.h"
#include "support_stage.h"
#include "support_test.h"
#include "tunnel/frame_reader.h"
#include "tunnel/frame_writer.h"
#include "tunnel/ring.h"
#include "wire/channel.h"

enum {
    ROOM = 256 << 10,
    FIRST = 4096, /* of a ring: small, so that it has to grow */
    SEED = 7,
    LOTS_BYTES = 1 << 20,
};

/* One end, with its transport; the test is its QEMU, and perhaps the peer. */
struct end {
    struct channel channel;
    struct ring in;
    struct ring out;
    struct frame_reader reader;
    struct frame_writer writer;
    struct transport *transport;
    uint64_t queued;
    bool mismatch;
};

struct rig {
    struct stage stage;
    struct end ends[2];
    int peer; /* of ends[0], where the test is the peer */
};

static void
end_open(struct end *end, struct stage *stage, int fd, uint32_t room)
{
    const struct greeting_position zero = { .window = room };
    struct greeting_position own;
    uint64_t replay;

    *end = (struct end){ 0 };
    assert_int_equal(ring_init(&end->in, FIRST), 0);
    assert_int_equal(ring_init(&end->out, FIRST), 0);
    channel_init(&end->channel, room);
    channel_greet(&end->channel, &own);
    assert_int_equal(channel_attach(&end->channel, &zero, 0, &replay),
                     REASON_NONE);
    frame_reader_init(&end->reader, NULL, 0);
    frame_writer_init(&end->writer, NULL);
    end->transport = transport_new(stage->loop, fd);
    assert_non_null(end->transport);
}

static void
end_close(struct end *end)
{
    frame_reader_fini(&end->reader);
    ring_fini(&end->in);
    ring_fini(&end->out);
    transport_free(end->transport);
}

/* Two ends, joined. */
static void
rig_open(struct rig *rig, uint32_t room)
{
    int fds[2];

    *rig = (struct rig){ .peer = -1 };
    stage_open(&rig->stage);
    net_unix_pair(fds);
    for (int i = 0; i < 2; i++)
        end_open(&rig->ends[i], &rig->stage, fds[i], room);
    faults_clear();
}

/* One end, whose peer is the test. */
static struct end *
rig_open_alone(struct rig *rig, uint32_t room)
{
    int fds[2];

    *rig = (struct rig){ 0 };
    stage_open(&rig->stage);
    net_unix_pair(fds);
    end_open(&rig->ends[0], &rig->stage, fds[0], room);
    rig->peer = fds[1];
    faults_clear();
    return &rig->ends[0];
}

static void
rig_close(struct rig *rig)
{
    faults_clear();
    end_close(&rig->ends[0]);
    if (rig->peer < 0)
        end_close(&rig->ends[1]);
    else
        close(rig->peer);
    stage_close(&rig->stage);
}

/* QEMU writes ${bytes} more. */
static void
end_queue(struct end *end, size_t bytes)
{
    unsigned char *from = malloc(bytes);
    struct iovec iov[2];
    size_t done = 0;
    int count;

    assert_non_null(from);
    peer_stream(SEED, end->queued, from, bytes);
    assert_true(ring_reserve(&end->out, bytes, LOTS_BYTES));
    count = ring_room_iov(&end->out, iov);
    for (int i = 0; i < count && done < bytes; i++) {
        size_t n =
            bytes - done < iov[i].iov_len ? bytes - done : iov[i].iov_len;

        memcpy(iov[i].iov_base, from + done, n);
        done += n;
    }
    ring_filled(&end->out, bytes);
    channel_queue(&end->channel, bytes);
    end->queued += bytes;
    free(from);
}

/* QEMU takes all there is. */
static void
end_deliver(struct end *end)
{
    struct iovec iov[2];
    int count = ring_bytes_iov(&end->in, end->in.start, iov);

    for (int i = 0; i < count; i++) {
        unsigned char *expected = malloc(iov[i].iov_len);

        assert_non_null(expected);
        peer_stream(SEED, end->in.start, expected, iov[i].iov_len);
        if (memcmp(expected, iov[i].iov_base, iov[i].iov_len) != 0)
            end->mismatch = true;
        free(expected);
        channel_delivered(&end->channel, iov[i].iov_len);
        ring_release(&end->in, end->in.start + iov[i].iov_len);
    }
    if (channel_fin_due(&end->channel))
        channel_fin_delivered(&end->channel);
}

static enum frame_read
end_read(struct end *end, enum reason *reason)
{
    enum frame_read result;

    *reason = REASON_NONE;
    result = frame_reader_step(&end->reader, end->transport, &end->channel,
                               &end->in, 0, UINT32_MAX, reason);
    ring_release(&end->out, end->channel.out.acked);
    return result;
}

static int
end_write(struct end *end)
{
    end->writer.blocked = false;
    return frame_writer_step(&end->writer, end->transport, &end->channel,
                             &end->out);
}

/* Let both ends do what they can now. */
static void
turn(struct rig *rig)
{
    enum reason reason;

    for (int i = 0; i < 2; i++)
        assert_int_equal(end_write(&rig->ends[i]), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(end_read(&rig->ends[i], &reason), FRAME_READ_SOME);
    end_deliver(&rig->ends[1]);
    assert_in_range(rig->ends[1].in.size, FIRST, ROOM);
}

/* Until ends[0] knows that ends[1] has all that was queued. */
static void
run(struct rig *rig)
{
    const struct end *from = &rig->ends[0], *to = &rig->ends[1];

    while (from->channel.out.acked < from->queued)
        turn(rig);
    assert_int_equal(to->channel.in.delivered, from->queued);
    assert_false(to->mismatch);
}

static void
run_to_end(struct rig *rig)
{
    while (!rig->ends[0].channel.out.fin_acked)
        turn(rig);
    assert_true(rig->ends[1].channel.in.fin_delivered);
}

static void
whatever_is_queued_arrives_as_it_was(void **state)
{
    static const size_t sizes[] = { 1,
                                    15,
                                    16,
                                    FRAME_STAGE_BYTES - FRAME_HEADER_BYTES - 1,
                                    FRAME_STAGE_BYTES - FRAME_HEADER_BYTES,
                                    FRAME_STAGE_BYTES - FRAME_HEADER_BYTES + 1,
                                    FRAME_STAGE_BYTES,
                                    FIRST + 1,
                                    ROOM - 1,
                                    ROOM };
    struct rig rig;

    (void)state;
    rig_open(&rig, ROOM);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        end_queue(&rig.ends[0], sizes[i]);
        run(&rig);
    }
    assert_int_equal(rig.ends[1].in.end, rig.ends[0].queued);
    rig_close(&rig);
}

static void
short_reads_and_writes_lose_nothing(void **state)
{
    static const size_t sizes[] = { 1, 2, 3, 7, 15, 16, 17, 31, 33, 1000 };
    struct rig rig;

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        rig_open(&rig, ROOM);
        fault_short(FAULT_READV, sizes[i]);
        fault_short(FAULT_SENDMSG, sizes[sizeof sizes / sizeof *sizes - 1 - i]);
        for (size_t bytes = 1; bytes < 200; bytes += 13)
            end_queue(&rig.ends[0], bytes);
        run(&rig);
        channel_end(&rig.ends[0].channel);
        run_to_end(&rig);
        rig_close(&rig);
    }
}

/* A header and ${length} bytes of payload. */
static size_t
encode_data(unsigned char *to, uint64_t offset, uint32_t length)
{
    frame_encode(&(struct frame){ .type = FRAME_DATA,
                                  .length = length,
                                  .offset = offset },
                 to);
    peer_stream(SEED, offset, to + FRAME_HEADER_BYTES, length);
    return FRAME_HEADER_BYTES + length;
}

static size_t
encode(unsigned char *to, enum frame_type type, uint64_t offset)
{
    frame_encode(&(struct frame){ .type = type, .offset = offset }, to);
    return FRAME_HEADER_BYTES;
}

/* Frames of all sorts, with ${bytes} of payload in all. */
static size_t
encode_mixture(unsigned char *to, uint64_t *bytes)
{
    static const uint32_t lengths[] = { 1, 16, 5, 100, 3, 17, 15 };
    size_t at = encode(to, FRAME_PING, 99);

    *bytes = 0;
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        at += encode_data(to + at, *bytes, lengths[i]);
        *bytes += lengths[i];
        if (i % 2 == 0)
            at += encode(to + at, FRAME_PONG, 1);
        if (i % 3 == 0)
            at += encode(to + at, FRAME_ACK, 0);
    }
    return at + encode(to + at, FRAME_FIN, *bytes);
}

/* The mixture, cut in two at ${cut}, of which the first comes early or not. */
static void
read_in_two(size_t cut, bool early)
{
    unsigned char bytes[1024];
    struct rig rig;
    struct end *end = rig_open_alone(&rig, ROOM);
    enum reason reason;
    uint64_t payload;
    size_t length = encode_mixture(bytes, &payload);

    if (early)
        frame_reader_init(&end->reader, bytes, cut);
    else
        assert_int_equal(send(rig.peer, bytes, cut, 0), cut);
    assert_int_equal(end_read(end, &reason), FRAME_READ_SOME);
    end_deliver(end);
    assert_int_equal(send(rig.peer, bytes + cut, length - cut, 0),
                     length - cut);
    assert_int_equal(end_read(end, &reason), FRAME_READ_SOME);
    end_deliver(end);
    assert_int_equal(end->channel.in.delivered, payload);
    assert_true(end->channel.in.fin_delivered);
    assert_int_equal(end->channel.pong_offset, 99);
    assert_int_equal(end->reader.staged, 0);
    assert_false(end->mismatch);
    rig_close(&rig);
}

static void
a_stream_may_be_cut_at_every_byte(void **state)
{
    unsigned char bytes[1024];
    uint64_t payload;
    size_t length = encode_mixture(bytes, &payload);

    (void)state;
    for (size_t cut = 0; cut <= length; cut++) {
        read_in_two(cut, false);
        read_in_two(cut, true);
    }
}

static void
a_stream_may_come_in_pieces_of_any_size(void **state)
{
    unsigned char bytes[1024];
    uint64_t payload;
    size_t length = encode_mixture(bytes, &payload);

    (void)state;
    for (size_t piece = 1; piece < 40; piece++) {
        struct rig rig;
        struct end *end = rig_open_alone(&rig, ROOM);
        enum reason reason;

        for (size_t at = 0; at < length; at += piece) {
            size_t n = length - at < piece ? length - at : piece;

            assert_int_equal(send(rig.peer, bytes + at, n, 0), n);
            assert_int_equal(end_read(end, &reason), FRAME_READ_SOME);
        }
        end_deliver(end);
        assert_int_equal(end->channel.in.delivered, payload);
        assert_true(end->channel.in.fin_delivered);
        assert_false(end->mismatch);
        rig_close(&rig);
    }
}

static void
a_full_stage_may_be_early(void **state)
{
    unsigned char bytes[FRAME_STAGE_BYTES];
    const size_t edges[] = { FRAME_STAGE_BYTES - FRAME_HEADER_BYTES,
                             FRAME_STAGE_BYTES - FRAME_HEADER_BYTES - 1,
                             FRAME_STAGE_BYTES - 2 * FRAME_HEADER_BYTES,
                             FRAME_STAGE_BYTES - 2 * FRAME_HEADER_BYTES - 1 };

    (void)state;
    for (size_t i = 0; i < sizeof edges / sizeof *edges; i++) {
        struct rig rig;
        struct end *end = rig_open_alone(&rig, ROOM);
        enum reason reason;
        unsigned char after[FRAME_HEADER_BYTES];
        size_t length = encode_data(bytes, 0, (uint32_t)edges[i]);
        size_t rest = FRAME_STAGE_BYTES - length;

        /* What is left of the stage holds a PING, whole or in part. */
        encode(after, FRAME_PING, 5);
        if (rest > sizeof after)
            rest = sizeof after;
        memcpy(bytes + length, after, rest);
        frame_reader_init(&end->reader, bytes, length + rest);
        assert_int_equal(send(rig.peer, after + rest, sizeof after - rest, 0),
                         sizeof after - rest);
        assert_int_equal(end_read(end, &reason), FRAME_READ_SOME);
        assert_true(end->channel.pong_due);
        end_deliver(end);
        assert_int_equal(end->channel.in.delivered, edges[i]);
        assert_false(end->mismatch);
        rig_close(&rig);
    }
}

static void
a_ring_grows_as_far_as_the_room_and_no_further(void **state)
{
    unsigned char *bytes = malloc(FRAME_HEADER_BYTES + ROOM);
    struct rig rig;
    struct end *end = rig_open_alone(&rig, ROOM);
    enum reason reason;
    size_t length;

    (void)state;
    net_send_buffer(rig.peer, 4 * ROOM);
    for (uint64_t at = 0; at < ROOM; at += ROOM / 4) {
        length = encode_data(bytes, at, ROOM / 4);
        for (size_t sent = 0; sent < length;) {
            ssize_t n = send(rig.peer, bytes + sent, length - sent, 0);

            sent += n > 0 ? (size_t)n : 0;
            assert_int_equal(end_read(end, &reason), FRAME_READ_SOME);
        }
    }
    while (end->channel.in.received < ROOM)
        assert_int_equal(end_read(end, &reason), FRAME_READ_SOME);
    assert_int_equal(end->in.size, ROOM);
    length = encode_data(bytes, ROOM, 1);
    assert_int_equal(send(rig.peer, bytes, length, 0), length);
    assert_int_equal(end_read(end, &reason), FRAME_READ_BAD);
    assert_int_equal(reason, REASON_BAD_WINDOW);
    end_deliver(end);
    assert_int_equal(end->channel.in.delivered, ROOM);
    assert_false(end->mismatch);
    free(bytes);
    rig_close(&rig);
}

static void
a_header_that_lies_is_told_by_its_reason(void **state)
{
    static const struct {
        struct frame frame;
        enum reason reason;
    } lies[] = {
        { { .type = 0 }, REASON_BAD_FRAME },
        { { .type = 7 }, REASON_BAD_FRAME },
        { { .type = FRAME_PING, .flags = 1 }, REASON_BAD_FRAME },
        { { .type = FRAME_RESET }, REASON_BAD_FRAME },
        { { .type = FRAME_ACK, .code = 1 }, REASON_BAD_FRAME },
        { { .type = FRAME_DATA }, REASON_BAD_LENGTH },
        { { .type = FRAME_DATA, .length = FRAME_DATA_MAX + 1 },
          REASON_BAD_LENGTH },
        { { .type = FRAME_DATA, .length = UINT32_MAX }, REASON_BAD_LENGTH },
        { { .type = FRAME_ACK, .length = 1 }, REASON_BAD_LENGTH },
        { { .type = FRAME_DATA, .length = 1, .offset = 1 }, REASON_BAD_OFFSET },
        { { .type = FRAME_DATA, .length = 1, .offset = UINT64_MAX },
          REASON_BAD_OFFSET },
        { { .type = FRAME_FIN, .offset = 1 }, REASON_BAD_OFFSET },
        { { .type = FRAME_ACK, .offset = 1 }, REASON_BAD_ACK },
        { { .type = FRAME_ACK, .flags = FRAME_FLAG_FIN }, REASON_BAD_ACK },
    };

    (void)state;
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        unsigned char bytes[FRAME_HEADER_BYTES];
        struct rig rig;
        struct end *end = rig_open_alone(&rig, ROOM);
        enum reason reason;

        frame_encode(&lies[i].frame, bytes);
        assert_int_equal(send(rig.peer, bytes, sizeof bytes, 0), sizeof bytes);
        assert_int_equal(end_read(end, &reason), FRAME_READ_BAD);
        assert_int_equal(reason, lies[i].reason);
        assert_int_equal(end->channel.in.received, 0);
        rig_close(&rig);
    }
}

static void
a_reset_is_told_after_what_came_before_it(void **state)
{
    unsigned char bytes[256];
    struct rig rig;
    struct end *end = rig_open_alone(&rig, ROOM);
    enum reason reason;
    size_t length = encode_data(bytes, 0, 100);

    (void)state;
    frame_encode(
        &(struct frame){ .type = FRAME_RESET, .code = REASON_CANCELLED },
        bytes + length);
    length += FRAME_HEADER_BYTES;
    assert_int_equal(send(rig.peer, bytes, length, 0), length);
    assert_int_equal(end_read(end, &reason), FRAME_READ_RESET);
    assert_int_equal(reason, REASON_CANCELLED);
    end_deliver(end);
    assert_int_equal(end->channel.in.delivered, 100);
    rig_close(&rig);
}

static void
a_transport_that_ends_or_fails_is_lost(void **state)
{
    struct rig rig;
    struct end *end = rig_open_alone(&rig, ROOM);
    enum reason reason;

    (void)state;
    fault_error(FAULT_READV, 1, EAGAIN);
    assert_int_equal(end_read(end, &reason), FRAME_READ_SOME);
    fault_error(FAULT_READV, 3, EINTR);
    assert_int_equal(end_read(end, &reason), FRAME_READ_SOME);
    fault_error(FAULT_READV, 1, ETIMEDOUT);
    assert_int_equal(end_read(end, &reason), FRAME_READ_LOST);
    assert_int_equal(errno, ETIMEDOUT);
    shutdown(rig.peer, SHUT_WR);
    assert_int_equal(end_read(end, &reason), FRAME_READ_LOST);
    assert_int_equal(errno, 0);
    rig_close(&rig);
}

static void
a_transport_that_fails_to_take_bytes_is_lost(void **state)
{
    struct rig rig;
    struct end *end = rig_open_alone(&rig, ROOM);

    (void)state;
    end_queue(end, 1000);
    fault_error(FAULT_SENDMSG, 3, EINTR);
    assert_int_equal(end_write(end), 0);
    end_queue(end, 1000);
    fault_error(FAULT_SENDMSG, 1, EAGAIN);
    assert_int_equal(end_write(end), 0);
    assert_true(end->writer.blocked);
    assert_false(frame_writer_idle(&end->writer));
    fault_error(FAULT_SENDMSG, 1, ECONNRESET);
    assert_int_equal(end_write(end), -1);
    assert_int_equal(errno, ECONNRESET);
    rig_close(&rig);
}

static void
one_step_reads_and_writes_within_a_bound(void **state)
{
    enum { READS_MAX = 8, WRITES_MAX = 16, FRAMES = 4000 };
    unsigned char bytes[FRAME_HEADER_BYTES];
    struct rig rig;
    struct end *end = rig_open_alone(&rig, 64 * ROOM);
    enum reason reason;

    (void)state;
    net_send_buffer(rig.peer, 4 << 20);
    encode(bytes, FRAME_PONG, 0);
    for (int i = 0; i < FRAMES; i++)
        if (send(rig.peer, bytes, sizeof bytes, 0) < 0)
            break;
    assert_int_equal(end_read(end, &reason), FRAME_READ_SOME);
    assert_in_range(fault_count(FAULT_READV), 1, READS_MAX);

    net_send_buffer(transport_fd(end->transport), 64 << 20);
    for (int i = 0; i < 10; i++) {
        end_queue(end, LOTS_BYTES / 32);
        channel_take(&end->channel, &(struct frame){ .type = FRAME_PING });
    }
    assert_int_equal(end_write(end), 0);
    assert_in_range(fault_count(FAULT_SENDMSG), 1, WRITES_MAX);
    rig_close(&rig);
}

static void
a_writer_with_nothing_to_say_makes_no_call(void **state)
{
    struct rig rig;
    struct end *end = rig_open_alone(&rig, ROOM);

    (void)state;
    assert_int_equal(end_write(end), 0);
    assert_int_equal(fault_count(FAULT_SENDMSG), 0);
    assert_true(frame_writer_idle(&end->writer));
    assert_false(end->writer.blocked);
    rig_close(&rig);
}

static void
small_frames_share_one_call_with_the_payload_behind_them(void **state)
{
    unsigned char bytes[256];
    struct rig rig;
    struct end *end = rig_open_alone(&rig, ROOM);

    (void)state;
    end_queue(end, 100);
    channel_delivered(&end->channel, 0);
    channel_take(&end->channel, &(struct frame){ .type = FRAME_PING });
    assert_int_equal(end_write(end), 0);
    assert_int_equal(fault_count(FAULT_SENDMSG), 1);
    assert_int_equal(recv(rig.peer, bytes, sizeof bytes, 0),
                     2 * FRAME_HEADER_BYTES + 100);
    assert_int_equal(bytes[0], FRAME_PONG);
    assert_int_equal(bytes[FRAME_HEADER_BYTES], FRAME_DATA);
    rig_close(&rig);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_is_queued_arrives_as_it_was),
        cmocka_unit_test(short_reads_and_writes_lose_nothing),
        cmocka_unit_test(a_stream_may_be_cut_at_every_byte),
        cmocka_unit_test(a_stream_may_come_in_pieces_of_any_size),
        cmocka_unit_test(a_full_stage_may_be_early),
        cmocka_unit_test(a_ring_grows_as_far_as_the_room_and_no_further),
        cmocka_unit_test(a_header_that_lies_is_told_by_its_reason),
        cmocka_unit_test(a_reset_is_told_after_what_came_before_it),
        cmocka_unit_test(a_transport_that_ends_or_fails_is_lost),
        cmocka_unit_test(a_transport_that_fails_to_take_bytes_is_lost),
        cmocka_unit_test(one_step_reads_and_writes_within_a_bound),
        cmocka_unit_test(a_writer_with_nothing_to_say_makes_no_call),
        cmocka_unit_test(
            small_frames_share_one_call_with_the_payload_behind_them),
    };

    return RUN_TESTS(tests);
}
