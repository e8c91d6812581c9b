// Errors: the table is whole, messages are set, wrapped and cut.
#include "base/err.h"

#include "check.h"

static void the_table_is_whole(void) {
    for (int code = 0; code < ERR_COUNT; code++) {
        const struct err_info *info = err_info((enum err_code)code);
        CHECK(info->name && info->name[0] && info->type && info->type[0] && info->wire_code && info->wire_code[0]);
        CHECK(info->meaning && info->meaning[0]);
        CHECK(info->status >= 400 && info->status <= 599);
        for (int other = 0; other < code; other++)
            CHECK(strcmp(info->wire_code, err_info((enum err_code)other)->wire_code) != 0);
    }
    CHECK_INT(err_info(ERR_RATE_LIMITED)->status, 429);
    CHECK(err_info(ERR_RATE_LIMITED)->retryable && !err_info(ERR_INVALID_JSON)->retryable);
}

static void sets_everything(void) {
    struct err err;
    memset(&err, 'x', sizeof err);
    CHECK(!err_set(&err, ERR_MODEL_NOT_FOUND, "no model '%s'", "m"));
    CHECK_INT(err.code, ERR_MODEL_NOT_FOUND);
    CHECK_INT(err.status, 404);
    CHECK_STR(str_c(err.message), STR("no model 'm'"));
    CHECK_STR(str_c(err.param), STR(""));
    CHECK(!err_no_memory(&err) && err.code == ERR_NO_MEMORY && err.status == 503);
}

static void wraps(void) {
    struct err err;
    err_set(&err, ERR_IO, "no such file");
    CHECK(!err_wrap(&err, "reading %s", "penstock.yaml"));
    CHECK_STR(str_c(err.message), STR("reading penstock.yaml: no such file"));
    CHECK_INT(err.code, ERR_IO);
}

static void long_messages_are_cut(void) {
    char text[2 * ERR_MESSAGE_MAX];
    struct err err;
    memset(text, 'm', sizeof text);
    text[sizeof text - 1] = '\0';
    err_set(&err, ERR_IO, "%s", text);
    CHECK_INT(strlen(err.message), ERR_MESSAGE_MAX - 1);
    err_wrap(&err, "%s", text);
    CHECK(strlen(err.message) < ERR_MESSAGE_MAX);
}

TEST_MAIN(the_table_is_whole, sets_everything, wraps, long_messages_are_cut)
