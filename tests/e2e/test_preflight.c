/* What would make a migration fail is found before a byte moves. */
#include <string.h>

#include "support_move.h"
#include "support_process.h"
#include "support_session.h"
#include "support_vm.h"

#define NIC(mac)                                           \
    ARGS("-netdev", "user,id=net0,restrict=on", "-device", \
         "virtio-net-pci,netdev=net0,romfile=,mac=52:54:00:00:00:" mac)

/* A source, and a destination that is as ${there} says. */
static void
prepare(struct e2e *e2e, struct move *move, const char *const *here,
        struct vm_options there)
{
    char image[CASE_PATH_MAX];
    struct vm_options options = {
        .name = "source", .image = image, .memory_mib = 64, .args = here
    };

    guest_write_image(e2e, &guest_calm, image);
    *move = (struct move){ .source = vm_start(e2e, &options) };
    vm_assert_runs(move->source);
    there.name = "destination";
    there.image = image;
    there.incoming = true;
    if (there.memory_mib == 0)
        there.memory_mib = 64;
    move->destination = vm_start(e2e, &there);
    session_start_partners(e2e, &move->tunnel);
}

/* The source is as it was, the destination waits on, and mig-send says why. */
static void
assert_refused(struct e2e *e2e, struct move *move, const char *row)
{
    move->recv = tunnel_recv(e2e, &move->tunnel, move->destination, NULL);
    process_wait_text(move->recv, move->recv->err, "waits for mig-send");
    move->send = tunnel_send(e2e, &move->tunnel, move->source, NULL);
    process_expect(move->send, 1);
    assert_true(process_said(move->send, "STOP"));
    assert_true(process_said(move->send, row));
    vm_assert_runs(move->source);
    assert_string_equal(vm_migration(move->source), "");
    assert_string_equal(vm_state(move->destination), "inmigrate");
    process_wait_text(move->recv, move->recv->err, "left before it began");
    assert_true(process_running(move->recv));
}

static void
other_memory_size_is_refused(struct e2e *e2e)
{
    struct move move;

    prepare(e2e, &move, NULL, (struct vm_options){ .memory_mib = 96 });
    assert_refused(e2e, &move, "memory");
}

static void
other_machine_type_is_refused(struct e2e *e2e)
{
    struct move move;

    prepare(e2e, &move, NULL,
            (struct vm_options){ .machine = "pc-i440fx-6.2" });
    assert_refused(e2e, &move, "machine");
}

static void
missing_device_is_refused(struct e2e *e2e)
{
    struct move move;

    prepare(e2e, &move, ARGS("-device", "virtio-rng-pci"),
            (struct vm_options){ .machine = NULL });
    assert_refused(e2e, &move, "virtio-rng");
}

static void
other_mac_is_refused(struct e2e *e2e)
{
    struct move move;

    prepare(e2e, &move, NIC("01"), (struct vm_options){ .args = NIC("02") });
    assert_refused(e2e, &move, "52:54:00:00:00:02");
}

static void
setting_of_mig_recv_that_differs_is_a_matter_of_usage(struct e2e *e2e)
{
    struct move move;

    prepare(e2e, &move, NULL, (struct vm_options){ .machine = NULL });
    move_start(e2e, &move, ARGS("--multifd", "2"), ARGS("--multifd", "4"));
    process_expect(move.send, 1);
    process_expect(move.recv, 2);
    assert_true(process_said(move.send, "the destination refuses it"));
    vm_assert_runs(move.source);
    assert_string_equal(vm_state(move.destination), "inmigrate");
}

static void
check_prints_the_table_and_starts_nothing(struct e2e *e2e)
{
    struct move move;

    prepare(e2e, &move, NULL, (struct vm_options){ .machine = NULL });
    move_start(e2e, &move, NULL, ARGS("--check"));
    process_expect(move.send, 0);
    assert_true(process_said(move.send, "machine"));
    vm_assert_runs(move.source);
    assert_string_equal(vm_migration(move.source), "");

    move.send = tunnel_send(e2e, &move.tunnel, move.source, NULL);
    process_expect(move.send, 0);
    process_expect(move.recv, 0);
    vm_assert_runs(move.destination);
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        E2E_TEST(other_memory_size_is_refused),
        E2E_TEST(other_machine_type_is_refused),
        E2E_TEST(missing_device_is_refused),
        E2E_TEST(other_mac_is_refused),
        E2E_TEST(setting_of_mig_recv_that_differs_is_a_matter_of_usage),
        E2E_TEST(check_prints_the_table_and_starts_nothing),
    };

    e2e_select(argc, argv);
    return cmocka_run_group_tests_name("preflight", tests, NULL, NULL);
}
