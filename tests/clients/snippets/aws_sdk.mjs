import { BedrockRuntimeClient, ConverseCommand, ConverseStreamCommand } from "@aws-sdk/client-bedrock-runtime";

const client = new BedrockRuntimeClient({
  endpoint: "http://localhost:4000/bedrock",
  region: "us-west-2",
  credentials: { accessKeyId: "sk-1234", secretAccessKey: "unused" },
});
const input = { modelId: "my-bedrock-model", messages: [{ role: "user", content: [{ text: "Hello" }] }] };

const response = await client.send(new ConverseCommand(input));
console.log(response.output.message.content[0].text);

const { stream } = await client.send(new ConverseStreamCommand(input));
for await (const event of stream) process.stdout.write(event.contentBlockDelta?.delta.text ?? "");
