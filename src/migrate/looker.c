#include "migrate/looker.h"

#include <stdlib.h>
#include <string.h>

#include "migrate/marks.h"
#include "migrate/qmp.h"
#include "wire/qmp_message.h"
#include "wire/standing.h"

enum { CONNECT_MS = 2000, GREET_MS = 5000, REPLY_MS = 10000 };

struct looker {
    struct looker_options options;
    struct qmp *qmp;
};

static void
done(struct looker *looker, const char *why)
{
    looker->options.on_done(looker->options.arg, why);
}

static void
ask(struct looker *looker, const char *name, json_t *arguments,
    void (*on_reply)(void *arg, const struct qmp_reply *reply))
{
    const struct qmp_command command = { .name = name,
                                         .arguments = arguments,
                                         .timeout_ms = REPLY_MS,
                                         .on_reply = on_reply,
                                         .arg = looker };
    int sent = qmp_execute(looker->qmp, &command);

    json_decref(arguments);
    if (sent != 0)
        done(looker, "it can't be asked");
}

static void
on_objects(void *arg, const struct qmp_reply *reply)
{
    struct looker *looker = arg;
    struct standing *standing = looker->options.standing;
    struct marks marks;

    if (reply->error != NULL) {
        done(looker, reply->error);
        return;
    }
    marks_take(&marks, reply->value);
    standing->fresh = marks.count > 0 && !marks.started &&
                      strcmp(standing->vm, "running") != 0;
    done(looker, NULL);
}

static void
on_migration(void *arg, const struct qmp_reply *reply)
{
    struct looker *looker = arg;
    struct standing *standing = looker->options.standing;

    migration_parse(&standing->migration, reply->value);
    standing->begun = !migration_is_idle(standing->migration.status) ||
                      standing->migration.socket_path[0] != '\0';
    if (reply->error != NULL)
        done(looker, reply->error);
    else if (standing->source)
        done(looker, NULL);
    else
        ask(looker, "qom-list", json_pack("{s:s}", "path", "/objects"),
            on_objects);
}

static void
on_runstate(void *arg, const struct qmp_reply *reply)
{
    struct looker *looker = arg;
    struct standing *standing = looker->options.standing;
    const char *vm = json_string_value(json_object_get(reply->value, "status"));

    json_text_copy(standing->vm, sizeof standing->vm, vm != NULL ? vm : "");
    if (reply->error != NULL)
        done(looker, reply->error);
    else
        ask(looker, "query-migrate", NULL, on_migration);
}

static void
on_ready(void *arg, const struct qmp_version *version)
{
    (void)version;
    ask(arg, "query-status", NULL, on_runstate);
}

static void
on_event(void *arg, const char *name, const json_t *data)
{
    (void)arg;
    (void)name;
    (void)data;
}

static void
on_end(void *arg, enum qmp_end end, const char *why)
{
    (void)end;
    done(arg, why);
}

struct looker *
looker_new(const struct looker_options *options)
{
    struct looker *looker = calloc(1, sizeof *looker);

    if (looker == NULL)
        return NULL;
    looker->options = *options;
    looker->qmp = qmp_new(options->loop, &(struct qmp_options){
                                             .target = options->target,
                                             .connect_ms = CONNECT_MS,
                                             .greet_ms = GREET_MS,
                                             .on_ready = on_ready,
                                             .on_event = on_event,
                                             .on_end = on_end,
                                             .arg = looker,
                                         });
    if (looker->qmp != NULL)
        return looker;
    free(looker);
    return NULL;
}

void
looker_free(struct looker *looker)
{
    if (looker == NULL)
        return;
    qmp_free(looker->qmp);
    free(looker);
}
