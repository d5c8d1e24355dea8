#include "support_split.h"

#include "support_move.h"
#include "support_process.h"
#include "support_qmp.h"
#include "support_session.h"
#include "support_vm.h"
#include "support_wait.h"

enum { STEP_KIB = 512 };

#define SLOWLY                                                                 \
    "--max-bandwidth", "8M", "--capability", "postcopy-ram=on", "--parameter", \
        "max-postcopy-bandwidth=4194304"

const char *const split_plain[] = { SLOWLY, NULL };
const char *const split_preempt[] = { SLOWLY, "--capability",
                                      "postcopy-preempt=on", NULL };

void
split_start_tunnel(struct e2e *e2e, struct tunnel *tunnel)
{
    tunnel_start_server(e2e, tunnel, NULL);
    tunnel_start_client(e2e, tunnel, NULL);
}

void
split_start_slowly(struct e2e *e2e, struct move *move, bool runs,
                   const char *const *how)
{
    struct guest guest = guest_calm;

    guest.window_mib = SPLIT_WINDOW_MIB;
    *move = (struct move){ .source = vm_start_source(e2e, &guest) };
    move->destination = vm_start_incoming(e2e, move->source);
    if (!runs)
        qmp_do(move->source->qmp, "stop", NULL);
    session_start_partners(e2e, &move->tunnel);
    move_start(e2e, move, NULL, how);
    vm_wait_transferred(move->source, SPLIT_AT_MIB);
}

void
split_start(struct e2e *e2e, struct move *move, bool runs,
            const char *const *how)
{
    split_start_slowly(e2e, move, runs, how);
    qmp_do(move->source->qmp, "migrate-start-postcopy", NULL);
    vm_wait_migration(move->source, "postcopy-active");
    vm_wait_migration(move->destination, "postcopy-active");
    if (runs)
        vm_wait_state(move->destination, "running");
}

void
split_break(struct move *move)
{
    process_kill(move->tunnel.client);
    process_kill(move->tunnel.server);
    vm_wait_migration(move->source, "postcopy-paused");
    vm_wait_migration(move->destination, "postcopy-paused");
}

struct sent {
    struct vm *source;
    int64_t bytes;
};

static bool
has_sent(void *arg)
{
    const struct sent *sent = arg;

    return vm_migrate_info(sent->source, "ram", "transferred") >= sent->bytes;
}

void
split_wait_goes_on(struct move *move)
{
    struct sent sent = { move->source, 0 };

    vm_wait_migration(move->source, "postcopy-active");
    vm_wait_migration(move->destination, "postcopy-active");
    sent.bytes =
        vm_migrate_info(move->source, "ram", "transferred") + (STEP_KIB << 10);
    assert_true(wait_until(PATIENCE_MS, has_sent, &sent));
}

void
split_hurry(struct move *move)
{
    qmp_do(move->source->qmp, "migrate-set-parameters",
           json_pack("{s:i}", "max-postcopy-bandwidth", 0));
}
