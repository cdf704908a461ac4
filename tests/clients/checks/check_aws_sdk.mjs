import assert from "node:assert/strict";

import {
  BedrockRuntimeClient, BedrockRuntimeServiceException, ConverseCommand, ConverseStreamCommand, InvokeModelCommand,
  ValidationException,
} from "@aws-sdk/client-bedrock-runtime";

import { HELLO, MODEL, RAW, error, heard, passed, withWrongKey } from "./expect.mjs";

const messages = [{ role: "user", content: [{ text: HELLO }] }];
const client = new BedrockRuntimeClient({});

const response = await client.send(new ConverseCommand({ modelId: MODEL, messages }));
heard(response.output.message.content[0].text);

const { stream } = await client.send(new ConverseStreamCommand({ modelId: RAW, messages }));
let streamed = "";
for await (const event of stream) streamed += event.contentBlockDelta?.delta.text ?? "";
heard(streamed);

const invoked = await client.send(new InvokeModelCommand({
  modelId: RAW,
  contentType: "application/json",
  body: JSON.stringify({
    anthropic_version: "bedrock-2023-05-31", max_tokens: 100, messages: [{ role: "user", content: HELLO }],
  }),
}));
heard(JSON.parse(new TextDecoder().decode(invoked.body)).content[0].text);

await error(ValidationException, () => client.send(new ConverseCommand({ modelId: "unknown", messages })));
const refused = await withWrongKey(() => error(
  BedrockRuntimeServiceException,
  () => new BedrockRuntimeClient({}).send(new ConverseCommand({ modelId: MODEL, messages })),
));
assert.equal(refused.name, "UnrecognizedClientException");
assert.equal(refused.$metadata.httpStatusCode, 401);
passed();
