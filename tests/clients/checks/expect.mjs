// Shared by the JavaScript checks.

import assert from "node:assert/strict";

export const MODEL = "my-bedrock-model";
export const RAW = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
export const HELLO = "Hello";
// The emulator calls the tool that the text names.
export const CALL = "call the tool get_weather";
export const OVER_TLS = process.env.TRANSPORT === "tls";
export const URL = process.env.AWS_ENDPOINT_URL_BEDROCK_RUNTIME;
export const KEY = OVER_TLS ? process.env.AWS_BEARER_TOKEN_BEDROCK : process.env.AWS_ACCESS_KEY_ID;

/** Runs `call` in an environment with a key that the gateway does not know. */
export async function withWrongKey(call) {
  const name = OVER_TLS ? "AWS_BEARER_TOKEN_BEDROCK" : "AWS_ACCESS_KEY_ID";
  const right = process.env[name];
  process.env[name] = "sk-wrong";
  try {
    return await call();
  } finally {
    process.env[name] = right;
  }
}

/** Fails unless `text` is the emulator's response to `said`. */
export function heard(text, said = HELLO) {
  assert.ok(text.endsWith(`heard: ${said}`), text);
}

/** Runs `call`, which must fail with a `kind`, and returns the error. */
export async function error(kind, call) {
  try {
    await call();
  } catch (raised) {
    assert.ok(raised instanceof kind, `expected ${kind.name}, but found ${raised}`);
    return raised;
  }
  assert.fail(`expected ${kind.name}, but found no error`);
}

/** Prints the last line of a check. Without it, a check that ends early would seem to pass. */
export function passed() {
  console.log("passed");
}
