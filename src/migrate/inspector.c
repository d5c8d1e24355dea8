#include "migrate/inspector.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "migrate/asker.h"
#include "migrate/job.h"
#include "migrate/looker.h"
#include "migrate/output.h"
#include "wire/progress_text.h"
#include "wire/standing.h"

struct inspector {
    struct inspector_options options;
    struct standing standing;
    struct asker *asker;
    struct looker *looker;
};

static void
print_migration(FILE *out, const struct standing *standing)
{
    const struct migration *migration = &standing->migration;
    char text[PROGRESS_TEXT_MAX];
    struct progress progress;

    fprintf(out, "migration: %s", migration->status_name);
    if (migration->error[0] != '\0')
        fprintf(out, ": %s", migration->error);
    standing_progress(standing, &progress);
    if (migration_is_over(migration->status))
        progress_report_text(text, &progress);
    else
        progress_plain_text(text, &progress);
    if (migration->transferred_bytes > 0 && text[0] != '\0')
        fprintf(out, "; %s", text);
    fputc('\n', out);
}

static void
print_tunnel(FILE *out, const struct standing *standing, const char *path)
{
    const char *partner = standing->source ? "mig-recv" : "mig-send";
    const struct tunnel_view *view = &standing->view;

    if (standing->tunnel == STANDING_NO_TUNNEL) {
        fprintf(out, "tunnel:    has no control socket at %s\n", path);
        return;
    }
    fprintf(out, "tunnel:    %s%s%s; %s is %s at the other end\n",
            tunnel_state_name(view->state),
            view->session[0] != '\0' ? ", session " : "", view->session,
            partner,
            standing->tunnel == STANDING_PARTNER ? "at work" : "not at work");
}

static void
print(const struct inspector *inspector)
{
    const struct standing *standing = &inspector->standing;
    const char *own = standing->source ? "mig-send" : "mig-recv";
    const char *next = standing_next_text(standing);
    FILE *out = inspector->options.out;

    fprintf(out, "VM:        %s\n",
            standing->vm[0] != '\0' ? standing->vm : "not known");
    print_migration(out, standing);
    print_tunnel(out, standing, inspector->options.config->control_path);
    fprintf(out, "helper:    %s%s\n", standing->helper ? own : "none",
            standing->helper ? " is at work here" : "");
    fprintf(out, "guest:     %s\n", standing_guest_text(standing));
    if (next[0] != '\0')
        fprintf(out, "next:      %s\n", next);
    fflush(out);
}

static void
print_json(const struct inspector *inspector, enum exit_status status,
           const char *message)
{
    const struct standing *standing = &inspector->standing;
    const struct progress_result result = {
        .result = job_result_name(status),
        .exit_status = (int)status,
        .message = message,
        .vm = standing->vm[0] != '\0' ? standing->vm : NULL,
    };
    struct output *output = output_new(inspector->options.json, NULL);
    json_t *state = standing_json(standing);

    if (output != NULL && status == STATUS_DONE)
        output_state(output, json_incref(state));
    if (output != NULL)
        output_result(output, &result);
    output_free(output);
    json_decref(state);
}

static void
conclude(struct inspector *inspector, enum exit_status status,
         const char *message)
{
    const struct inspector_options *options = &inspector->options;

    if (options->out != NULL && status == STATUS_DONE)
        print(inspector);
    if (status != STATUS_DONE)
        log_warnx("%s", message);
    if (options->json != NULL)
        print_json(inspector, status, message);
    options->on_done(options->arg, status);
}

static void
on_looked(void *arg, const char *why)
{
    struct inspector *inspector = arg;
    char message[512];

    if (why != NULL)
        snprintf(message, sizeof message, "QMP: %s", why);
    else
        snprintf(message, sizeof message, "the guest %s",
                 standing_guest_text(&inspector->standing));
    conclude(inspector, why != NULL ? STATUS_FAILED : STATUS_DONE, message);
}

static int
look(struct inspector *inspector)
{
    const struct looker_options options = {
        .loop = inspector->options.loop,
        .target = inspector->options.config->target,
        .standing = &inspector->standing,
        .on_done = on_looked,
        .arg = inspector,
    };

    inspector->looker = looker_new(&options);
    return inspector->looker != NULL ? 0 : -1;
}

static void
on_asked(void *arg, bool asked, enum exit_status status)
{
    struct inspector *inspector = arg;

    if (asked && status == STATUS_DONE)
        on_looked(inspector, NULL);
    else if (asked)
        conclude(inspector, STATUS_UNKNOWN,
                 "a helper is at work here, and does not answer");
    else if (look(inspector) != 0)
        conclude(inspector, STATUS_FAILED, strerror(errno));
}

struct inspector *
inspector_new(const struct inspector_options *options)
{
    const struct job_config *config = options->config;
    struct inspector *inspector = calloc(1, sizeof *inspector);

    if (inspector == NULL)
        return NULL;
    inspector->options = *options;
    inspector->standing.source = config->side == JOB_SENDS;
    migration_parse(&inspector->standing.migration, NULL);
    if (config->standalone)
        (void)look(inspector);
    else
        inspector->asker = asker_new(&(struct asker_options){
            .loop = options->loop,
            .path = config->control_path,
            .program = options->program,
            .request = REQUEST_STATUS,
            .standing = &inspector->standing,
            .on_done = on_asked,
            .arg = inspector,
        });
    if (inspector->asker != NULL || inspector->looker != NULL)
        return inspector;
    free(inspector);
    return NULL;
}

void
inspector_free(struct inspector *inspector)
{
    if (inspector == NULL)
        return;
    asker_free(inspector->asker);
    looker_free(inspector->looker);
    free(inspector);
}
