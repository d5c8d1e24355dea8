#include "migrate/partner_talk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cli.h"
#include "base/log.h"
#include "io/loop.h"
#include "migrate/partner_link.h"
#include "wire/qmp_message.h"

struct partner_talk {
    struct partner_talk_options options;
    struct partner_link *link;
    bool there; /* it has greeted */
    bool adopts;
    bool (*is_one)(void *arg, const char *id); /* to adopt; NULL: any */
    bool warned; /* that it speaks of another migration */
    char id[PARTNER_ID_MAX + 1];
    char heard_id[PARTNER_ID_MAX + 1];
    char hello_id[PARTNER_ID_MAX + 1];     /* of its latest greeting */
    char program[CONTROL_PROGRAM_MAX + 1]; /* with its version */
    struct log_limit limit;                /* of lines that it causes */
    char their_command[HANDOVER_COMMAND_MAX];
};

static bool
may_log(struct partner_talk *talk)
{
    uint64_t dropped;

    return log_limit_pass(&talk->limit, loop_now_ms(talk->options.loop),
                          &dropped);
}

/* What is said before there is a migration to speak of, or does not matter. */
static bool
is_statement(enum partner_type type)
{
    switch (type) {
    case PARTNER_HELLO:
    case PARTNER_FACTS:
    case PARTNER_PLAN:
    case PARTNER_STATUS:
    case PARTNER_OTHER: return false;
    default: return true;
    }
}

void
partner_talk_say(struct partner_talk *talk,
                 const struct partner_message *message)
{
    char *text = partner_text(message);
    json_t *object = text != NULL ? json_loads(text, 0, NULL) : NULL;

    free(text);
    if (talk->id[0] != '\0')
        json_object_set_new(object, "migration", json_string(talk->id));
    if (object == NULL || partner_link_send(talk->link, object) != 0) {
        if (object == NULL || errno != ENOTCONN)
            log_warnx("partner: '%s' can't be said: %s",
                      partner_type_name(message->type),
                      object == NULL ? "too long" : strerror(errno));
    } else if (message->type != PARTNER_PROGRESS &&
               message->type != PARTNER_STATUS) {
        log_debug("partner: said '%s'", partner_type_name(message->type));
    }
    json_decref(object);
}

void
partner_talk_greet(struct partner_talk *talk)
{
    struct partner_message hello = { .type = PARTNER_HELLO,
                                     .version = PARTNER_VERSION };

    snprintf(hello.program, sizeof hello.program, "%s", talk->options.program);
    snprintf(hello.program_version, sizeof hello.program_version, "%s",
             cli_version());
    if (talk->options.command != NULL)
        snprintf(hello.command, sizeof hello.command, "%s",
                 talk->options.command);
    partner_talk_say(talk, &hello);
}

static void
lose(struct partner_talk *talk)
{
    if (!talk->there)
        return;
    talk->there = false;
    talk->options.on_left(talk->options.arg);
}

static void
on_up(void *arg, const struct tunnel_view *view)
{
    struct partner_talk *talk = arg;

    talk->options.on_up(talk->options.arg, view->partner);
}

static void
on_partner(void *arg, bool there)
{
    struct partner_talk *talk = arg;

    if (there)
        partner_talk_greet(talk);
    else
        lose(talk);
}

/* Whoever is no partner does not say which migration it is. */
static void
adopt(struct partner_talk *talk, const char *id)
{
    if (talk->adopts && id[0] != '\0' &&
        (talk->is_one == NULL || talk->is_one(talk->options.arg, id)))
        partner_talk_set_id(talk, id);
}

/* The command of whoever is there is told to a person as that of the other
 * program, so no third one is. */
static bool
is_the_other(struct partner_talk *talk, const struct partner_message *message)
{
    const char *other = strcmp(talk->options.program, "mig-send") == 0
                            ? "mig-recv"
                            : "mig-send";

    if (strcmp(message->program, other) == 0)
        return true;
    if (!may_log(talk))
        return false;
    if (strcmp(message->program, talk->options.program) == 0)
        log_warnx("partner: %s runs at both ends: one has to be the other "
                  "program",
                  message->program);
    else
        log_warnx("partner: what is at the other end calls itself '%s', and is "
                  "not %s; left out",
                  message->program, other);
    return false;
}

static void
take_hello(struct partner_talk *talk, const struct partner_message *message)
{
    if (message->version != PARTNER_VERSION) {
        if (may_log(talk))
            log_warnx(
                "partner: %s %s speaks version %u, and this program version "
                "%d: both ends need the same",
                message->program, message->program_version, message->version,
                (int)PARTNER_VERSION);
        return;
    }
    if (!is_the_other(talk, message))
        return;
    log_debug("partner: %s %s is there", message->program,
              message->program_version);
    memcpy(talk->their_command, message->command, sizeof talk->their_command);
    talk->there = true;
    memcpy(talk->hello_id, talk->heard_id, sizeof talk->hello_id);
    adopt(talk, talk->hello_id);
    talk->options.on_came(talk->options.arg);
}

/* Whether what is said is about our migration. */
static bool
is_ours(struct partner_talk *talk, enum partner_type type)
{
    if (!is_statement(type) || type == PARTNER_REFUSED)
        return true;
    return talk->id[0] != '\0' && strcmp(talk->id, talk->heard_id) == 0;
}

/* Ordinary for a word or two: a partner that begins anew says what it has just
 * failed at.  But where it lasts, both ends wait for each other. */
static void
leave_out(struct partner_talk *talk)
{
    log_debug("partner: that is about another migration");
    if (talk->warned || (talk->id[0] == '\0' && !talk->adopts))
        return;
    talk->warned = true;
    log_warnx("partner: speaks of the migration '%s', which is not that of the "
              "QEMU here; left out: see with --status at both hosts where the "
              "VM is",
              talk->heard_id);
}

static void
on_message(void *arg, const json_t *object, enum line_from from)
{
    struct partner_talk *talk = arg;
    struct partner_message message;
    const char *id = json_string_value(json_object_get(object, "migration"));

    if (from != FROM_PARTNER)
        return;
    if (partner_take(&message, object) != REASON_NONE) {
        if (may_log(talk))
            log_warnx("partner: it says what makes no sense; left out");
        return;
    }
    talk->heard_id[0] = '\0';
    if (id != NULL && strlen(id) <= PARTNER_ID_MAX &&
        strspn(id, "0123456789abcdef") == strlen(id))
        json_text_copy(talk->heard_id, sizeof talk->heard_id, id);
    if (message.type != PARTNER_PROGRESS)
        log_debug("partner: says '%s'", partner_type_name(message.type));
    if (talk->there && message.type != PARTNER_HELLO)
        adopt(talk, talk->heard_id);
    if (message.type == PARTNER_HELLO)
        take_hello(talk, &message);
    else if (!talk->there || message.type == PARTNER_OTHER)
        log_debug("partner: left out");
    else if (!is_ours(talk, message.type))
        leave_out(talk);
    else
        talk->options.on_message(talk->options.arg, &message);
    partner_fini(&message);
}

static void
on_request(void *arg, enum helper_request request)
{
    struct partner_talk *talk = arg;

    talk->options.on_request(talk->options.arg, request);
}

static void
on_end(void *arg, enum partner_link_end end, const char *why)
{
    struct partner_talk *talk = arg;

    talk->there = false;
    talk->options.on_end(talk->options.arg, end == LINK_ABSENT,
                         end == LINK_REFUSED, why);
}

struct partner_talk *
partner_talk_new(const struct partner_talk_options *options)
{
    struct partner_talk *talk = calloc(1, sizeof *talk);
    const struct partner_link_options link = {
        .loop = options->loop,
        .path = options->path,
        .program = talk != NULL ? talk->program : NULL,
        .role = HELPER_DRIVER,
        .again = true,
        .on_up = on_up,
        .on_partner = on_partner,
        .on_message = on_message,
        .on_request = on_request,
        .on_end = on_end,
        .arg = talk,
    };

    if (talk == NULL)
        return NULL;
    talk->options = *options;
    talk->limit = (struct log_limit){ .burst = 20, .interval_ms = 1000 };
    snprintf(talk->program, sizeof talk->program, "%s %s", options->program,
             cli_version());
    talk->link = partner_link_new(&link);
    if (talk->link != NULL)
        return talk;
    free(talk);
    return NULL;
}

void
partner_talk_free(struct partner_talk *talk)
{
    if (talk == NULL)
        return;
    partner_link_free(talk->link);
    free(talk);
}

bool
partner_talk_there(const struct partner_talk *talk)
{
    return talk->there;
}

bool
partner_talk_ready(const struct partner_talk *talk)
{
    const struct tunnel_view *view = partner_link_view(talk->link);

    return view != NULL &&
           (view->state == TUNNEL_READY || view->state == TUNNEL_RUNNING);
}

const char *
partner_talk_their_command(const struct partner_talk *talk)
{
    return talk->their_command[0] != '\0' ? talk->their_command : NULL;
}

void
partner_talk_set_id(struct partner_talk *talk, const char *id)
{
    snprintf(talk->id, sizeof talk->id, "%s", id);
    talk->adopts = false;
}

void
partner_talk_adopt_one(struct partner_talk *talk,
                       bool (*is_one)(void *arg, const char *id))
{
    talk->adopts = true;
    talk->is_one = is_one;
    if (talk->there)
        adopt(talk, talk->hello_id);
}

void
partner_talk_adopt_id(struct partner_talk *talk)
{
    partner_talk_adopt_one(talk, NULL);
}

const char *
partner_talk_id(const struct partner_talk *talk)
{
    return talk->id;
}

const char *
partner_talk_heard_id(const struct partner_talk *talk)
{
    return talk->heard_id;
}
