#include "support_vm.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support_process.h"
#include "support_qmp.h"
#include "support_wait.h"

enum {
    MEMORY_MIN_MIB = 32,
    LIFE_ROUNDS = 10 /* this many more rounds mean that the guest lives */
};

static void
vm_release(void *arg)
{
    struct vm *vm = arg;

    qmp_close(vm->qmp);
    free(vm);
}

/* Nothing but what the guest needs.  The tool's monitor comes first, as it
 * would on an operator's command line. */
static void
qemu_command(struct command *command, const struct vm_options *options,
             const struct vm *vm, const char *test_qmp)
{
    static const char *const fixed[] = {
        "qemu-system-x86_64", "-accel",   "tcg",  "-nodefaults",
        "-no-user-config",    "-display", "none", NULL
    };

    command_add_all(command, fixed);
    command_add(command, "-machine");
    command_add(command, "%s",
                options->machine != NULL ? options->machine : "pc");
    command_add(command, "-m");
    command_add(command, "%u", options->memory_mib);
    command_add(command, "-drive");
    command_add(command, "file=%s,format=raw,if=floppy,readonly=on",
                options->image);
    command_add(command, "-serial");
    command_add(command, "file:%s", vm->serial);
    command_add(command, "-qmp");
    command_add(command, "unix:%s,server=on,wait=off", vm->tool_qmp);
    command_add(command, "-chardev");
    command_add(command, "socket,id=test,path=%s,server=on,wait=off", test_qmp);
    command_add(command, "-mon");
    command_add(command, "chardev=test,mode=control");
    command_add_all(command, options->args);
    if (options->incoming) {
        command_add(command, "-incoming");
        command_add(command, "defer");
    }
}

struct vm *
vm_start(struct e2e *e2e, const struct vm_options *options)
{
    struct vm *vm = calloc(1, sizeof(*vm));
    struct command command = { .argc = 0 };
    char test_qmp[CASE_PATH_MAX], name[64];

    assert_non_null(vm);
    e2e_defer(e2e, vm_release, vm);
    vm->memory_mib = options->memory_mib;
    snprintf(vm->image, sizeof(vm->image), "%s", options->image);
    snprintf(name, sizeof(name), "%s.qmp", options->name);
    e2e_path(e2e, name, vm->tool_qmp);
    e2e_path(e2e, "test.qmp", test_qmp);
    snprintf(name, sizeof(name), "%s.serial", options->name);
    e2e_path(e2e, name, vm->serial);
    qemu_command(&command, options, vm, test_qmp);
    vm->process = process_start(e2e, options->name, &command);
    vm->qmp = qmp_open(test_qmp);
    return vm;
}

/* A guest's rounds are all it writes in small letters. */
unsigned
vm_rounds(const struct vm *vm)
{
    char *text = process_read(vm->serial);
    unsigned n = 0;

    for (const char *at = text; *at != '\0'; at++)
        n += islower((unsigned char)*at) != 0;
    free(text);
    return n;
}

struct rounds_wanted {
    const struct vm *vm;
    unsigned count;
};

static bool
rounds_done(void *arg)
{
    const struct rounds_wanted *wanted = arg;

    return vm_rounds(wanted->vm) >= wanted->count;
}

static void
wait_rounds(struct vm *vm, unsigned count)
{
    struct rounds_wanted wanted = { vm, count };

    if (!wait_file(vm->serial, vm->process->pid_fd, PATIENCE_MS, rounds_done,
                   &wanted))
        fail_msg("the guest in %s does not live", vm->process->name);
}

struct vm *
vm_start_source(struct e2e *e2e, const struct guest *guest)
{
    char image[CASE_PATH_MAX];
    struct vm_options options = { .name = "source", .image = image };
    struct vm *vm;

    guest_write_image(e2e, guest, image);
    options.memory_mib = guest->fill_mib != 0 ? guest->fill_mib : 64;
    if (options.memory_mib < MEMORY_MIN_MIB)
        options.memory_mib = MEMORY_MIN_MIB;
    vm = vm_start(e2e, &options);
    wait_rounds(vm, 1);
    return vm;
}

struct vm *
vm_start_incoming(struct e2e *e2e, const struct vm *source)
{
    struct vm_options options = { .name = "destination",
                                  .image = source->image,
                                  .memory_mib = source->memory_mib,
                                  .incoming = true };
    return vm_start(e2e, &options);
}

struct vm *
vm_start_destination(struct e2e *e2e, const struct vm *source)
{
    struct vm *vm = vm_start_incoming(e2e, source);

    qmp_do(vm->qmp, "stop", NULL);
    return vm;
}

void
vm_stop(struct vm *vm)
{
    process_kill(vm->process);
}

/* Copy a text field of the reply to ${command} into vm->state. */
static const char *
text_field(struct vm *vm, const char *command)
{
    json_t *reply = qmp_try(vm->qmp, command, NULL);
    const char *text = json_string_value(
        json_object_get(json_object_get(reply, "return"), "status"));

    if (reply == NULL)
        text = "gone";
    snprintf(vm->state, sizeof(vm->state), "%s", text != NULL ? text : "");
    json_decref(reply);
    return vm->state;
}

const char *
vm_state(struct vm *vm)
{
    return text_field(vm, "query-status");
}

const char *
vm_migration(struct vm *vm)
{
    return text_field(vm, "query-migrate");
}

struct awaited {
    struct vm *vm;
    const char *(*query)(struct vm *vm);
    const char *text;
};

static bool
awaited_is(void *arg)
{
    const struct awaited *awaited = arg;

    return strcmp(awaited->query(awaited->vm), awaited->text) == 0;
}

static void
wait_field(struct vm *vm, const char *(*query)(struct vm *vm), const char *text)
{
    struct awaited awaited = { vm, query, text };

    if (!wait_until(PATIENCE_MS, awaited_is, &awaited))
        fail_msg("%s is \"%s\" and not \"%s\"", vm->process->name, vm->state,
                 text);
}

void
vm_wait_state(struct vm *vm, const char *state)
{
    wait_field(vm, vm_state, state);
}

void
vm_wait_migration(struct vm *vm, const char *status)
{
    wait_field(vm, vm_migration, status);
}

int64_t
vm_migrate_info(struct vm *vm, const char *group, const char *field)
{
    json_t *info = qmp_call(vm->qmp, "query-migrate", NULL);
    const json_t *from = group != NULL ? json_object_get(info, group) : info;
    int64_t value = json_integer_value(json_object_get(from, field));

    json_decref(info);
    return value;
}

struct transfer {
    struct vm *vm;
    int64_t bytes;
};

static bool
is_transferred(void *arg)
{
    const struct transfer *transfer = arg;
    const char *status = vm_migration(transfer->vm);

    if (strcmp(status, "failed") == 0 || strcmp(status, "completed") == 0 ||
        strcmp(status, "gone") == 0)
        fail_msg("the migration is %s too early", status);
    return vm_migrate_info(transfer->vm, "ram", "transferred") >=
           transfer->bytes;
}

void
vm_wait_transferred(struct vm *vm, unsigned mib)
{
    struct transfer transfer = { vm, (int64_t)mib << 20 };

    if (!wait_until(PATIENCE_MS, is_transferred, &transfer))
        fail_msg("the migration does not get on");
}

void
vm_assert_runs(struct vm *vm)
{
    assert_string_equal(vm_state(vm), "running");
    wait_rounds(vm, vm_rounds(vm) + LIFE_ROUNDS);
    assert_string_equal(vm_state(vm), "running");
}

void
vm_assert_continues(const struct vm *source, const struct vm *destination)
{
    char *before = process_read(source->serial);
    char *after = process_read(destination->serial);
    char last = before[0] != '\0' ? before[strlen(before) - 1] : '\0';
    char first = after[0];

    free(before);
    free(after);
    assert_in_range(last, 'a', 'z');
    assert_int_equal(first, last == 'z' ? 'a' : last + 1);
}
