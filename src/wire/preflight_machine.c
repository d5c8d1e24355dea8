/* The QEMUs themselves: version, machine, processors, and what state they are
 * in. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "wire/facts.h"
#include "wire/preflight_rows.h"

/* QEMU keeps the stream of an old machine type readable for a new QEMU; the
 * other way round it is only tried by those who need it, so it may work.  A
 * machine type that the older one lacks is a stop by itself. */
static bool
is_older(const struct preflight_work *work)
{
    int major[2], minor[2];

    for (unsigned side = 0; side < 2; side++)
        if (facts_major_minor(work->facts[side], &major[side], &minor[side]) !=
            0)
            return false;
    return major[1] < major[0] || (major[1] == major[0] && minor[1] < minor[0]);
}

static void
compare_version(struct preflight_work *work)
{
    bool older = is_older(work);
    struct preflight_row *row = preflight_texts(
        work, older ? PREFLIGHT_WARNING : PREFLIGHT_OK, "QEMU", "version");

    if (row != NULL && older)
        preflight_why(row, "the destination is older: QEMU promises to take "
                           "VMs from older versions, not from newer ones");
}

/* The destination compares the name and gives up; it is the name that fixes
 * every built-in device, and the form in which its state is sent. */
static void
compare_machine(struct preflight_work *work)
{
    struct preflight_row *row =
        preflight_texts(work, PREFLIGHT_STOP, "machine", "machine");

    if (row != NULL)
        preflight_why(row,
                      "other machine type: the destination's QEMU refuses the "
                      "VM; start it with -machine %s",
                      preflight_fact(work, PREFLIGHT_SOURCE, "machine"));
}

/* KVM sends the state of its clock and interrupt controllers, which TCG has no
 * devices for ("Unknown savevm section"); and each makes another CPU of the
 * same model. */
static void
compare_accelerator(struct preflight_work *work)
{
    struct preflight_row *row =
        preflight_texts(work, PREFLIGHT_STOP, "accelerator", "accelerator");

    if (row != NULL)
        preflight_why(row, "a VM can't move between accelerators: its "
                           "processors and clocks differ, and their state "
                           "does not fit");
}

/* Features that one side's guest has and the other's lacks, one by one. */
static unsigned
missing_features(const json_t *has, const json_t *lacks)
{
    unsigned missing = 0;
    const char *word;
    json_t *bits;

    json_object_foreach((json_t *)has, word, bits)
    {
        const json_t *there = json_object_get(lacks, word);
        uint64_t lost =
            (uint64_t)json_integer_value(bits) &
            ~(uint64_t)(there != NULL ? json_integer_value(there) : 0);
        missing += (unsigned)__builtin_popcountll(lost);
    }
    return missing;
}

/* CPUID is no part of what is migrated: the guest goes on with what it found
 * at its start, and an instruction that the new host lacks ends programs in it,
 * or the guest.  More features do no harm until the guest looks again.  A word
 * that one version does not tell counts as empty: it gives none of them. */
static void
compare_features(struct preflight_work *work)
{
    const json_t *has =
        json_object_get(work->facts[PREFLIGHT_SOURCE], "cpu_features");
    const json_t *gets =
        json_object_get(work->facts[PREFLIGHT_DESTINATION], "cpu_features");
    struct preflight_row *row;
    unsigned lost, more;

    if (has == NULL || gets == NULL)
        return; /* only x86 tells them */
    lost = missing_features(has, gets);
    more = missing_features(gets, has);
    row = preflight_row(work,
                        lost > 0   ? PREFLIGHT_STOP
                        : more > 0 ? PREFLIGHT_WARNING
                                   : PREFLIGHT_OK,
                        "CPU features");
    preflight_say(row, PREFLIGHT_SOURCE, "%u in all",
                  missing_features(has, NULL));
    preflight_say(row, PREFLIGHT_DESTINATION, "%u in all",
                  missing_features(gets, NULL));
    if (lost > 0)
        preflight_why(row,
                      "the guest uses a CPU with %u feature%s that the "
                      "destination's lacks: programs in it would crash; use a "
                      "named -cpu model that both hosts have",
                      lost, lost == 1 ? "" : "s");
    else if (more > 0)
        preflight_why(row,
                      "the destination's CPU has %u feature%s more; the guest "
                      "could not come back here after a restart there",
                      more, more == 1 ? "" : "s");
}

static bool
is_host_model(const char *model)
{
    return strcmp(model, "host") == 0 || strcmp(model, "max") == 0;
}

static void
compare_cpu(struct preflight_work *work)
{
    struct preflight_row *row =
        preflight_texts(work, PREFLIGHT_STOP, "CPU", "cpu");
    const char *model = preflight_fact(work, PREFLIGHT_SOURCE, "cpu");
    const char *there = preflight_fact(work, PREFLIGHT_DESTINATION, "cpu");

    if (row != NULL) {
        preflight_why(row, "other CPU model: the guest would lose features "
                           "that it uses; start the destination with the "
                           "source's -cpu");
        return;
    }
    compare_features(work);
    if (model == NULL || there == NULL || !is_host_model(model))
        return;
    /* Even with the same features it has the host's timing and bugs. */
    row = preflight_row(work, PREFLIGHT_WARNING, "CPU model");
    for (unsigned side = 0; side < 2; side++)
        preflight_say(row, side, "%s", model);
    preflight_why(row,
                  "\"%s\" is whatever the host has: safe only between hosts "
                  "with the same processor, microcode and kernel",
                  model);
}

static json_int_t
number(const struct preflight_work *work, enum preflight_side side,
       const char *key)
{
    const json_t *value = json_object_get(work->facts[side], key);

    return value != NULL ? json_integer_value(value) : -1;
}

static void
say_cpus(struct preflight_work *work, struct preflight_row *row,
         enum preflight_side side)
{
    const char *topology = preflight_fact(work, side, "topology");
    json_int_t max = number(work, side, "max_cpus");
    char most[48] = "";

    if (max >= 0)
        snprintf(most, sizeof most, " of %lld", (long long)max);
    preflight_say(row, side, "%lld%s%s%s",
                  (long long)number(work, side, "cpus"), most,
                  topology != NULL && topology[0] != '\0' ? ", " : "",
                  topology != NULL ? topology : "");
}

/* Each vCPU's state is a section of its own, which must find its vCPU.  The
 * most vCPUs and their topology fix the APIC ids and the ACPI tables, which
 * the guest has read. */
static void
compare_cpus(struct preflight_work *work)
{
    static const char *const keys[] = { "cpus", "max_cpus" };
    const char *topology[2] = {
        preflight_fact(work, PREFLIGHT_SOURCE, "topology"),
        preflight_fact(work, PREFLIGHT_DESTINATION, "topology")
    };
    bool differs = topology[0] != NULL && topology[1] != NULL &&
                   strcmp(topology[0], topology[1]) != 0;
    struct preflight_row *row;

    if (number(work, PREFLIGHT_SOURCE, "cpus") < 0 ||
        number(work, PREFLIGHT_DESTINATION, "cpus") < 0) {
        preflight_unknown(work, "vCPUs");
        return;
    }
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        json_int_t here = number(work, PREFLIGHT_SOURCE, keys[i]);
        json_int_t there = number(work, PREFLIGHT_DESTINATION, keys[i]);
        differs |= here >= 0 && there >= 0 && here != there;
    }
    row = preflight_row(work, differs ? PREFLIGHT_STOP : PREFLIGHT_OK, "vCPUs");
    say_cpus(work, row, PREFLIGHT_SOURCE);
    say_cpus(work, row, PREFLIGHT_DESTINATION);
    if (differs)
        preflight_why(row, "the vCPUs, their most and their topology must be "
                           "the same: give the destination the source's -smp");
}

/* One of a few states in which a VM can't be sent. */
static const char *
unfit_source(const char *status)
{
    if (strcmp(status, "inmigrate") == 0)
        return "the source waits for a VM itself";
    if (strcmp(status, "postmigrate") == 0)
        return "the source has sent its VM away already: it may run elsewhere";
    return NULL;
}

static void
compare_status(struct preflight_work *work)
{
    const char *here = preflight_fact(work, PREFLIGHT_SOURCE, "status");
    const char *there = preflight_fact(work, PREFLIGHT_DESTINATION, "status");
    const char *unfit = here != NULL ? unfit_source(here) : NULL;
    bool waits = there != NULL && strcmp(there, "inmigrate") == 0;
    struct preflight_row *row;

    if (here == NULL || there == NULL)
        row = preflight_unknown(work, "state");
    else
        row = preflight_row(
            work, waits && unfit == NULL ? PREFLIGHT_OK : PREFLIGHT_STOP,
            "state");
    if (here != NULL)
        preflight_say(row, PREFLIGHT_SOURCE, "%s", here);
    if (there != NULL)
        preflight_say(row, PREFLIGHT_DESTINATION, "%s", there);
    if (here == NULL || there == NULL)
        return;
    if (unfit != NULL)
        preflight_why(row, "%s", unfit);
    else if (!waits)
        preflight_why(row, "the destination does not wait for a VM: start it "
                           "with -incoming defer");
}

void
preflight_machine(struct preflight_work *work)
{
    compare_version(work);
    compare_machine(work);
    compare_accelerator(work);
    compare_cpu(work);
    compare_cpus(work);
    compare_status(work);
}
