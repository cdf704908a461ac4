use aws_sdk_bedrockruntime::Client;
use aws_sdk_bedrockruntime::types::{ContentBlock, ConversationRole, ConverseStreamOutput, Message};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let client = Client::new(&aws_config::load_from_env().await);
    let hello = Message::builder()
        .role(ConversationRole::User)
        .content(ContentBlock::Text("Hello".into()))
        .build()?;

    let response = client
        .converse()
        .model_id("my-bedrock-model")
        .messages(hello.clone())
        .send()
        .await?;
    if let Some(Ok(message)) = response.output().map(|output| output.as_message()) {
        println!("{:?}", message.content());
    }

    let mut response = client
        .converse_stream()
        .model_id("my-bedrock-model")
        .messages(hello)
        .send()
        .await?;
    while let Some(event) = response.stream.recv().await? {
        if let ConverseStreamOutput::ContentBlockDelta(event) = event
            && let Some(Ok(text)) = event.delta().map(|delta| delta.as_text())
        {
            print!("{text}");
        }
    }
    Ok(())
}
