/*
 * Tells the operator what the handover's machines tell, once each.  That the
 * partner is not heard is told only if it lasts.
 */
#ifndef MIGRATE_TELLER_H
#define MIGRATE_TELLER_H

#include "wire/handover.h"

struct loop;
struct teller;

/**
 * teller_new(loop, on_told, arg):
 * Nothing is told yet.  ${on_told}(${arg}, ${tell}) is called, from the loop,
 * after an instruction (handover.h) has been told.  Return NULL with errno set
 * if there is no memory.  The caller frees it with teller_free.
 */
struct teller *teller_new(struct loop *loop,
                          void (*on_told)(void *arg, enum handover_tell tell),
                          void *arg);
void teller_free(struct teller *teller);

/**
 * teller_commands(teller, send, recv):
 * From now on the lines name the two programs by these commands, at most
 * HANDOVER_COMMAND_MAX - 1 bytes each; NULL leaves one as it is.
 */
void teller_commands(struct teller *teller, const char *send, const char *recv);

/**
 * teller_tell(teller, tell):
 * Tell ${tell}, unless it was told last.
 */
void teller_tell(struct teller *teller, enum handover_tell tell);

/**
 * teller_tell_now(teller, tell):
 * The same, even if it might not last, and without a call of on_told.
 */
void teller_tell_now(struct teller *teller, enum handover_tell tell);

/**
 * teller_end(teller):
 * There is nothing more to come: what might not have lasted is not told.
 */
void teller_end(struct teller *teller);

/**
 * teller_partner_came(teller):
 * It is heard: what has not been told yet need not be.
 */
void teller_partner_came(struct teller *teller);

#endif
