from llama_index.embeddings.bedrock import BedrockEmbedding

embedding = BedrockEmbedding(model_name="amazon.titan-embed-text-v2:0")
print(len(embedding.get_text_embedding("Hello")), "dimensions")
