# The image of the emulator. `docker compose` builds it on first use, in the root of the repository.
# No cache mounts: docker-compose 1.29 builds without BuildKit.

FROM rust:1.95.0-bookworm AS build
WORKDIR /source
COPY . .
RUN cargo build --locked --release --package bedrock-emulator

# Not an empty image: the health check needs bash.
FROM debian:bookworm-slim
COPY --from=build /source/target/release/bedrock-emulator /usr/local/bin/
USER 65534:65534
ENTRYPOINT ["bedrock-emulator"]
