#include "support_case.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* Two dumps of the largest guest, 1 GiB, and that guest's logs. */
static const uint64_t room_bytes = UINT64_C(3) << 30;

/* What is shown of a log, and of a guest's rounds; the end says why it ended.
 */
enum { LOG_TAIL_BYTES = 8 * 1024, SERIAL_TAIL_BYTES = 100 };

struct e2e_deferred {
    void (*undo)(void *arg);
    void *arg;
    struct e2e_deferred *next;
};

/* Memory dumps are fastest in memory, if there is room for them. */
static const char *
scratch_root(void)
{
    struct statvfs fs;
    const char *tmp = getenv("TMPDIR");

    if (tmp != NULL && strlen(tmp) < CASE_DIR_MAX / 2)
        return tmp;
    if (statvfs("/dev/shm", &fs) == 0 && access("/dev/shm", W_OK) == 0 &&
        (uint64_t)fs.f_bavail * fs.f_frsize >= room_bytes)
        return "/dev/shm";
    return "/tmp";
}

static int
setup(void **state)
{
    const struct e2e_body *body = *state;
    struct e2e *e2e = calloc(1, sizeof(*e2e));

    assert_non_null(e2e);
    e2e->body = body->run;
    snprintf(e2e->dir, sizeof(e2e->dir), "%s/mig-e2e-XXXXXX", scratch_root());
    if (mkdtemp(e2e->dir) == NULL) {
        perror(e2e->dir);
        free(e2e);
        return -1;
    }
    *state = e2e;
    return 0;
}

static void
run(void **state)
{
    struct e2e *e2e = *state;

    e2e->body(e2e);
    e2e->passed = true;
}

/* How much of the file is to be shown. */
static long
tail_bytes(const char *name)
{
    const char *dot = strrchr(name, '.');

    if (dot == NULL)
        return 0;
    if (strcmp(dot, ".serial") == 0)
        return SERIAL_TAIL_BYTES;
    return strcmp(dot, ".out") == 0 || strcmp(dot, ".err") == 0 ? LOG_TAIL_BYTES
                                                                : 0;
}

static void
print_tail(const char *path, const char *name)
{
    char text[LOG_TAIL_BYTES + 1];
    long max = tail_bytes(name);
    FILE *file = max > 0 ? fopen(path, "r") : NULL;
    size_t n;

    if (file == NULL)
        return;
    if (fseek(file, -max, SEEK_END) != 0)
        rewind(file);
    n = fread(text, 1, (size_t)max, file);
    text[n] = '\0';
    if (n > 0)
        fprintf(stderr, "---- %s\n%s%s", name, text,
                text[n - 1] == '\n' ? "" : "\n");
    fclose(file);
}

static void
each_file(struct e2e *e2e, void (*visit)(const char *path, const char *name))
{
    struct dirent **names;
    char path[CASE_DIR_MAX + 258];
    int n = scandir(e2e->dir, &names, NULL, alphasort);

    for (int i = 0; i < n; i++) {
        if (names[i]->d_type != DT_DIR) {
            snprintf(path, sizeof(path), "%s/%s", e2e->dir, names[i]->d_name);
            visit(path, names[i]->d_name);
        }
        free(names[i]);
    }
    if (n >= 0)
        free(names);
}

static void
remove_file(const char *path, const char *name)
{
    (void)name;
    if (unlink(path) < 0)
        perror(path);
}

static int
teardown(void **state)
{
    struct e2e *e2e = *state;
    struct e2e_deferred *deferred;

    while ((deferred = e2e->deferred) != NULL) {
        e2e->deferred = deferred->next;
        deferred->undo(deferred->arg);
        free(deferred);
    }
    if (!e2e->passed)
        each_file(e2e, print_tail);
    each_file(e2e, remove_file);
    rmdir(e2e->dir);
    free(e2e);
    return 0;
}

struct CMUnitTest
e2e_test(const char *name, struct e2e_body *body)
{
    return (struct CMUnitTest){ .name = name,
                                .test_func = run,
                                .setup_func = setup,
                                .teardown_func = teardown,
                                .initial_state = body };
}

void
e2e_defer(struct e2e *e2e, void (*undo)(void *arg), void *arg)
{
    struct e2e_deferred *deferred = malloc(sizeof(*deferred));

    assert_non_null(deferred);
    *deferred = (struct e2e_deferred){ undo, arg, e2e->deferred };
    e2e->deferred = deferred;
}

char *
e2e_path(struct e2e *e2e, const char *name, char path[CASE_PATH_MAX])
{
    int n = snprintf(path, CASE_PATH_MAX, "%s/%03u-%s", e2e->dir, ++e2e->files,
                     name);

    assert_in_range(n, 1, CASE_PATH_MAX - 1);
    return path;
}

void
e2e_select(int argc, char **argv)
{
    cmocka_set_test_filter(argc > 1 ? argv[1] : NULL);
}

bool
e2e_full(void)
{
    const char *full = getenv("MIG_E2E_FULL");

    return full != NULL && strcmp(full, "1") == 0;
}
