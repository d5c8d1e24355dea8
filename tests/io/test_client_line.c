/* The client's end of one channel; the test is its QEMU and the server. */
#include "tunnel/client_line.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/transport.h"
#include "support_capture.h"
#include "support_faults.h"
#include "support_net.h"
#include "support_peer.h"
#include "support_pool.h"
#include "support_session_acceptor.h"
#include "support_session_clock.h"
#include "support_stage.h"
#include "support_test.h"
#include "tunnel/worker_channel.h"

enum {
    WINDOW = 1 << 20,
    NUMBER = 3,
    LONG_MS = 300000,
    SHORT_MS = 300,
};

struct rig {
    struct stage stage;
    struct worker_pool *pool;
    struct session_acceptor server;
    struct client_line *line;
    struct peer qemu;
    unsigned ups;
    unsigned finished;
    unsigned failed;
    enum reason reason;
    char why[128];
};

static void
on_up(void *arg)
{
    ((struct rig *)arg)->ups++;
}

static void
on_finished(void *arg)
{
    ((struct rig *)arg)->finished++;
}

/* The owner of a line that failed often frees it. */
static void
on_failed(void *arg, enum reason reason, const char *why)
{
    struct rig *rig = arg;

    rig->failed++;
    rig->reason = reason;
    snprintf(rig->why, sizeof rig->why, "%s", why != NULL ? why : "");
    client_line_free(rig->line);
    rig->line = NULL;
}

static struct client_line_options
defaults(void)
{
    struct client_line_options options = {
        .label = "session test",
        .session = "0123456789abcde",
        .name = "vm-1",
        .number = NUMBER,
        .window = WINDOW,
        .wait_ms = LONG_MS,
        .resume_timeout_ms = LONG_MS,
        .on_up = on_up,
        .on_finished = on_finished,
        .on_failed = on_failed,
    };

    return options;
}

/* A line to a server that listens. */
static void
rig_open(struct rig *rig, const struct client_line_options *given)
{
    struct client_line_options options = *given;
    int fds[2];

    memset(rig, 0, sizeof *rig);
    stage_open(&rig->stage);
    rig->pool = pool_open(rig->stage.loop);
    session_acceptor_open(&rig->server, &rig->stage);
    options.loop = rig->stage.loop;
    options.pool = rig->pool;
    options.dest =
        (struct address){ .host = "127.0.0.1", .port = rig->server.port };
    options.arg = rig;
    rig->line = client_line_new(&options);
    assert_non_null(rig->line);
    net_unix_pair(fds);
    peer_open(&rig->qemu, &rig->stage, fds[1]);
    worker_channel_set_local(client_line_channel(rig->line),
                             transport_new(rig->stage.loop, fds[0]));
}

static void
rig_close(struct rig *rig)
{
    client_line_free(rig->line);
    session_acceptor_close(&rig->server);
    peer_close(&rig->qemu);
    pool_close(rig->pool);
    stage_close(&rig->stage);
}

static void
rig_open_up(struct rig *rig, const struct client_line_options *options)
{
    rig_open(rig, options);
    STAGE_UNTIL(&rig->stage, rig->ups == 1);
}

/* The server's end of the latest transport. */
static struct session_peer *
latest(struct rig *rig)
{
    assert_true(rig->server.count > 0);
    return &rig->server.peers[rig->server.count - 1];
}

static void
the_first_greeting_says_who_and_where(void **state)
{
    const struct client_line_options options = defaults();
    const struct client_greeting *said;
    struct rig rig;

    (void)state;
    rig_open_up(&rig, &options);
    said = &latest(&rig)->client;
    assert_int_equal(said->version_min, PROTOCOL_VERSION_MIN);
    assert_int_equal(said->version_max, PROTOCOL_VERSION_MAX);
    assert_false(said->resume);
    assert_int_equal(said->channel, NUMBER);
    assert_memory_equal(said->session, "0123456789abcde", SESSION_ID_BYTES);
    assert_string_equal(said->name, "vm-1");
    assert_int_equal(said->position.delivered, 0);
    assert_int_equal(said->position.window, WINDOW);
    assert_int_equal(rig.server.count, 1);
    rig_close(&rig);
}

static void
bytes_pass_and_the_server_ends_it(void **state)
{
    const struct client_line_options options = defaults();
    struct session_peer *server;
    struct rig rig;

    (void)state;
    rig_open_up(&rig, &options);
    server = latest(&rig);
    server->expects = true;
    server->expected_seed = 1;
    peer_expect(&rig.qemu, 2, 0);
    peer_send(&rig.qemu, 1, 2000000, PEER_END);
    session_peer_data(server, 2, 0, 5000);
    session_peer_frame(server,
                       (struct frame){ .type = FRAME_FIN, .offset = 5000 });
    STAGE_UNTIL(&rig.stage, server->got_end && rig.qemu.eof);
    assert_int_equal(server->received, 2000000);
    assert_false(server->mismatch);
    assert_false(rig.qemu.mismatch);
    STAGE_UNTIL(&rig.stage,
                (server->last[FRAME_ACK].flags & FRAME_FLAG_FIN) != 0);
    stage_turns_in(&rig.stage, 20);
    assert_int_equal(rig.finished, 0);
    session_peer_close(server);
    STAGE_UNTIL(&rig.stage, rig.finished == 1);
    stage_turns_in(&rig.stage, 150);
    assert_int_equal(rig.server.count, 1);
    assert_int_equal(rig.failed, 0);
    rig_close(&rig);
}

static void
what_follows_the_answer_at_once_is_not_lost(void **state)
{
    const struct client_line_options options = defaults();
    unsigned char bytes[GREETING_SERVER_BYTES + FRAME_HEADER_BYTES + 2000];
    const struct server_greeting answer = { .version = 1,
                                            .channel = NUMBER,
                                            .position.window = WINDOW };
    struct rig rig;

    (void)state;
    rig_open(&rig, &options);
    rig.server.mute = true;
    STAGE_UNTIL(&rig.stage, rig.server.count == 1 && latest(&rig)->greeted);
    server_greeting_encode(&answer, bytes);
    frame_encode(&(struct frame){ .type = FRAME_DATA, .length = 2000 },
                 bytes + GREETING_SERVER_BYTES);
    peer_stream(9, 0, bytes + GREETING_SERVER_BYTES + FRAME_HEADER_BYTES, 2000);
    peer_expect(&rig.qemu, 9, 0);
    session_peer_say(latest(&rig), bytes, sizeof bytes);
    STAGE_UNTIL(&rig.stage, rig.qemu.received == 2000);
    assert_false(rig.qemu.mismatch);
    assert_int_equal(rig.ups, 1);
    rig_close(&rig);
}

static void
an_answer_may_come_byte_by_byte(void **state)
{
    const struct client_line_options options = defaults();
    const struct server_greeting answer = { .version = 1,
                                            .channel = NUMBER,
                                            .position.window = WINDOW };
    unsigned char bytes[GREETING_SERVER_BYTES];
    struct rig rig;

    (void)state;
    rig_open(&rig, &options);
    rig.server.mute = true;
    STAGE_UNTIL(&rig.stage, rig.server.count == 1 && latest(&rig)->greeted);
    server_greeting_encode(&answer, bytes);
    for (size_t i = 0; i < sizeof bytes; i++) {
        assert_int_equal(rig.ups, 0);
        session_peer_say(latest(&rig), bytes + i, 1);
        stage_turns_in(&rig.stage, 1);
    }
    STAGE_UNTIL(&rig.stage, rig.ups == 1);
    rig_close(&rig);
}

static void
a_greeting_may_be_written_in_pieces(void **state)
{
    const struct client_line_options options = defaults();
    struct rig rig;

    (void)state;
    faults_clear();
    fault_short(FAULT_SENDMSG, 9);
    rig_open_up(&rig, &options);
    assert_int_equal(latest(&rig)->client.channel, NUMBER);
    assert_int_equal(rig.server.count, 1);
    faults_clear();
    rig_close(&rig);
}

static void
a_greeting_that_cannot_be_written_is_tried_again(void **state)
{
    const struct client_line_options options = defaults();
    struct rig rig;

    (void)state;
    capture_start();
    faults_clear();
    fault_error(FAULT_SENDMSG, 2, EPIPE);
    rig_open_up(&rig, &options);
    assert_int_equal(rig.server.count, 3);
    assert_int_equal(capture_count(capture_stop(), "Broken pipe; trying"), 1);
    faults_clear();
    rig_close(&rig);
}

static void
a_lost_transport_is_resumed_where_it_stood(void **state)
{
    const struct client_line_options options = defaults();
    struct session_peer *server;
    const char *said;
    struct rig rig;

    (void)state;
    capture_start();
    rig_open_up(&rig, &options);
    peer_send(&rig.qemu, 1, 1000, PEER_STAY);
    session_peer_data(latest(&rig), 2, 0, 300);
    STAGE_UNTIL(&rig.stage,
                latest(&rig)->received == 1000 && rig.qemu.received == 300);
    for (unsigned losses = 1; losses <= 5; losses++) {
        if (losses % 2 == 0)
            session_peer_close(latest(&rig));
        else
            session_peer_reset(latest(&rig));
        STAGE_UNTIL(&rig.stage,
                    rig.server.count == losses + 1 && latest(&rig)->greeted);
    }
    server = latest(&rig);
    assert_true(server->client.resume);
    assert_int_equal(server->client.position.delivered, 300);
    assert_false(server->client.position.fin_delivered);
    peer_say(&rig.qemu, "more", 4);
    STAGE_UNTIL(&rig.stage, server->received == 1004);
    assert_false(server->broken);
    assert_int_equal(rig.ups, 1);
    said = capture_stop();
    assert_int_equal(capture_count(said, "transport lost: "), 5);
    assert_int_equal(capture_count(said, "resumed after "), 5);
    rig_close(&rig);
}

static void
every_refusal_ends_it_at_once(void **state)
{
    static const enum reason reasons[] = {
        REASON_VERSION, REASON_NAME,  REASON_BUSY,    REASON_UNKNOWN,
        REASON_ORDER,   REASON_LIMIT, REASON_STOPPED, REASON_BAD_RESUME,
    };
    const struct client_line_options options = defaults();

    (void)state;
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
        struct rig rig;

        rig_open(&rig, &options);
        rig.server.how.reason = reasons[i];
        STAGE_UNTIL(&rig.stage, rig.failed == 1);
        assert_int_equal(rig.reason, reasons[i]);
        assert_int_equal(rig.ups, 0);
        assert_int_equal(rig.server.count, 1);
        rig_close(&rig);
    }
}

static void
a_refusal_of_the_resumption_ends_it_at_once(void **state)
{
    const struct client_line_options options = defaults();
    struct rig rig;

    (void)state;
    capture_start();
    rig_open_up(&rig, &options);
    rig.server.how.reason = REASON_UNKNOWN;
    session_peer_reset(latest(&rig));
    STAGE_UNTIL(&rig.stage, rig.failed == 1);
    capture_stop();
    assert_int_equal(rig.reason, REASON_UNKNOWN);
    rig_close(&rig);
}

/* Send ${answer} to a line that waits for it. */
static void
answer_once(struct rig *rig, const struct server_greeting *answer)
{
    rig->server.mute = true;
    STAGE_UNTIL(&rig->stage, rig->server.count == 1 && latest(rig)->greeted);
    session_peer_answer(latest(rig), answer);
}

static void
an_answer_that_lies_ends_it(void **state)
{
    static const struct {
        struct server_greeting answer;
        enum reason reason;
    } lies[] = {
        { { .version = 1, .channel = NUMBER + 1 }, REASON_PROTOCOL },
        { { .version = 0, .channel = NUMBER }, REASON_VERSION },
        { { .version = 2, .channel = NUMBER }, REASON_VERSION },
        { { .version = 255, .channel = NUMBER }, REASON_VERSION },
        { { .version = 1, .channel = NUMBER, .position.delivered = 1 },
          REASON_BAD_RESUME },
        { { .version = 1, .channel = NUMBER, .position.fin_delivered = true },
          REASON_BAD_RESUME },
        { { .version = 1, .channel = NUMBER, .reason = (enum reason)999 },
          REASON_PROTOCOL },
    };
    const struct client_line_options options = defaults();

    (void)state;
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        struct rig rig;

        rig_open(&rig, &options);
        answer_once(&rig, &lies[i].answer);
        STAGE_UNTIL(&rig.stage, rig.failed + rig.ups > 0);
        assert_int_equal(rig.failed, 1);
        assert_int_equal(rig.reason, lies[i].reason);
        STAGE_UNTIL(&rig.stage, session_peer_ended(latest(&rig)));
        rig_close(&rig);
    }
}

static void
what_is_no_mig_server_is_said_at_once(void **state)
{
    static const char *const words[] = {
        "HTTP/1.0 400 Bad Request\r\n\r\n",
        "SSH-2.0-OpenSSH\r\n",
        "\x15\x03\x01",
        "QEVM",
        "mig-tunX",
        "mig-tun\n\x01\x01\x00\x1f", /* too short to be one */
    };
    static const size_t lengths[] = { 28, 17, 3, 4, 8, 12 };
    const struct client_line_options options = defaults();

    (void)state;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        struct rig rig;

        rig_open(&rig, &options);
        rig.server.mute = true;
        STAGE_UNTIL(&rig.stage, rig.server.count == 1 && latest(&rig)->greeted);
        session_peer_say(latest(&rig), words[i], lengths[i]);
        STAGE_UNTIL(&rig.stage, rig.failed == 1);
        assert_int_equal(rig.reason, REASON_PROTOCOL);
        assert_non_null(strstr(rig.why, "not mig-server"));
        rig_close(&rig);
    }
}

/* As a raw mig-server does, or a relay whose own target is not there yet. */
static void
a_server_that_hangs_up_is_told_once_and_tried_again(void **state)
{
    const struct client_line_options options = defaults();
    const char *said;
    struct rig rig;

    (void)state;
    capture_start();
    rig_open(&rig, &options);
    rig.server.mute = true;
    for (unsigned i = 1; i <= 3; i++) {
        STAGE_UNTIL(&rig.stage, rig.server.count == i && latest(&rig)->greeted);
        if (i % 2 == 0)
            session_peer_close(latest(&rig));
        else
            session_peer_reset(latest(&rig));
    }
    rig.server.mute = false;
    STAGE_UNTIL(&rig.stage, rig.ups == 1);
    said = capture_stop();
    assert_int_equal(capture_count(said, "cannot connect to mig-server at "),
                     1);
    assert_int_equal(capture_count(said, "trying for "), 1);
    rig_close(&rig);
}

static void
a_first_connection_has_its_own_deadline(void **state)
{
    struct client_line_options options = defaults();
    const char *said;
    struct rig rig;

    (void)state;
    options.wait_ms = SHORT_MS;
    capture_start();
    rig_open(&rig, &options);
    session_acceptor_stop(&rig.server);
    STAGE_UNTIL(&rig.stage, rig.failed == 1);
    said = capture_stop();
    assert_int_equal(rig.reason, REASON_LOST);
    assert_string_equal(rig.why, strerror(ECONNREFUSED));
    assert_int_equal(capture_count(said, "Connection refused; trying for"), 1);
    rig_close(&rig);
}

static void
a_server_that_does_not_answer_is_tried_again_after_five_seconds(void **state)
{
    const struct client_line_options options = defaults();
    uint64_t since;
    struct rig rig;

    (void)state;
    capture_start();
    session_clock_speed(10);
    since = stage_now_ms();
    rig_open(&rig, &options);
    rig.server.mute = true;
    STAGE_UNTIL(&rig.stage, rig.server.count == 2);
    assert_true(stage_now_ms() - since + SESSION_CLOCK_EARLY_MS >= 5000);
    session_clock_speed(1);
    assert_int_equal(
        capture_count(capture_stop(), "no answer to the greeting; trying for"),
        1);
    assert_int_equal(rig.failed, 0);
    rig_close(&rig);
}

static void
a_server_that_refuses_for_three_seconds_is_gone(void **state)
{
    const struct client_line_options options = defaults();
    uint64_t since;
    struct rig rig;

    (void)state;
    capture_start();
    rig_open_up(&rig, &options);
    session_acceptor_stop(&rig.server);
    session_clock_speed(10);
    since = stage_now_ms();
    session_peer_reset(latest(&rig));
    STAGE_UNTIL(&rig.stage, rig.failed == 1);
    assert_in_range(stage_now_ms() - since, 3000 - SESSION_CLOCK_EARLY_MS,
                    LONG_MS / 2);
    session_clock_speed(1);
    capture_stop();
    assert_int_equal(rig.reason, REASON_UNKNOWN);
    assert_non_null(strstr(rig.why, "mig-server is gone"));
    rig_close(&rig);
}

static void
a_resumption_has_its_own_deadline(void **state)
{
    struct client_line_options options = defaults();
    struct rig rig;

    (void)state;
    options.resume_timeout_ms = SHORT_MS;
    capture_start();
    rig_open_up(&rig, &options);
    rig.server.mute = true;
    session_peer_reset(latest(&rig));
    STAGE_UNTIL(&rig.stage, rig.failed == 1);
    capture_stop();
    assert_int_equal(rig.reason, REASON_LOST);
    assert_int_equal(rig.ups, 1);
    rig_close(&rig);
}

/* What took a server's place for a moment does not end a migration. */
static void
a_stranger_in_the_servers_place_is_not_believed(void **state)
{
    const struct client_line_options options = defaults();
    struct rig rig;

    (void)state;
    capture_start();
    rig_open_up(&rig, &options);
    rig.server.mute = true;
    session_peer_reset(latest(&rig));
    STAGE_UNTIL(&rig.stage, rig.server.count == 2 && latest(&rig)->greeted);
    session_peer_say(latest(&rig), "HTTP/1.0 502\r\n\r\n", 16);
    rig.server.mute = false;
    STAGE_UNTIL(&rig.stage, rig.server.count == 3 && latest(&rig)->greeted);
    peer_say(&rig.qemu, "more", 4);
    STAGE_UNTIL(&rig.stage, latest(&rig)->received == 4);
    capture_stop();
    assert_int_equal(rig.failed, 0);
    rig_close(&rig);
}

/* A server that takes each transport and drops it wastes nobody's time. */
static void
a_server_that_drops_each_transport_is_not_hammered(void **state)
{
    const struct client_line_options options = defaults();
    uint64_t until;
    struct rig rig;

    (void)state;
    capture_start();
    rig_open_up(&rig, &options);
    until = stage_now_ms() + 1000;
    while (stage_now_ms() < until) {
        if (latest(&rig)->greeted && latest(&rig)->fd >= 0)
            session_peer_reset(latest(&rig));
        stage_turns_in(&rig.stage, 1);
    }
    capture_stop();
    assert_in_range(rig.server.count, 2, 12);
    assert_int_equal(rig.failed, 0);
    rig_close(&rig);
}

static void
a_lie_of_the_servers_fails_the_line(void **state)
{
    const struct client_line_options options = defaults();
    struct rig rig;

    (void)state;
    rig_open_up(&rig, &options);
    session_peer_frame(latest(&rig),
                       (struct frame){ .type = FRAME_ACK, .offset = 7 });
    STAGE_UNTIL(&rig.stage, rig.failed == 1);
    assert_int_equal(rig.reason, REASON_BAD_ACK);
    rig_close(&rig);
}

static void
an_early_end_in_order_is_a_loss_like_another(void **state)
{
    const struct client_line_options options = defaults();
    struct rig rig;

    (void)state;
    capture_start();
    rig_open_up(&rig, &options);
    session_peer_frame(latest(&rig), (struct frame){ .type = FRAME_FIN });
    STAGE_UNTIL(&rig.stage, rig.qemu.eof);
    session_peer_close(latest(&rig));
    STAGE_UNTIL(&rig.stage, rig.server.count == 2 && latest(&rig)->greeted);
    assert_true(latest(&rig)->client.position.fin_delivered);
    capture_stop();
    assert_int_equal(rig.finished, 0);
    rig_close(&rig);
}

/* The last ACK is lost with the transport: the line comes back to tell. */
static void
a_complete_line_comes_back_until_the_server_has_closed_it(void **state)
{
    const struct client_line_options options = defaults();
    struct session_peer *server;
    struct rig rig;

    (void)state;
    capture_start();
    rig_open_up(&rig, &options);
    peer_send(&rig.qemu, 1, 100, PEER_END);
    session_peer_frame(latest(&rig), (struct frame){ .type = FRAME_FIN });
    STAGE_UNTIL(&rig.stage, latest(&rig)->got_end && rig.qemu.eof);
    STAGE_POLL(&rig.stage,
               worker_channel_complete(client_line_channel(rig.line)));
    session_peer_reset(latest(&rig));
    STAGE_UNTIL(&rig.stage, rig.server.count == 2 && latest(&rig)->greeted);
    server = latest(&rig);
    assert_true(server->client.resume);
    assert_true(server->client.position.fin_delivered);
    session_peer_close(server); /* it has read the greeting: that is enough */
    STAGE_UNTIL(&rig.stage, rig.finished == 1);
    capture_stop();
    rig_close(&rig);
}

static void
giving_up_tells_the_server_if_it_is_there(void **state)
{
    const struct client_line_options options = defaults();
    struct rig rig;

    (void)state;
    rig_open_up(&rig, &options);
    client_line_give_up(rig.line, REASON_STOPPED);
    STAGE_UNTIL(&rig.stage, latest(&rig)->frames[FRAME_RESET] == 1);
    assert_int_equal(session_peer_reset_with(latest(&rig)), REASON_STOPPED);
    session_peer_close(latest(&rig));
    stage_turns_in(&rig.stage, 250);
    assert_int_equal(rig.server.count, 1);
    assert_int_equal(rig.failed + rig.finished, 0);
    rig_close(&rig);
}

static void
giving_up_in_any_state_dials_no_more(void **state)
{
    const struct client_line_options options = defaults();
    struct rig rig;

    (void)state;
    rig_open(&rig, &options); /* before it dials */
    client_line_give_up(rig.line, REASON_STOPPED);
    stage_turns_in(&rig.stage, 150);
    assert_int_equal(rig.server.count, 0);
    rig_close(&rig);

    rig_open(&rig, &options); /* while it dials */
    stage_turn(&rig.stage);
    client_line_give_up(rig.line, REASON_STOPPED);
    stage_turns_in(&rig.stage, 150);
    assert_in_range(rig.server.count, 0, 1);
    rig_close(&rig);

    rig_open(&rig, &options); /* while it waits for the answer */
    rig.server.mute = true;
    STAGE_UNTIL(&rig.stage, rig.server.count == 1 && latest(&rig)->greeted);
    client_line_give_up(rig.line, REASON_STOPPED);
    STAGE_UNTIL(&rig.stage, session_peer_ended(latest(&rig)));
    stage_turns_in(&rig.stage, 150);
    assert_int_equal(rig.server.count, 1);
    assert_int_equal(rig.failed, 0);
    rig_close(&rig);
}

static void
a_line_may_be_freed_in_any_state(void **state)
{
    const struct client_line_options options = defaults();
    struct rig rig;

    (void)state;
    for (unsigned turns = 0; turns < 12; turns++) {
        rig_open(&rig, &options);
        for (unsigned i = 0; i < turns && rig.ups == 0; i++)
            stage_turn(&rig.stage);
        rig_close(&rig);
    }
    client_line_free(NULL);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_greeting_says_who_and_where),
        cmocka_unit_test(bytes_pass_and_the_server_ends_it),
        cmocka_unit_test(what_follows_the_answer_at_once_is_not_lost),
        cmocka_unit_test(an_answer_may_come_byte_by_byte),
        cmocka_unit_test(a_greeting_may_be_written_in_pieces),
        cmocka_unit_test(a_lost_transport_is_resumed_where_it_stood),
        cmocka_unit_test(every_refusal_ends_it_at_once),
        cmocka_unit_test(a_refusal_of_the_resumption_ends_it_at_once),
        cmocka_unit_test(an_answer_that_lies_ends_it),
        cmocka_unit_test(what_is_no_mig_server_is_said_at_once),
        cmocka_unit_test(a_resumption_has_its_own_deadline),
        cmocka_unit_test(a_lie_of_the_servers_fails_the_line),
        cmocka_unit_test(an_early_end_in_order_is_a_loss_like_another),
        cmocka_unit_test(
            a_complete_line_comes_back_until_the_server_has_closed_it),
        cmocka_unit_test(giving_up_tells_the_server_if_it_is_there),
        cmocka_unit_test(giving_up_in_any_state_dials_no_more),
        cmocka_unit_test(a_line_may_be_freed_in_any_state),
    };

    /* Long, and no matter of threads. */
    static const struct CMUnitTest once[] = {
        cmocka_unit_test(a_server_that_drops_each_transport_is_not_hammered),
        cmocka_unit_test(a_server_that_hangs_up_is_told_once_and_tried_again),
        cmocka_unit_test(
            a_server_that_does_not_answer_is_tried_again_after_five_seconds),
        cmocka_unit_test(a_server_that_refuses_for_three_seconds_is_gone),
        cmocka_unit_test(a_stranger_in_the_servers_place_is_not_believed),
        cmocka_unit_test(a_greeting_that_cannot_be_written_is_tried_again),
        cmocka_unit_test(a_first_connection_has_its_own_deadline),
    };

    (void)POOL_RUN_GROUP(0, "main thread, once", once);
    return POOL_RUN_BOTH(tests);
}
