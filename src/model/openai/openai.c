// OpenAI's dialect: chat completions, embeddings, and what is relayed to those who speak it.
#include "model/openai/openai.h"

#include "model/cohere/cohere.h"
#include "model/embed.h"

const struct dialect_ops dialect_openai = {
    .dialect = DIALECT_OPENAI,
    .name = STR_INIT("openai"),
    .peek = openai_peek,
    .read = openai_read,
    .stream_type = STR_INIT("text/event-stream"),
    .choices = CHAT_CHOICES_MAX,
    .encoder_size = sizeof(struct openai_encoder),
    .encoder_init = openai_encoder_init,
    .put_answer = openai_put_answer,
    .put_failure = openai_put_failure,
    .put_failure_event = openai_put_failure_event,
    .rewrite = openai_rewrite,
    .write = openai_write,
    .frames = FRAME_SSE,
    .decoder_size = sizeof(struct openai_decoder),
    .decoder_init = openai_decoder_init,
    .decode = openai_decode,
    .decode_end = openai_decode_end,
    .decode_answer = openai_decode_answer,
    .read_failure = openai_read_failure,
    .content_mark = STR_INIT("\"choices\":[{"),
    .only_speaker = openai_only_speaker,
    .usage_mark = STR_INIT("usage\""),
    .usage_of = openai_usage_of,
    .only_usage = openai_only_usage,
    .finish_mark = STR_INIT("finish_reason\""),
    .ends = openai_ends,
    .stream_end = STR_INIT("data: [DONE]\n\n"),
    .embed = &openai_embed,
    .rerank = &jina_rerank,
};
