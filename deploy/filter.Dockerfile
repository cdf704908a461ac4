# The filter without a Rust toolchain on the machine, into dist/ (needs BuildKit, which is Docker's default since 23):
#
#     docker build --file deploy/filter.Dockerfile --output dist .

FROM rust:1.95-bookworm AS build
WORKDIR /source
COPY . .
RUN make filter

FROM scratch
COPY --from=build /source/dist/envoy-bedrock.wasm /
