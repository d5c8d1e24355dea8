/* The handover's machines in words for the operator. */
#include "wire/handover.h"

#include <string.h>

/* {send} and {recv} stand for the programs as they were called. */
static const char *
words(enum handover_tell tell)
{
    switch (tell) {
    case TELL_NOTHING: return "";
    case TELL_SEE_DESTINATION:
        return "the guest was given to the destination and never runs here "
               "again by itself, but mig-recv is not heard there; if it does "
               "not run there any more, start it again there: \"{recv} "
               "--attach\"; "
               "if that host is lost or its QEMU has ended, and only then, "
               "\"{send} --release\" runs the guest here";
    case TELL_DESTINATION_GONE:
        return "the guest was given to the destination, whose QEMU has ended "
               "and may have run it before; \"{send} --release\" runs it "
               "here, and what it did there is lost";
    case TELL_TAKE_BACK:
        return "the guest was given to the destination, but never ran there "
               "and never will: \"{send} --release\" runs it here";
    case TELL_SEE_SOURCE:
        return "the guest has arrived and is paused, but mig-send is not heard "
               "at the source; if it does not run there any more, start it "
               "again there: \"{send} --attach\"; if the source's QEMU says "
               "'completed' and does not run, \"{recv} --release\" runs the "
               "guest here; if it runs there, quit this QEMU";
    case TELL_SOURCE_GONE:
        return "the guest has arrived and is paused; the source's QEMU has "
               "ended, and whether it ran the guest once more before that is "
               "not known there; \"{recv} --release\" runs it here, as it "
               "was when it left the source";
    case TELL_RUN_UNKNOWN:
        return "the guest has arrived and is given, but nobody knows any more "
               "whether it ran before: \"{recv} --release\" runs it here";
    case TELL_RECOVER:
        return "the migration was interrupted in postcopy: the guest needs the "
               "memory of both QEMUs, so end neither; once the tunnel is up "
               "again, \"{recv} --recover\" at the destination and \"{send} "
               "--recover\" at the source bring it back";
    case TELL_ATTACH:
        return "this end does not know the outcome: ask QEMU again with "
               "\"{send} --attach\" at the source, \"{recv} --attach\" at the "
               "destination";
    case TELL_TWO_GUESTS:
        return "THE GUEST IS AT BOTH HOSTS: stop one of the two at once, and "
               "quit its QEMU; what runs twice damages its disks";
    case TELL_GUEST_LOST:
        return "the guest is lost: its state was at both hosts, or at the one "
               "whose QEMU has ended; start it anew from its disks";
    case TELL_SOURCE_DIED:
        return "the source's QEMU has ended before the guest was given away: "
               "if it has arrived at the destination, \"{recv} --release\" "
               "runs it there, as it was when it left";
    case TELL_RUNS_BY_HAND:
        return "the guest runs here by somebody else's command; see that it "
               "does not run at the other host too";
    case TELL_DESTINATION_DIED:
        return "the destination's QEMU has ended after the guest was started "
               "there; what the source has is older: \"{send} --release\" "
               "runs that";
    case TELL_CANCEL_TOO_LATE:
        return "can't be cancelled any more: the source has given the guest "
               "away";
    case TELL_CANCEL_POSTCOPY:
        return "can't be cancelled in postcopy, when the guest needs both "
               "hosts";
    case TELL_CANCEL_AT_SOURCE:
        return "mig-send is not heard: cancel it at the source, with "
               "\"{send} --cancel\"";
    case TELL_NOT_GIVEN:
        return "nothing to release: the guest is here, at the source";
    case TELL_NOT_ARRIVED:
        return "nothing to release: the guest has not arrived";
    case TELL_RUNS_THERE:
        return "not released: the guest runs at the destination";
    case TELL_RELEASE_POSTCOPY:
        return "not released: in postcopy the guest can't be taken back";
    case TELL_WAIT_FOR_SOURCE:
        return "mig-send is there and was asked: the guest runs here when it "
               "says that it has given it away";
    case TELL_NOTHING_TO_RELEASE:
        return "nothing to release: the QEMU here has ended, or can't be "
               "reached";
    }
    return "";
}

/* As much of ${text} as there is room for in ${buf}, which holds ${at}. */
static size_t
append(char buf[HANDOVER_TEXT_MAX], size_t at, const char *text, size_t length)
{
    size_t room = HANDOVER_TEXT_MAX - 1 - at;

    if (length > room)
        length = room;
    memcpy(buf + at, text, length);
    buf[at + length] = '\0';
    return at + length;
}

const char *
handover_tell_text(char buf[HANDOVER_TEXT_MAX], enum handover_tell tell,
                   const struct handover_commands *commands)
{
    const char *text = words(tell);
    size_t at = append(buf, 0, "", 0);

    while (*text != '\0') {
        size_t plain = strcspn(text, "{");
        bool send = strncmp(text + plain, "{send}", 6) == 0;
        const char *command = send ? commands->send : commands->recv;

        at = append(buf, at, text, plain);
        text += plain;
        if (*text == '\0')
            break;
        at = append(buf, at, command, strlen(command));
        text += strlen("{send}");
    }
    return buf;
}
