// The AWS SDK for JavaScript reports the refusal of a large upload as a typed error, after one
// request, over HTTP/2 (the default) and HTTP/1.1.

import assert from "node:assert/strict";

import {
  BedrockRuntimeClient, BedrockRuntimeServiceException, InvokeModelCommand, ValidationException,
} from "@aws-sdk/client-bedrock-runtime";
import { NodeHttpHandler } from "@smithy/node-http-handler";

import { MODEL, error, passed, withWrongKey } from "./expect.mjs";

const MEGABYTE = 1_000_000;
// The default of `max_request_size_mb`.
const LIMIT_BYTES = 32 * 1024 * 1024;
// If the gateway refuses an upload before its end, the HTTP/2 handler may wait forever.
const TIMEOUT_MS = 60_000;

/** Sends `megabytes` to `modelId` on a new client. */
async function upload(handler, modelId, megabytes) {
  const client = new BedrockRuntimeClient(handler ? { requestHandler: handler() } : {});
  let timer;
  const timeout = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no response to ${megabytes} MB for ${modelId}`)), TIMEOUT_MS);
  });
  try {
    const body = Buffer.alloc(megabytes * MEGABYTE, "x");
    return await Promise.race([client.send(new InvokeModelCommand({ modelId, body })), timeout]);
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
    if (megabytes * MEGABYTE > LIMIT_BYTES) {
      await refused(ValidationException, "ValidationException", 413, () => upload(handler, MODEL, megabytes));
    }
  }
}
passed();
