/*
 * A mark in the source's QEMU: an object of no use to it, named after the
 * migration that this QEMU is the source of.  It is set before the destination
 * hears of the migration.  A mig-send that comes back speaks of that one alone:
 * the tunnel's partner may be about another VM, to which whatever is true here
 * would be a lie.
 */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "migrate/marks.h"
#include "migrate/sender_meet.h"
#include "migrate/sender_return.h"
#include "migrate/sender_state.h"
#include "wire/qmp_message.h"

/* The id in the name of a mark, or NULL. */
static const char *
marked_id(const json_t *object)
{
    const char *id = mark_rest(object, MARK_SENT);

    return id != NULL && strlen(id) <= PARTNER_ID_MAX ? id : NULL;
}

static json_t *
mark_name(const char *id)
{
    return json_sprintf(MARK_SENT "%s", id);
}

static void
list_objects(struct sender *sender,
             void (*on_reply)(void *owner, const struct qmp_reply *reply))
{
    job_ask(&sender->job, "qom-list", json_pack("{s:s}", "path", "/objects"),
            on_reply);
}

static void
on_deleted(void *owner, const struct qmp_reply *reply)
{
    (void)owner;
    if (reply->error != NULL)
        log_debug("QMP: object-del: %s", reply->error);
}

static void
on_added(void *owner, const struct qmp_reply *reply)
{
    struct sender *sender = owner;

    if (reply->error != NULL)
        log_info("QEMU: takes no mark of this migration: %s; --attach will go "
                 "by what the destination says",
                 reply->error);
    sender->marking = false;
    sender->marked(sender);
}

/* What earlier migrations have left is out of date. */
static void
on_objects(void *owner, const struct qmp_reply *reply)
{
    struct sender *sender = owner;
    json_t *object;
    size_t i;

    json_array_foreach(reply->value, i, object)
    {
        const char *id = marked_id(object);
        if (id != NULL)
            job_ask(&sender->job, "object-del",
                    json_pack("{s:o}", "id", mark_name(id)), on_deleted);
    }
    if (sender->job.over) /* and so is the talk */
        return;
    job_ask(&sender->job, "object-add",
            json_pack("{s:s, s:o}", "qom-type", MARK_TYPE, "id",
                      mark_name(partner_talk_id(sender->talk))),
            on_added);
}

void
sender_mark(struct sender *sender, void (*marked)(struct sender *sender))
{
    sender->marking = true;
    sender->marked = marked;
    list_objects(sender, on_objects);
}

/* Only one that could have a mark proves something by having none. */
static void
on_types(void *owner, const struct qmp_reply *reply)
{
    struct sender *sender = owner;

    if (json_array_size(reply->value) > 0)
        sender->mark = SENDER_MARK_NONE;
    sender->marked(sender);
}

static void
on_found(void *owner, const struct qmp_reply *reply)
{
    struct sender *sender = owner;
    size_t i, count = 0;
    json_t *object;

    json_array_foreach(reply->value, i, object)
    {
        const char *id = marked_id(object);
        if (id != NULL && count++ == 0)
            json_text_copy(sender->mark_id, sizeof sender->mark_id, id);
    }
    if (count == 1)
        sender->mark = SENDER_MARK_FOUND;
    if (count > 0 || reply->error != NULL)
        sender->marked(sender);
    else
        job_ask(&sender->job, "qom-list-types",
                json_pack("{s:s}", "implements", MARK_TYPE), on_types);
}

void
sender_find_mark(struct sender *sender, void (*found)(struct sender *sender))
{
    sender->marked = found;
    list_objects(sender, on_found);
}

void
sender_adopt(struct sender *sender)
{
    switch (sender->mark) {
    case SENDER_MARK_FOUND:
        partner_talk_set_id(sender->talk, sender->mark_id);
        break;
    case SENDER_MARK_UNKNOWN:
        log_info("QEMU: has no mark that says which migration it is the source "
                 "of; going by what the destination says");
        partner_talk_adopt_id(sender->talk);
        break;
    case SENDER_MARK_NONE: break;
    }
}

bool
sender_knows_partner(struct sender *sender)
{
    const char *theirs = partner_talk_heard_id(sender->talk);

    if (!sender_attaches(sender) || sender->mark == SENDER_MARK_UNKNOWN)
        return true;
    if (sender->mark == SENDER_MARK_FOUND &&
        (theirs[0] == '\0' || strcmp(theirs, sender->mark_id) == 0))
        return true;
    log_warnx("partner: is about another migration than this QEMU's%s: is this "
              "the right one, and the right tunnel?",
              sender->mark == SENDER_MARK_NONE
                  ? ", which no mig-send with a partner has begun"
                  : "");
    return false;
}
