//! `envoy-bedrock prices`: list prices, look them up, import newer ones.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::error::PriceListError;
use super::lookup::Pricing;
use super::price_list::PriceList;
use super::show;
use super::source::import_file;
use crate::region;

/// List Bedrock's prices, look up those of a model, or import a newer price list from LiteLLM.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  envoy-bedrock prices
  envoy-bedrock prices us.anthropic.claude-sonnet-4-5-20250929-v1:0 --region us-east-1
  envoy-bedrock prices arn:aws:bedrock:eu-west-2::foundation-model/meta.llama3-8b-instruct-v1:0 --json
  envoy-bedrock prices --import model_prices_and_context_window.json -o bedrock-prices.json

Prices are in USD per million tokens, exact.

Exit codes: 0 success, 1 a model has no price or a file cannot be used, 2 wrong usage.")]
pub struct PricesArguments {
    /// Model ids, inference profile ids or ARNs to look up. Without any, the whole list is printed.
    #[arg(value_name = "MODEL")]
    models: Vec<String>,
    /// Region of the models. The default for an ARN is its own region, otherwise us-west-2.
    #[arg(long, value_name = "REGION", requires = "models")]
    region: Option<String>,
    /// Print one JSON object instead of text. Later versions only add keys to it.
    #[arg(long)]
    json: bool,
    /// Use this price list instead of the built-in one: LiteLLM's own file or an imported list.
    #[arg(long, value_name = "FILE")]
    catalogue: Option<PathBuf>,
    /// Write the Bedrock part of LiteLLM's model_prices_and_context_window.json as a price list.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["models", "catalogue", "json"])]
    import: Option<PathBuf>,
    /// File for the imported list, instead of standard output.
    #[arg(short, long, value_name = "FILE", requires = "import")]
    output: Option<PathBuf>,
}

/// Region of a model if neither its ARN nor the user names one, as for a deployment.
const REGION_DEFAULT: &str = "us-west-2";

/// Runs the command. Its help documents the exit codes.
pub fn run(arguments: &PricesArguments) -> ExitCode {
    let result = match &arguments.import {
        Some(file) => imported(file, arguments.output.as_deref()),
        None => shown(arguments),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            let _ = writeln!(anstream::stderr(), "error: {error}");
            ExitCode::from(1)
        }
    }
}

fn imported(file: &Path, output: Option<&Path>) -> Result<ExitCode, PriceListError> {
    let list = import_file(file)?;
    match output {
        Some(path) => std::fs::write(path, list).map_err(|error| PriceListError::Unwritable {
            path: path.to_owned(),
            error,
        })?,
        None => print(&list),
    }
    Ok(ExitCode::SUCCESS)
}

fn shown(arguments: &PricesArguments) -> Result<ExitCode, PriceListError> {
    let prices = PriceList::of_file(arguments.catalogue.as_deref())?;
    if arguments.models.is_empty() {
        print(&if arguments.json {
            show::list_json(&prices)
        } else {
            show::list_text(&prices)
        });
        return Ok(ExitCode::SUCCESS);
    }
    let models = arguments.models.iter().map(|model| {
        let own = region::of_arn(model);
        let region = arguments.region.as_deref().or(own).unwrap_or(REGION_DEFAULT);
        let pricing = Pricing {
            explicit: None,
            base_model: None,
            named: None,
            region,
            model,
        };
        show::LookedUp {
            model,
            region,
            found: prices.price(&pricing),
        }
    });
    let models: Vec<_> = models.collect();
    if arguments.json {
        print(&show::lookup_json(&models));
    } else {
        print(&show::lookup_text(&models));
    }
    let mut code = ExitCode::SUCCESS;
    for looked_up in &models {
        if let Err(error) = &looked_up.found {
            let _ = writeln!(anstream::stderr(), "error: {}: {error}", looked_up.model);
            code = ExitCode::from(1);
        }
    }
    Ok(code)
}

/// A reader that stops early (`| head`) is not an error.
fn print(text: &str) {
    let _ = anstream::stdout().write_all(text.as_bytes());
}
