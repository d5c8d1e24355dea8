/* The way to the destination's QEMU; the test is the QEMU. */
#include "tunnel/qemu_gate.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "io/transport.h"
#include "support_acceptor.h"
#include "support_capture.h"
#include "support_net.h"
#include "support_stage.h"
#include "support_test.h"

enum { CONNECTIONS = 12, LONG_MS = 20000, SHORT_MS = 250 };

struct rig {
    struct stage stage;
    char dir[NET_PATH_MAX];
    char path[NET_PATH_MAX + 8];
    struct acceptor qemu;
    bool qemu_listens;
    struct qemu_gate *gate;
    unsigned wanted; /* connections that are asked for, one after the other */
    unsigned done;
    struct transport *connected[CONNECTIONS];
    unsigned connections;
    unsigned failed;
    char why[128];
    const char *unwanted;
    unsigned asked;
    bool free_it;
};

static void
on_connected(void *arg, struct transport *qemu, const char *why)
{
    struct rig *rig = arg;

    rig->done++;
    if (qemu != NULL) {
        rig->connected[rig->connections++] = qemu;
    } else {
        rig->failed++;
        snprintf(rig->why, sizeof rig->why, "%s", why);
    }
    if (rig->free_it) {
        qemu_gate_free(rig->gate);
        rig->gate = NULL;
    } else if (rig->done < rig->wanted) {
        qemu_gate_connect(rig->gate, false);
    }
}

static const char *
still_wanted(void *arg)
{
    struct rig *rig = arg;

    rig->asked++;
    return rig->unwanted;
}

static void
rig_open(struct rig *rig, uint64_t wait_ms)
{
    memset(rig, 0, sizeof *rig);
    stage_open(&rig->stage);
    net_temp_dir(rig->dir);
    snprintf(rig->path, sizeof rig->path, "%s/dest", rig->dir);
    rig->gate = qemu_gate_new(&(struct qemu_gate_options){
        .loop = rig->stage.loop,
        .unix_path = rig->path,
        .wait_ms = wait_ms,
        .on_connected = on_connected,
        .still_wanted = still_wanted,
        .arg = rig,
    });
    assert_non_null(rig->gate);
}

static void
qemu_listen(struct rig *rig, int backlog)
{
    acceptor_open(&rig->qemu, &rig->stage, net_listen_unix(rig->path, backlog));
    rig->qemu_listens = true;
}

static void
qemu_stop(struct rig *rig)
{
    acceptor_close(&rig->qemu);
    rig->qemu_listens = false;
}

static void
rig_close(struct rig *rig)
{
    qemu_gate_free(rig->gate);
    for (unsigned i = 0; i < rig->connections; i++)
        transport_free(rig->connected[i]);
    if (rig->qemu_listens)
        qemu_stop(rig);
    net_remove_dir(rig->dir);
    stage_close(&rig->stage);
}

static void
a_qemu_that_listens_is_connected_at_once(void **state)
{
    struct rig rig;

    (void)state;
    rig_open(&rig, LONG_MS);
    qemu_listen(&rig, 1);
    qemu_gate_connect(rig.gate, true);
    STAGE_UNTIL(&rig.stage, rig.connections == 1 && rig.qemu.count == 1);
    assert_int_equal(rig.failed, 0);
    rig_close(&rig);
}

static void
connections_come_in_the_order_in_which_they_are_asked_for(void **state)
{
    struct rig rig;

    (void)state;
    rig_open(&rig, LONG_MS);
    qemu_listen(&rig, CONNECTIONS);
    rig.wanted = CONNECTIONS;
    qemu_gate_connect(rig.gate, true);
    STAGE_UNTIL(&rig.stage, rig.qemu.count == CONNECTIONS);
    assert_int_equal(rig.connections, CONNECTIONS);
    for (unsigned i = 0; i < CONNECTIONS; i++) {
        char number = (char)i;
        struct iovec iov = { &number, 1 };

        assert_int_equal(transport_writev(rig.connected[i], &iov, 1), 1);
        STAGE_UNTIL(&rig.stage, rig.qemu.peers[i].received == 1);
        assert_int_equal(rig.qemu.peers[i].head[0], i);
    }
    rig_close(&rig);
}

static void
a_qemu_that_comes_later_is_waited_for(void **state)
{
    const char *said;
    struct rig rig;

    (void)state;
    capture_start();
    rig_open(&rig, LONG_MS);
    qemu_gate_connect(rig.gate, true);
    assert_in_range(stage_turns_in(&rig.stage, 450), 2, 8);
    assert_int_equal(rig.done, 0);
    qemu_listen(&rig, 1);
    STAGE_UNTIL(&rig.stage, rig.connections == 1);
    said = capture_stop();
    assert_int_equal(capture_count(said, "waiting up to 20.0 s for QEMU"), 1);
    rig_close(&rig);
}

static void
a_stale_socket_is_no_qemu(void **state)
{
    struct rig rig;

    (void)state;
    capture_start();
    rig_open(&rig, SHORT_MS);
    close(net_listen_unix(rig.path, 1)); /* its file stays behind */
    qemu_gate_connect(rig.gate, true);
    STAGE_UNTIL(&rig.stage, rig.done == 1);
    capture_stop();
    assert_int_equal(rig.failed, 1);
    assert_non_null(strstr(rig.why, "no QEMU listens there"));
    rig_close(&rig);
}

static void
a_qemu_that_never_comes_is_given_up(void **state)
{
    uint64_t since;
    struct rig rig;

    (void)state;
    capture_start();
    rig_open(&rig, SHORT_MS);
    since = stage_now_ms();
    qemu_gate_connect(rig.gate, true);
    STAGE_UNTIL(&rig.stage, rig.done == 1);
    capture_stop();
    assert_true(stage_now_ms() - since >= SHORT_MS);
    assert_int_equal(rig.failed, 1);
    assert_non_null(strstr(rig.why, "-incoming defer"));
    rig_close(&rig);
}

static void
without_time_there_is_one_look(void **state)
{
    struct rig rig;

    (void)state;
    rig_open(&rig, 0);
    qemu_gate_connect(rig.gate, true);
    assert_int_equal(rig.done, 0); /* it is the loop that calls back */
    STAGE_UNTIL(&rig.stage, rig.done == 1);
    assert_int_equal(rig.failed, 1);
    rig_close(&rig);
}

static void
a_full_backlog_is_tried_again(void **state)
{
    struct rig rig;

    (void)state;
    rig_open(&rig, LONG_MS);
    qemu_listen(&rig, 1);
    acceptor_pause(&rig.qemu, true);
    rig.wanted = 5;
    qemu_gate_connect(rig.gate, true);
    assert_in_range(stage_turns_in(&rig.stage, 200), 5, 40);
    assert_in_range(rig.connections, 1, 4);
    acceptor_pause(&rig.qemu, false);
    STAGE_UNTIL(&rig.stage, rig.connections == 5 && rig.qemu.count == 5);
    assert_int_equal(rig.failed, 0);
    rig_close(&rig);
}

static void
a_backlog_that_stays_full_is_given_up(void **state)
{
    struct rig rig;

    (void)state;
    rig_open(&rig, SHORT_MS);
    qemu_listen(&rig, 1);
    acceptor_pause(&rig.qemu, true);
    rig.wanted = 5;
    qemu_gate_connect(rig.gate, true);
    STAGE_UNTIL(&rig.stage, rig.failed > 0);
    assert_non_null(strstr(rig.why, "backlog"));
    rig_close(&rig);
}

/* A QEMU that has stopped listening in the middle has ended its migration. */
static void
a_further_connection_does_not_wait_for_a_qemu_that_is_gone(void **state)
{
    struct rig rig;

    (void)state;
    rig_open(&rig, LONG_MS);
    qemu_listen(&rig, 1);
    qemu_gate_connect(rig.gate, true);
    STAGE_UNTIL(&rig.stage, rig.connections == 1);
    qemu_stop(&rig);
    qemu_gate_connect(rig.gate, false);
    STAGE_UNTIL(&rig.stage, rig.done == 2);
    assert_int_equal(rig.failed, 1);
    rig_close(&rig);
}

static void
qemu_is_not_touched_for_a_source_that_has_given_up(void **state)
{
    struct rig rig;

    (void)state;
    capture_start();
    rig_open(&rig, LONG_MS);
    qemu_gate_connect(rig.gate, true);
    stage_turns_in(&rig.stage, 150);
    assert_in_range(rig.asked, 1, 4);
    rig.unwanted = "it has given up";
    qemu_listen(&rig, 1);
    STAGE_UNTIL(&rig.stage, rig.done == 1);
    stage_turns_in(&rig.stage, 150);
    capture_stop();
    assert_string_equal(rig.why, "it has given up");
    assert_int_equal(rig.qemu.count, 0);
    rig_close(&rig);
}

static void
a_gate_that_is_stopped_connects_no_more(void **state)
{
    struct rig rig;

    (void)state;
    capture_start();
    rig_open(&rig, LONG_MS);
    qemu_gate_connect(rig.gate, true);
    qemu_gate_stop(rig.gate);
    qemu_listen(&rig, 1);
    assert_int_equal(stage_turns_in(&rig.stage, 250), 0);
    capture_stop();
    assert_int_equal(rig.done, 0);
    assert_int_equal(rig.qemu.count, 0);
    rig_close(&rig);
}

static void
a_gate_may_be_freed_by_its_callback(void **state)
{
    struct rig rig;

    (void)state;
    rig_open(&rig, LONG_MS);
    qemu_listen(&rig, 1);
    rig.free_it = true;
    qemu_gate_connect(rig.gate, true);
    STAGE_UNTIL(&rig.stage, rig.done == 1);
    assert_int_equal(rig.connections, 1);
    rig_close(&rig);
    rig_open(&rig, 0);
    rig.free_it = true;
    qemu_gate_connect(rig.gate, true);
    assert_int_equal(rig.done, 0); /* it is the loop that calls back */
    STAGE_UNTIL(&rig.stage, rig.done == 1);
    assert_int_equal(rig.failed, 1);
    rig_close(&rig);
    qemu_gate_free(NULL);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_qemu_that_listens_is_connected_at_once),
        cmocka_unit_test(
            connections_come_in_the_order_in_which_they_are_asked_for),
        cmocka_unit_test(a_qemu_that_comes_later_is_waited_for),
        cmocka_unit_test(a_stale_socket_is_no_qemu),
        cmocka_unit_test(a_qemu_that_never_comes_is_given_up),
        cmocka_unit_test(without_time_there_is_one_look),
        cmocka_unit_test(a_full_backlog_is_tried_again),
        cmocka_unit_test(a_backlog_that_stays_full_is_given_up),
        cmocka_unit_test(
            a_further_connection_does_not_wait_for_a_qemu_that_is_gone),
        cmocka_unit_test(qemu_is_not_touched_for_a_source_that_has_given_up),
        cmocka_unit_test(a_gate_that_is_stopped_connects_no_more),
        cmocka_unit_test(a_gate_may_be_freed_by_its_callback),
    };

    return RUN_TESTS(tests);
}
