// OpenAI's chat dialect.
#include "model/openai/openai.h"

const struct dialect_ops dialect_openai = {
    .dialect = DIALECT_OPENAI,
    .name = STR_INIT("openai"),
    .peek = openai_peek,
    .stream_type = STR_INIT("text/event-stream"),
    .choices = CHAT_CHOICES_MAX,
    .put_failure = openai_put_failure,
    .put_failure_event = openai_put_failure_event,
    .rewrite = openai_rewrite,
    .frames = FRAME_SSE,
    .read_failure = openai_read_failure,
    .usage_mark = STR_INIT("usage\""),
    .usage_of = openai_usage_of,
    .only_usage = openai_only_usage,
};
