//! The `envoy-bedrock` command.

use std::process::ExitCode;

use clap::Parser;
use envoy_bedrock_cli::environment::Environment;
use envoy_bedrock_cli::{check, prices, render, run, spend};

/// Amazon Bedrock behind Envoy, configured by LiteLLM's config.yaml.
#[derive(Debug, Parser)]
#[command(name = "envoy-bedrock", version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Run(run::Arguments),
    Check(check::Arguments),
    Prices(prices::Arguments),
    Render(render::Arguments),
    Spend(spend::Arguments),
    #[command(hide = true)]
    EnvoyChild(run::Child),
}

fn main() -> ExitCode {
    let environment = Environment::of_this_process();
    match Arguments::parse().command {
        Command::Run(arguments) => run::run(&arguments, &environment),
        Command::Check(arguments) => check::run(&arguments, &environment),
        Command::Prices(arguments) => prices::run(&arguments),
        Command::Render(arguments) => render::run(&arguments, &environment),
        Command::Spend(arguments) => spend::run(&arguments),
        Command::EnvoyChild(child) => child.run(),
    }
}
