#include "support_fate.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "support_memory.h"
#include "support_operator.h"
#include "support_proc.h"
#include "support_process.h"
#include "support_proxy.h"
#include "support_session.h"
#include "support_vm.h"
#include "support_wait.h"

enum { SENT_MIB = 4 };

#define PREPARED "7072657061726564"  /* the word */
#define LAST_WORD "0001000400000000" /* MIG_RP_MSG_SHUT with success */

struct trial {
    struct e2e *e2e;
    const struct fate *fate;
    struct move move;
    struct proxy *proxy;
    bool dead_link; /* it swallows everything */
    struct process *still[2];
    struct operator operator;
};

static void
hold(struct trial *trial, struct process *process)
{
    size_t i = trial->still[0] != NULL;

    process_signal(process, SIGSTOP);
    trial->still[i] = process;
}

static void
go_on(struct trial *trial, struct process *process)
{
    for (size_t i = 0; i < 2; i++)
        if (trial->still[i] == process)
            trial->still[i] = NULL;
    process_signal(process, SIGCONT);
}

static bool
tunnel_is_struck(const struct trial *trial)
{
    return trial->fate->victim == VICTIM_CLIENT ||
           trial->fate->victim == VICTIM_SERVER ||
           trial->fate->victim == VICTIM_LINK;
}

/* Where the tunnel dies for good, its other half is to notice. */
static const char *
resume_seconds(const struct trial *trial)
{
    return tunnel_is_struck(trial) ? "2" : "300";
}

static void
start_server(struct trial *trial)
{
    struct tunnel *tunnel = &trial->move.tunnel;
    char control[CASE_PATH_MAX + 8];

    snprintf(control, sizeof(control), "%s.ctl", tunnel->destination);
    tunnel_start_server(
        trial->e2e, tunnel,
        ARGS("--control", control, "--resume-timeout", resume_seconds(trial)));
}

static void
start_client(struct trial *trial)
{
    struct tunnel *tunnel = &trial->move.tunnel;
    char control[CASE_PATH_MAX + 8];

    snprintf(control, sizeof(control), "%s.ctl", tunnel->source);
    tunnel_start_client(
        trial->e2e, tunnel,
        ARGS("--control", control, "--resume-timeout", resume_seconds(trial)));
    trial->operator.tunnel = true;
}

static void
start_recv(struct trial *trial)
{
    struct move *move = &trial->move;

    move->recv =
        tunnel_recv(trial->e2e, &move->tunnel, move->destination, NULL);
}

static void
start_send(struct trial *trial, const char *rate)
{
    struct move *move = &trial->move;

    move->send = tunnel_send(trial->e2e, &move->tunnel, move->source,
                             ARGS("--max-bandwidth", rate, "--wait",
                                  trial->fate->new_tunnel ? "30" : "5"));
}

static void
start(struct trial *trial)
{
    struct tunnel *tunnel = &trial->move.tunnel;

    trial->move.source = vm_start_source(trial->e2e, &guest_small);
    trial->move.destination = vm_start_incoming(trial->e2e, trial->move.source);
    operator_init(&trial->operator, trial->e2e, &trial->move);
    tunnel_init(trial->e2e, tunnel);
    tunnel->session = true;
    tunnel->partners = true;
    start_server(trial);
    trial->proxy = proxy_start(trial->e2e, tunnel->port);
    tunnel->dest_port = proxy_port(trial->proxy);
    start_client(trial);
    start_recv(trial);
    process_wait_text(trial->move.recv, trial->move.recv->err,
                      "waits for mig-send");
}

static bool
is_swallowed(void *arg)
{
    struct trial *trial = arg;
    struct proxy_report report;

    proxy_report(trial->proxy, &report);
    return report.faults > 0;
}

static void
wait_dead_link(struct trial *trial)
{
    if (!wait_until(PATIENCE_MS, is_swallowed, trial))
        fail_msg("nothing was swallowed");
    trial->dead_link = true;
}

static void
hold_before(struct trial *trial)
{
    hold(trial, trial->move.recv);
    start_send(trial, "0");
    process_wait_text(trial->move.tunnel.client, trial->move.tunnel.client->err,
                      "mig-send");
}

static void
hold_prepared(struct trial *trial)
{
    proxy_do(trial->proxy, "rule 0 < match " PREPARED " inside blackhole");
    start_send(trial, "0");
    wait_dead_link(trial);
    vm_wait_state(trial->move.source, "running");
}

static void
hold_active(struct trial *trial)
{
    start_send(trial, "4M");
    vm_wait_transferred(trial->move.source, SENT_MIB);
}

static void
hold_switchover(struct trial *trial)
{
    proxy_do(trial->proxy, "rule 1 < match " LAST_WORD " inside blackhole");
    start_send(trial, "0");
    wait_dead_link(trial);
    vm_wait_state(trial->move.destination, "paused");
}

static void
hold_arrived(struct trial *trial)
{
    hold_active(trial);
    hold(trial, trial->move.send);
    move_hurry(&trial->move);
    vm_wait_migration(trial->move.source, "completed");
    vm_wait_state(trial->move.destination, "paused");
    process_wait_text(trial->move.recv, trial->move.recv->err,
                      "waits for the source's word");
}

static void
hold_given(struct trial *trial)
{
    hold_active(trial);
    hold(trial, trial->move.recv);
    move_hurry(&trial->move);
    process_wait_text(trial->move.send, trial->move.send->err,
                      "the guest is given");
    vm_wait_state(trial->move.destination, "paused");
}

static void
hold_running(struct trial *trial)
{
    hold_given(trial);
    hold(trial, trial->move.send);
    go_on(trial, trial->move.recv);
    process_wait_text(trial->move.recv, trial->move.recv->err, "VM: runs here");
}

static void
reach_step(struct trial *trial)
{
    static void (*const holds[])(struct trial * trial) = {
        [STEP_BEFORE] = hold_before,   [STEP_PREPARED] = hold_prepared,
        [STEP_ACTIVE] = hold_active,   [STEP_SWITCHOVER] = hold_switchover,
        [STEP_ARRIVED] = hold_arrived, [STEP_GIVEN] = hold_given,
        [STEP_RUNNING] = hold_running,
    };

    holds[trial->fate->step](trial);
}

/* Where the guest is at this step, and that it is whole where it stands still
 * in both. */
static void
check_step(struct trial *trial)
{
    static const char *const states[][2] = {
        [STEP_BEFORE] = { "running", "inmigrate" },
        [STEP_PREPARED] = { "running", "inmigrate" },
        [STEP_ACTIVE] = { "running", "inmigrate" },
        [STEP_SWITCHOVER] = { "finish-migrate", "paused" },
        [STEP_ARRIVED] = { "postmigrate", "paused" },
        [STEP_GIVEN] = { "postmigrate", "paused" },
        [STEP_RUNNING] = { "postmigrate", "running" },
    };
    enum fate_step step = trial->fate->step;
    struct move *move = &trial->move;

    operator_watch(&trial->operator);
    assert_string_equal(vm_state(move->source), states[step][0]);
    assert_string_equal(vm_state(move->destination), states[step][1]);
    if (step == STEP_ARRIVED || step == STEP_GIVEN)
        memory_assert_same(trial->e2e, move->source, move->destination);
}

static void
strike(struct trial *trial)
{
    struct move *move = &trial->move;

    switch (trial->fate->victim) {
    case VICTIM_SEND: process_kill(move->send); break;
    case VICTIM_RECV: process_kill(move->recv); break;
    case VICTIM_CLIENT: process_kill(move->tunnel.client); break;
    case VICTIM_SERVER: process_kill(move->tunnel.server); break;
    case VICTIM_LINK: proxy_do(trial->proxy, "refuse"); break;
    case VICTIM_NOBODY: proxy_do(trial->proxy, "reset"); break;
    case VICTIM_SOURCE: vm_stop(move->source); break;
    case VICTIM_DESTINATION:
        vm_stop(move->destination);
        if (trial->still[0] != move->recv)
            process_wait_text(move->recv, move->recv->err,
                              trial->fate->step == STEP_BEFORE
                                  ? "nothing was started"
                                  : "QEMU: has exited");
        break;
    }
    operator_watch(&trial->operator);
}

/* What stood still goes on; a dead link breaks at both ends, and comes back if
 * there is somebody to come back to. */
static void
let_go(struct trial *trial)
{
    proxy_do(trial->proxy, "clear");
    if (trial->dead_link && trial->fate->victim != VICTIM_LINK) {
        proxy_do(trial->proxy, "resume");
        proxy_do(trial->proxy, "reset");
    }
    for (size_t i = 0; i < 2; i++)
        if (trial->still[i] != NULL && process_running(trial->still[i]))
            process_signal(trial->still[i], SIGCONT);
    if (trial->fate->step == STEP_ACTIVE && !tunnel_is_struck(trial) &&
        trial->fate->victim != VICTIM_SOURCE)
        move_hurry(&trial->move);
    trial->operator.tunnel = !tunnel_is_struck(trial);
}

static void
new_tunnel(struct trial *trial)
{
    process_kill(trial->move.tunnel.client);
    process_kill(trial->move.tunnel.server);
    proxy_do(trial->proxy, "resume");
    start_server(trial);
    start_client(trial);
}

/* Whether either helper asks for something, or has ended. */
static bool
is_asked(void *arg)
{
    struct trial *trial = arg;
    struct process *helpers[] = { trial->move.send, trial->move.recv };
    bool asked = true;

    operator_watch(&trial->operator);
    for (size_t i = 0; i < 2; i++)
        asked = asked && (!process_running(helpers[i]) ||
                          process_said(helpers[i], "--attach\""));
    return asked;
}

static bool
has_sent(void *arg)
{
    struct trial *trial = arg;

    operator_watch(&trial->operator);
    return !process_running(trial->move.send);
}

/* As before; a mig-recv that waits, or is prepared, waits on. */
static void
start_again(struct trial *trial)
{
    struct move *move = &trial->move;

    if (trial->fate->victim != VICTIM_RECV &&
        !wait_until(PATIENCE_MS, has_sent, trial))
        fail_msg("mig-send does not end");
    if (strcmp(vm_state(move->destination), "gone") == 0)
        move->destination = vm_start_incoming(trial->e2e, move->source);
    if (tunnel_is_struck(trial))
        new_tunnel(trial);
    if (!process_running(move->recv))
        start_recv(trial);
    if (!process_running(move->send))
        start_send(trial, "0");
}

static bool
runs(struct vm *vm)
{
    return strcmp(vm_state(vm), "running") == 0;
}

static void
check_end(struct trial *trial)
{
    struct move *move = &trial->move;
    enum fate_place end = trial->fate->end;

    assert_string_equal(trial->operator.done,
                        trial->fate->done != NULL ? trial->fate->done : "");
    assert_int_equal(runs(move->source), end == AT_SOURCE);
    assert_int_equal(runs(move->destination), end == AT_DESTINATION);
    if (end == AT_SOURCE) {
        vm_assert_runs(move->source);
        if (trial->fate->step != STEP_RUNNING)
            assert_int_equal(vm_rounds(move->destination), 0);
    } else if (end == AT_DESTINATION) {
        vm_assert_runs(move->destination);
        vm_assert_continues(move->source, move->destination);
    }
    operator_watch(&trial->operator);
}

static void
end(struct trial *trial)
{
    struct move *move = &trial->move;

    process_kill(move->send);
    process_kill(move->recv);
    process_kill(move->tunnel.client);
    process_kill(move->tunnel.server);
    vm_stop(move->source);
    vm_stop(move->destination);
}

void
fate_prove(struct e2e *e2e, const struct fate *fate)
{
    struct trial trial = { .e2e = e2e, .fate = fate };

    start(&trial);
    trial.operator.recv_waits = fate->recv_waits;
    reach_step(&trial);
    check_step(&trial);
    strike(&trial);
    let_go(&trial);
    if (fate->new_tunnel) {
        if (!wait_until(PATIENCE_MS, is_asked, &trial))
            fail_msg("nobody asks for anything");
        new_tunnel(&trial);
    }
    if (fate->again)
        start_again(&trial);
    operator_settle(&trial.operator);
    check_end(&trial);
    end(&trial);
}
