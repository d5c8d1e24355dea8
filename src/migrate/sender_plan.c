/*
 * The settings of a migration (wire/plan.h): which there are, whether both
 * QEMUs can have them, and who is given which.
 *
 * With a partner both QEMUs' facts are compared, and the plan is part of that.
 * Alone, the other QEMU is not known and has to be prepared by hand; it is
 * taken to be like this one, so that at least what this one can't do is said
 * before anything starts.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/log.h"
#include "migrate/sender_handover.h"
#include "migrate/sender_meet.h"
#include "migrate/sender_state.h"
#include "wire/facts.h"
#include "wire/preflight.h"
#include "wire/preflight_text.h"

enum { TABLE_WIDTH = 100 };

static void
fill_plan(const struct settings *settings, struct partner_message *plan)
{
    for (size_t i = 0; i < settings->count; i++) {
        const struct setting *setting = &settings->list[i];
        bool on = strcmp(setting->value, "on") == 0;

        if (setting->kind == SETTING_CAPABILITY)
            json_object_set_new(plan->capabilities, setting->name,
                                json_boolean(on));
        else
            json_object_set_new(plan->parameters, setting->name,
                                json_string(setting->value));
    }
}

static int
make_id(char id[PARTNER_ID_MAX + 1])
{
    uint64_t number;

    if (getrandom(&number, sizeof number, 0) != sizeof number)
        return -1;
    snprintf(id, PARTNER_ID_MAX + 1, "%016" PRIx64, number);
    return 0;
}

static void
say_plan(struct sender *sender)
{
    struct partner_message plan = { .type = PARTNER_PLAN };

    if (sender->talk == NULL || !partner_talk_there(sender->talk))
        return;
    plan.run = sender->runs ? RUN_YES : RUN_NO;
    plan.capabilities = json_object();
    plan.parameters = json_object();
    fill_plan(&sender->plan.side[PREFLIGHT_DESTINATION], &plan);
    partner_talk_say(sender->talk, &plan);
    partner_fini(&plan);
    sender->planned = true;
    sender_step(sender, SOURCE_CAME);
}

void
sender_plan(struct sender *sender)
{
    char id[PARTNER_ID_MAX + 1];

    sender->applied = true;
    sender->state = SENDER_PLANNING;
    if (sender->marking)
        return;
    if (partner_talk_id(sender->talk)[0] != '\0') {
        say_plan(sender);
        return;
    }
    if (make_id(id) != 0) {
        job_done(&sender->job, STATUS_FAILED,
                 "migration: no random numbers: %s; nothing was started",
                 strerror(errno));
        return;
    }
    partner_talk_set_id(sender->talk, id);
    handover_source_init(&sender->handover, sender->runs ? RUN_YES : RUN_NO);
    sender_mark(sender, say_plan);
}

/* A program may read --json's lines from stdout. */
static void
print_table(const struct sender *sender, const struct preflight *preflight)
{
    const struct job_config *config = sender->options.config;
    FILE *out = config->check && !config->json ? stdout : stderr;
    char *text = preflight_text(preflight, TABLE_WIDTH);

    if (text != NULL && (config->check || log_wants(LOG_LEVEL_NORMAL)))
        fputs(text, out);
    fflush(out);
    free(text);
}

static void
apply(struct sender *sender)
{
    sender->state = SENDER_APPLYING;
    sender->job.settings = &sender->plan.side[PREFLIGHT_SOURCE];
    job_apply(&sender->job);
}

static void
judge(struct sender *sender, const struct preflight *preflight)
{
    struct job *job = &sender->job;
    bool stops = preflight->verdict == PREFLIGHT_STOP;

    if (sender->options.config->check || preflight->verdict != PREFLIGHT_OK)
        print_table(sender, preflight);
    if (stops)
        job_done(job, STATUS_FAILED,
                 "preflight: the destination can't take this VM, see above; "
                 "nothing was started");
    else if (sender->options.config->check)
        job_done(job, STATUS_DONE,
                 "preflight: nothing stands against this migration");
    else if (sender->applied)
        sender_plan(sender);
    else
        apply(sender);
}

/* Return whether there is a plan, as far as the settings go; if not, ${why}
 * says what is against it. */
static bool
make_plan(struct sender *sender, const json_t *theirs,
          struct preflight *preflight, char why[PLAN_WHY_MAX])
{
    struct plan_options options;

    job_config_plan(sender->options.config, &options);
    return plan_make(&sender->plan, &options, sender->facts, theirs, preflight,
                     why) == 0;
}

void
sender_compare(struct sender *sender)
{
    struct preflight *preflight;
    char why[PLAN_WHY_MAX];
    bool possible;

    if (sender->facts == NULL || sender->their_facts == NULL ||
        (sender->state != SENDER_MEETING && sender->state != SENDER_PLANNING))
        return;
    preflight = malloc(sizeof *preflight);
    if (preflight == NULL) {
        job_done(&sender->job, STATUS_FAILED, "migration: out of memory");
        return;
    }
    possible = make_plan(sender, sender->their_facts, preflight, why);
    preflight_compare(preflight, sender->facts, sender->their_facts,
                      &sender->plan.wanted);
    if (!possible && preflight->verdict != PREFLIGHT_STOP)
        job_done(&sender->job, STATUS_FAILED,
                 "migration: %s; nothing was started", why);
    else
        judge(sender, preflight);
    free(preflight);
}

static void
on_parameters_alone(void *owner, const struct qmp_reply *reply)
{
    struct sender *sender = owner;
    struct preflight *preflight = malloc(sizeof *preflight);
    char why[PLAN_WHY_MAX] = "out of memory";

    facts_parameters(sender->facts, reply->value);
    if (preflight != NULL && make_plan(sender, sender->facts, preflight, why))
        apply(sender);
    else
        job_done(&sender->job, STATUS_FAILED,
                 "migration: %s; nothing was started", why);
    free(preflight);
}

static void
on_capabilities_alone(void *owner, const struct qmp_reply *reply)
{
    struct sender *sender = owner;

    facts_capabilities(sender->facts, reply->value);
    job_ask(&sender->job, "query-migrate-parameters", NULL,
            on_parameters_alone);
}

void
sender_plan_alone(struct sender *sender)
{
    const struct qmp_version *version = &sender->job.version;
    char text[64];

    snprintf(text, sizeof text, "%d.%d.%d", version->major, version->minor,
             version->micro);
    sender->state = SENDER_APPLYING;
    json_decref(sender->facts);
    sender->facts = version->major > 0 ? json_pack("{s:s}", "version", text)
                                       : json_object();
    job_ask(&sender->job, "query-migrate-capabilities", NULL,
            on_capabilities_alone);
}

/* Only what the source's parameters are is looked at: the rest of the plan, and
 * whether it can be had, does not matter any more. */
void
sender_plan_slow_down(struct sender *sender)
{
    struct preflight *preflight = malloc(sizeof *preflight);
    char why[PLAN_WHY_MAX];

    if (preflight != NULL)
        make_plan(sender, sender->facts, preflight, why);
    free(preflight);
}
