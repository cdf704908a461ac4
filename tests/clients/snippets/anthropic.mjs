import { AnthropicBedrock } from "@anthropic-ai/bedrock-sdk";

const client = new AnthropicBedrock({
  baseURL: "http://localhost:4000/bedrock",
  awsRegion: "us-west-2",
  apiKey: "sk-1234",
});
const input = { model: "my-bedrock-model", max_tokens: 100, messages: [{ role: "user", content: "Hello" }] };

const response = await client.messages.create(input);
console.log(response.content[0].text);

const stream = client.messages.stream(input).on("text", (text) => process.stdout.write(text));
await stream.finalMessage();
