#include "wire/progress_json.h"

#include "wire/progress_text.h"

static void
put(json_t *object, const char *name, int64_t number)
{
    if (number != PROGRESS_ABSENT)
        json_object_set_new(object, name, json_integer(number));
}

/* QEMU's words are UTF-8; where they are not, the field is left out. */
static void
put_text(json_t *object, const char *name, const char *text)
{
    json_t *value = text != NULL ? json_string(text) : NULL;

    if (value != NULL)
        json_object_set_new(object, name, value);
}

static json_t *
new_object(const char *type)
{
    json_t *object = json_object();

    put_text(object, "type", type);
    return object;
}

json_t *
progress_json(const struct progress *progress)
{
    struct progress_view view;
    json_t *object = new_object("progress");

    progress_view(progress, &view);
    put_text(object, "status", progress->migration.status_name);
    put(object, "elapsed_ms", view.elapsed_ms);
    if (view.percent_tenths != PROGRESS_ABSENT)
        json_object_set_new(object, "percent",
                            json_real((double)view.percent_tenths / 10));
    put(object, "transferred_bytes", view.transferred_bytes);
    put(object, "remaining_bytes", view.remaining_bytes);
    put(object, "total_bytes", view.total_bytes);
    put(object, "rate", view.rate);
    put(object, "stalled_ms", view.stalled_ms);
    put(object, "dirty_rate", view.dirty_rate);
    put(object, "iteration", view.iteration);
    put(object, "eta_ms", view.eta_ms);
    put(object, "expected_downtime_ms", view.expected_downtime_ms);
    put(object, "throttle_percent", view.throttle_percent);
    json_object_set_new(object, "stuck", json_boolean(view.stuck));
    return object;
}

json_t *
progress_status_json(const struct progress *progress)
{
    json_t *object = new_object("status");

    put_text(object, "status", progress->migration.status_name);
    put(object, "elapsed_ms", (int64_t)(progress->now_ms - progress->begun_ms));
    return object;
}

static void
put_totals(json_t *object, const struct progress *progress)
{
    const struct migration *migration = &progress->migration;

    put(object, "elapsed_ms", (int64_t)(progress->now_ms - progress->begun_ms));
    put(object, "total_time_ms", migration->total_time_ms);
    put(object, "setup_time_ms", migration->setup_time_ms);
    put(object, "downtime_ms", migration->downtime_ms);
    put(object, "transferred_bytes", migration->transferred_bytes);
    put(object, "iterations", migration->iteration);
    put(object, "average_rate", progress_average_rate(progress));
}

json_t *
progress_result_json(const struct progress_result *result)
{
    json_t *object = new_object("result");

    put_text(object, "result", result->result);
    put(object, "exit_status", result->exit_status);
    put_text(object, "message", result->message);
    put_text(object, "vm", result->vm);
    if (result->progress != NULL)
        put_totals(object, result->progress);
    return object;
}
