/* What is going on, and how it is cancelled, asked by another mig-send or
 * mig-recv: with a helper at work and without. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "support_move.h"
#include "support_process.h"
#include "support_qmp.h"
#include "support_split.h"
#include "support_vm.h"

static struct process *
at_source(struct e2e *e2e, struct move *move, const char *what)
{
    return tunnel_send(e2e, &move->tunnel, move->source, ARGS(what));
}

static struct process *
at_destination(struct e2e *e2e, struct move *move, const char *what)
{
    return tunnel_recv(e2e, &move->tunnel, move->destination, ARGS(what));
}

static void
expect(struct process *process, int status, const char *text)
{
    process_expect(process, status);
    if (!process_said(process, text))
        fail_msg("%s does not say \"%s\"", process->name, text);
}

static void
status_tells_of_both_ends_and_changes_nothing(struct e2e *e2e)
{
    struct process *status;
    struct move move;

    split_start_slowly(e2e, &move, true, split_plain);
    status = at_source(e2e, &move, "--status");
    expect(status, 0, "VM:        running");
    assert_true(process_said(status, "migration: active; "));
    assert_true(process_said(status, "mig-recv is at work at the other end"));
    assert_true(process_said(status, "mig-send is at work here"));
    assert_true(process_said(status, "until the migration completes"));
    status = at_destination(e2e, &move, "--status");
    expect(status, 0, "VM:        inmigrate");
    assert_true(process_said(status, "migration: active; "));
    assert_true(process_said(status, "mig-recv is at work here"));

    process_kill(move.send);
    expect(at_source(e2e, &move, "--status"), 0, "mig-send --attach");
    process_kill(move.recv);
    expect(at_destination(e2e, &move, "--status"), 0, "mig-recv --attach");
    move_hurry(&move);
    vm_wait_state(move.destination, "paused");
    expect(at_source(e2e, &move, "--status"), 0, "was given");
    expect(at_destination(e2e, &move, "--status"), 0, "has arrived, and waits");
    process_kill(move.tunnel.client);
    process_kill(move.tunnel.server);
    expect(at_source(e2e, &move, "--status"), 0, "has no control socket");
}

static json_t *
last_line(const char *path)
{
    char *text = process_read(path), *line = text;
    json_t *object;

    for (char *at = strchr(text, '\n'); at != NULL && at[1] != '\0';
         at = strchr(line, '\n'))
        line = at + 1;
    object = json_loads(line, JSON_DISABLE_EOF_CHECK, NULL);
    free(text);
    return object;
}

static void
status_is_for_programs_too(struct e2e *e2e)
{
    struct process *status;
    struct move move;
    json_t *state;

    split_start(e2e, &move, true, split_plain);
    for (int helper = 1; helper >= 0; helper--) {
        char *text;

        status = tunnel_send(e2e, &move.tunnel, move.source,
                             ARGS("--status", "--json"));
        process_expect(status, 0);
        text = process_read(status->out);
        state = json_loads(text, JSON_DISABLE_EOF_CHECK, NULL);
        free(text);
        assert_string_equal(json_string_value(json_object_get(state, "guest")),
                            "split");
        assert_int_equal(json_is_true(json_object_get(state, "helper")),
                         helper);
        assert_true(json_is_true(json_object_get(state, "partner")));
        json_decref(state);
        state = last_line(status->out);
        assert_string_equal(json_string_value(json_object_get(state, "type")),
                            "result");
        json_decref(state);
        process_kill(move.send);
    }
}

static void
migration_is_cancelled_by_the_mig_send_at_work(struct e2e *e2e)
{
    struct move move;

    split_start_slowly(e2e, &move, true, split_plain);
    expect(at_source(e2e, &move, "--cancel"), 0, "the guest is here");
    process_expect(move.send, 3);
    process_expect(move.recv, 1);
    vm_assert_runs(move.source);
    expect(at_source(e2e, &move, "--cancel"), 1, "nothing to cancel");
    expect(at_source(e2e, &move, "--status"), 0, "is here and runs");
}

static void
migration_is_cancelled_where_no_mig_send_is_at_work(struct e2e *e2e)
{
    struct move move;

    split_start_slowly(e2e, &move, true, split_plain);
    process_kill(move.send);
    expect(at_source(e2e, &move, "--cancel"), 0, "cancelled");
    process_expect(move.recv, 1);
    vm_assert_runs(move.source);
    assert_string_equal(vm_state(move.destination), "gone");
}

static void
destination_asks_the_source_to_cancel(struct e2e *e2e)
{
    struct move move;

    split_start_slowly(e2e, &move, true, split_plain);
    expect(at_destination(e2e, &move, "--cancel"), 0, "at the source");
    process_expect(move.send, 3);
    process_expect(move.recv, 3);
    vm_assert_runs(move.source);
    assert_string_equal(vm_state(move.destination), "gone");
}

static void
destination_says_where_to_cancel_if_it_can_not_ask(struct e2e *e2e)
{
    struct move move;

    split_start_slowly(e2e, &move, true, split_plain);
    process_kill(move.send);
    expect(at_destination(e2e, &move, "--cancel"), 1, "mig-send --cancel");
    process_kill(move.recv);
    expect(at_destination(e2e, &move, "--cancel"), 1, "mig-send --cancel");
    assert_string_equal(vm_migration(move.source), "active");
}

static void
postcopy_is_never_cancelled(struct e2e *e2e)
{
    struct move move;

    split_start(e2e, &move, true, split_plain);
    expect(at_source(e2e, &move, "--cancel"), 1, "in postcopy");
    expect(at_destination(e2e, &move, "--cancel"), 1, "in postcopy");
    process_kill(move.send);
    expect(at_source(e2e, &move, "--cancel"), 1, "in postcopy");
    expect(at_source(e2e, &move, "--status"), 0, "needs both hosts");
    expect(at_destination(e2e, &move, "--status"), 0, "needs both hosts");
    move.send = at_source(e2e, &move, "--attach");
    split_hurry(&move);
    process_expect(move.send, 0);
    process_expect(move.recv, 0);
    vm_assert_runs(move.destination);
    vm_assert_continues(move.source, move.destination);
}

static void
interrupted_postcopy_is_never_cancelled_and_told(struct e2e *e2e)
{
    struct move move;

    split_start(e2e, &move, true, split_plain);
    split_break(&move);
    process_kill(move.send);
    process_kill(move.recv);
    expect(at_source(e2e, &move, "--status"), 0, "mig-send --recover");
    expect(at_destination(e2e, &move, "--status"), 0, "mig-recv --recover");
    expect(at_source(e2e, &move, "--cancel"), 1, "in postcopy");
    assert_string_equal(vm_migration(move.source), "postcopy-paused");
    assert_string_equal(vm_migration(move.destination), "postcopy-paused");
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        E2E_TEST(status_tells_of_both_ends_and_changes_nothing),
        E2E_TEST(status_is_for_programs_too),
        E2E_TEST(migration_is_cancelled_by_the_mig_send_at_work),
        E2E_TEST(migration_is_cancelled_where_no_mig_send_is_at_work),
        E2E_TEST(destination_asks_the_source_to_cancel),
        E2E_TEST(destination_says_where_to_cancel_if_it_can_not_ask),
        E2E_TEST(postcopy_is_never_cancelled),
        E2E_TEST(interrupted_postcopy_is_never_cancelled_and_told),
    };

    e2e_select(argc, argv);
    return cmocka_run_group_tests_name("status", tests, NULL, NULL);
}
