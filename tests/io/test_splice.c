/* A flow in bulk, through a pipe in the kernel. */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/transport.h"
#include "support_faults.h"
#include "support_net.h"
#include "support_peer.h"
#include "support_small_pipes.h"
#include "support_stage.h"
#include "support_test.h"
#include "tunnel/flow.h"

enum { RING = 256 << 10, BULK = 1 << 20, TOTAL = 8 << 20 };

/* A flow from a TCP peer to a Unix one, as at the destination. */
struct rig {
    struct stage stage;
    struct peer source;
    struct peer sink;
    struct transport *from;
    struct transport *to;
    struct flow flow;
    unsigned long wakes;
};

static void
rearm(struct rig *rig)
{
    transport_want(rig->from, flow_wants_read(&rig->flow), false);
    transport_want(rig->to, false, flow_wants_write(&rig->flow));
}

static void
on_readable(void *arg, bool readable, bool writable)
{
    struct rig *rig = arg;

    (void)readable;
    (void)writable;
    rig->wakes++;
    flow_step(&rig->flow, true);
    rearm(rig);
}

static void
on_writable(void *arg, bool readable, bool writable)
{
    struct rig *rig = arg;

    flow_unblock(&rig->flow);
    on_readable(arg, readable, writable);
}

static void
rig_open(struct rig *rig)
{
    int near[2], far[2];

    faults_clear();
    *rig = (struct rig){ 0 };
    stage_open(&rig->stage);
    net_tcp_pair(near);
    net_unix_pair(far);
    peer_open(&rig->source, &rig->stage, near[0]);
    peer_open(&rig->sink, &rig->stage, far[0]);
    rig->from = transport_new(rig->stage.loop, near[1]);
    rig->to = transport_new(rig->stage.loop, far[1]);
    assert_int_equal(flow_init(&rig->flow, rig->from, rig->to, RING), 0);
    flow_allow_splice(&rig->flow);
    transport_on_ready(rig->from, on_readable, rig);
    transport_on_ready(rig->to, on_writable, rig);
    rearm(rig);
}

static void
rig_close(struct rig *rig)
{
    flow_fini(&rig->flow);
    transport_free(rig->from);
    transport_free(rig->to);
    peer_close(&rig->source);
    peer_close(&rig->sink);
    stage_close(&rig->stage);
}

static void
send_all(struct rig *rig, uint64_t bytes)
{
    peer_expect(&rig->sink, 1, 0);
    peer_send(&rig->source, 1, bytes, PEER_END);
}

static void
assert_arrived(struct rig *rig, uint64_t bytes)
{
    STAGE_UNTIL(&rig->stage, rig->sink.eof);
    assert_int_equal(rig->sink.received, bytes);
    assert_false(rig->sink.mismatch);
    assert_int_equal(rig->flow.state, FLOW_ENDED);
    assert_int_equal(flow_delivered(&rig->flow), bytes);
    assert_true(flow_empty(&rig->flow));
}

static void
bulk_goes_through_the_pipe_and_arrives_intact(void **state)
{
    struct rig rig;

    (void)state;
    rig_open(&rig);
    send_all(&rig, TOTAL);
    assert_arrived(&rig, TOTAL);
    assert_true(rig.flow.spliced > 0);
    assert_true(fault_count(FAULT_SPLICE) > 0);
    rig_close(&rig);
}

static void
what_is_no_bulk_goes_through_the_ring(void **state)
{
    struct rig rig;

    (void)state;
    rig_open(&rig);
    send_all(&rig, BULK - 1);
    assert_arrived(&rig, BULK - 1);
    assert_int_equal(fault_count(FAULT_SPLICE), 0);
    rig_close(&rig);
}

static void
short_splices_lose_nothing(void **state)
{
    struct rig rig;

    (void)state;
    rig_open(&rig);
    fault_short(FAULT_SPLICE, 777);
    send_all(&rig, BULK + 500000);
    assert_arrived(&rig, BULK + 500000);
    rig_close(&rig);
}

static void
a_socket_that_cannot_be_spliced_is_read_into_the_ring(void **state)
{
    struct rig rig;

    (void)state;
    rig_open(&rig);
    fault_error(FAULT_SPLICE, 1, EINVAL);
    send_all(&rig, TOTAL);
    assert_arrived(&rig, TOTAL);
    assert_int_equal(rig.flow.spliced, 0);
    assert_int_equal(fault_count(FAULT_SPLICE), 1);
    rig_close(&rig);
}

static void
eagain_and_eintr_are_no_failures(void **state)
{
    struct rig rig;

    (void)state;
    rig_open(&rig);
    peer_expect(&rig.sink, 1, 0);
    peer_send(&rig.source, 1, TOTAL, PEER_END);
    STAGE_UNTIL(&rig.stage, rig.flow.spliced > 0);
    fault_error(FAULT_SPLICE, 3, EINTR);
    STAGE_UNTIL(&rig.stage, rig.sink.received > 3 * BULK);
    fault_error(FAULT_SPLICE, 3, EAGAIN);
    assert_arrived(&rig, TOTAL);
    rig_close(&rig);
}

static void
a_reader_that_stands_still_stops_the_pipe(void **state)
{
    struct rig rig;

    (void)state;
    rig_open(&rig);
    net_send_buffer(rig.source.fd, 64 << 10);
    net_receive_buffer(transport_fd(rig.from), 64 << 10);
    send_all(&rig, 64 << 20);
    STAGE_UNTIL(&rig.stage, rig.flow.spliced > 0);
    peer_read(&rig.sink, false);
    stage_rest(&rig.stage);
    assert_false(flow_empty(&rig.flow));
    assert_true(rig.source.sent < rig.sink.received + 12 * BULK);
    peer_read(&rig.sink, true);
    assert_arrived(&rig, 64 << 20);
    rig_close(&rig);
}

static void
a_pipe_that_is_dropped_does_not_hold_up_the_end(void **state)
{
    struct rig rig;

    (void)state;
    rig_open(&rig);
    peer_send(&rig.source, 1, 64 << 20, PEER_END);
    STAGE_UNTIL(&rig.stage, rig.flow.spliced > 0);
    peer_read(&rig.sink, false);
    stage_rest(&rig.stage);
    assert_true(rig.flow.pipe.held > 0);
    flow_hold(&rig.flow);
    flow_drop(&rig.flow);
    assert_int_equal(flow_held(&rig.flow), 0);
    on_readable(&rig, true, false);
    STAGE_UNTIL(&rig.stage, rig.flow.state == FLOW_ENDED);
    rig_close(&rig);
}

static void
a_pipe_that_would_hold_little_is_asked_for_once(void **state)
{
    struct rig rig;

    (void)state;
    rig_open(&rig);
    small_pipes(8192);
    peer_expect(&rig.sink, 1, 0);
    peer_send(&rig.source, 1, TOTAL, PEER_END);
    STAGE_UNTIL(&rig.stage, rig.sink.received > 2 * BULK);
    small_pipes(0);
    assert_arrived(&rig, TOTAL);
    assert_int_equal(rig.flow.spliced, 0);
    rig_close(&rig);
}

static void
an_idle_pipe_sleeps(void **state)
{
    struct rig rig;

    (void)state;
    rig_open(&rig);
    peer_send(&rig.source, 1, TOTAL, PEER_STAY);
    STAGE_UNTIL(&rig.stage, rig.sink.received == TOTAL);
    stage_turns_in(&rig.stage, 20);
    assert_int_equal(stage_turns_in(&rig.stage, 100), 0);
    rig_close(&rig);
}

static void
a_reset_in_bulk_is_no_clean_end(void **state)
{
    struct rig rig;

    (void)state;
    rig_open(&rig);
    peer_send(&rig.source, 1, UINT64_MAX, PEER_STAY);
    STAGE_UNTIL(&rig.stage, rig.flow.spliced > 0);
    peer_do(&rig.source, PEER_RESET);
    STAGE_UNTIL(&rig.stage, rig.flow.state != FLOW_OPEN);
    assert_int_equal(rig.flow.state, FLOW_READ_FAILED);
    assert_int_equal(rig.flow.error, ECONNRESET);
    stage_turns_in(&rig.stage, 20);
    assert_false(rig.sink.eof);
    rig_close(&rig);
}

static void
a_reader_that_is_gone_in_bulk_is_a_failure_to_write(void **state)
{
    struct rig rig;

    (void)state;
    rig_open(&rig);
    peer_send(&rig.source, 1, UINT64_MAX, PEER_STAY);
    STAGE_UNTIL(&rig.stage, rig.flow.spliced > 0);
    peer_close(&rig.sink);
    STAGE_UNTIL(&rig.stage, rig.flow.state != FLOW_OPEN);
    assert_int_equal(rig.flow.state, FLOW_WRITE_FAILED);
    assert_int_equal(rig.flow.error, EPIPE);
    assert_false(flow_wants_read(&rig.flow) || flow_wants_write(&rig.flow));
    rig_close(&rig);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(bulk_goes_through_the_pipe_and_arrives_intact),
        cmocka_unit_test(what_is_no_bulk_goes_through_the_ring),
        cmocka_unit_test(short_splices_lose_nothing),
        cmocka_unit_test(a_socket_that_cannot_be_spliced_is_read_into_the_ring),
        cmocka_unit_test(eagain_and_eintr_are_no_failures),
        cmocka_unit_test(a_reader_that_stands_still_stops_the_pipe),
        cmocka_unit_test(a_pipe_that_is_dropped_does_not_hold_up_the_end),
        cmocka_unit_test(a_pipe_that_would_hold_little_is_asked_for_once),
        cmocka_unit_test(an_idle_pipe_sleeps),
        cmocka_unit_test(a_reset_in_bulk_is_no_clean_end),
        cmocka_unit_test(a_reader_that_is_gone_in_bulk_is_a_failure_to_write),
    };

    return RUN_TESTS(tests);
}
