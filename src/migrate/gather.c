#include "migrate/gather.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "migrate/gather_devices.h"
#include "migrate/qmp.h"
#include "wire/facts.h"

enum { REPLY_MS = 10000 };

/*
 * Theory of operation.  One question after the other: first those of the table
 * below, then the devices (migrate/gather_devices.h), then query-block, whose
 * disks are told by the devices that they hang on.
 *
 * An error is no end: this QEMU does not know the command or the property, and
 * what it would have told is left out.
 */
struct question {
    const char *command;
    const char *path;     /* of qom-get; CPU for that of the first vCPU */
    const char *property; /* of qom-get, or the line of the monitor's command */
    void (*take)(json_t *facts, const json_t *reply);
};

static const char CPU[] = "the first vCPU";

static const struct question questions[] = {
    { "query-version", NULL, NULL, facts_version },
    { "query-accelerators", NULL, NULL, facts_accelerators },
    { "query-kvm", NULL, NULL, facts_kvm },
    { "query-status", NULL, NULL, facts_status },
    { "query-uuid", NULL, NULL, facts_uuid },
    { "query-migrate", NULL, NULL, facts_migration },
    { "query-migrate-capabilities", NULL, NULL, facts_capabilities },
    { "query-migrate-parameters", NULL, NULL, facts_parameters },
    { "query-memory-size-summary", NULL, NULL, facts_memory },
    { "human-monitor-command", NULL, "info network", facts_network },
    { "query-chardev", NULL, NULL, facts_chardevs },
    { "human-monitor-command", NULL, "info ramblock", facts_ram_blocks },
    { "qom-get", "/machine", "type", facts_machine },
    { "qom-get", "/machine", "smp", facts_topology },
    { "qom-get", "/machine", "memory", facts_memory_slots },
    { "query-cpus-fast", NULL, NULL, facts_cpus },
    { "qom-get", CPU, "type", facts_cpu_model },
    { "qom-get", CPU, "feature-words", facts_cpu_features },
};

enum { QUESTIONS = sizeof questions / sizeof *questions };

struct gather {
    struct gather_options options;
    json_t *facts;
    size_t next;       /* question */
    json_t *first_cpu; /* its path, or NULL */
    struct gather_devices *devices;
};

static void
finish(struct gather *gather, const char *why)
{
    gather->options.on_done(gather->options.arg,
                            why == NULL ? gather->facts : NULL, why);
}

static int
ask(struct gather *gather, const char *command, json_t *arguments,
    void (*on_reply)(void *arg, const struct qmp_reply *reply))
{
    const struct qmp_command question = {
        .name = command,
        .arguments = arguments,
        .timeout_ms = gather->options.reply_ms,
        .on_reply = on_reply,
        .arg = gather,
    };
    int result = qmp_execute(gather->options.qmp, &question);

    json_decref(arguments);
    return result;
}

/* No reply at all: QEMU hangs, and would each time. */
static bool
is_silent(const struct qmp_reply *reply)
{
    return reply->error != NULL && reply->error_class == NULL;
}

static void
on_blocks(void *arg, const struct qmp_reply *reply)
{
    struct gather *gather = arg;

    if (is_silent(reply)) {
        finish(gather, reply->error);
        return;
    }
    facts_disks(gather->facts, reply->value,
                gather_devices_found(gather->devices));
    facts_finish(gather->facts);
    finish(gather, NULL);
}

static void
on_devices(void *arg, const char *why)
{
    struct gather *gather = arg;

    if (why != NULL) {
        finish(gather, why);
        return;
    }
    if (gather_devices_cut(gather->devices))
        json_object_set_new(gather->facts, "cut", json_true());
    if (gather_devices_found(gather->devices) != NULL)
        facts_devices(gather->facts, gather_devices_found(gather->devices));
    if (ask(gather, "query-block", NULL, on_blocks) != 0)
        finish(gather, strerror(errno));
}

static void
find_devices(struct gather *gather)
{
    const struct gather_devices_options options = {
        .qmp = gather->options.qmp,
        .timeout_ms = gather->options.reply_ms,
        .questions_max = GATHER_QUESTIONS_MAX,
        .on_done = on_devices,
        .arg = gather,
    };

    gather->devices = gather_devices_new(&options);
    if (gather->devices == NULL)
        finish(gather, strerror(errno));
}

/* The arguments of ${question}, NULL if it has none. */
static json_t *
arguments_of(const struct gather *gather, const struct question *question)
{
    if (question->property == NULL)
        return NULL;
    if (question->path == NULL)
        return json_pack("{s:s}", "command-line", question->property);
    return json_pack("{s:s, s:s}", "path",
                     question->path == CPU
                         ? json_string_value(gather->first_cpu)
                         : question->path,
                     "property", question->property);
}

static void on_answer(void *arg, const struct qmp_reply *reply);

static int
ask_next(struct gather *gather)
{
    const struct question *question = &questions[gather->next];

    return ask(gather, question->command, arguments_of(gather, question),
               on_answer);
}

static void
on_answer(void *arg, const struct qmp_reply *reply)
{
    struct gather *gather = arg;
    const struct question *question = &questions[gather->next];

    if (is_silent(reply)) {
        finish(gather, reply->error);
        return;
    }
    question->take(gather->facts, reply->value);
    if (question->take == facts_cpus)
        gather->first_cpu = json_incref(
            json_object_get(json_array_get(reply->value, 0), "qom-path"));
    do
        gather->next++;
    while (gather->next < QUESTIONS && questions[gather->next].path == CPU &&
           !json_is_string(gather->first_cpu));
    if (gather->next == QUESTIONS)
        find_devices(gather);
    else if (ask_next(gather) != 0)
        finish(gather, strerror(errno));
}

struct gather *
gather_new(const struct gather_options *options)
{
    struct gather *gather = calloc(1, sizeof *gather);

    if (gather == NULL)
        return NULL;
    gather->options = *options;
    if (options->reply_ms == 0)
        gather->options.reply_ms = REPLY_MS;
    gather->facts = json_object();
    if (gather->facts == NULL || ask_next(gather) != 0) {
        gather_free(gather);
        return NULL;
    }
    return gather;
}

void
gather_free(struct gather *gather)
{
    if (gather == NULL)
        return;
    gather_devices_free(gather->devices);
    json_decref(gather->first_cpu);
    json_decref(gather->facts);
    free(gather);
}
