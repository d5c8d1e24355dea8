/*
 * One end-to-end test: its folder, what it started, and what is left to see
 * when it fails.  Everything that a test starts is registered here, so that it
 * is gone when the test is over, however it ends.
 */
#ifndef SUPPORT_CASE_H
#define SUPPORT_CASE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum {
    /* How long a test waits for what takes seconds at worst, so that only a
     * hang can reach it, on a busy machine and with sanitizers too. */
    PATIENCE_MS = 90 * 1000,
    CASE_DIR_MAX = 48, /* leaves most of sun_path (unix(7)) to the files */
    CASE_PATH_MAX = 104
};

struct e2e_deferred;

struct e2e {
    char dir[CASE_DIR_MAX]; /* the test's own, removed with all in it */
    unsigned files;         /* how many names were given out */
    bool passed;
    void (*body)(struct e2e *e2e);
    struct e2e_deferred *deferred;
};

struct e2e_body {
    void (*run)(struct e2e *e2e);
};

/* An entry of a cmocka group: a test whose body is void body(struct e2e *). */
#define E2E_TEST(body) e2e_test(#body, &(struct e2e_body){ body })

/**
 * e2e_test(name, body):
 * Return cmocka's entry for the test ${name}.  ${body} must outlive the run.
 */
struct CMUnitTest e2e_test(const char *name, struct e2e_body *body);

/**
 * e2e_defer(e2e, undo, arg):
 * Call ${undo}(${arg}) at the end of the test; what was deferred last is
 * called first.
 */
void e2e_defer(struct e2e *e2e, void (*undo)(void *arg), void *arg);

/**
 * e2e_path(e2e, name, path):
 * Write into ${path} a file name in the test's folder that ends in ${name} and
 * was not given out before.  Return ${path}.
 */
char *e2e_path(struct e2e *e2e, const char *name, char path[CASE_PATH_MAX]);

/**
 * e2e_select(argc, argv):
 * Run only the tests whose names match the pattern (* and ?) that is a test
 * program's argument; all of them if it has none.
 */
void e2e_select(int argc, char **argv);

/**
 * e2e_full():
 * Return whether MIG_E2E_FULL=1 asks for the long form of the tests.
 */
bool e2e_full(void);

#endif
