# Builds the filter into dist/ without a local Rust toolchain. Needs BuildKit, the default since Docker 23:
#
#     docker build --file deploy/filter.Dockerfile --output dist .

FROM rust:1.95.0-bookworm AS build
WORKDIR /source
COPY . .
RUN make filter CARGO='cargo --locked'

FROM scratch
COPY --from=build /source/dist/envoy-bedrock.wasm /
