/*
 * Without a partner nobody but the operator can know that the source has let go
 * of the guest: it arrives paused, and runs once, where he looked as the lines
 * say.  In raw mode, and with a QEMU at the other end that is driven by hand.
 */
#include <stdio.h>

#include "support_memory.h"
#include "support_move.h"
#include "support_operator.h"
#include "support_process.h"
#include "support_proxy.h"
#include "support_qmp.h"
#include "support_vm.h"

#define LAST_WORD "0001000400000000" /* MIG_RP_MSG_SHUT with success */

enum { SENT_MIB = 4 };

struct alone {
    struct move move;
    struct proxy *proxy;
    struct operator operator;
};

static void
prepare(struct e2e *e2e, struct alone *alone)
{
    struct move *move = &alone->move;

    *move = (struct move){ .source = vm_start_source(e2e, &guest_small) };
    move->destination = vm_start_incoming(e2e, move->source);
    operator_init(&alone->operator, e2e, move);
    tunnel_init(e2e, &move->tunnel);
    tunnel_start_server(e2e, &move->tunnel, NULL);
    alone->proxy = proxy_start(e2e, move->tunnel.port);
    move->tunnel.dest_port = proxy_port(alone->proxy);
    tunnel_start_client(e2e, &move->tunnel, NULL);
}

static void
start_slowly(struct e2e *e2e, struct alone *alone)
{
    prepare(e2e, alone);
    move_start(e2e, &alone->move, NULL, ARGS("--max-bandwidth", "4M"));
    vm_wait_transferred(alone->move.source, SENT_MIB);
}

/* It has arrived whole, and stands still at both ends. */
static void
assert_paused_there(struct e2e *e2e, struct move *move)
{
    vm_wait_migration(move->source, "completed");
    vm_wait_state(move->destination, "paused");
    assert_string_equal(vm_state(move->source), "postmigrate");
    memory_assert_same(e2e, move->source, move->destination);
}

static void
assert_runs_there(struct alone *alone, const char *done)
{
    struct move *move = &alone->move;

    assert_string_equal(alone->operator.done, done);
    vm_assert_runs(move->destination);
    vm_assert_continues(move->source, move->destination);
    assert_string_equal(vm_state(move->source), "postmigrate");
    operator_watch(&alone->operator);
}

static void
assert_stays_here(struct alone *alone, const char *done)
{
    struct move *move = &alone->move;

    assert_string_equal(alone->operator.done, done);
    vm_assert_runs(move->source);
    assert_string_equal(vm_state(move->destination), "gone");
    assert_int_equal(vm_rounds(move->destination), 0);
}

static void
guest_that_arrives_alone_runs_when_it_is_released(struct e2e *e2e)
{
    struct alone alone;

    prepare(e2e, &alone);
    move_start(e2e, &alone.move, NULL, NULL);
    process_expect(alone.move.send, 0);
    process_expect(alone.move.recv, 0);
    assert_paused_there(e2e, &alone.move);
    operator_settle(&alone.operator);
    process_expect(alone.move.recv, 0);
    assert_runs_there(&alone, "mig-recv --release");
}

/* The source fails and runs on; the destination has all of it. */
static void
last_bytes_back_are_lost(struct e2e *e2e)
{
    struct alone alone;

    prepare(e2e, &alone);
    proxy_do(alone.proxy, "rule * < match " LAST_WORD " inside reset");
    move_start(e2e, &alone.move, NULL, NULL);
    vm_wait_migration(alone.move.destination, "completed");
    vm_wait_migration(alone.move.source, "failed");
    operator_settle(&alone.operator);
    process_expect(alone.move.send, 5);
    assert_true(process_said(alone.move.send, "quit the destination's QEMU"));
    process_wait(alone.move.destination->process);
    assert_stays_here(&alone, "quit");
}

static void
source_helper_alone_dies_while_moving(struct e2e *e2e)
{
    struct alone alone;

    start_slowly(e2e, &alone);
    process_kill(alone.move.send);
    move_hurry(&alone.move);
    process_expect(alone.move.recv, 0);
    assert_paused_there(e2e, &alone.move);
    operator_settle(&alone.operator);
    assert_runs_there(&alone, "mig-recv --release");
}

/* mig-send says what there is to do, but does not know how mig-recv is called.
 */
static void
destination_helper_alone_dies_while_moving(struct e2e *e2e)
{
    struct alone alone;
    struct move *move = &alone.move;

    start_slowly(e2e, &alone);
    process_kill(move->recv);
    move_hurry(move);
    process_expect(move->send, 0);
    assert_paused_there(e2e, move);
    assert_true(process_said(move->send, "mig-recv --release runs it there"));
    move->tunnel.partners = true; /* no --standalone */
    move->recv =
        tunnel_recv(e2e, &move->tunnel, move->destination, ARGS("--release"));
    process_expect(move->recv, 0);
    assert_runs_there(&alone, "");
}

static void
tunnel_without_sessions_dies_while_moving(struct e2e *e2e)
{
    for (int client = 0; client < 2; client++) {
        struct alone alone;

        start_slowly(e2e, &alone);
        process_kill(client ? alone.move.tunnel.client
                            : alone.move.tunnel.server);
        process_expect(alone.move.send, 1);
        process_expect(alone.move.recv, 1);
        operator_settle(&alone.operator);
        assert_stays_here(&alone, "");
        vm_stop(alone.move.source);
    }
}

/* The helper at the source is alone: no mig-recv, and no line of one. */
static void
destination_may_be_driven_by_hand(struct e2e *e2e)
{
    struct alone alone;
    struct move *move = &alone.move;
    char uri[CASE_PATH_MAX + 8];

    prepare(e2e, &alone);
    snprintf(uri, sizeof(uri), "unix:%s", move->tunnel.destination);
    qmp_do(move->destination->qmp, "stop", NULL);
    qmp_do(move->destination->qmp, "migrate-incoming",
           json_pack("{s:s}", "uri", uri));
    move->send = tunnel_send(e2e, &move->tunnel, move->source, NULL);
    process_expect(move->send, 0);
    assert_paused_there(e2e, move);
    qmp_do(move->destination->qmp, "cont", NULL);
    assert_runs_there(&alone, "");
}

static void
source_may_be_driven_by_hand(struct e2e *e2e)
{
    struct alone alone;
    struct move *move = &alone.move;
    char uri[CASE_PATH_MAX + 8];

    prepare(e2e, &alone);
    move->recv = tunnel_recv(e2e, &move->tunnel, move->destination, NULL);
    process_wait_text(move->recv, move->recv->err, "waits for the VM at");
    snprintf(uri, sizeof(uri), "unix:%s", move->tunnel.source);
    qmp_do(move->source->qmp, "migrate-set-capabilities",
           json_pack("{s:[{s:s, s:b}]}", "capabilities", "capability",
                     "return-path", "state", 1));
    qmp_do(move->source->qmp, "migrate", json_pack("{s:s}", "uri", uri));
    process_expect(move->recv, 0);
    assert_paused_there(e2e, move);
    operator_settle(&alone.operator);
    assert_runs_there(&alone, "mig-recv --release");
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        E2E_TEST(guest_that_arrives_alone_runs_when_it_is_released),
        E2E_TEST(last_bytes_back_are_lost),
        E2E_TEST(source_helper_alone_dies_while_moving),
        E2E_TEST(destination_helper_alone_dies_while_moving),
        E2E_TEST(tunnel_without_sessions_dies_while_moving),
        E2E_TEST(destination_may_be_driven_by_hand),
        E2E_TEST(source_may_be_driven_by_hand),
    };

    e2e_select(argc, argv);
    return cmocka_run_group_tests_name("split_brain_raw", tests, NULL, NULL);
}
