// Refusals of large uploads arrive as typed errors, after one request, over HTTP/2 (the default) and HTTP/1.1.

import assert from "node:assert/strict";

import {
  BedrockRuntimeClient, BedrockRuntimeServiceException, InvokeModelCommand, ValidationException,
} from "@aws-sdk/client-bedrock-runtime";
import { NodeHttpHandler } from "@smithy/node-http-handler";

import { MODEL, error, passed, withWrongKey } from "./expect.mjs";

const MEGABYTE = 1_000_000;
// `max_request_size_mb` without being set.
const LIMIT = 32 * 1024 * 1024;
// Before refusals waited for the end of an upload, the HTTP/2 handler waited for ever.
const PATIENCE_MS = 60_000;

/** Sends `megabytes` to `modelId` on a client of its own. */
async function upload(handler, modelId, megabytes) {
  const client = new BedrockRuntimeClient(handler ? { requestHandler: handler() } : {});
  let timer;
  const never = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer to ${megabytes} MB for ${modelId}`)), PATIENCE_MS);
  });
  try {
    const body = Buffer.alloc(megabytes * MEGABYTE, "x");
    return await Promise.race([client.send(new InvokeModelCommand({ modelId, body })), never]);
  } finally {
    clearTimeout(timer);
    client.destroy();
  }
}

async function refused(kind, name, status, call) {
  const raised = await error(kind, call);
  const { httpStatusCode, attempts } = raised.$metadata;
  assert.deepEqual([raised.name, httpStatusCode, attempts], [name, status, 1]);
}

for (const handler of [undefined, () => new NodeHttpHandler()]) {
  for (const megabytes of [1, 5, 20, 30, 34, 40]) {
    await refused(ValidationException, "ValidationException", 400, () => upload(handler, "unknown", megabytes));
    await withWrongKey(() => refused(
      BedrockRuntimeServiceException, "UnrecognizedClientException", 401, () => upload(handler, MODEL, megabytes),
    ));
    if (megabytes * MEGABYTE > LIMIT) {
      await refused(ValidationException, "ValidationException", 413, () => upload(handler, MODEL, megabytes));
    }
  }
}
passed();
