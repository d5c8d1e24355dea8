#include "base/harden.h"

#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/stat.h>

/*
 * It is the process that can be dumped or not, so this is one of the few things
 * that are not an object's.  For the loop's thread alone.
 */
static unsigned keys_loaded;
static bool was_dumpable;

void
harden_process(void)
{
    (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    (void)umask(077);
}

void
harden_keys_loaded(void)
{
    if (keys_loaded++ > 0)
        return;
    /* 2, "for root alone", can't be set again; 0 is stricter, and stays. */
    was_dumpable = prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 1;
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

void
harden_keys_gone(void)
{
    if (keys_loaded == 0 || --keys_loaded > 0)
        return;
    if (was_dumpable)
        (void)prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}
