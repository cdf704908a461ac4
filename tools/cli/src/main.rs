//! The `envoy-bedrock` command.

use std::process::ExitCode;

use clap::Parser;
use envoy_bedrock_cli::environment::Environment;
use envoy_bedrock_cli::{broker, check, keys, prices, render, run, spend, status, watch};

/// An Amazon Bedrock gateway on Envoy, configured by LiteLLM's config.yaml.
#[derive(Debug, Parser)]
#[command(name = "envoy-bedrock", version, arg_required_else_help = true)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Run(run::RunArguments),
    Check(check::CheckArguments),
    Credentials(broker::CredentialsArguments),
    Keys(keys::KeysArguments),
    Prices(prices::PricesArguments),
    Render(render::RenderArguments),
    Spend(spend::SpendArguments),
    Status(status::StatusArguments),
    Watch(watch::WatchArguments),
    #[command(hide = true)]
    EnvoyChild(run::EnvoyChild),
}

fn main() -> ExitCode {
    let environment = Environment::of_this_process();
    match CommandLine::parse().command {
        Command::Run(arguments) => run::run(&arguments, &environment),
        Command::Check(arguments) => check::run(&arguments, &environment),
        Command::Credentials(arguments) => broker::run(&arguments, &environment),
        Command::Keys(arguments) => keys::run(&arguments, &environment),
        Command::Prices(arguments) => prices::run(&arguments),
        Command::Render(arguments) => render::run(&arguments, &environment),
        Command::Spend(arguments) => spend::run(&arguments),
        Command::Status(arguments) => status::run(&arguments),
        Command::Watch(arguments) => watch::run(&arguments, &environment),
        Command::EnvoyChild(child) => child.run(),
    }
}
