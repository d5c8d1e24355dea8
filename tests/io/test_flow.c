/* One direction of a channel, step by step. */
#include "tunnel/flow.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/transport.h"
#include "support_faults.h"
#include "support_net.h"
#include "support_peer.h"
#include "support_stage.h"
#include "support_test.h"

enum { RING = 128 << 10, READ_ROOM = 64 << 10, STEP_TURNS = 8 };

/* A flow between two socket pairs; the test has their outer ends. */
struct rig {
    struct stage stage;
    int source;
    int sink;
    struct transport *from;
    struct transport *to;
    struct flow flow;
    uint64_t written;
    uint64_t read;
};

static void
rig_open(struct rig *rig, size_t ring_bytes)
{
    int near[2], far[2];

    faults_clear();
    *rig = (struct rig){ 0 };
    stage_open(&rig->stage);
    net_unix_pair(near);
    net_unix_pair(far);
    rig->source = near[0];
    rig->sink = far[0];
    rig->from = transport_new(rig->stage.loop, near[1]);
    rig->to = transport_new(rig->stage.loop, far[1]);
    assert_int_equal(flow_init(&rig->flow, rig->from, rig->to, ring_bytes), 0);
}

static void
rig_close(struct rig *rig)
{
    flow_fini(&rig->flow);
    transport_free(rig->from);
    transport_free(rig->to);
    close(rig->source);
    close(rig->sink);
    stage_close(&rig->stage);
}

/* Write up to ${bytes} of the stream 1 to the source; return how many. */
static size_t
rig_write(struct rig *rig, size_t bytes)
{
    unsigned char block[4096];
    size_t done = 0;

    while (done < bytes) {
        size_t part = bytes - done < sizeof block ? bytes - done : sizeof block;
        ssize_t n;

        peer_stream(1, rig->written, block, part);
        n = write(rig->source, block, part);
        if (n <= 0)
            break;
        done += (size_t)n;
        rig->written += (size_t)n;
    }
    return done;
}

/* Read up to ${bytes} at the sink and check them; return how many. */
static size_t
rig_read(struct rig *rig, size_t bytes)
{
    unsigned char block[4096], expected[4096];
    size_t done = 0;

    while (done < bytes) {
        size_t part = bytes - done < sizeof block ? bytes - done : sizeof block;
        ssize_t n = read(rig->sink, block, part);

        if (n <= 0)
            break;
        peer_stream(1, rig->read, expected, (size_t)n);
        assert_memory_equal(block, expected, (size_t)n);
        done += (size_t)n;
        rig->read += (size_t)n;
    }
    return done;
}

static bool
sink_has_ended(struct rig *rig)
{
    char byte;

    return recv(rig->sink, &byte, 1, MSG_PEEK) == 0;
}

/* Step until the reader, who stands still, lets no more through. */
static void
rig_jam(struct rig *rig)
{
    while (rig_write(rig, SIZE_MAX) > 0)
        flow_step(&rig->flow, true);
    assert_true(rig->flow.blocked);
}

static void
bytes_pass_and_are_counted(void **state)
{
    struct rig rig;

    (void)state;
    rig_open(&rig, RING);
    rig_write(&rig, 1);
    flow_step(&rig.flow, true);
    assert_int_equal(flow_delivered(&rig.flow), 1);
    assert_int_equal(rig_read(&rig, 2), 1);
    rig_write(&rig, 5000);
    flow_step(&rig.flow, true);
    assert_int_equal(flow_delivered(&rig.flow), 5001);
    assert_int_equal(rig_read(&rig, SIZE_MAX), 5000);
    assert_true(flow_wants_read(&rig.flow));
    assert_false(flow_wants_write(&rig.flow));
    rig_close(&rig);
}

static void
nothing_is_read_that_is_not_readable(void **state)
{
    struct rig rig;

    (void)state;
    rig_open(&rig, RING);
    rig_write(&rig, 10);
    flow_step(&rig.flow, false);
    assert_int_equal(fault_count(FAULT_READV), 0);
    assert_int_equal(flow_delivered(&rig.flow), 0);
    rig_close(&rig);
}

static void
a_readable_socket_with_nothing_in_it_is_no_failure(void **state)
{
    struct rig rig;

    (void)state;
    rig_open(&rig, RING);
    flow_step(&rig.flow, true);
    assert_int_equal(rig.flow.state, FLOW_OPEN);
    assert_true(flow_wants_read(&rig.flow));
    assert_int_equal(fault_count(FAULT_READV), 1);
    rig_close(&rig);
}

static void
an_end_is_passed_on_at_once_when_nothing_is_left(void **state)
{
    struct rig rig;

    (void)state;
    rig_open(&rig, RING);
    shutdown(rig.source, SHUT_WR);
    flow_step(&rig.flow, true);
    assert_int_equal(rig.flow.state, FLOW_ENDED);
    assert_true(sink_has_ended(&rig));
    assert_false(flow_wants_read(&rig.flow));
    assert_false(flow_wants_write(&rig.flow));
    rig_close(&rig);
}

static void
an_end_is_passed_on_only_after_the_last_byte(void **state)
{
    struct rig rig;
    bool ended_early = false;

    (void)state;
    rig_open(&rig, RING);
    rig_jam(&rig);
    shutdown(rig.source, SHUT_WR);
    while (rig.read < rig.written) {
        ended_early =
            ended_early || sink_has_ended(&rig) || rig.flow.state == FLOW_ENDED;
        assert_int_not_equal(rig_read(&rig, 9999), 0);
        flow_unblock(&rig.flow);
        flow_step(&rig.flow, true);
        if (flow_delivered(&rig.flow) == rig.written)
            break;
    }
    flow_step(&rig.flow, true);
    assert_false(ended_early);
    assert_int_equal(rig.flow.state, FLOW_ENDED);
    rig_read(&rig, SIZE_MAX);
    assert_int_equal(rig.read, rig.written);
    assert_true(sink_has_ended(&rig));
    rig_close(&rig);
}

static void
a_stopped_reader_stops_the_writer(void **state)
{
    struct rig rig;
    unsigned long reads, writes;

    (void)state;
    rig_open(&rig, RING);
    rig_jam(&rig);
    assert_true(ring_length(&rig.flow.ring) <= RING);
    assert_true(rig.flow.ring.end <= RING + flow_delivered(&rig.flow));
    assert_false(flow_wants_read(&rig.flow));
    assert_true(flow_wants_write(&rig.flow));
    reads = fault_count(FAULT_READV);
    writes = fault_count(FAULT_SENDMSG);
    for (int i = 0; i < 10; i++)
        flow_step(&rig.flow, true);
    assert_int_equal(fault_count(FAULT_READV), reads);
    assert_int_equal(fault_count(FAULT_SENDMSG), writes);
    rig_close(&rig);
}

static void
a_blocked_flow_reads_while_there_is_room_enough(void **state)
{
    struct rig rig;

    (void)state;
    rig_open(&rig, RING);
    rig.flow.blocked = true;
    assert_true(flow_wants_read(&rig.flow));
    ring_filled(&rig.flow.ring, RING - READ_ROOM);
    assert_true(flow_wants_read(&rig.flow));
    ring_filled(&rig.flow.ring, 1);
    assert_false(flow_wants_read(&rig.flow));
    rig.flow.blocked = false;
    assert_true(flow_wants_read(&rig.flow));
    rig_close(&rig);
}

static void
a_ring_smaller_than_a_good_read_carries_everything(void **state)
{
    struct rig rig;

    (void)state;
    rig_open(&rig, 256);
    rig_write(&rig, 10000);
    shutdown(rig.source, SHUT_WR);
    for (int i = 0; i < 10; i++)
        flow_step(&rig.flow, true);
    assert_int_equal(rig.flow.state, FLOW_ENDED);
    assert_int_equal(rig_read(&rig, SIZE_MAX), 10000);
    rig_close(&rig);
}

static void
one_step_is_bounded(void **state)
{
    struct rig rig;

    (void)state;
    rig_open(&rig, 256);
    rig_write(&rig, 100 * 256);
    flow_step(&rig.flow, true);
    assert_int_equal(fault_count(FAULT_READV), STEP_TURNS);
    assert_int_equal(flow_delivered(&rig.flow), STEP_TURNS * 256);
    assert_true(flow_wants_read(&rig.flow));
    rig_close(&rig);
}

static void
a_read_that_left_room_is_not_tried_again(void **state)
{
    struct rig rig;

    (void)state;
    rig_open(&rig, RING);
    rig_write(&rig, 5000);
    flow_step(&rig.flow, true);
    assert_int_equal(fault_count(FAULT_READV), 1);
    assert_int_equal(fault_count(FAULT_SENDMSG), 1);
    rig_close(&rig);
}

/* Carry 1000 bytes and their end with calls that fall short. */
static void
assert_carried_with(enum fault_call call, size_t bytes)
{
    struct rig rig;
    int steps = 0;

    rig_open(&rig, RING);
    fault_short(call, bytes);
    rig_write(&rig, 1000);
    shutdown(rig.source, SHUT_WR);
    while (rig.flow.state != FLOW_ENDED && steps++ < 10000) {
        assert_true(flow_wants_read(&rig.flow) || flow_wants_write(&rig.flow));
        flow_unblock(&rig.flow);
        flow_step(&rig.flow, true);
        rig_read(&rig, SIZE_MAX);
    }
    assert_int_equal(rig.flow.state, FLOW_ENDED);
    rig_read(&rig, SIZE_MAX);
    assert_int_equal(rig.read, 1000);
    assert_true(sink_has_ended(&rig));
    rig_close(&rig);
}

static void
short_reads_and_short_writes_lose_nothing(void **state)
{
    (void)state;
    assert_carried_with(FAULT_READV, 1);
    assert_carried_with(FAULT_READV, 7);
    assert_carried_with(FAULT_SENDMSG, 1);
    assert_carried_with(FAULT_SENDMSG, 7);
}

static void
a_write_that_falls_short_waits_for_room(void **state)
{
    struct rig rig;

    (void)state;
    rig_open(&rig, RING);
    fault_short(FAULT_SENDMSG, 3);
    rig_write(&rig, 10);
    flow_step(&rig.flow, true);
    assert_int_equal(fault_count(FAULT_SENDMSG), 1);
    assert_true(flow_wants_write(&rig.flow));
    flow_unblock(&rig.flow);
    assert_false(flow_wants_write(&rig.flow));
    flow_step(&rig.flow, false);
    assert_int_equal(flow_delivered(&rig.flow), 6);
    rig_close(&rig);
}

static void
eagain_and_eintr_are_no_failures(void **state)
{
    struct rig rig;

    (void)state;
    rig_open(&rig, RING);
    rig_write(&rig, 10);
    fault_error(FAULT_READV, 1, EAGAIN);
    flow_step(&rig.flow, true);
    assert_int_equal(rig.flow.state, FLOW_OPEN);
    fault_error(FAULT_READV, 2, EINTR);
    fault_error(FAULT_SENDMSG, 1, EAGAIN);
    flow_step(&rig.flow, true);
    assert_int_equal(rig.flow.state, FLOW_OPEN);
    assert_true(flow_wants_write(&rig.flow));
    flow_unblock(&rig.flow);
    fault_error(FAULT_SENDMSG, 2, EINTR);
    flow_step(&rig.flow, false);
    assert_int_equal(rig_read(&rig, SIZE_MAX), 10);
    rig_close(&rig);
}

static void
a_stream_that_breaks_off_is_never_passed_on_as_ended(void **state)
{
    static const int errors[] = { ECONNRESET, EINVAL, ETIMEDOUT };
    struct rig rig;

    (void)state;
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        rig_open(&rig, RING);
        fault_error(FAULT_READV, 1, errors[i]);
        flow_step(&rig.flow, true);
        assert_int_equal(rig.flow.state, FLOW_READ_FAILED);
        assert_int_equal(rig.flow.error, errors[i]);
        shutdown(rig.source, SHUT_WR);
        flow_step(&rig.flow, true);
        assert_int_equal(rig.flow.state, FLOW_READ_FAILED);
        assert_false(sink_has_ended(&rig));
        assert_false(flow_wants_read(&rig.flow));
        assert_false(flow_wants_write(&rig.flow));
        rig_close(&rig);
    }
}

static void
what_was_read_before_a_stream_broke_off_is_still_written(void **state)
{
    struct rig rig;
    uint64_t end;

    (void)state;
    rig_open(&rig, RING);
    rig_jam(&rig);
    end = rig.flow.ring.end;
    rig_read(&rig, SIZE_MAX);
    fault_error(FAULT_READV, 1, ECONNRESET);
    flow_unblock(&rig.flow);
    flow_step(&rig.flow, true);
    assert_int_equal(rig.flow.state, FLOW_READ_FAILED);
    while (rig_read(&rig, SIZE_MAX) > 0) {
        flow_unblock(&rig.flow);
        flow_step(&rig.flow, true);
    }
    assert_int_equal(rig.read, end);
    assert_false(sink_has_ended(&rig));
    rig_close(&rig);
}

static void
a_write_that_fails_ends_everything(void **state)
{
    static const int errors[] = { EPIPE, ECONNRESET, EINVAL };
    struct rig rig;

    (void)state;
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        rig_open(&rig, RING);
        rig_write(&rig, 10);
        fault_error(FAULT_SENDMSG, 1, errors[i]);
        flow_step(&rig.flow, true);
        assert_int_equal(rig.flow.state, FLOW_WRITE_FAILED);
        assert_int_equal(rig.flow.error, errors[i]);
        assert_int_equal(flow_delivered(&rig.flow), 0);
        assert_false(flow_wants_read(&rig.flow));
        assert_false(flow_wants_write(&rig.flow));
        flow_unblock(&rig.flow);
        flow_step(&rig.flow, true);
        assert_int_equal(fault_count(FAULT_SENDMSG), 1);
        rig_close(&rig);
    }
}

static void
a_blocked_flow_whose_write_fails_waits_for_nothing(void **state)
{
    struct rig rig;

    (void)state;
    rig_open(&rig, RING);
    rig_jam(&rig);
    fault_error(FAULT_SENDMSG, 1, EPIPE);
    flow_unblock(&rig.flow);
    flow_step(&rig.flow, false);
    assert_int_equal(rig.flow.state, FLOW_WRITE_FAILED);
    assert_false(flow_wants_write(&rig.flow));
    rig_close(&rig);
}

static void
an_end_that_cannot_be_passed_on_is_a_failure_to_write(void **state)
{
    struct rig rig;
    int none = open("/dev/null", O_RDWR);

    (void)state;
    rig_open(&rig, RING);
    dup2(none, transport_fd(rig.to)); /* shutdown: ENOTSOCK */
    shutdown(rig.source, SHUT_WR);
    flow_step(&rig.flow, true);
    assert_int_equal(rig.flow.state, FLOW_WRITE_FAILED);
    assert_int_equal(rig.flow.error, ENOTSOCK);
    close(none);
    rig_close(&rig);
}

static void
random_steps_lose_nothing(void **state)
{
    struct rig rig;
    unsigned random = 7;

    (void)state;
    rig_open(&rig, RING);
    net_send_buffer(rig.source, 4096);
    net_send_buffer(transport_fd(rig.to), 4096);
    for (int i = 0; i < 3000; i++) {
        fault_short(FAULT_READV, (size_t)rand_r(&random) % 5000);
        fault_short(FAULT_SENDMSG, (size_t)rand_r(&random) % 5000);
        rig_write(&rig, (size_t)rand_r(&random) % 8000);
        if (rig_read(&rig, (size_t)rand_r(&random) % 8000) > 0)
            flow_unblock(&rig.flow);
        flow_step(&rig.flow, true);
        assert_true(ring_length(&rig.flow.ring) <= RING);
    }
    faults_clear();
    shutdown(rig.source, SHUT_WR);
    while (rig.flow.state != FLOW_ENDED) {
        rig_read(&rig, SIZE_MAX);
        flow_unblock(&rig.flow);
        flow_step(&rig.flow, true);
    }
    rig_read(&rig, SIZE_MAX);
    assert_int_equal(rig.read, rig.written);
    assert_int_equal(flow_delivered(&rig.flow), rig.written);
    assert_true(sink_has_ended(&rig));
    rig_close(&rig);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_pass_and_are_counted),
        cmocka_unit_test(nothing_is_read_that_is_not_readable),
        cmocka_unit_test(a_readable_socket_with_nothing_in_it_is_no_failure),
        cmocka_unit_test(an_end_is_passed_on_at_once_when_nothing_is_left),
        cmocka_unit_test(an_end_is_passed_on_only_after_the_last_byte),
        cmocka_unit_test(a_stopped_reader_stops_the_writer),
        cmocka_unit_test(a_blocked_flow_reads_while_there_is_room_enough),
        cmocka_unit_test(a_ring_smaller_than_a_good_read_carries_everything),
        cmocka_unit_test(one_step_is_bounded),
        cmocka_unit_test(a_read_that_left_room_is_not_tried_again),
        cmocka_unit_test(short_reads_and_short_writes_lose_nothing),
        cmocka_unit_test(a_write_that_falls_short_waits_for_room),
        cmocka_unit_test(eagain_and_eintr_are_no_failures),
        cmocka_unit_test(a_stream_that_breaks_off_is_never_passed_on_as_ended),
        cmocka_unit_test(
            what_was_read_before_a_stream_broke_off_is_still_written),
        cmocka_unit_test(a_write_that_fails_ends_everything),
        cmocka_unit_test(a_blocked_flow_whose_write_fails_waits_for_nothing),
        cmocka_unit_test(an_end_that_cannot_be_passed_on_is_a_failure_to_write),
        cmocka_unit_test(random_steps_lose_nothing),
    };

    return RUN_TESTS(tests);
}
