#include "support_move.h"

#include <inttypes.h>

#include "support_memory.h"
#include "support_process.h"
#include "support_qmp.h"
#include "support_vm.h"
#include "support_wait.h"

enum {
    QUARTER_MIB = 16, /* of the 64 of the calm guest */

    /* A failure is to be told within 2 s; what is asserted leaves room for a
     * busy machine, and the time is printed. */
    TOLD_WITHIN_MS = 10 * 1000
};

void
move_prepare(struct e2e *e2e, struct move *move, const struct guest *guest)
{
    *move = (struct move){ .source = vm_start_source(e2e, guest) };
    move->destination = vm_start_destination(e2e, move->source);
}

void
move_start(struct e2e *e2e, struct move *move, const char *const *recv_args,
           const char *const *send_args)
{
    move->recv = tunnel_recv(e2e, &move->tunnel, move->destination, recv_args);
    move->send = tunnel_send(e2e, &move->tunnel, move->source, send_args);
}

void
move_start_slowly(struct e2e *e2e, struct move *move)
{
    move_start(e2e, move, NULL, ARGS("--max-bandwidth", "8M"));
    vm_wait_transferred(move->source, QUARTER_MIB);
}

void
move_hurry(struct move *move)
{
    qmp_do(move->source->qmp, "migrate-set-parameters",
           json_pack("{s:i}", "max-bandwidth", 0));
}

void
move_hurry_postcopy(struct move *move)
{
    qmp_do(move->source->qmp, "migrate-set-parameters",
           json_pack("{s:i}", "max-postcopy-bandwidth", 0));
}

void
move_finish(struct e2e *e2e, struct move *move)
{
    process_expect(move->send, 0);
    process_expect(move->recv, 0);
    move_check_arrival(e2e, move->source, move->destination);
}

void
move_check_arrival(struct e2e *e2e, struct vm *source, struct vm *destination)
{
    vm_wait_state(destination, "paused");
    assert_string_equal(vm_state(source), "postmigrate");
    memory_assert_same(e2e, source, destination);
    qmp_do(destination->qmp, "cont", NULL);
    vm_assert_runs(destination);
    vm_assert_continues(source, destination);
}

void
move_assert_failed(struct move *move, uint64_t since_ms)
{
    uint64_t told_ms;

    process_expect(move->send, 1);
    told_ms = wait_now_ms() - since_ms;
    print_message("             mig-send says so after %" PRIu64 " ms\n",
                  told_ms);
    assert_in_range(told_ms, 0, TOLD_WITHIN_MS);
    process_expect(move->recv, 1);
    vm_assert_runs(move->source);
    assert_string_equal(vm_migration(move->source), "failed");
}

void
move_again(struct e2e *e2e, struct move *move)
{
    vm_stop(move->destination);
    move->destination = vm_start_destination(e2e, move->source);
    move_start(e2e, move, NULL, NULL);
    move_finish(e2e, move);
}
