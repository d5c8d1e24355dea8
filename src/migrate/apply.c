#include "migrate/apply.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "migrate/qmp.h"

enum { REPLY_MS = 10000, WHY_MAX = 512 };

/*
 * Theory of operation.  One command after the other, in this order; each of
 * the last two is checked against what was set.
 *
 *   query-migrate-capabilities -> migrate-set-capabilities ->
 *   query-migrate-parameters   -> migrate-set-parameters   ->
 *   query-migrate-capabilities -> query-migrate-parameters -> done
 *
 * A QEMU too old for a query just is not asked: setting then tells.  With
 * check_only the two that set are left out.
 */
struct apply {
    struct apply_options options;
    json_t *capabilities; /* as they were sent */
    json_t *parameters;
};

static void
finish(struct apply *apply, const char *why)
{
    apply->options.on_done(apply->options.arg, why);
}

static int
ask(struct apply *apply, const char *name, const json_t *arguments,
    void (*on_reply)(void *arg, const struct qmp_reply *reply))
{
    const struct qmp_command command = {
        .name = name,
        .arguments = arguments,
        .timeout_ms = REPLY_MS,
        .on_reply = on_reply,
        .arg = apply,
    };

    return qmp_execute(apply->options.qmp, &command);
}

static void
next(struct apply *apply, const char *name, const json_t *arguments,
     void (*on_reply)(void *arg, const struct qmp_reply *reply))
{
    if (ask(apply, name, arguments, on_reply) != 0)
        finish(apply, strerror(errno));
}

static void
finish_unlike(struct apply *apply, const char *what)
{
    char why[WHY_MAX];

    snprintf(why, sizeof why, "%s%s",
             apply->options.check_only ? "QEMU waits for a VM already, and its "
                                       : "QEMU took the settings, but its ",
             what);
    finish(apply, why);
}

static void
on_parameters_again(void *arg, const struct qmp_reply *reply)
{
    struct apply *apply = arg;
    char why[SETTING_WHY_MAX];

    if (reply->error == NULL &&
        !settings_confirm_parameters(apply->parameters, reply->value, why))
        finish_unlike(apply, why);
    else
        finish(apply, NULL);
}

static void
on_capabilities_again(void *arg, const struct qmp_reply *reply)
{
    struct apply *apply = arg;
    char why[SETTING_WHY_MAX];

    if (reply->error == NULL &&
        !settings_confirm_capabilities(apply->capabilities, reply->value, why))
        finish_unlike(apply, why);
    else
        next(apply, "query-migrate-parameters", NULL, on_parameters_again);
}

static void
on_parameters_set(void *arg, const struct qmp_reply *reply)
{
    struct apply *apply = arg;
    char why[WHY_MAX];

    if (reply->error != NULL) {
        snprintf(why, sizeof why, "QEMU refused the migration parameters: %s",
                 reply->error);
        finish(apply, why);
        return;
    }
    next(apply, "query-migrate-capabilities", NULL, on_capabilities_again);
}

static void
on_parameters(void *arg, const struct qmp_reply *reply)
{
    struct apply *apply = arg;
    char why[SETTING_WHY_MAX];

    apply->parameters =
        settings_parameters(apply->options.settings, reply->value, why);
    if (apply->parameters == NULL)
        finish(apply, why);
    else if (apply->options.check_only)
        next(apply, "query-migrate-capabilities", NULL, on_capabilities_again);
    else
        next(apply, "migrate-set-parameters", apply->parameters,
             on_parameters_set);
}

static void
on_capabilities_set(void *arg, const struct qmp_reply *reply)
{
    struct apply *apply = arg;
    char why[WHY_MAX];

    if (reply->error != NULL) {
        snprintf(why, sizeof why, "QEMU refused the migration capabilities: %s",
                 reply->error);
        finish(apply, why);
        return;
    }
    next(apply, "query-migrate-parameters", NULL, on_parameters);
}

static void
on_capabilities(void *arg, const struct qmp_reply *reply)
{
    struct apply *apply = arg;
    char why[SETTING_WHY_MAX];

    apply->capabilities =
        settings_capabilities(apply->options.settings, reply->value, why);
    if (apply->capabilities == NULL)
        finish(apply, why);
    else if (apply->options.check_only)
        next(apply, "query-migrate-parameters", NULL, on_parameters);
    else
        next(apply, "migrate-set-capabilities", apply->capabilities,
             on_capabilities_set);
}

struct apply *
apply_new(const struct apply_options *options)
{
    struct apply *apply = calloc(1, sizeof *apply);

    if (apply == NULL)
        return NULL;
    apply->options = *options;
    if (ask(apply, "query-migrate-capabilities", NULL, on_capabilities) != 0) {
        apply_free(apply);
        return NULL;
    }
    return apply;
}

void
apply_free(struct apply *apply)
{
    if (apply == NULL)
        return;
    json_decref(apply->capabilities);
    json_decref(apply->parameters);
    free(apply);
}
