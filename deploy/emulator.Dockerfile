# The image of the emulator. Its context is the root of the repository; `docker compose` builds it when it is needed.
# No cache mounts: docker-compose 1.29 builds without BuildKit.

FROM rust:1.95-bookworm AS build
WORKDIR /source
COPY . .
RUN cargo build --locked --release --package bedrock-emulator

# The slim image, not an empty one: the health check needs its bash.
FROM debian:bookworm-slim
COPY --from=build /source/target/release/bedrock-emulator /usr/local/bin/
USER 65534:65534
ENTRYPOINT ["bedrock-emulator"]
