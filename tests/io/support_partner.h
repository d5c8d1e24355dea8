/* A helper's link to the tunnel, on the test's loop, that notes what comes. */
#ifndef SUPPORT_PARTNER_H
#define SUPPORT_PARTNER_H

#include <stdbool.h>

#include "migrate/partner_link.h"
#include "support_stage.h"

struct partner {
    struct partner_link *link;
    unsigned ups;
    unsigned states;
    struct tunnel_view view; /* as told last */
    unsigned came;           /* on_partner(true) */
    unsigned left;
    bool there;
    unsigned messages[2]; /* by enum line_from */
    json_int_t next[2];   /* number of the next message from there */
    bool mismatch;        /* a number or a filler was not the expected one */
    unsigned requests[3]; /* by enum helper_request */
    unsigned ends;
    enum partner_link_end end;
    char why[256];
    bool (*frees)(struct partner *partner); /* at which callback, or NULL */
    unsigned calls;
};

/**
 * partner_open(partner, stage, path, role, again):
 * partner_close(partner):
 * Attach to the control socket at ${path}; detach, if it is not freed already.
 */
void partner_open(struct partner *partner, struct stage *stage,
                  const char *path, enum helper_role role, bool again);
void partner_close(struct partner *partner);

/**
 * partner_say(partner, number, bytes):
 * Send a message that has ${number} and is at least ${bytes} long, of which
 * every byte can be checked.  Return what partner_link_send does.
 */
int partner_say(struct partner *partner, int number, size_t bytes);

#endif
