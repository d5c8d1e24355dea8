/* Drives two QEMUs through one migration and says how long it took. */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cli.h"
#include "base/exit_status.h"
#include "base/log.h"
#include "base/value.h"
#include "endpoint.h"
#include "follow.h"
#include "qmp_line.h"

static const uint64_t TIMEOUT_MAX_MS = 24ULL * 3600 * 1000;

/* For what follows within moments: 5 s. */
enum { TRIES = 250, READY_MS = 10000 };
static const struct timespec try_again = { 0, 20000000L };

struct config {
    const char *source;      /* QMP sockets */
    const char *destination; /* NULL with the verbs stop, cont and wait */
    const char *from;        /* URIs */
    const char *to;
    const char *interface; /* of the source's link, or NULL */
    uint64_t downtime_ms;  /* the limit */
    uint64_t timeout_ms;
    bool running;
};

static const char *
on_option(void *arg, int key, const char *value)
{
    struct config *config = arg;
    int bad = 0;

    switch (key) {
    case 's': config->source = value; return NULL;
    case 'd': config->destination = value; return NULL;
    case 'f': config->from = value; return NULL;
    case 't': config->to = value; return NULL;
    case 'i': config->interface = value; return NULL;
    case 'L':
        bad = value_count(value, 0, 2000000, &config->downtime_ms);
        return bad ? "milliseconds" : NULL;
    case 'T':
        bad = value_duration(value, TIMEOUT_MAX_MS, &config->timeout_ms);
        return bad ? "a duration up to 24h" : NULL;
    default: config->running = true; return NULL;
    }
}

static const struct cli_option options[] = {
    { 's', "source", "PATH", "QMP socket of the source" },
    { 'd', "destination", "PATH", "QMP socket of the destination" },
    { 'f', "from", "URI", "where the source migrates to" },
    { 't', "to", "URI", "where the destination listens" },
    { 'L', "downtime-limit", "MS", "default 300, as QEMU's own" },
    { 'T', "timeout", "TIME", "give up after TIME (default 300 s)" },
    { 'i', "interface", "NAME",
      "of the link between both, on the source's host:\n"
      "say how much is held before it" },
    { CLI_LONG, "running", NULL,
      "the guest runs: say how long it did nowhere, and let\n"
      "it run on the source afterwards" },
};

static const struct cli cli = {
    .program = "mig-bench-vm",
    .synopsis = "migrate|watch|stop|cont|wait OPTION...",
    .summary =
        "Migrate a guest once (migrate), look on while others do (watch), stop "
        "or\ncontinue one, or wait until its QEMU answers (wait).",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .on_option = on_option,
    .footer = "Before a migration begins, somebody has to listen at --from, "
              "which may begin\nonce the destination does at --to.\n"
              "The last line on stdout: bytes=N seconds=S rate=MB/s "
              "downtime_ms=N setup_ms=N\n[silent_ms=N] "
              "[held_kib=N held_max_kib=N]",
};

static int
set_up_source(struct qmp_line *source, const struct config *config)
{
    json_t *on = json_pack("{s:[{s:s,s:b},{s:s,s:b}]}", "capabilities",
                           "capability", "events", "state", 1, "capability",
                           "return-path", "state", 1);
    json_t *limits =
        json_pack("{s:i,s:I}", "max-bandwidth", 0, "downtime-limit",
                  (json_int_t)config->downtime_ms);

    if (qmp_line_do(source, "migrate-set-capabilities", on) != 0) {
        json_decref(limits);
        return -1;
    }
    return qmp_line_do(source, "migrate-set-parameters", limits);
}

/* Return 0 once the destination says that the guest is there, or -1. */
static int
await_arrival(struct qmp_line *destination)
{
    for (int i = 0; i < TRIES; i++) {
        json_t *info = qmp_line_call(destination, "query-migrate", NULL);
        const char *status = json_string_value(json_object_get(info, "status"));
        bool arrived = status != NULL && strcmp(status, "completed") == 0;

        json_decref(info);
        if (info == NULL)
            return -1;
        if (arrived)
            return 0;
        nanosleep(&try_again, NULL);
    }
    log_warnx("%s: the guest has not arrived", destination->path);
    return -1;
}

static long long
number(json_t *object, const char *key)
{
    return (long long)json_integer_value(json_object_get(object, key));
}

/*
 * Print the figures.  Return 1 if they are not there yet: QEMU says that a
 * migration has completed a moment before it fills them in.  -1 is a failure.
 */
static int
try_report(struct qmp_line *source)
{
    json_t *info = qmp_line_call(source, "query-migrate", NULL);
    long long bytes = number(json_object_get(info, "ram"), "transferred");
    long long total = number(info, "total-time");
    long long down = number(info, "downtime");
    long long setup = number(info, "setup-time");

    json_decref(info);
    if (info == NULL)
        return -1;
    if (total <= 0 || bytes <= 0)
        return 1;
    printf("bytes=%lld seconds=%.3f rate=%.1f downtime_ms=%lld "
           "setup_ms=%lld\n",
           bytes, (double)total / 1e3, (double)bytes / (double)total / 1e3,
           down, setup);
    return 0;
}

static int
report(struct qmp_line *source)
{
    for (int i = 0; i < TRIES; i++) {
        int outcome = try_report(source);

        if (outcome <= 0)
            return outcome;
        nanosleep(&try_again, NULL);
    }
    log_warnx("%s: query-migrate tells no total-time", source->path);
    return -1;
}

/* What QEMU doesn't tell, on the same line. */
static void
report_followed(struct follow *follow)
{
    if (follow->running)
        printf("silent_ms=%.1f ", follow->silent_s * 1e3);
    if (follow->samples > 0)
        printf("held_kib=%lld held_max_kib=%lld ",
               follow_held(follow, false) / 1024,
               follow_held(follow, true) / 1024);
}

static int
migrate_once(struct follow *follow, const struct config *config)
{
    if (qmp_line_do(follow->destination, "migrate-incoming",
                    json_pack("{s:s}", "uri", config->to)) != 0 ||
        endpoint_await(config->from, READY_MS) != 0 ||
        follow_start(follow) != 0 ||
        qmp_line_do(follow->source, "migrate",
                    json_pack("{s:s}", "uri", config->from)) != 0 ||
        follow_to_end(follow) != 0 || await_arrival(follow->destination) != 0)
        return -1;
    report_followed(follow);
    return report(follow->source);
}

/*
 * A guest that has left can't migrate again before it has run, in QEMUs from
 * 9.1 on; the destination is never continued, so this one may.
 */
static int
reuse_source(struct qmp_line *source, const struct config *config)
{
    if (qmp_line_do(source, "cont", NULL) != 0)
        return -1;
    return config->running ? 0 : qmp_line_do(source, "stop", NULL);
}

/* Somebody else's migration, of a guest that runs. */
static int
watch_once(struct follow *follow)
{
    if (follow_start(follow) != 0)
        return -1;
    puts("watching");
    fflush(stdout);
    if (follow_to_end(follow) != 0)
        return -1;
    report_followed(follow);
    return report(follow->source);
}

static int
run_both(const struct config *config, bool watches)
{
    struct qmp_line source;
    struct qmp_line destination;
    static struct follow follow; /* too large for a stack */
    int status = STATUS_FAILED;

    if (config->destination == NULL)
        return cli_error(&cli, "--destination is missing");
    if (!watches && (config->from == NULL || config->to == NULL))
        return cli_error(&cli, "migrate needs --from and --to");
    if (qmp_line_open(&source, config->source, config->timeout_ms) != 0)
        return STATUS_FAILED;
    if (qmp_line_open(&destination, config->destination, config->timeout_ms) !=
        0)
        goto close_source;
    follow = (struct follow){ .source = &source,
                              .destination = &destination,
                              .interface = config->interface,
                              .running = config->running || watches,
                              .timeout_ms = config->timeout_ms };
    if (watches)
        status = watch_once(&follow) == 0 ? STATUS_DONE : STATUS_FAILED;
    else if (set_up_source(&source, config) == 0 &&
             migrate_once(&follow, config) == 0 &&
             reuse_source(&source, config) == 0)
        status = STATUS_DONE;
    qmp_line_close(&destination);
close_source:
    qmp_line_close(&source);
    return status;
}

static int
run_command(const struct config *config, const char *command)
{
    struct qmp_line qmp;
    int status = STATUS_FAILED;

    if (qmp_line_open(&qmp, config->source, config->timeout_ms) != 0)
        return STATUS_FAILED;
    if (qmp_line_do(&qmp, command, NULL) == 0)
        status = STATUS_DONE;
    qmp_line_close(&qmp);
    return status;
}

int
main(int argc, char **argv)
{
    struct config config = { .downtime_ms = 300, .timeout_ms = 300000 };
    const char *verb = argc > 1 && argv[1][0] != '-' ? argv[1] : NULL;
    int skip = verb != NULL;

    switch (cli_parse(&cli, argc - skip, argv + skip, &config, stdout)) {
    case CLI_DONE: return STATUS_DONE;
    case CLI_USAGE: return STATUS_USAGE;
    default: break;
    }
    if (verb == NULL || config.source == NULL)
        return cli_error(&cli, "say migrate, watch, stop, cont or wait, and "
                               "--source");
    if (strcmp(verb, "migrate") == 0 || strcmp(verb, "watch") == 0)
        return run_both(&config, strcmp(verb, "watch") == 0);
    if (strcmp(verb, "stop") == 0 || strcmp(verb, "cont") == 0)
        return run_command(&config, verb);
    if (strcmp(verb, "wait") == 0)
        return run_command(&config, "query-status");
    return cli_error(&cli, "'%s' is not migrate, watch, stop, cont or wait",
                     verb);
}
