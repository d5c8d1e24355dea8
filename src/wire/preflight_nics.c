/* NICs and what they hang on. */
#include <stdio.h>
#include <string.h>

#include "wire/facts.h"
#include "wire/network_info.h"
#include "wire/preflight_rows.h"

/* NICs of both sides, and which have found their partner. */
struct nics {
    const json_t *list[2];
    bool done[2][FACTS_LIST_MAX];
};

static bool
same_text(const json_t *one, const json_t *two, const char *key)
{
    return strcmp(preflight_text_of(one, key), preflight_text_of(two, key)) ==
           0;
}

static void
say_nic(struct preflight_row *row, enum preflight_side side, const json_t *nic)
{
    const char *backend = preflight_text_of(nic, "backend");
    const char *name = preflight_text_of(nic, "backend_name");

    if (nic == NULL)
        preflight_say(row, side, "missing");
    else
        preflight_say(row, side, "%s %s %s%s%s",
                      preflight_text_of(nic, "model"),
                      preflight_text_of(nic, "mac"),
                      backend[0] != '\0' ? backend : "unplugged",
                      name[0] != '\0' ? " " : "", name);
}

static bool
is_cable(const json_t *nic)
{
    return nic != NULL && network_is_cable(preflight_text_of(nic, "backend"),
                                           preflight_text_of(nic, "info"));
}

static bool
is_disconnected(const json_t *nic)
{
    return json_is_false(json_object_get(nic, "connected"));
}

/* The address that the guest uses is part of its state and comes along, but
 * QEMU's filters and announcements, and the switch, go by the one that is
 * given on the command line. */
static const char *
stop_reason(const json_t *here, const json_t *there)
{
    if (there == NULL)
        return "the destination lacks this NIC";
    if (here == NULL)
        return "a NIC that the guest does not have: leave it out at the "
               "destination";
    if (!same_text(here, there, "model"))
        return "other models: the destination can't take the state of one "
               "into the other";
    if (!same_text(here, there, "mac"))
        return "other addresses: the guest keeps the source's, but the "
               "destination's QEMU would announce and let pass its own; give "
               "it the source's mac=";
    return NULL;
}

/* The backend by name, and the NIC that it serves. */
static struct preflight_row *
warn(struct preflight_work *work, const json_t *nic)
{
    char name[PREFLIGHT_NAME_MAX];

    snprintf(name, sizeof name, "%.30s: %.30s", preflight_text_of(nic, "name"),
             preflight_text_of(nic, "backend_name"));
    return preflight_row(work, PREFLIGHT_WARNING, name);
}

static void
warn_cable(struct preflight_work *work, const json_t *here, const json_t *there)
{
    const json_t *nic = is_cable(here) ? here : there;
    const char *far = network_far_end(preflight_text_of(nic, "info"));
    struct preflight_row *row = warn(work, nic);

    for (unsigned side = 0; side < 2; side++) {
        const json_t *this = side == PREFLIGHT_SOURCE ? here : there;
        preflight_say(row, side, "%s %s", preflight_text_of(this, "backend"),
                      preflight_text_of(this, "info"));
    }
    preflight_why(row,
                  "a cable to one fixed address: its far end%s%s goes on "
                  "sending to the source host, so the guest's network is cut "
                  "until it is told the new one",
                  far != NULL ? " " : "", far != NULL ? far : "");
}

static void
warn_disconnected(struct preflight_work *work, const json_t *here,
                  const json_t *there)
{
    const json_t *nic[2] = { here, there };
    struct preflight_row *row =
        warn(work, is_disconnected(there) ? there : here);

    for (unsigned side = 0; side < 2; side++)
        preflight_say(row, side, "%s%s",
                      preflight_text_of(nic[side], "backend"),
                      is_disconnected(nic[side]) ? ", not connected" : "");
    if (!is_disconnected(there))
        preflight_why(row, "nobody is at the other end at the source: the "
                           "guest has no network now");
    else if (strcmp(preflight_text_of(there, "backend"), "vhost-user") == 0)
        preflight_why(row, "no vhost-user backend at the destination: the "
                           "guest would have no network; start the switch or "
                           "the daemon there");
    else
        preflight_why(row, "nobody is at the other end at the destination: "
                           "the guest would have no network");
}

/* QEMU names a NIC without an id by its model and a number: "e1000.0". */
static bool
has_id(const json_t *nic)
{
    const char *name = preflight_text_of(nic, "name");
    const char *model = preflight_text_of(nic, "model");
    size_t len = strlen(model);

    return strncmp(name, model, len) != 0 || name[len] != '.';
}

static const char *
doubt_of(const json_t *here, const json_t *there)
{
    if (!same_text(here, there, "backend"))
        return "other kinds of network: is the guest to reach the same one "
               "over them?";
    if (!has_id(here) && !has_id(there) && !same_text(here, there, "name"))
        return "the same address on NICs that are counted differently: are "
               "they at the same place?";
    return NULL;
}

static void
compare_nic(struct preflight_work *work, const json_t *here,
            const json_t *there)
{
    const json_t *nic = here != NULL ? here : there;
    const char *reason = stop_reason(here, there);
    const char *doubt = reason == NULL ? doubt_of(here, there) : NULL;
    struct preflight_row *row =
        preflight_row(work,
                      reason != NULL  ? PREFLIGHT_STOP
                      : doubt != NULL ? PREFLIGHT_WARNING
                                      : PREFLIGHT_OK,
                      preflight_text_of(nic, "name"));

    say_nic(row, PREFLIGHT_SOURCE, here);
    say_nic(row, PREFLIGHT_DESTINATION, there);
    if (reason != NULL)
        preflight_why(row, "%s", reason);
    else if (doubt != NULL)
        preflight_why(row, "%s", doubt);
    if (here == NULL || there == NULL)
        return;
    if (is_cable(here) || is_cable(there))
        warn_cable(work, here, there);
    if (is_disconnected(here) || is_disconnected(there))
        warn_disconnected(work, here, there);
}

/* What pairs two NICs, the surest first.  Numbers come by order, which may
 * differ where there are more NICs at one side; addresses do not. */
enum likeness { ALIKE_ALL, ALIKE_ID, ALIKE_MAC, ALIKE_NAME, ALIKE_MODEL };

static bool
is_alike(const json_t *one, const json_t *two, enum likeness likeness)
{
    bool name = same_text(one, two, "name");
    bool mac = same_text(one, two, "mac");

    switch (likeness) {
    case ALIKE_ALL: return name && mac;
    case ALIKE_ID: return name && has_id(one);
    case ALIKE_MAC: return mac;
    case ALIKE_NAME: return name;
    default: return same_text(one, two, "model");
    }
}

static void
pair(struct preflight_work *work, struct nics *nics, enum likeness likeness)
{
    json_t *here, *there;
    size_t i, k;

    json_array_foreach(nics->list[0], i, here)
    {
        json_array_foreach(nics->list[1], k, there)
        {
            if (nics->done[0][i] || nics->done[1][k] ||
                !is_alike(here, there, likeness))
                continue;
            nics->done[0][i] = nics->done[1][k] = true;
            compare_nic(work, here, there);
        }
    }
}

static void
add_single(struct preflight_work *work, const struct nics *nics,
           enum preflight_side side)
{
    json_t *nic;
    size_t i;

    json_array_foreach(nics->list[side], i, nic)
    {
        if (nics->done[side][i] || work->cut)
            continue;
        compare_nic(work, side == PREFLIGHT_SOURCE ? nic : NULL,
                    side == PREFLIGHT_SOURCE ? NULL : nic);
    }
}

void
preflight_nics(struct preflight_work *work)
{
    struct nics nics = { .list = { NULL } };

    for (unsigned side = 0; side < 2; side++)
        nics.list[side] = json_object_get(work->facts[side], "nics");
    if (nics.list[0] == NULL || nics.list[1] == NULL) {
        preflight_unknown(work, "network");
        return;
    }
    for (unsigned how = ALIKE_ALL; how <= ALIKE_MODEL; how++)
        pair(work, &nics, how);
    add_single(work, &nics, PREFLIGHT_SOURCE);
    add_single(work, &nics, PREFLIGHT_DESTINATION);
}
