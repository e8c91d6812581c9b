// Requests in Google's dialect: read, written, and the traps of both.
#include "gemini_rig.h"

#define USER(text) "{\"role\":\"user\",\"parts\":[{\"text\":\"" text "\"}]}"
#define MODEL(text) "{\"role\":\"model\",\"parts\":[{\"text\":\"" text "\"}]}"
#define CONTENTS(list) "{\"contents\":[" list "]}"

static void peek_tells_what_routing_needs(void) {
    struct rig g;
    struct model_request q;
    rig_begin(&g);
    struct model_request_in in = {.operation = OPERATION_CHAT,
                                  .body = STR(" {\"contents\":[1],\"generation_config\":{\"max_output_tokens\":\"20\","
                                              "\"candidateCount\":3}} "),
                                  .model = STR("models/gemini-2.5-pro"),
                                  .action = STR("streamGenerateContent"),
                                  .query = STR("key=x&alt=sse")};
    REQUIRE(gemini_peek(&in, &g.arena, &q, &g.err));
    CHECK_STR(q.model, STR("gemini-2.5-pro"));
    CHECK(q.stream && !q.array);
    CHECK_INT(q.max_output, 60);
    CHECK_STR(q.input, STR("[1]"));
    in.query = STR("");
    REQUIRE(gemini_peek(&in, &g.arena, &q, &g.err));
    CHECK(q.stream && q.array);
    in.action = STR("generateContent");
    REQUIRE(gemini_peek(&in, &g.arena, &q, &g.err));
    CHECK(!q.stream && !q.array);
    rig_end(&g);
}

static void peek_refuses(void) {
    static const struct {
        const char *body, *param;
    } bad[] = {{"", ""},
               {"[]", ""},
               {"{\"contents\":", ""},
               {"{}", "contents"},
               {"{\"contents\":7}", "contents"},
               {"{\"contents\":[]}x", ""},
               {"{\"contents\":[],\"contents\":[]}", "contents"}};
    struct rig g;
    struct model_request q;
    rig_begin(&g);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct model_request_in in = {.body = str_c(bad[i].body), .model = STR("m")};
        g.err.param[0] = 0;
        CHECK(!gemini_peek(&in, &g.arena, &q, &g.err));
        CHECK_STR(str_c(g.err.param), str_c(bad[i].param));
    }
    struct model_request_in in = {.operation = OPERATION_CHAT, .body = STR("{\"contents\":[]}")};
    CHECK(!gemini_peek(&in, &g.arena, &q, &g.err)); // no model
    rig_end(&g);
}

static void trap_1_system_is_one_and_contents_are_never_empty(void) {
    CHECK_TURNS("gemini-2.5-flash", "{\"contents\":[],\"systemInstruction\":\"Be brief.\"}",
                "{\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\" \"}]}],"
                "\"systemInstruction\":{\"parts\":[{\"text\":\"Be brief.\"}]}}");
    // A system turn in the middle joins the first and leaves the order of the others alone.
    CHECK_TURNS("gemini-2.5-flash",
                "{\"contents\":[" USER("a") ",{\"role\":\"system\",\"parts\":[{\"text\":\"two\"}]}," MODEL(
                    "b") "],"
                         "\"system_instruction\":{\"parts\":[{\"text\":\"one\"}]}}",
                "{\"contents\":[" USER("a") "," MODEL(
                    "b") "],"
                         "\"systemInstruction\":{\"parts\":[{\"text\":\"one\"},{\"text\":\"two\"}]}}");
    CHECK_TURNS("gemma-3-27b-it", "{\"contents\":[" USER("a") "],\"systemInstruction\":\"S\"}",
                CONTENTS(USER("S") "," USER("a")));
}

static void trap_2_turns_of_one_role_are_merged(void) {
    CHECK_TURNS("gemini-2.5-flash", CONTENTS(USER("a") "," USER("b") "," MODEL("c") "," MODEL("d")),
                CONTENTS("{\"role\":\"user\",\"parts\":[{\"text\":\"a\"},{\"text\":\"b\"}]},"
                         "{\"role\":\"model\",\"parts\":[{\"text\":\"c\"},{\"text\":\"d\"}]}"));
    CHECK_TURNS("gemini-2.5-flash", CONTENTS(MODEL("c")), CONTENTS(USER(" ") "," MODEL("c")));
    // Empty texts are refused by Google.
    CHECK_TURNS("gemini-2.5-flash", CONTENTS(USER("") "," USER("b") "," MODEL("")), CONTENTS(USER("b")));
}

#define CALL(id, name) "{\"functionCall\":{\"id\":\"" id "\",\"name\":\"" name "\",\"args\":{\"x\":1}}}"
#define PLAIN_CALL(name) "{\"functionCall\":{\"name\":\"" name "\",\"args\":{\"x\":1}}}"
#define RESULT(id, name, text)                                                                                         \
    "{\"functionResponse\":{\"id\":\"" id "\",\"name\":\"" name "\",\"response\":{\"output\":\"" text "\"}}}"
#define PLAIN_RESULT(name, text) "{\"functionResponse\":{\"name\":\"" name "\",\"response\":{\"output\":\"" text "\"}}}"

static void trap_3_results_stand_in_the_order_of_the_calls(void) {
    CHECK_TURNS("gemini-2.5-flash",
                CONTENTS(USER("q") ",{\"role\":\"model\",\"parts\":[" CALL("i1", "f") "," CALL(
                    "i2", "g") "]},"
                               "{\"role\":\"user\",\"parts\":[" RESULT("i2", "g", "two") ",{\"text\":\"and?\"}," RESULT(
                                   "i1", "f", "one") "]}"),
                // No ids, and nothing beside the results.
                CONTENTS(USER("q") ",{\"role\":\"model\",\"parts\":[" PLAIN_CALL("f") "," PLAIN_CALL(
                    "g") "]},"
                         "{\"role\":\"user\",\"parts\":[" PLAIN_RESULT("f", "one") "," PLAIN_RESULT(
                             "g", "two") "]}," USER("and?")));
    // The same function twice.
    CHECK_TURNS(
        "gemini-2.5-flash",
        CONTENTS(USER("q") ",{\"role\":\"model\",\"parts\":[" CALL("i1", "f") "," CALL(
            "i2", "f") "]},"
                       "{\"role\":\"user\",\"parts\":[" RESULT("i2", "f", "two") "," RESULT("i1", "f", "one") "]}"),
        CONTENTS(USER("q") ",{\"role\":\"model\",\"parts\":[" PLAIN_CALL("f") "," PLAIN_CALL(
            "f") "]},"
                 "{\"role\":\"user\",\"parts\":[" PLAIN_RESULT("f", "one") "," PLAIN_RESULT("f", "two") "]}"));
}

static void results_without_ids_are_paired_by_name_and_place(void) {
    struct rig g;
    rig_begin(&g);
    REQUIRE(rig_read(&g, CONTENTS("{\"role\":\"model\",\"parts\":[" PLAIN_CALL("f") "," PLAIN_CALL("g") "," PLAIN_CALL(
                             "f") "]},"
                                  "{\"role\":\"function\",\"parts\":[" PLAIN_RESULT("g", "G") "," PLAIN_RESULT(
                                      "f", "F1") "," PLAIN_RESULT("f", "F2") "," PLAIN_RESULT("stray", "S") "]}")));
    const struct chat_part *calls = g.chat.turns[0].parts, *results = g.chat.turns[1].parts;
    CHECK_STR(results[0].id, calls[1].id);
    CHECK_STR(results[1].id, calls[0].id);
    CHECK_STR(results[2].id, calls[2].id);
    CHECK(!str_eq(calls[0].id, calls[2].id));
    CHECK(results[3].id.n && !str_eq(results[3].id, calls[0].id));
    CHECK_INT(g.chat.turns[1].role, CHAT_USER);
    rig_end(&g);
}

static void results_of_no_call_are_refused_when_nobody_knows_the_name(void) {
    struct rig g;
    rig_begin(&g);
    REQUIRE(rig_read(&g, CONTENTS(USER("q") ",{\"role\":\"user\",\"parts\":[" RESULT("i9", "f", "one") "]}")));
    g.chat.turns[1].parts[0].name = STR_NONE;
    CHECK(!rig_write(&g, "gemini-2.5-flash"));
    CHECK_INT(g.err.code, ERR_INVALID_FIELD);
    rig_end(&g);
}

static void what_functions_give(void) {
    struct rig g;
    rig_begin(&g);
    REQUIRE(rig_read(&g, CONTENTS("{\"role\":\"model\",\"parts\":[" PLAIN_CALL(
                             "f") "]},"
                                  "{\"role\":\"user\",\"parts\":["
                                  "{\"functionResponse\":{\"name\":\"f\",\"response\":{\"error\":\"no\"}}},"
                                  "{\"functionResponse\":{\"name\":\"f\",\"response\":{\"a\":1,\"b\":\"x\"}}},"
                                  "{\"functionResponse\":{\"name\":\"f\",\"response\":{\"result\":[1]}}},"
                                  "{\"functionResponse\":{\"name\":\"f\"}}]}")));
    const struct chat_part *r = g.chat.turns[1].parts;
    CHECK(r[0].is_error);
    CHECK_STR(r[0].parts[0].text, STR("\"no\""));
    CHECK_STR(r[1].parts[0].text, STR("\"{\\\"a\\\":1,\\\"b\\\":\\\"x\\\"}\""));
    CHECK_STR(r[2].parts[0].text, STR("\"[1]\""));
    CHECK_STR(r[3].parts[0].text, STR("\"{}\""));
    // And back: an object is given as one, other text under "output".
    REQUIRE(rig_write(&g, "gemini-2.5-flash"));
    CHECK(str_find(buf_str(&g.out), STR("\"response\":{\"error\":\"no\"}")) < g.out.n);
    CHECK(str_find(buf_str(&g.out), STR("\"response\":{\"a\":1,\"b\":\"x\"}")) < g.out.n);
    CHECK(str_find(buf_str(&g.out), STR("\"response\":{\"output\":\"[1]\"}")) < g.out.n);
    rig_end(&g);
}

static void trap_10_thoughts_are_one_again(void) {
    struct rig g;
    rig_begin(&g);
    REQUIRE(rig_read(
        &g,
        CONTENTS(
            "{\"role\":\"model\",\"parts\":[{\"text\":\"a\",\"thought\":true},{\"text\":\"b\\\"\",\"thought\":true},"
            "{\"text\":\"\",\"thought\":true,\"thoughtSignature\":\"c2ln\"},{\"text\":\"t\"}]}")));
    REQUIRE(g.chat.turns[0].count == 2);
    CHECK_INT(g.chat.turns[0].parts[0].kind, CHAT_THINKING);
    CHECK_STR(g.chat.turns[0].parts[0].text, STR("\"ab\\\"\""));
    CHECK_STR(g.chat.turns[0].parts[0].signature, STR("\"c2ln\""));
    // Another vendor's signature is not shown to Google.
    REQUIRE(rig_write(&g, "gemini-2.5-flash"));
    CHECK(str_find(buf_str(&g.out), STR("c2ln")) == g.out.n);
    CHECK(str_find(buf_str(&g.out), STR("\"thought\":true")) < g.out.n);
    REQUIRE(rig_write(&g, "gemini-1.5-pro"));
    CHECK(rig_reports(&g, "thinking"));
    rig_end(&g);
}

static void trap_11_signatures_travel_in_ids(void) {
    struct buf id = BUF_INIT(4096);
    struct str plain, signature;
    gemini_id_pack(&id, STR("call_1"), STR("Ep+/a=="));
    CHECK_STR(buf_str(&id), STR("call_1__ts_Ep-_a"));
    gemini_id_unpack(buf_str(&id), &plain, &signature);
    CHECK_STR(plain, STR("call_1"));
    CHECK_STR(signature, STR("Ep-_a"));
    gemini_id_unpack(STR("call_2"), &plain, &signature);
    CHECK_STR(plain, STR("call_2"));
    CHECK(!signature.p);
    buf_free(&id);
    CHECK_TURNS(
        "gemini-3-pro-preview",
        CONTENTS(USER("q") ",{\"role\":\"model\",\"parts\":[" CALL("c1__ts_Ab-_", "f") "," CALL("c2", "g") "]}"),
        CONTENTS(USER("q") ",{\"role\":\"model\",\"parts\":[{\"functionCall\":{\"name\":\"f\",\"args\":{\"x\":1}},"
                           "\"thoughtSignature\":\"Ab-_\"}," PLAIN_CALL("g") "]}"));
}

static void trap_11_gemini_3_gets_a_stand_in_on_the_first_call_only(void) {
    static const char body[] =
        CONTENTS(USER("q") ",{\"role\":\"model\",\"parts\":[" CALL("c1", "f") "," CALL("c2", "g") "]}");
    CHECK_TURNS(
        "gemini-3-flash-preview", body,
        CONTENTS(USER("q") ",{\"role\":\"model\",\"parts\":[{\"functionCall\":{\"name\":\"f\",\"args\":{\"x\":1}},"
                           "\"thoughtSignature\":\"skip_thought_signature_validator\"}," PLAIN_CALL("g") "]}"));
    CHECK_TURNS("gemini-2.5-flash", body,
                CONTENTS(USER("q") ",{\"role\":\"model\",\"parts\":[" PLAIN_CALL("f") "," PLAIN_CALL("g") "]}"));
}

static void generations(void) {
    static const struct {
        const char *model;
        unsigned generation;
    } models[] = {{"gemini-1.5-pro", 15},
                  {"gemini-2.0-flash", 20},
                  {"models/gemini-2.5-flash-lite", 25},
                  {"gemini-3-pro-preview", 30},
                  {"gemini-3.1-pro", 31},
                  {"gemini-pro", 10},
                  {"gemini-flash-latest", 30},
                  {"gemma-3-27b-it", 0},
                  {"1234567890", 25},
                  {"publishers/google/models/gemini-3-flash", 30},
                  {"gemini-", 25},
                  {"gemini-99999999999", 9990},
                  {"", 25}};
    for (size_t i = 0; i < ARRAY_LEN(models); i++)
        CHECK_INT(gemini_generation(str_c(models[i].model)), models[i].generation);
}

static void trap_13_structured_output(void) {
#define SCHEMA                                                                                                         \
    "{\"type\":\"object\",\"properties\":{\"a\":{\"$ref\":\"#/$defs/A\"}},\"$defs\":{\"A\":{\"const\":\"x\"}}}"
    static const char body[] =
        "{\"contents\":[" USER("a") "],\"generationConfig\":{\"responseMimeType\":\"application/json\","
                                    "\"responseJsonSchema\":" SCHEMA "}}";
    // As it is, byte for byte, where the model takes JSON Schema.
    CHECK_TURNS("gemini-2.5-flash", body,
                "{\"contents\":[" USER("a") "],\"generationConfig\":{\"responseMimeType\":\"application/json\","
                                            "\"responseJsonSchema\":" SCHEMA "}}");
    CHECK_TURNS("gemini-1.5-flash", body,
                "{\"contents\":[" USER("a") "],\"generationConfig\":{\"responseMimeType\":\"application/json\","
                                            "\"responseSchema\":{\"type\":\"OBJECT\",\"properties\":{\"a\":{\"type\":"
                                            "\"STRING\",\"enum\":[\"x\"]}}}}}");
    struct rig g;
    rig_begin(&g);
    REQUIRE(rig_read(&g,
                     "{\"contents\":[" USER("a") "],\"tools\":[{\"functionDeclarations\":[{\"name\":\"f\"}]}],"
                                                 "\"generationConfig\":{\"responseMimeType\":\"application/json\"}}"));
    CHECK_INT(g.chat.output, CHAT_OUTPUT_JSON);
    REQUIRE(rig_write(&g, "gemini-2.5-flash"));
    CHECK(rig_reports(&g, "response_format")); // either, not both
    REQUIRE(rig_write(&g, "gemini-3-flash"));
    CHECK(!rig_reports(&g, "response_format"));
    rig_end(&g);
}

static void trap_14_tools(void) {
    CHECK_TURNS(
        "gemini-2.5-flash",
        "{\"contents\":[" USER("a") "],\"tools\":[{\"function_declarations\":[{\"name\":\"f\",\"description\":\"d\","
                                    "\"parameters\":{\"type\":\"OBJECT\",\"properties\":{\"n\":{\"type\":\"INTEGER\","
                                    "\"nullable\":true,\"minimum\":1},"
                                    "\"l\":{\"type\":\"ARRAY\",\"items\":{\"type\":\"STRING\"},\"minItems\":\"2\"}},"
                                    "\"propertyOrdering\":[\"n\",\"l\"]}},"
                                    "{\"name\":\"g\",\"parametersJsonSchema\":{\"type\":\"object\",\"x-new\":1}},{"
                                    "\"name\":\"h\"}]},{\"googleSearch\":{}}],"
                                    "\"toolConfig\":{\"functionCallingConfig\":{\"mode\":\"ANY\"}}}",
        "{\"contents\":[" USER("a") "],\"tools\":[{\"functionDeclarations\":[{\"name\":\"f\",\"description\":\"d\","
                                    "\"parametersJsonSchema\":{\"type\":\"object\",\"properties\":{\"n\":{\"type\":["
                                    "\"integer\",\"null\"],\"minimum\":1},"
                                    "\"l\":{\"type\":\"array\",\"items\":{\"type\":\"string\"},\"minItems\":2}}}},"
                                    "{\"name\":\"g\",\"parametersJsonSchema\":{\"type\":\"object\",\"x-new\":1}},{"
                                    "\"name\":\"h\"}]},{\"googleSearch\":{}}],"
                                    "\"toolConfig\":{\"functionCallingConfig\":{\"mode\":\"ANY\"}}}");
}

static void tool_choice(void) {
    static const struct {
        const char *config;
        enum chat_tool_choice choice;
        size_t tools;
    } rows[] = {{"{\"mode\":\"AUTO\"}", CHAT_CHOICE_AUTO, 3},
                {"{\"mode\":\"VALIDATED\"}", CHAT_CHOICE_AUTO, 3},
                {"{\"mode\":\"NONE\"}", CHAT_CHOICE_NONE, 3},
                {"{\"mode\":\"ANY\",\"allowedFunctionNames\":[\"f\"]}", CHAT_CHOICE_ONE, 3},
                {"{\"mode\":\"ANY\",\"allowed_function_names\":[\"f\",\"h\"]}", CHAT_CHOICE_ANY, 2},
                {"{}", CHAT_CHOICE_AUTO, 3}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct rig g;
        char body[1024];
        rig_begin(&g);
        snprintf(body, sizeof body,
                 "{\"contents\":[],\"tools\":[{\"functionDeclarations\":[{\"name\":\"f\"},{\"name\":\"g\"},{\"name\":"
                 "\"h\"}]}],"
                 "\"toolConfig\":{\"functionCallingConfig\":%s}}",
                 rows[i].config);
        REQUIRE(rig_read(&g, body));
        CHECK_INT(g.chat.tool_choice, rows[i].choice);
        CHECK_INT(g.chat.tool_count, rows[i].tools);
        rig_end(&g);
    }
    CHECK_REFUSED("{\"contents\":[],\"toolConfig\":{\"functionCallingConfig\":{\"mode\":\"SOME\"}}}",
                  "toolConfig.functionCallingConfig.mode");
}

static void hosted_tools_of_others(void) {
    struct rig g;
    struct chat_tool tools[] = {
        {.name = STR("\"w\""), .strict = -1, .hosted = STR("{\"type\":\"web_search_20250305\",\"name\":\"w\"}")},
        {.name = STR("\"c\""), .strict = -1, .hosted = STR("{\"type\":\"code_interpreter\"}")},
        {.name = STR("\"x\""), .strict = -1, .hosted = STR("{\"type\":\"computer_20250124\"}")}};
    rig_begin(&g);
    REQUIRE(rig_read(&g, CONTENTS(USER("a"))));
    g.chat.tools = tools;
    g.chat.tool_count = 3;
    REQUIRE(rig_write(&g, "gemini-2.5-flash"));
    CHECK_STR(buf_str(&g.out),
              STR("{\"contents\":[" USER("a") "],\"tools\":[{\"googleSearch\":{}},{\"codeExecution\":{}}]}"));
    CHECK(rig_reports(&g, "tools[].type"));
    rig_end(&g);
}

static void trap_16_media(void) {
    CHECK_TURNS(
        "gemini-2.5-flash",
        CONTENTS("{\"parts\":[{\"inline_data\":{\"mime_type\":\"image/png\",\"data\":\"iV-_\"}},"
                 "{\"fileData\":{\"fileUri\":\"gs://b/f.pdf\",\"mimeType\":\"application/pdf\"}},"
                 "{\"fileData\":{\"fileUri\":\"https://www.youtube.com/watch?v=1\"}},"
                 "{\"fileData\":{\"fileUri\":\"https://x.example/a.webp?b=c\"}}]}"),
        CONTENTS("{\"role\":\"user\",\"parts\":[{\"inlineData\":{\"mimeType\":\"image/png\",\"data\":\"iV+/\"}},"
                 "{\"fileData\":{\"mimeType\":\"application/pdf\",\"fileUri\":\"gs://b/f.pdf\"}},"
                 "{\"fileData\":{\"mimeType\":\"video/mp4\",\"fileUri\":\"https://www.youtube.com/watch?v=1\"}},"
                 "{\"fileData\":{\"mimeType\":\"image/webp\",\"fileUri\":\"https://x.example/a.webp?b=c\"}}]}"));
    struct rig g;
    rig_begin(&g);
    REQUIRE(rig_read(&g, CONTENTS("{\"parts\":[{\"fileData\":{\"fileUri\":\"https://x.example/a.png\"}}]}")));
    CHECK(!rig_write(&g, "gemini-2.0-flash"));
    CHECK(str_find(str_c(g.err.message), STR("data URL")) < strlen(g.err.message));
    CHECK(rig_write_for(&g, "gemini-2.0-flash", PROVIDER_VERTEX)); // Vertex fetches it
    g.chat.turns[0].parts[0].media = (struct chat_media){.file_id = STR("\"file-abc\"")};
    CHECK(!rig_write(&g, "gemini-2.5-flash"));
    g.chat.turns[0].parts[0].media = (struct chat_media){.url = STR("\"ftp://x\"")};
    CHECK(!rig_write(&g, "gemini-2.5-flash"));
    g.chat.turns[0].parts[0].kind = CHAT_IMAGE;
    g.chat.turns[0].parts[0].media = (struct chat_media){.data = STR("iVBORw0KGgoAAA"), .detail = STR("\"high\"")};
    REQUIRE(rig_write(&g, "gemini-2.5-flash"));
    CHECK_STR(buf_str(&g.out),
              STR("{\"contents\":[{\"role\":\"user\",\"parts\":[{\"inlineData\":{\"mimeType\":\"image/png\",\"data\":"
                  "\"iVBORw0KGgoAAA\"}}]}],\"generationConfig\":{\"mediaResolution\":\"MEDIA_RESOLUTION_HIGH\"}}"));
    rig_end(&g);
}

static void images_in_results(void) {
#define SHOWN                                                                                                          \
    CONTENTS(USER("q") ",{\"role\":\"model\",\"parts\":[" PLAIN_CALL(                                                  \
        "f") "]},{\"role\":\"user\",\"parts\":[{\"functionResponse\":"                                                 \
             "{\"name\":\"f\",\"response\":{\"output\":\"see\"},\"parts\":[{\"inlineData\":{\"mimeType\":\"image/"     \
             "png\","                                                                                                  \
             "\"data\":\"iVBO\"}}]}}]}")
    CHECK_TURNS("gemini-2.5-flash", SHOWN,
                CONTENTS(USER("q") ",{\"role\":\"model\",\"parts\":[" PLAIN_CALL(
                    "f") "]},"
                         "{\"role\":\"user\",\"parts\":[" PLAIN_RESULT(
                             "f", "see") "]},{\"role\":\"user\",\"parts\":["
                                         "{\"inlineData\":{\"mimeType\":\"image/png\",\"data\":\"iVBO\"}}]}"));
    CHECK_TURNS(
        "gemini-3.1-pro", SHOWN,
        CONTENTS(USER("q") ",{\"role\":\"model\",\"parts\":[{\"functionCall\":{\"name\":\"f\",\"args\":{\"x\":1}},"
                           "\"thoughtSignature\":\"skip_thought_signature_validator\"}]},"
                           "{\"role\":\"user\",\"parts\":[{\"functionResponse\":{\"name\":\"f\",\"response\":{"
                           "\"output\":\"see\"},"
                           "\"parts\":[{\"inlineData\":{\"mimeType\":\"image/png\",\"data\":\"iVBO\"}}]}}]}"));
}

static void settings_both_ways(void) {
#define SETTINGS                                                                                                       \
    "\"temperature\":0.5,\"topP\":0.9,\"topK\":40,\"seed\":7,\"presencePenalty\":0.1,\"frequencyPenalty\":0.2,"        \
    "\"candidateCount\":2,\"maxOutputTokens\":100,\"responseLogprobs\":true,\"logprobs\":3,"                           \
    "\"stopSequences\":[\"a\",\"b\"],\"responseModalities\":[\"TEXT\",\"IMAGE\"],"                                     \
    "\"speechConfig\":{\"voiceConfig\":{\"prebuiltVoiceConfig\":{\"voiceName\":\"Kore\"}}}"
    CHECK_TURNS(
        "gemini-2.5-flash",
        "{\"contents\":[" USER("a") "],\"generationConfig\":{" SETTINGS "},\"safetySettings\":[{\"category\":\"C\"}],"
                                    "\"cachedContent\":\"cachedContents/1\"}",
        "{\"contents\":[" USER("a") "],\"generationConfig\":{" SETTINGS "},\"safetySettings\":[{\"category\":\"C\"}],"
                                    "\"cachedContent\":\"cachedContents/1\"}");
}

static void effort_and_budgets(void) {
    static const struct {
        const char *model, *given, *written;
    } rows[] = {
        {"gemini-2.5-flash", "\"thinkingBudget\":0", "{\"thinkingBudget\":0}"},
        {"gemini-2.5-pro", "\"thinkingBudget\":0", "{\"thinkingBudget\":128}"},
        {"gemini-2.5-flash", "\"thinkingBudget\":99999,\"includeThoughts\":true",
         "{\"includeThoughts\":true,\"thinkingBudget\":24576}"},
        {"gemini-2.5-flash-lite", "\"thinkingBudget\":10", "{\"thinkingBudget\":512}"},
        {"gemini-2.5-flash", "\"thinkingBudget\":-1", "{\"thinkingBudget\":-1}"},
        {"gemini-2.5-flash", "\"thinkingLevel\":\"HIGH\"", "{\"thinkingBudget\":16384}"},
        {"gemini-3-pro-preview", "\"thinkingLevel\":\"MEDIUM\"", "{\"thinkingLevel\":\"high\"}"},
        {"gemini-3-flash-preview", "\"thinkingLevel\":\"MEDIUM\"", "{\"thinkingLevel\":\"medium\"}"},
        {"gemini-3-flash-preview", "\"thinkingBudget\":0", "{\"thinkingLevel\":\"minimal\"}"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char body[512], wanted[512];
        snprintf(body, sizeof body, "{\"contents\":[" USER("a") "],\"generationConfig\":{\"thinkingConfig\":{%s}}}",
                 rows[i].given);
        snprintf(wanted, sizeof wanted, "{\"contents\":[" USER("a") "],\"generationConfig\":{\"thinkingConfig\":%s}}",
                 rows[i].written);
        CHECK_TURNS(rows[i].model, body, wanted);
    }
    struct rig g;
    rig_begin(&g);
    REQUIRE(rig_read(
        &g, "{\"contents\":[" USER("a") "],\"generationConfig\":{\"thinkingConfig\":{\"thinkingLevel\":\"LOW\"}}}"));
    REQUIRE(rig_write(&g, "gemini-2.0-flash"));
    CHECK(rig_reports(&g, "reasoning_effort"));
    CHECK(g.chat.reasoning.hidden);
    rig_end(&g);
}

static void nothing_is_dropped_in_silence(void) {
    struct rig g;
    rig_begin(&g);
    REQUIRE(rig_read(
        &g,
        "{\"contents\":[{\"parts\":[{\"text\":\"a\",\"videoMetadata\":{},\"newThing\":1}],\"odd\":2}],\"store\":true,"
        "\"generationConfig\":{\"routingConfig\":{}},\"labels\":{\"a\":\"b\"},"
        "\"toolConfig\":{\"retrievalConfig\":{}},\"tools\":[{\"functionDeclarations\":[{\"name\":\"f\",\"behavior\":"
        "\"B\"}]}]}"));
    CHECK(rig_other(&g, "contents[].parts[].videoMetadata"));
    CHECK(rig_other(&g, "contents[].parts[].newThing"));
    CHECK(rig_other(&g, "contents[].odd"));
    CHECK(rig_other(&g, "store"));
    CHECK(rig_other(&g, "generationConfig.routingConfig"));
    CHECK(rig_other(&g, "toolConfig.retrievalConfig"));
    CHECK(rig_other(&g, "tools[].functionDeclarations[].behavior") ||
          rig_other(&g, "functionDeclarations[].behavior") || rig_other(&g, "tools[].functionDeclarations[].behavior"));
    g.chat.user = STR("\"u\"");
    g.chat.logit_bias = STR("{}");
    g.chat.verbosity = STR("\"low\"");
    g.chat.parallel_tools = 0;
    g.chat.turns[0].name = STR("\"n\"");
    g.chat.turns[0].parts[0].cache_control = STR("{}");
    g.chat.cached_prefix = STR("\"k\"");
    REQUIRE(rig_write(&g, "gemini-2.5-flash"));
    static const char *const names[] = {"user",
                                        "logit_bias",
                                        "verbosity",
                                        "parallel_tool_calls",
                                        "messages[].name",
                                        "cache_control",
                                        "prompt_cache_key",
                                        "metadata",
                                        "store"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) CHECK(rig_reports(&g, names[i]));
    REQUIRE(rig_write_for(&g, "gemini-2.5-flash", PROVIDER_VERTEX));
    CHECK(!rig_reports(&g, "metadata"));
    CHECK(str_find(buf_str(&g.out), STR("\"labels\":{\"a\":\"b\"}")) < g.out.n);
    rig_end(&g);
}

static void one_stands_for_a_list_of_one(void) {
    struct rig g;
    struct model_request q;
    rig_begin(&g);
    CHECK_TURNS("gemini-2.5-flash", "{\"contents\":{\"role\":\"user\",\"parts\":{\"text\":\"a\"}}}",
                CONTENTS(USER("a")));
    struct model_request_in in = {
        .operation = OPERATION_CHAT,
        .model = STR("m"),
        .body = STR("{\"contents\":" USER("a") ",\"tools\":{\"function_declarations\":"
                                               "{\"name\":\"f\"}},\"safetySettings\":{\"x\":1}}")};
    REQUIRE(gemini_peek(&in, &g.arena, &q, &g.err));
    CHECK_STR(q.input, STR("[" USER("a") "]"));
    REQUIRE(gemini_read(&q, &g.arena, &g.chat, &g.err));
    CHECK_INT(g.chat.count, 1);
    REQUIRE(g.chat.tool_count == 1);
    CHECK_STR(g.chat.tools[0].name, STR("\"f\""));
    CHECK_STR(g.chat.safety, STR("[{\"x\":1}]"));
    rig_end(&g);
}

static void wrong_fields_are_named(void) {
    CHECK_REFUSED("{\"contents\":[1]}", "contents[0]");
    CHECK_REFUSED("{\"contents\":[{\"role\":\"bot\"}]}", "contents[0].role");
    CHECK_REFUSED("{\"contents\":[{\"parts\":3}]}", "contents[0].parts");
    CHECK_REFUSED("{\"contents\":[{\"parts\":[{}]}]}", "contents[0].parts[0]");
    CHECK_REFUSED("{\"contents\":[{\"parts\":[{\"text\":3}]}]}", "contents[0].parts[0].text");
    CHECK_REFUSED("{\"contents\":[{\"parts\":[{\"inlineData\":{}}]}]}", "contents[0].parts[0].inlineData.data");
    CHECK_REFUSED("{\"contents\":[{\"parts\":[{\"fileData\":{}}]}]}", "contents[0].parts[0].fileData.fileUri");
    CHECK_REFUSED("{\"contents\":[{\"parts\":[{\"functionCall\":{}}]}]}", "contents[0].parts[0].functionCall.name");
    CHECK_REFUSED("{\"contents\":[],\"systemInstruction\":7}", "systemInstruction");
    CHECK_REFUSED("{\"contents\":[],\"tools\":[7]}", "tools[0]");
    CHECK_REFUSED("{\"contents\":[],\"tools\":[{\"functionDeclarations\":7}]}", "tools[0].functionDeclarations");
    CHECK_REFUSED("{\"contents\":[],\"tools\":[{\"functionDeclarations\":[{}]}]}",
                  "tools[0].functionDeclarations[0].name");
    CHECK_REFUSED("{\"contents\":[],\"generationConfig\":{\"topP\":\"x\"}}", "generationConfig.topP");
    CHECK_REFUSED("{\"contents\":[],\"generationConfig\":{\"topP\":1,\"top_p\":1}}", "generationConfig.topP");
    CHECK_REFUSED("{\"contents\":[],\"generationConfig\":{\"maxOutputTokens\":-1}}",
                  "generationConfig.maxOutputTokens");
    CHECK_REFUSED("{\"contents\":[],\"generationConfig\":{\"stopSequences\":[1]}}", "generationConfig.stopSequences");
    CHECK_REFUSED("{\"contents\":[],\"generationConfig\":{\"candidateCount\":0}}", "generationConfig.candidateCount");
    CHECK_REFUSED("{\"contents\":[],\"generationConfig\":{\"thinkingConfig\":{\"thinkingBudget\":-2}}}",
                  "generationConfig.thinkingConfig.thinkingBudget");
}

static void deep_schemas_are_refused(void) {
    struct rig g;
    struct buf b = BUF_INIT(1 << 16);
    rig_begin(&g);
    buf_lit(&b, "{\"contents\":[],\"generationConfig\":{\"responseSchema\":");
    for (int i = 0; i < 50; i++) buf_lit(&b, "{\"items\":");
    buf_lit(&b, "{}");
    for (int i = 0; i < 50; i++) buf_putc(&b, '}');
    buf_lit(&b, "}}");
    const char *body = buf_cstr(&b);
    REQUIRE(body);
    CHECK(!rig_read(&g, body));
    CHECK_STR(str_c(g.err.param), STR("generationConfig.responseSchema"));
    buf_free(&b);
    rig_end(&g);
}

static void count_tokens_wraps_a_request(void) {
    struct rig g;
    struct model_request q;
    rig_begin(&g);
    struct model_request_in in = {.operation = OPERATION_COUNT_TOKENS,
                                  .model = STR("m"),
                                  .body = STR("{\"generateContentRequest\":{\"model\":\"models/m\",\"contents\":[" USER(
                                      "a") "],\"systemInstruction\":\"s\"}}")};
    REQUIRE(gemini_peek(&in, &g.arena, &q, &g.err));
    REQUIRE(gemini_read(&q, &g.arena, &g.chat, &g.err));
    CHECK_INT(g.chat.count, 2);
    CHECK_STR(q.input, STR("[" USER("a") "]"));
    rig_end(&g);
}

TEST_MAIN(peek_tells_what_routing_needs, peek_refuses, trap_1_system_is_one_and_contents_are_never_empty,
          trap_2_turns_of_one_role_are_merged, trap_3_results_stand_in_the_order_of_the_calls,
          results_without_ids_are_paired_by_name_and_place, results_of_no_call_are_refused_when_nobody_knows_the_name,
          what_functions_give, trap_10_thoughts_are_one_again, trap_11_signatures_travel_in_ids,
          trap_11_gemini_3_gets_a_stand_in_on_the_first_call_only, generations, trap_13_structured_output,
          trap_14_tools, tool_choice, hosted_tools_of_others, trap_16_media, images_in_results, settings_both_ways,
          effort_and_budgets, nothing_is_dropped_in_silence, one_stands_for_a_list_of_one, wrong_fields_are_named,
          deep_schemas_are_refused, count_tokens_wraps_a_request)
