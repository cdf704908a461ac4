# The image of the envoy-bedrock command, for `credentials` and `watch` beside Envoy. It contains no Envoy.
# `docker compose` builds it on first use, in the root of the repository.

FROM rust:1.95.0-bookworm AS build
WORKDIR /source
COPY . .
RUN cargo build --locked --release --package envoy-bedrock-cli

FROM debian:bookworm-slim
COPY --from=build /source/target/release/envoy-bedrock /usr/local/bin/
# For the TLS connections to AWS.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
USER 101:101
ENTRYPOINT ["envoy-bedrock"]
