import assert from "node:assert/strict";

import { createAmazonBedrock } from "@ai-sdk/amazon-bedrock";
import { createBedrockAnthropic } from "@ai-sdk/amazon-bedrock/anthropic";
import { APICallError, embed, generateText, jsonSchema, streamText, tool } from "ai";

import { CALL, HELLO, KEY, MODEL, OVER_TLS, RAW, URL, error, heard, passed } from "./expect.mjs";

const settings = (key) =>
  OVER_TLS ? { baseURL: URL, apiKey: key } : { baseURL: URL, accessKeyId: key, secretAccessKey: "unused" };
const bedrock = createAmazonBedrock(settings(KEY));

heard((await generateText({ model: bedrock(MODEL), prompt: HELLO })).text);
heard(await streamText({ model: bedrock(RAW), prompt: HELLO }).text);
heard((await generateText({ model: createBedrockAnthropic(settings(KEY))(RAW), prompt: HELLO })).text);

const get_weather = tool({
  inputSchema: jsonSchema({ type: "object", properties: { city: { type: "string" } }, required: ["city"] }),
});
const called = await generateText({ model: bedrock(MODEL), prompt: CALL, tools: { get_weather } });
assert.equal(called.toolCalls[0].toolName, "get_weather");
const { embedding } = await embed({ model: bedrock.embedding("amazon.titan-embed-text-v2:0"), value: HELLO });
assert.ok(embedding.length > 0);

const unknown = await error(Error, () => generateText({ model: bedrock("unknown"), prompt: HELLO }));
assert.ok(APICallError.isInstance(unknown), unknown);
assert.equal(unknown.statusCode, 400);
const stranger = createAmazonBedrock(settings("sk-wrong"));
const refused = await error(Error, () => generateText({ model: stranger(MODEL), prompt: HELLO }));
assert.ok(APICallError.isInstance(refused), refused);
assert.equal(refused.statusCode, 401);
passed();
