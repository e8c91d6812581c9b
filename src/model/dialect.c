// The table of dialects, and what failures mean in all of them.
#include "model/dialect.h"

#include "base/json_write.h"
#include "base/scan.h"

#define DIALECT(id, ops) extern const struct dialect_ops ops;
#include "model/dialect.def"
#undef DIALECT

static const struct dialect_ops *const k_dialects[DIALECT_COUNT] = {
#define DIALECT(id, ops) [DIALECT_##id] = &ops,
#include "model/dialect.def"
#undef DIALECT
};

const struct dialect_ops *dialect_get(enum dialect dialect) {
    INVARIANT(dialect < DIALECT_COUNT);
    return k_dialects[dialect];
}

const struct dialect_ops *dialect_find(struct str name) {
    for (size_t i = 0; i < DIALECT_COUNT; i++)
        if (str_eq(k_dialects[i]->name, name)) return k_dialects[i];
    return NULL;
}

// --- failures ---

enum chat_failure_kind chat_failure_kind_of_status(int status) {
    switch (status) {
    case 401:
        return CHAT_FAIL_AUTHENTICATION;
    case 402:
        return CHAT_FAIL_QUOTA;
    case 403:
        return CHAT_FAIL_PERMISSION;
    case 404:
        return CHAT_FAIL_NOT_FOUND;
    case 408:
    case 504:
        return CHAT_FAIL_TIMEOUT;
    case 413:
        return CHAT_FAIL_TOO_LARGE;
    case 429:
        return CHAT_FAIL_RATE_LIMIT;
    case 503:
    case 529:
        return CHAT_FAIL_OVERLOADED;
    default:
        return status >= 500 ? CHAT_FAIL_SERVER : CHAT_FAIL_INVALID;
    }
}

int chat_failure_status(const struct chat_failure *failure) {
    static const int statuses[] = {
        [CHAT_FAIL_INVALID] = 400,    [CHAT_FAIL_AUTHENTICATION] = 401, [CHAT_FAIL_PERMISSION] = 403,
        [CHAT_FAIL_NOT_FOUND] = 404,  [CHAT_FAIL_TOO_LARGE] = 413,      [CHAT_FAIL_RATE_LIMIT] = 429,
        [CHAT_FAIL_QUOTA] = 429,      [CHAT_FAIL_CONTEXT_LENGTH] = 400, [CHAT_FAIL_CONTENT_POLICY] = 400,
        [CHAT_FAIL_OVERLOADED] = 503, [CHAT_FAIL_TIMEOUT] = 504,        [CHAT_FAIL_SERVER] = 502,
    };
    int status = failure->status;
    // 500 is what is said where nothing is known.
    bool said = status >= 400 && status <= 599 && (status != 500 || failure->kind == CHAT_FAIL_SERVER);
    return said ? status : statuses[failure->kind];
}

static bool says(struct str text, struct str word) { return scan_find(text, word) < text.n; }

enum chat_failure_kind chat_failure_kind_of_text(struct str code, struct str message,
                                                 enum chat_failure_kind otherwise) {
    static const struct {
        struct str word;
        enum chat_failure_kind kind;
    } codes[] =
        {
            {STR_INIT("context_length_exceeded"), CHAT_FAIL_CONTEXT_LENGTH},
            {STR_INIT("content_filter"), CHAT_FAIL_CONTENT_POLICY},
            {STR_INIT("content_policy_violation"), CHAT_FAIL_CONTENT_POLICY},
            {STR_INIT("insufficient_quota"), CHAT_FAIL_QUOTA},
        },
      messages[] = {
          {STR_INIT("maximum context length"), CHAT_FAIL_CONTEXT_LENGTH},
          {STR_INIT("prompt is too long"), CHAT_FAIL_CONTEXT_LENGTH},
          {STR_INIT("exceed context limit"), CHAT_FAIL_CONTEXT_LENGTH},
          {STR_INIT("exceeds the maximum number of tokens"), CHAT_FAIL_CONTEXT_LENGTH},
          {STR_INIT("Input is too long"), CHAT_FAIL_CONTEXT_LENGTH},
          {STR_INIT("exceeds the context window"), CHAT_FAIL_CONTEXT_LENGTH},
          {STR_INIT("content management policy"), CHAT_FAIL_CONTENT_POLICY},
          {STR_INIT("content filtering policy"), CHAT_FAIL_CONTENT_POLICY},
      };
    for (size_t i = 0; i < ARRAY_LEN(codes); i++)
        if (str_eq(code, codes[i].word)) return codes[i].kind;
    for (size_t i = 0; i < ARRAY_LEN(messages); i++)
        if (says(message, messages[i].word)) return messages[i].kind;
    return otherwise;
}

static struct str escaped(struct arena *arena, const char *text) {
    struct str quoted = chat_quote(arena, str_c(text));
    return quoted.p ? chat_inner(quoted) : STR("");
}

static enum chat_failure_kind kind_of_err(const struct err *err) {
    switch (err->code) {
    case ERR_QUOTA_EXCEEDED:
        return CHAT_FAIL_QUOTA;
    case ERR_MODEL_NOT_FOUND:
        return CHAT_FAIL_NOT_FOUND;
    default:
        return chat_failure_kind_of_status(err->status);
    }
}

struct chat_failure chat_failure_of_err(const struct err *err, struct arena *arena) {
    const struct err_info *info = err_info(err->code);
    return (struct chat_failure){.kind = kind_of_err(err),
                                 .status = err->status,
                                 .message = escaped(arena, err->message),
                                 .code = str_c(info->wire_code),
                                 .type = str_c(info->type),
                                 .param = escaped(arena, err->param)};
}
