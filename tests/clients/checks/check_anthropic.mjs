import assert from "node:assert/strict";

import { AnthropicBedrock } from "@anthropic-ai/bedrock-sdk";
import { AuthenticationError, BadRequestError } from "@anthropic-ai/sdk";

import { CALL, HELLO, KEY, MODEL, OVER_TLS, RAW, URL, error, heard, passed } from "./expect.mjs";

delete process.env.AWS_BEARER_TOKEN_BEDROCK;
const client = (key) =>
  new AnthropicBedrock({
    baseURL: URL,
    ...(OVER_TLS ? { apiKey: key } : { awsAccessKey: key, awsSecretKey: "unused" }),
  });
const asked = (text, model = MODEL) => ({ model, max_tokens: 100, messages: [{ role: "user", content: text }] });
const tools = [
  {
    name: "get_weather",
    input_schema: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
  },
];

heard((await client(KEY).messages.create(asked(HELLO, RAW))).content[0].text);
heard(await client(KEY).messages.stream(asked(HELLO)).finalText());
const called = await client(KEY).messages.stream({ ...asked(CALL), tools }).finalMessage();
assert.equal(called.stop_reason, "tool_use");
assert.ok(called.content[0].input.city);

await error(BadRequestError, () => client(KEY).messages.create(asked(HELLO, "unknown")));
await error(AuthenticationError, () => client("sk-wrong").messages.create(asked(HELLO)));
passed();
