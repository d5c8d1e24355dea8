/* A QEMU with the guest of ours in it. */
#ifndef SUPPORT_VM_H
#define SUPPORT_VM_H

#include <jansson.h>

#include "support_case.h"
#include "support_guest.h"

struct process;
struct qmp;

struct vm_options {
    const char *name;    /* of the log files; outlives the test */
    const char *machine; /* NULL is "pc" */
    const char *image;   /* the guest's disk; the same on both sides */
    unsigned memory_mib;
    bool incoming;           /* it waits for a migration */
    const char *const *args; /* further ones of QEMU, or NULL */
};

struct vm {
    struct process *process;
    struct qmp *qmp; /* the test's own monitor */
    unsigned memory_mib;
    char image[CASE_PATH_MAX];
    char tool_qmp[CASE_PATH_MAX]; /* the monitor for the tool under test */
    char serial[CASE_PATH_MAX];
    char state[32]; /* of vm_state and vm_migration */
};

/**
 * vm_start(e2e, options):
 * Start a QEMU, and return when its monitor answers.  At the end of the test it
 * is stopped and freed.
 */
struct vm *vm_start(struct e2e *e2e, const struct vm_options *options);

/**
 * vm_start_source(e2e, guest):
 * Start a VM as large as ${guest} needs, and return when all its memory is
 * filled and the guest does its rounds.
 */
struct vm *vm_start_source(struct e2e *e2e, const struct guest *guest);

/**
 * vm_start_incoming(e2e, source):
 * Start a VM like ${source}, which waits for a migration.
 */
struct vm *vm_start_incoming(struct e2e *e2e, const struct vm *source);

/**
 * vm_start_destination(e2e, source):
 * The same, and it will arrive paused: "stop" is issued while it waits.
 */
struct vm *vm_start_destination(struct e2e *e2e, const struct vm *source);

/**
 * vm_stop(vm):
 * End its QEMU now, however it is.
 */
void vm_stop(struct vm *vm);

/**
 * vm_state(vm):
 * Return the run state of query-status, or "gone"; good until the next call.
 */
const char *vm_state(struct vm *vm);

/**
 * vm_migration(vm):
 * Return the status of query-migrate, "" if there is none, or "gone"; good
 * until the next call.
 */
const char *vm_migration(struct vm *vm);

/**
 * vm_wait_state(vm, state):
 * vm_wait_migration(vm, status):
 * Wait until vm_state or vm_migration is this.  The test fails if that does not
 * come about.
 */
void vm_wait_state(struct vm *vm, const char *state);
void vm_wait_migration(struct vm *vm, const char *status);

/**
 * vm_migrate_info(vm, group, field):
 * Return the number ${group}.${field} of query-migrate (without ${group} if
 * that is NULL), or 0 if there is none.
 */
int64_t vm_migrate_info(struct vm *vm, const char *group, const char *field);

/**
 * vm_wait_transferred(vm, mib):
 * Wait until the source ${vm} has sent so much.  The test fails if its
 * migration ends before.
 */
void vm_wait_transferred(struct vm *vm, unsigned mib);

/**
 * vm_rounds(vm):
 * Return how many rounds the guest has done in this QEMU.
 */
unsigned vm_rounds(const struct vm *vm);

/**
 * vm_assert_runs(vm):
 * Wait until the guest has done more rounds, and check that the VM is said to
 * run.  The test fails if it does not live on.
 */
void vm_assert_runs(struct vm *vm);

/**
 * vm_assert_continues(source, destination):
 * Check that the guest's first round at ${destination} was the one that
 * follows the last at ${source}: nothing was lost, nothing done twice.
 */
void vm_assert_continues(const struct vm *source, const struct vm *destination);

#endif
