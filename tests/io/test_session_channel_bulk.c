/* One end of a resumable channel, to which payload comes in bulk. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "io/transport.h"
#include "support_faults.h"
#include "support_net.h"
#include "support_pool.h"
#include "support_session_sides.h"
#include "support_test.h"
#include "tunnel/session_channel.h"
#include "wire/frame.h"

enum {
    SEED = 5,
    FRAME = FRAME_DATA_MAX,
    SPLICED_FROM = 32 << 10, /* payload to come from which it is spliced, */
    COPIED = 64,             /* but for so much of each frame */
    STAGED = 4 << 10,        /* what may come with the header, at most */
    LEFT_BEHIND = 64 << 10,  /* what a QEMU that is done may leave */
};

static struct session_channel_report
report_of(const struct sides *rig)
{
    struct session_channel_report report;

    worker_channel_report(rig->side[0].channel, &report);
    return report;
}

/* Go on over TCP, from where the channel stands now.  Return that. */
static uint64_t
resume(struct sides *rig)
{
    const struct greeting_position peer = { .window = SIDES_WINDOW };
    struct greeting_position own;
    uint64_t replay;
    int fds[2];

    net_tcp_pair(fds);
    worker_channel_greet(rig->side[0].channel, &own);
    assert_int_equal(sides_attach(rig, &rig->side[0], fds[0], &peer, &replay),
                     REASON_NONE);
    session_peer_open(&rig->peer, &rig->stage, fds[1], ROLE_FRAMES);
    return own.delivered;
}

/* A client's side that is joined to the test over TCP. */
static void
open_alone(struct sides *rig)
{
    sides_open_alone(rig, SIDES_WINDOW, SIDES_WINDOW);
    session_peer_close(&rig->peer);
    STAGE_UNTIL(&rig->stage, rig->side[0].lost == 1);
    assert_int_equal(resume(rig), 0);
    peer_expect(&rig->side[0].qemu, SEED, 0);
}

static void
assert_heard(struct sides *rig, uint64_t bytes)
{
    const struct side *side = &rig->side[0];

    bytes += side->qemu.expected_from;
    STAGE_UNTIL(&rig->stage, side->qemu.received >= bytes);
    assert_int_equal(side->qemu.received, bytes);
    assert_false(side->qemu.mismatch);
    assert_int_equal(side->failed, 0);
}

static void
end_stream(struct sides *rig, uint64_t bytes)
{
    session_peer_frame(&rig->peer,
                       (struct frame){ .type = FRAME_FIN, .offset = bytes });
    STAGE_UNTIL(&rig->stage, rig->side[0].qemu.eof);
    assert_heard(rig, bytes);
    STAGE_UNTIL(&rig->stage,
                (rig->peer.last[FRAME_ACK].flags & FRAME_FLAG_FIN) != 0);
    assert_int_equal(rig->peer.last[FRAME_ACK].offset, bytes);
}

static void
bulk_is_spliced_and_what_is_smaller_is_not(void **state)
{
    enum { FRAMES = 32, LENGTH = 128 << 10, SMALL = 16 << 10 };
    struct sides rig;
    uint64_t at = 0, spliced;

    (void)state;
    open_alone(&rig);
    for (int i = 0; i < FRAMES; i++, at += SMALL) {
        session_peer_data(&rig.peer, SEED, at, SMALL);
        assert_heard(&rig, at + SMALL);
    }
    assert_int_equal(report_of(&rig).spliced_bytes, 0);
    for (int i = 0; i < FRAMES; i++, at += LENGTH) {
        session_peer_data(&rig.peer, SEED, at, LENGTH);
        assert_heard(&rig, at + LENGTH);
    }
    spliced = report_of(&rig).spliced_bytes;
    assert_in_range(spliced, FRAMES * (LENGTH - STAGED - SPLICED_FROM),
                    FRAMES * (LENGTH - COPIED));
    end_stream(&rig, at);
    sides_close(&rig);
}

/* The header apart, or with the payload behind it. */
static void
send_frame(struct sides *rig, uint64_t at, uint32_t length, bool apart)
{
    unsigned char *bytes;
    unsigned long reads = fault_count(FAULT_READV);

    if (!apart) {
        session_peer_data(&rig->peer, SEED, at, length);
        return;
    }
    bytes = malloc(length);
    assert_non_null(bytes);
    peer_stream(SEED, at, bytes, length);
    session_peer_frame(
        &rig->peer,
        (struct frame){ .type = FRAME_DATA, .length = length, .offset = at });
    STAGE_POLL(&rig->stage, fault_count(FAULT_READV) > reads);
    session_peer_say(&rig->peer, bytes, length);
    free(bytes);
}

static void
frames_of_every_length_arrive_whole(void **state)
{
    static const uint32_t lengths[] = {
        1,
        COPIED - 1,
        COPIED,
        COPIED + 1,
        SPLICED_FROM - 1,
        SPLICED_FROM,
        SPLICED_FROM + 1,
        SPLICED_FROM + COPIED,
        SPLICED_FROM + STAGED - FRAME_HEADER_BYTES,
        SPLICED_FROM + STAGED,
        100001,
        FRAME - 1,
        FRAME,
    };
    struct sides rig;
    uint64_t at = 0;

    (void)state;
    open_alone(&rig);
    for (int apart = 0; apart < 2; apart++)
        for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
            send_frame(&rig, at, lengths[i], apart == 1);
            at += lengths[i];
            assert_heard(&rig, at);
        }
    assert_int_not_equal(report_of(&rig).spliced_bytes, 0);
    end_stream(&rig, at);
    sides_close(&rig);
}

/* Many small frames and a large one are in the socket together. */
static void
small_frames_before_a_large_one_keep_their_place(void **state)
{
    enum { SMALL = 9000, COUNT = 6 };
    struct sides rig;
    uint64_t at = 0;

    (void)state;
    open_alone(&rig);
    for (int turn = 0; turn < 20; turn++) {
        for (int i = 0; i < COUNT; i++, at += SMALL)
            session_peer_data(&rig.peer, SEED, at, SMALL);
        session_peer_data(&rig.peer, SEED, at, 60000);
        at += 60000;
        session_peer_data(&rig.peer, SEED, at, 10);
        at += 10;
        assert_heard(&rig, at);
    }
    end_stream(&rig, at);
    sides_close(&rig);
}

/* A stream of one frame of ${fill} ends with ${end}: what has become of it? */
static enum reason
verdict_after(const void *end, size_t length, unsigned char fill,
              bool at_source)
{
    static unsigned char bytes[50000]; /* comes at once, so is spliced as one */
    struct sides rig;
    enum reason reason;

    memset(bytes, fill, sizeof bytes);
    memcpy(bytes + sizeof bytes - length, end, length);
    open_alone(&rig);
    session_peer_frame(&rig.peer, (struct frame){ .type = FRAME_DATA,
                                                  .length = sizeof bytes });
    session_peer_say(&rig.peer, bytes, sizeof bytes);
    session_peer_frame(
        &rig.peer, (struct frame){ .type = FRAME_FIN, .offset = sizeof bytes });
    STAGE_UNTIL(&rig.stage, rig.side[0].qemu.eof);
    peer_do(&rig.side[0].qemu, PEER_END);
    STAGE_POLL(&rig.stage, worker_channel_complete(rig.side[0].channel));
    assert_int_not_equal(report_of(&rig).spliced_bytes, 0);
    reason = worker_channel_verdict(rig.side[0].channel, at_source);
    sides_close(&rig);
    return reason;
}

static void
the_end_of_bulk_tells_how_the_migration_ended(void **state)
{
    static const unsigned char shut[] = { 0, 1, 0, 4, 0, 0, 0, 0 };
    static const unsigned char failed[] = { 0, 1, 0, 4, 0, 0, 0, 1 };

    (void)state;
    assert_int_equal(verdict_after("}", 1, 'x', false), REASON_NONE);
    assert_int_equal(verdict_after("x", 1, '}', false), REASON_CANCELLED);
    assert_int_equal(verdict_after(shut, sizeof shut, 'x', true), REASON_NONE);
    assert_int_equal(verdict_after(failed, sizeof failed, 'x', true),
                     REASON_DESTINATION_CLOSED);
}

/* Over a Unix socket, which tells each of them. */
static void
payload_that_comes_byte_by_byte_is_payload(void **state)
{
    enum { LENGTH = SPLICED_FROM + 700, SINGLE = 1000 };
    unsigned char bytes[LENGTH];
    struct sides rig;

    (void)state;
    sides_open_alone(&rig, SIDES_WINDOW, SIDES_WINDOW);
    peer_expect(&rig.side[0].qemu, SEED, 0);
    peer_stream(SEED, 0, bytes, LENGTH);
    session_peer_frame(&rig.peer,
                       (struct frame){ .type = FRAME_DATA, .length = LENGTH });
    for (size_t i = 0; i < SINGLE; i++) {
        session_peer_say(&rig.peer, bytes + i, 1);
        assert_heard(&rig, i + 1);
    }
    assert_true(report_of(&rig).spliced_bytes >=
                LENGTH - SPLICED_FROM - COPIED);
    session_peer_say(&rig.peer, bytes + SINGLE, LENGTH - SINGLE);
    assert_heard(&rig, LENGTH);
    end_stream(&rig, LENGTH);
    sides_close(&rig);
}

static void
a_reset_right_behind_bulk_is_told_after_it(void **state)
{
    enum { LENGTH = 150000 };
    struct sides rig;
    struct side *side = &rig.side[0];

    (void)state;
    open_alone(&rig);
    session_peer_data(&rig.peer, SEED, 0, LENGTH);
    session_peer_frame(
        &rig.peer, (struct frame){ .type = FRAME_RESET, .code = REASON_LOST });
    STAGE_UNTIL(&rig.stage, side->failed > 0);
    assert_int_equal(side->reason, REASON_LOST);
    STAGE_UNTIL(&rig.stage, side->qemu.received == LENGTH);
    assert_false(side->qemu.mismatch);
    sides_close(&rig);
}

static void
an_end_in_the_middle_of_bulk_is_a_loss_and_what_came_counts(void **state)
{
    enum { LENGTH = 200000, CAME = 120000 };
    static unsigned char bytes[CAME];
    struct sides rig;
    struct side *side = &rig.side[0];

    (void)state;
    open_alone(&rig);
    peer_stream(SEED, 0, bytes, CAME);
    session_peer_frame(&rig.peer,
                       (struct frame){ .type = FRAME_DATA, .length = LENGTH });
    session_peer_say(&rig.peer, bytes, CAME);
    session_peer_close(&rig.peer);
    STAGE_UNTIL(&rig.stage, side->lost == 2);
    assert_false(side->in_order);
    assert_string_equal(side->why, "closed by the peer");
    assert_heard(&rig, CAME);
    assert_int_equal(resume(&rig), CAME);
    session_peer_data(&rig.peer, SEED, CAME, LENGTH);
    assert_heard(&rig, CAME + LENGTH);
    end_stream(&rig, CAME + LENGTH);
    sides_close(&rig);
}

/*
 * Stop QEMU, whose connection has ${fd} at the channel's end, and fill that, so
 * that it takes nothing of what the channel has for it.
 */
static void
stop(struct peer *qemu, int fd)
{
    static const unsigned char filler[FRAME];
    ssize_t n;

    peer_read(qemu, false);
    while ((n = send(fd, filler, sizeof filler, 0)) > 0)
        qemu->expected_from += (uint64_t)n;
    assert_int_equal(errno, EAGAIN);
}

/* Stop QEMU, and send it ${frames} large ones: the first is in the pipe. */
static void
hold_up(struct sides *rig, unsigned frames)
{
    struct session_channel_report report;

    stop(&rig->side[0].qemu, rig->side[0].local_fd);
    for (unsigned i = 0; i < frames; i++)
        session_peer_data(&rig->peer, SEED, (uint64_t)i * FRAME, FRAME);
    session_peer_frame(&rig->peer,
                       (struct frame){ .type = FRAME_PING, .offset = 77 });
    STAGE_UNTIL(&rig->stage, rig->peer.last[FRAME_PONG].offset == 77);
    report = report_of(rig);
    assert_int_not_equal(report.spliced_bytes, 0);
    assert_int_equal(report.in_bytes, 0);
}

static void
a_qemu_that_stands_still_does_not_keep_us_from_reading_on(void **state)
{
    struct sides rig;

    (void)state;
    open_alone(&rig);
    hold_up(&rig, 4);
    sides_rest(&rig);
    faults_clear();
    assert_in_range(stage_turns_in(&rig.stage, 200), 0, 16);
    assert_in_range(fault_count(FAULT_SPLICE), 0, 8);
    peer_read(&rig.side[0].qemu, true);
    assert_heard(&rig, 4 * FRAME);
    end_stream(&rig, 4 * FRAME);
    sides_close(&rig);
}

/*
 * The transport is lost while the pipe is held, and QEMU reads on before there
 * is another, or after that.
 */
static void
assert_resumed(unsigned frames, bool before)
{
    struct sides rig;
    struct side *side = &rig.side[0];
    uint64_t at;

    open_alone(&rig);
    hold_up(&rig, frames);
    session_peer_reset(&rig.peer);
    STAGE_UNTIL(&rig.stage, side->lost == 2);
    peer_read(&side->qemu, before);
    if (before)
        STAGE_POLL(&rig.stage, report_of(&rig).in_bytes > 0);
    at = resume(&rig);
    if (before)
        assert_in_range(at, 1, (uint64_t)frames * FRAME);
    else
        assert_int_equal(at, 0);
    peer_read(&side->qemu, true);
    for (int i = 0; i < 4; i++, at += FRAME) {
        session_peer_data(&rig.peer, SEED, at, FRAME);
        assert_heard(&rig, at + FRAME);
    }
    end_stream(&rig, at);
    sides_close(&rig);
}

static void
a_loss_while_the_pipe_is_held_doubles_and_loses_nothing(void **state)
{
    (void)state;
    for (unsigned frames = 1; frames <= 4; frames++) {
        assert_resumed(frames, false);
        assert_resumed(frames, true);
    }
}

static void
a_qemu_that_dies_while_the_pipe_is_held_fails_the_channel(void **state)
{
    struct sides rig;
    struct side *side = &rig.side[0];

    (void)state;
    open_alone(&rig);
    hold_up(&rig, 3);
    peer_close(&side->qemu);
    STAGE_UNTIL(&rig.stage, side->failed > 0);
    assert_int_equal(side->reason, REASON_CANCELLED);
    STAGE_UNTIL(&rig.stage, rig.peer.frames[FRAME_RESET] > 0);
    assert_int_equal(session_peer_reset_with(&rig.peer), REASON_CANCELLED);
    assert_int_equal(side->failed, 1);
    sides_close(&rig);
}

static void
without_splice_bulk_is_copied(void **state)
{
    enum { LENGTH = 128 << 10 };
    struct sides rig;

    (void)state;
    open_alone(&rig);
    fault_error(FAULT_SPLICE, 1, EINVAL);
    for (uint64_t at = 0; at < 10 * LENGTH; at += LENGTH) {
        session_peer_data(&rig.peer, SEED, at, LENGTH);
        assert_heard(&rig, at + LENGTH);
    }
    assert_in_range(fault_count(FAULT_SPLICE), 1, 2); /* in; what is ahead */
    assert_int_equal(report_of(&rig).spliced_bytes, 0);
    end_stream(&rig, 10 * LENGTH);
    sides_close(&rig);
}

/* A number up to ${limit}. */
static uint64_t
draw(unsigned *random, uint64_t limit)
{
    return (uint64_t)rand_r(random) % (limit + 1);
}

/* Bulk over a wire that is cut, to a QEMU that stops.  Return what is spliced.
 */
static uint64_t
survive(unsigned seed)
{
    enum { BYTES = 3 << 20 };
    struct session_channel_report report;
    unsigned random = seed, cuts = 0;
    struct sides rig;
    struct peer *qemu = &rig.side[1].qemu;

    sides_open(&rig, SIDES_WINDOW);
    peer_expect(qemu, SEED, 0);
    peer_send(&rig.side[0].qemu, SEED, BYTES, PEER_END);
    while (!qemu->eof) {
        if (!rig.wired || rig.wire.is_cut)
            sides_join(&rig, WIRE_CHUNK_MAX - draw(&random, 40000),
                       cuts++ < 12 ? draw(&random, 700000) : WIRE_FOREVER);
        if (qemu->readable != NULL)
            peer_read(qemu, cuts > 12 || draw(&random, 3) > 0);
        (void)stage_turns_in(&rig.stage, 1);
    }
    assert_int_equal(qemu->received, BYTES);
    assert_false(qemu->mismatch);
    worker_channel_report(rig.side[1].channel, &report);
    assert_int_equal(report.in_bytes, BYTES);
    sides_close(&rig);
    return report.spliced_bytes;
}

static void
bulk_survives_cuts_while_qemu_stops_and_goes_on(void **state)
{
    uint64_t spliced = 0;

    (void)state;
    for (unsigned seed = 1; seed <= 12; seed++)
        spliced += survive(seed);
    assert_int_not_equal(spliced, 0);
}

/* A destination's channel of which the QEMU may be done early. */
struct early {
    struct stage stage;
    struct session_channel *channel;
    struct session_peer peer;
    struct peer qemu;
    int local_fd;
    unsigned lost_local;
    unsigned failed;
    enum reason reason;
};

static void
on_early_local_lost(void *arg)
{
    struct early *early = arg;

    early->lost_local++;
}

static void
on_early_lost(void *arg, const char *why, bool in_order)
{
    (void)arg;
    (void)why;
    (void)in_order;
}

static void
on_early_failed(void *arg, enum reason reason)
{
    struct early *early = arg;

    early->failed++;
    early->reason = reason;
}

static void
early_open(struct early *early)
{
    const struct greeting_position peer = { .window = SIDES_WINDOW };
    struct greeting_position own;
    uint64_t replay;
    int near[2], far[2];

    faults_clear();
    *early = (struct early){ .failed = 0 };
    stage_open(&early->stage);
    early->channel = session_channel_new(&(struct session_channel_options){
        .loop = early->stage.loop,
        .number = 2,
        .window = SIDES_WINDOW,
        .on_lost = on_early_lost,
        .on_failed = on_early_failed,
        .on_local_lost = on_early_local_lost,
        .local_reason = REASON_DESTINATION_CLOSED,
        .arg = early,
    });
    assert_non_null(early->channel);
    net_unix_pair(near);
    early->local_fd = near[0];
    session_channel_set_local(early->channel,
                              transport_new(early->stage.loop, near[0]));
    peer_open(&early->qemu, &early->stage, near[1]);
    net_tcp_pair(far);
    session_channel_greet(early->channel, &own);
    assert_int_equal(
        session_channel_attach(early->channel,
                               transport_new(early->stage.loop, far[0]), &peer,
                               NULL, 0, &replay),
        REASON_NONE);
    session_peer_open(&early->peer, &early->stage, far[1], ROLE_FRAMES);
}

static void
early_close(struct early *early)
{
    session_channel_free(early->channel);
    session_peer_close(&early->peer);
    peer_close(&early->qemu);
    stage_close(&early->stage);
}

/* QEMU stops, ${bytes} come for it, most of them to the pipe, and it goes. */
static void
leave_behind(struct early *early, uint32_t bytes)
{
    struct session_channel_report report;

    stop(&early->qemu, early->local_fd);
    session_peer_data(&early->peer, SEED, 0, bytes);
    session_peer_frame(&early->peer, (struct frame){ .type = FRAME_PING });
    STAGE_UNTIL(&early->stage, early->peer.frames[FRAME_PONG] > 0);
    session_channel_report(early->channel, &report);
    assert_true(report.spliced_bytes > 0);
    assert_int_equal(report.in_bytes, 0);
    peer_close(&early->qemu);
}

static void
little_that_is_left_in_the_pipe_is_dropped(void **state)
{
    enum { BYTES = LEFT_BEHIND };
    struct early early;

    (void)state;
    early_open(&early);
    leave_behind(&early, BYTES);
    STAGE_UNTIL(&early.stage, early.lost_local > 0);
    session_channel_drop_local(early.channel);
    STAGE_UNTIL(&early.stage, early.peer.last[FRAME_ACK].offset == BYTES);

    /* And what comes now goes the same way. */
    session_peer_data(&early.peer, SEED, BYTES, FRAME);
    session_peer_frame(&early.peer, (struct frame){ .type = FRAME_FIN,
                                                    .offset = BYTES + FRAME });
    STAGE_UNTIL(&early.stage,
                (early.peer.last[FRAME_ACK].flags & FRAME_FLAG_FIN) != 0);
    assert_int_equal(early.peer.last[FRAME_ACK].offset, BYTES + FRAME);
    assert_int_equal(early.lost_local, 1);
    assert_int_equal(early.failed, 0);
    early_close(&early);
}

static void
much_that_is_left_in_the_pipe_is_a_failure(void **state)
{
    struct early early;

    (void)state;
    early_open(&early);
    leave_behind(&early, LEFT_BEHIND + 1);
    STAGE_UNTIL(&early.stage, early.failed > 0);
    assert_int_equal(early.reason, REASON_DESTINATION_CLOSED);
    early_close(&early);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(bulk_is_spliced_and_what_is_smaller_is_not),
        cmocka_unit_test(frames_of_every_length_arrive_whole),
        cmocka_unit_test(small_frames_before_a_large_one_keep_their_place),
        cmocka_unit_test(the_end_of_bulk_tells_how_the_migration_ended),
        cmocka_unit_test(payload_that_comes_byte_by_byte_is_payload),
        cmocka_unit_test(a_reset_right_behind_bulk_is_told_after_it),
        cmocka_unit_test(
            an_end_in_the_middle_of_bulk_is_a_loss_and_what_came_counts),
        cmocka_unit_test(
            a_qemu_that_stands_still_does_not_keep_us_from_reading_on),
        cmocka_unit_test(
            a_loss_while_the_pipe_is_held_doubles_and_loses_nothing),
        cmocka_unit_test(
            a_qemu_that_dies_while_the_pipe_is_held_fails_the_channel),
        cmocka_unit_test(without_splice_bulk_is_copied),
        cmocka_unit_test(bulk_survives_cuts_while_qemu_stops_and_goes_on),
    };
    static const struct CMUnitTest once[] = {
        cmocka_unit_test(little_that_is_left_in_the_pipe_is_dropped),
        cmocka_unit_test(much_that_is_left_in_the_pipe_is_a_failure),
    };

    (void)POOL_RUN_GROUP(0, "main thread, once", once);
    return POOL_RUN_BOTH(tests);
}
