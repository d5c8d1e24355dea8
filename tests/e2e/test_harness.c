/* The harness itself: what the other tests lean on. */
#include <stdio.h>

#include "support_memory.h"
#include "support_proc.h"
#include "support_process.h"
#include "support_qmp.h"
#include "support_vm.h"
#include "support_wait.h"

static void
start_migration(struct e2e *e2e, struct vm *source, struct vm *destination)
{
    char path[CASE_PATH_MAX], uri[CASE_PATH_MAX + 8];

    snprintf(uri, sizeof(uri), "unix:%s", e2e_path(e2e, "direct.sock", path));
    qmp_do(destination->qmp, "migrate-incoming",
           json_pack("{s:s}", "uri", uri));
    qmp_do(source->qmp, "migrate", json_pack("{s:s}", "uri", uri));
}

static void
guest_fills_its_memory_with_distinct_pages(struct e2e *e2e)
{
    struct vm *vm = vm_start_source(e2e, &guest_calm);
    struct memory memory;
    size_t pages;

    qmp_do(vm->qmp, "stop", NULL);
    memory_dump(e2e, vm, &memory);
    pages = memory.size / 4096;
    /* The first MiB is the BIOS's and mostly empty. */
    assert_in_range(memory_distinct_pages(&memory), pages - 256, pages);
    memory_fini(&memory);
}

static void
guest_goes_on_dirtying_memory(struct e2e *e2e)
{
    struct vm *vm = vm_start_source(e2e, &guest_calm);
    struct memory before, after;
    size_t at;

    qmp_do(vm->qmp, "stop", NULL);
    memory_dump(e2e, vm, &before);
    qmp_do(vm->qmp, "cont", NULL);
    vm_assert_runs(vm);
    qmp_do(vm->qmp, "stop", NULL);
    memory_dump(e2e, vm, &after);
    at = memory_difference(&before, &after);
    memory_fini(&before);
    memory_fini(&after);
    assert_true(at != SIZE_MAX);
}

static void
guest_memory_is_identical_after_a_direct_migration(struct e2e *e2e)
{
    struct vm *source = vm_start_source(e2e, &guest_calm);
    struct vm *destination = vm_start_destination(e2e, source);

    start_migration(e2e, source, destination);
    vm_wait_migration(source, "completed");
    vm_wait_state(destination, "paused");
    memory_assert_same(e2e, source, destination);
    qmp_do(destination->qmp, "cont", NULL);
    vm_assert_runs(destination);
    vm_assert_continues(source, destination);
}

static void
one_changed_byte_is_found_at_its_address(struct e2e *e2e)
{
    static const size_t places[] = { 0, 0x7c00, 0x1fffff, (64 << 20) - 1 };
    struct vm *vm = vm_start_source(e2e, &guest_calm);
    struct memory a, b;

    qmp_do(vm->qmp, "stop", NULL);
    memory_dump(e2e, vm, &a);
    memory_dump(e2e, vm, &b);
    assert_true(memory_difference(&a, &b) == SIZE_MAX);
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        b.bytes[places[i]] ^= 1;
        assert_int_equal(memory_difference(&a, &b), places[i]);
        b.bytes[places[i]] ^= 1;
    }
    memory_fini(&a);
    memory_fini(&b);
}

static void
exit_statuses_and_output_of_a_process_are_seen(struct e2e *e2e)
{
    struct command command = { .argc = 0 };
    static const char *const script[] = { "sh", "-c", "echo yes >&2; exit 7",
                                          NULL };
    static const char *const sleeper[] = { "sleep", "1000", NULL };
    struct process *process;

    command_add_all(&command, script);
    process = process_start(e2e, "script", &command);
    process_wait_text(process, process->err, "yes");
    process_expect(process, 7);
    assert_false(process_said(process, "no"));

    command_add_all(&command, sleeper);
    process = process_start(e2e, "sleeper", &command);
    assert_true(process_running(process));
    process_kill(process);
    assert_int_equal(process_wait(process), -9);
}

struct use {
    pid_t pid;
    uint64_t cpu_ms;
    uint64_t wakeups;
};

static bool
is_used(void *arg)
{
    const struct use *use = arg;
    struct proc_usage now;

    proc_read_usage(use->pid, &now);
    return now.cpu_ms >= use->cpu_ms && now.wakeups >= use->wakeups;
}

static void
busy_and_restless_processes_are_seen(struct e2e *e2e)
{
    static const char *const busy[] = { "sh", "-c", "while :; do :; done",
                                        NULL };
    static const char *const restless[] = { "sh", "-c",
                                            "while :; do sleep 0.01; done",
                                            NULL };
    struct command command = { .argc = 0 };
    struct process *process;
    struct use use = { .cpu_ms = 300 };

    command_add_all(&command, busy);
    process = process_start(e2e, "busy", &command);
    use.pid = process->pid;
    assert_true(wait_until(PATIENCE_MS, is_used, &use));
    process_kill(process);

    command_add_all(&command, restless);
    process = process_start(e2e, "restless", &command);
    use = (struct use){ .pid = process->pid, .wakeups = 30 };
    assert_true(wait_until(PATIENCE_MS, is_used, &use));
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        E2E_TEST(guest_fills_its_memory_with_distinct_pages),
        E2E_TEST(guest_goes_on_dirtying_memory),
        E2E_TEST(guest_memory_is_identical_after_a_direct_migration),
        E2E_TEST(one_changed_byte_is_found_at_its_address),
        E2E_TEST(exit_statuses_and_output_of_a_process_are_seen),
        E2E_TEST(busy_and_restless_processes_are_seen),
    };

    e2e_select(argc, argv);
    return cmocka_run_group_tests_name("harness", tests, NULL, NULL);
}
