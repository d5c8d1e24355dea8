/* Bytes wait for a transport, in order and within a limit. */
#include "io/outbox.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "io/transport.h"
#include "support_faults.h"
#include "support_net.h"
#include "support_peer.h"
#include "support_stage.h"
#include "support_test.h"

enum { LIMIT = 1 << 20, SEED = 7 };

static void
what_waits_is_bounded(void **state)
{
    static char bytes[LIMIT + 1];
    struct outbox outbox;

    (void)state;
    outbox_init(&outbox, LIMIT);
    assert_int_equal(outbox_add(&outbox, bytes, LIMIT + 1), -1);
    assert_int_equal(errno, ENOBUFS);
    assert_int_equal(outbox_left(&outbox), 0);
    assert_int_equal(outbox_add(&outbox, bytes, 0), 0);
    assert_int_equal(outbox_add(&outbox, bytes, LIMIT - 1), 0);
    assert_int_equal(outbox_add(&outbox, bytes, 2), -1);
    assert_int_equal(outbox_left(&outbox), LIMIT - 1);
    assert_int_equal(outbox_add(&outbox, bytes, 1), 0);
    assert_int_equal(outbox_add(&outbox, bytes, 1), -1);
    assert_int_equal(outbox_add(&outbox, bytes, 0), 0);
    outbox_fini(&outbox);
    assert_int_equal(outbox_left(&outbox), 0);
    assert_int_equal(outbox_add(&outbox, bytes, LIMIT), 0);
    outbox_fini(&outbox);
}

/* Much more than its limit goes through, in pieces of many sizes. */
static void
every_byte_is_written_once_and_in_order(void **state)
{
    static const size_t sizes[] = { 1, 4095, 4096, 4097, 60000, 3, 300000 };
    struct transport *transport;
    static unsigned char bytes[300000];
    struct outbox outbox;
    struct stage stage;
    struct peer peer;
    uint64_t sent = 0;
    int fds[2];

    (void)state;
    faults_clear();
    stage_open(&stage);
    net_unix_pair(fds);
    transport = transport_new(stage.loop, fds[0]);
    peer_open(&peer, &stage, fds[1]);
    peer_expect(&peer, SEED, 0);
    outbox_init(&outbox, LIMIT);
    fault_short(FAULT_SENDMSG, 50001);
    for (size_t i = 0; sent < 8 * LIMIT; i++) {
        size_t length = sizes[i % (sizeof sizes / sizeof *sizes)];

        peer_stream(SEED, sent, bytes, length);
        while (outbox_add(&outbox, bytes, length) != 0) {
            assert_int_equal(outbox_write(&outbox, transport), 0);
            stage_turns_in(&stage, 0);
        }
        sent += length;
    }
    while (outbox_left(&outbox) > 0) {
        assert_int_equal(outbox_write(&outbox, transport), 0);
        stage_turns_in(&stage, 0);
    }
    STAGE_UNTIL(&stage, peer.received == sent);
    assert_false(peer.mismatch);
    outbox_fini(&outbox);
    transport_free(transport);
    peer_close(&peer);
    faults_clear();
    stage_close(&stage);
}

static void
a_transport_that_is_gone_is_an_error(void **state)
{
    struct transport *transport;
    struct outbox outbox;
    struct stage stage;
    int fds[2];

    (void)state;
    faults_clear();
    stage_open(&stage);
    net_unix_pair(fds);
    transport = transport_new(stage.loop, fds[0]);
    close(fds[1]);
    outbox_init(&outbox, LIMIT);
    assert_int_equal(outbox_write(&outbox, transport), 0); /* nothing to say */
    assert_int_equal(outbox_add(&outbox, "x", 1), 0);
    fault_error(FAULT_SENDMSG, 1, EAGAIN);
    assert_int_equal(outbox_write(&outbox, transport), 0);
    assert_int_equal(outbox_left(&outbox), 1);
    assert_int_equal(outbox_write(&outbox, transport), -1);
    assert_int_equal(errno, EPIPE);
    outbox_fini(&outbox);
    transport_free(transport);
    stage_close(&stage);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_waits_is_bounded),
        cmocka_unit_test(every_byte_is_written_once_and_in_order),
        cmocka_unit_test(a_transport_that_is_gone_is_an_error),
    };

    return RUN_TESTS(tests);
}
