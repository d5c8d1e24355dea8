/* How a migration ended, by the last bytes of its main channel. */
#ifndef WIRE_VERDICT_H
#define WIRE_VERDICT_H

#include <stdbool.h>
#include <stdint.h>

#include "wire/reason.h"

enum { VERDICT_HEAD_BYTES = 4, VERDICT_TAIL_BYTES = 8 };

/* One direction of a main channel whose end is proved. */
struct verdict_stream {
    uint64_t bytes;
    unsigned char tail[VERDICT_TAIL_BYTES]; /* the last of them, to the right */
};

/**
 * verdict_of(there, back):
 * Judge a main channel, both of whose streams have ended in order: ${there}
 * from the source, ${back} from the destination.  Return REASON_NONE if the
 * migration is complete, REASON_CANCELLED, or REASON_DESTINATION_CLOSED.
 *
 * A destination with a return path says so itself, with MIG_RP_MSG_SHUT and
 * the result (send_shut in QEMU's migration/migration.c).  Without one, a
 * complete stream ends with its description in JSON, or with QEMU_VM_EOF
 * (qemu_savevm_state_complete_precopy in migration/savevm.c).
 */
enum reason verdict_of(const struct verdict_stream *there,
                       const struct verdict_stream *back);

/**
 * verdict_is_return_path(head):
 * Return whether a stream from the destination that begins with ${head} is a
 * return path: a message type (enum mig_rp_message_type in QEMU's
 * migration/migration.h) and its length.
 */
bool verdict_is_return_path(const unsigned char head[VERDICT_HEAD_BYTES]);

#endif
