// Tests of os/disk.h.
#include "check.h"

#include "os/disk.h"
#include "temp_dir.h"

static void test_room(void) {
    uint64_t bytes = 0;
    struct err err;
    CHECK(disk_free(str_c(temp_dir()), &bytes, &err));
    CHECK(bytes > 0 && bytes < UINT64_C(1) << 60);
}

static void test_nowhere(void) {
    uint64_t bytes = 7;
    struct err err;
    CHECK(!disk_free(temp_path("absent"), &bytes, &err));
    CHECK_INT(err.code, ERR_NOT_FOUND);
    CHECK(!disk_free(STR(""), &bytes, &err));
    CHECK_INT(err.code, ERR_INVALID_FIELD);
    CHECK_INT(bytes, 7);
}

TEST_MAIN(test_room, test_nowhere)
