/* Something comes and goes at a path. */
#include "io/folder_watch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support_net.h"
#include "support_stage.h"
#include "support_test.h"

struct rig {
    struct stage stage;
    char dir[NET_PATH_MAX];
    char path[NET_PATH_MAX + 32];
    struct folder_watch *watch;
    unsigned changes;
};

static void
on_change(void *arg)
{
    struct rig *rig = arg;

    rig->changes++;
}

static void
rig_open(struct rig *rig, const char *below)
{
    *rig = (struct rig){ 0 };
    stage_open(&rig->stage);
    net_temp_dir(rig->dir);
    snprintf(rig->path, sizeof rig->path, "%s/%s", rig->dir, below);
    rig->watch = folder_watch_new(rig->stage.loop, rig->path, on_change, rig);
    assert_non_null(rig->watch);
}

static void
rig_close(struct rig *rig)
{
    folder_watch_free(rig->watch);
    net_remove_dir(rig->dir);
    stage_close(&rig->stage);
}

static void
make(const char *path)
{
    int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    close(fd);
}

static void
what_comes_and_goes_is_told(void **state)
{
    struct rig rig;

    (void)state;
    rig_open(&rig, "x");
    assert_int_equal(stage_turns_in(&rig.stage, 50), 0);
    make(rig.path);
    STAGE_UNTIL(&rig.stage, rig.changes == 1);
    unlink(rig.path);
    STAGE_UNTIL(&rig.stage, rig.changes == 2);
    stage_rest(&rig.stage);
    assert_int_equal(stage_turns_in(&rig.stage, 50), 0);
    rig_close(&rig);
}

static void
others_in_the_folder_are_not_told_of_and_wake_it_up_seldom(void **state)
{
    char other[NET_PATH_MAX + 32];
    struct rig rig;

    (void)state;
    rig_open(&rig, "x");
    snprintf(other, sizeof other, "%s/other", rig.dir);
    for (unsigned i = 0; i < 200; i++) {
        make(other);
        assert_in_range(stage_turns_in(&rig.stage, 1), 0, 2);
        unlink(other);
    }
    assert_int_equal(rig.changes, 0);
    assert_in_range(rig.stage.turns, 1, 200 + 100);
    make(rig.path);
    STAGE_UNTIL(&rig.stage, rig.changes == 1);
    unlink(rig.path);
    rig_close(&rig);
}

static void
folders_that_come_later_are_found(void **state)
{
    char one[NET_PATH_MAX + 32], two[NET_PATH_MAX + 32];
    struct rig rig;
    unsigned seen;

    (void)state;
    rig_open(&rig, "1/2/x");
    snprintf(one, sizeof one, "%s/1", rig.dir);
    snprintf(two, sizeof two, "%s/1/2", rig.dir);
    assert_int_equal(mkdir(one, 0700), 0);
    STAGE_UNTIL(&rig.stage, rig.changes == 1);
    assert_int_equal(mkdir(two, 0700), 0);
    STAGE_UNTIL(&rig.stage, rig.changes == 2);
    make(rig.path);
    STAGE_UNTIL(&rig.stage, rig.changes == 3);
    unlink(rig.path);
    rmdir(two);
    STAGE_UNTIL(&rig.stage, rig.changes >= 4);
    stage_rest(&rig.stage);
    seen = rig.changes;
    assert_int_equal(mkdir(two, 0700), 0);
    STAGE_UNTIL(&rig.stage, rig.changes > seen);
    stage_rest(&rig.stage);
    seen = rig.changes;
    make(rig.path);
    STAGE_UNTIL(&rig.stage, rig.changes > seen);
    unlink(rig.path);
    rmdir(two);
    rmdir(one);
    rig_close(&rig);
}

static void
a_few_watches_are_left_to_others(void **state)
{
    struct folder_watch *watches[FOLDER_WATCHES_MAX];
    struct rig rig;

    (void)state;
    rig_open(&rig, "path");
    for (int i = 1; i < FOLDER_WATCHES_MAX; i++) {
        watches[i] =
            folder_watch_new(rig.stage.loop, rig.path, on_change, &rig);
        assert_non_null(watches[i]);
    }
    assert_null(folder_watch_new(rig.stage.loop, rig.path, on_change, &rig));
    assert_int_equal(errno, EMFILE);
    folder_watch_free(watches[1]);
    watches[1] = folder_watch_new(rig.stage.loop, rig.path, on_change, &rig);
    assert_non_null(watches[1]);
    for (int i = 1; i < FOLDER_WATCHES_MAX; i++)
        folder_watch_free(watches[i]);
    rig_close(&rig);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_comes_and_goes_is_told),
        cmocka_unit_test(
            others_in_the_folder_are_not_told_of_and_wake_it_up_seldom),
        cmocka_unit_test(folders_that_come_later_are_found),
        cmocka_unit_test(a_few_watches_are_left_to_others),
    };

    return RUN_TESTS(tests);
}
