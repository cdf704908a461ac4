import { createAmazonBedrock } from "@ai-sdk/amazon-bedrock";
import { generateText, streamText } from "ai";

const bedrock = createAmazonBedrock({
  baseURL: "http://localhost:4000/bedrock",
  region: "us-west-2",
  apiKey: "sk-1234",
});
const { text } = await generateText({ model: bedrock("my-bedrock-model"), prompt: "Hello" });
console.log(text);

const { textStream } = streamText({ model: bedrock("my-bedrock-model"), prompt: "Hello" });
for await (const piece of textStream) process.stdout.write(piece);
