#include "wire/standing.h"

#include <string.h>

#include "wire/progress_json.h"
#include "wire/qmp_message.h"

const char standing_interrupted[] =
    "interrupted in postcopy: the guest needs the memory of both QEMUs, so end "
    "neither; once the tunnel is up again, mig-recv --recover at the "
    "destination and mig-send --recover at the source bring it back";
const char standing_split[] =
    "can't be cancelled in postcopy, when the guest needs both hosts";
const char standing_too_late[] =
    "can't be cancelled any more: the source has given the guest away";

static const char at_source[] =
    "mig-send is not heard: cancel it at the source, with mig-send --cancel";

static bool
runs(const struct standing *standing)
{
    return strcmp(standing->vm, "running") == 0;
}

bool
standing_has_left(const char *vm)
{
    return strcmp(vm, "postmigrate") == 0 || strcmp(vm, "finish-migrate") == 0;
}

static enum standing_guest
guest_at_source(const struct standing *standing)
{
    const struct migration *migration = &standing->migration;

    if (migration->status == MIGRATION_POSTCOPY_PAUSED)
        return GUEST_BROKEN;
    if (migration_is_postcopy(migration))
        return GUEST_SPLIT;
    if (migration->status == MIGRATION_COMPLETED)
        return standing_has_left(standing->vm) ? GUEST_GIVEN : GUEST_HERE;
    if (migration_is_idle(migration->status))
        return GUEST_HERE;
    return GUEST_MOVING;
}

static enum standing_guest
guest_at_destination(const struct standing *standing)
{
    const struct migration *migration = &standing->migration;

    if (migration->status == MIGRATION_POSTCOPY_PAUSED)
        return GUEST_BROKEN;
    if (migration_is_postcopy(migration))
        return GUEST_SPLIT;
    if (migration->status == MIGRATION_FAILED ||
        migration->status == MIGRATION_CANCELLED)
        return GUEST_THERE;
    if (migration->status == MIGRATION_COMPLETED)
        return standing->fresh ? GUEST_ARRIVED : GUEST_HERE;
    if (strcmp(standing->vm, "inmigrate") != 0)
        return GUEST_HERE;
    return migration_is_idle(migration->status) ||
                   migration->status == MIGRATION_SETUP
               ? GUEST_NOT_COME
               : GUEST_MOVING;
}

enum standing_guest
standing_guest(const struct standing *standing)
{
    if (standing->vm[0] == '\0')
        return GUEST_UNKNOWN;
    return standing->source ? guest_at_source(standing)
                            : guest_at_destination(standing);
}

const char *
standing_guest_text(const struct standing *standing)
{
    switch (standing_guest(standing)) {
    case GUEST_HERE:
        return runs(standing) ? "is here and runs"
                              : "is here, and does not run";
    case GUEST_THERE: return "is not here: it is at the source";
    case GUEST_MOVING: return "is at the source until the migration completes";
    case GUEST_ARRIVED:
        return "has arrived, and waits for the source's word to run";
    case GUEST_GIVEN:
        return "was given to the destination, and never runs here again by "
               "itself";
    case GUEST_SPLIT:
        return "is at the destination, and needs both hosts until all of its "
               "memory is there";
    case GUEST_BROKEN:
        return "needs the memory of both QEMUs, between which the migration is "
               "interrupted: end neither";
    case GUEST_NOT_COME: return "has not come";
    case GUEST_UNKNOWN: break;
    }
    return "is not known to be here or there";
}

/* A helper is at work: it goes on by itself, but for what it lacks. */
static const char *
next_with_helper(const struct standing *standing)
{
    if (standing->tunnel == STANDING_PARTNER)
        return "";
    switch (standing_guest(standing)) {
    case GUEST_GIVEN:
        return "mig-recv --attach at the destination, if it is not at work "
               "there";
    case GUEST_ARRIVED:
        return "mig-send --attach at the source, if it is not at work there";
    default: return "";
    }
}

const char *
standing_next_text(const struct standing *standing)
{
    if (standing_guest(standing) == GUEST_BROKEN)
        return "once the tunnel is up again, mig-recv --recover at the "
               "destination and mig-send --recover at the source bring it back";
    if (standing->helper)
        return next_with_helper(standing);
    switch (standing_guest(standing)) {
    case GUEST_MOVING:
        return standing->source
                   ? "mig-send --attach goes on with it, mig-send --cancel "
                     "ends it"
                   : "mig-recv --attach goes on with it";
    case GUEST_GIVEN:
        return "mig-send --attach sees to it that it runs at the destination";
    case GUEST_ARRIVED:
        return "mig-recv --attach runs it when the source has given it";
    case GUEST_SPLIT:
        return standing->source ? "mig-send --attach goes on with it"
                                : "mig-recv --attach goes on with it";
    case GUEST_NOT_COME: return "start mig-recv, which waits for it";
    default: return "";
    }
}

static const char *
guest_name(enum standing_guest guest)
{
    switch (guest) {
    case GUEST_HERE: return "here";
    case GUEST_THERE: return "there";
    case GUEST_MOVING: return "moving";
    case GUEST_ARRIVED: return "arrived";
    case GUEST_GIVEN: return "given";
    case GUEST_SPLIT: return "split";
    case GUEST_BROKEN: return "interrupted";
    case GUEST_NOT_COME: return "not-come";
    case GUEST_UNKNOWN: break;
    }
    return "unknown";
}

json_t *
standing_report(const struct standing *standing)
{
    return json_pack("{s:b, s:b, s:s, s:o*}", "begun", standing->begun, "fresh",
                     standing->fresh, "vm", standing->vm, "migration",
                     migration_json(&standing->migration));
}

void
standing_take(struct standing *standing, const json_t *report)
{
    const char *vm = json_string_value(json_object_get(report, "vm"));

    standing->begun = json_is_true(json_object_get(report, "begun"));
    standing->fresh = json_is_true(json_object_get(report, "fresh"));
    json_text_copy(standing->vm, sizeof standing->vm, vm != NULL ? vm : "");
    migration_parse(&standing->migration, json_object_get(report, "migration"));
}

void
standing_progress(const struct standing *standing, struct progress *progress)
{
    const struct progress_options none = { 0 };
    int64_t ms = standing->migration.total_time_ms;

    progress_init(progress, &none, 0);
    progress_take(progress, &standing->migration, ms > 0 ? (uint64_t)ms : 0);
}

static json_t *
migration_object(const struct standing *standing)
{
    struct progress progress;
    json_t *object;

    if (standing->migration.status == MIGRATION_NONE)
        return json_pack("{s:s}", "status", standing->migration.status_name);
    standing_progress(standing, &progress);
    object = progress_json(&progress);
    json_object_del(object, "type");
    return object;
}

json_t *
standing_json(const struct standing *standing)
{
    bool tunnel = standing->tunnel != STANDING_NO_TUNNEL;
    json_t *object = json_pack(
        "{s:s, s:s, s:s, s:b, s:b, s:o*, s:s}", "type", "state", "guest",
        guest_name(standing_guest(standing)), "vm", standing->vm, "helper",
        standing->helper, "partner", standing->tunnel == STANDING_PARTNER,
        "migration", migration_object(standing), "next",
        standing_next_text(standing));

    if (tunnel)
        json_object_set_new(
            object, "tunnel",
            json_string(tunnel_state_name(standing->view.state)));
    if (tunnel && standing->view.session[0] != '\0')
        json_object_set_new(object, "session",
                            json_string(standing->view.session));
    return object;
}

const char *
standing_refuses_cancel(const struct standing *standing)
{
    bool unbegun = standing->helper && !standing->begun;

    switch (standing_guest(standing)) {
    case GUEST_SPLIT:
    case GUEST_BROKEN: return standing_split;
    case GUEST_GIVEN: return standing_too_late;
    case GUEST_HERE:
        if (unbegun)
            return NULL;
        return standing->source ? "nothing to cancel: no migration is under "
                                  "way, and the guest is here"
                                : standing_too_late;
    case GUEST_ARRIVED:
    case GUEST_MOVING:
        if (!standing->source && standing->tunnel != STANDING_PARTNER)
            return at_source;
        return NULL;
    case GUEST_NOT_COME:
        if (standing->begun && standing->tunnel != STANDING_PARTNER)
            return at_source;
        return NULL;
    case GUEST_THERE:
        return "nothing to cancel: the migration has ended, and the guest is "
               "at the source";
    case GUEST_UNKNOWN: break;
    }
    return NULL;
}
