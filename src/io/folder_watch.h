/*
 * Tells when something has come or gone at a path: of the folder that it is in,
 * or while there is none, of the deepest one above that there is (inotify(7)).
 */
#ifndef IO_FOLDER_WATCH_H
#define IO_FOLDER_WATCH_H

enum { FOLDER_WATCHES_MAX = 8 };

struct folder_watch;
struct loop;

/**
 * folder_watch_new(loop, path, on_change, arg):
 * Call ${on_change}(${arg}) soon after something came to be or ceased to be at
 * ${path}, perhaps also when nothing did.  In a busy folder that is up to 200
 * ms later, so that others cause few wake-ups.  The callback may free the
 * watch.  Return NULL with errno set if the system has no more watches, or this
 * program has FOLDER_WATCHES_MAX.  The caller frees it with folder_watch_free.
 * From the main thread alone.
 */
struct folder_watch *folder_watch_new(struct loop *loop, const char *path,
                                      void (*on_change)(void *arg), void *arg);
void folder_watch_free(struct folder_watch *watch);

#endif
