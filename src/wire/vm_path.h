/* Paths with "%n" in them, which stands for a VM's name. */
#ifndef WIRE_VM_PATH_H
#define WIRE_VM_PATH_H

#include <stdbool.h>

enum { VM_PATH_MAX = 108 }; /* sun_path, unix(7) */

/**
 * vm_path_named(pattern):
 * Return whether ${pattern} has a name in it.
 */
bool vm_path_named(const char *pattern);

/**
 * vm_path(path, pattern, name):
 * Write ${pattern} with ${name} in it into ${path}.  Return whether it fits and
 * is not empty.
 */
bool vm_path(char path[VM_PATH_MAX], const char *pattern, const char *name);

/**
 * vm_path_meets(path, pattern, suffix):
 * Return whether ${path} is what ${pattern}, followed by ${suffix}, stands for
 * with some valid name in it, or without one if it has none.
 */
bool vm_path_meets(const char *path, const char *pattern, const char *suffix);

#endif
