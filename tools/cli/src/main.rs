//! The `envoy-bedrock` command.

use std::process::ExitCode;

use clap::Parser;
use envoy_bedrock_cli::check;
use envoy_bedrock_cli::litellm::Environment;

/// Amazon Bedrock behind Envoy, configured by LiteLLM's config.yaml.
#[derive(Debug, Parser)]
#[command(name = "envoy-bedrock", version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Check(check::Arguments),
}

fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Check(arguments) => check::run(&arguments, &Environment::of_this_process()),
    }
}
