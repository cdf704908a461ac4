# The image of the envoy-bedrock command, for `watch` next to an Envoy of one's own. It contains no Envoy.

FROM rust:1.95.0-bookworm AS build
WORKDIR /source
COPY . .
RUN cargo build --locked --release --package envoy-bedrock-cli

FROM debian:bookworm-slim
COPY --from=build /source/target/release/envoy-bedrock /usr/local/bin/
USER 101:101
ENTRYPOINT ["envoy-bedrock"]
