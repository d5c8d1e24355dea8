/* What a program gives up before it does anything else. */
#ifndef BASE_HARDEN_H
#define BASE_HARDEN_H

/**
 * harden_process():
 * Make sure that no program started from here has more rights than this one
 * (PR_SET_NO_NEW_PRIVS, prctl(2)), and that what this one creates is for its
 * own user alone (umask 077).  What the system refuses is left as it is.
 */
void harden_process(void);

/**
 * harden_keys_loaded():
 * harden_keys_gone():
 * While keys are in memory, let no core be dumped and no other process of this
 * user look into this one (PR_SET_DUMPABLE, prctl(2)).  Calls may be nested.
 */
void harden_keys_loaded(void);
void harden_keys_gone(void);

#endif
