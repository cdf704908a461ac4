//! The filter's module, compiled once per test binary.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use wasmtime::{Config, Engine, Module};

/// The environment variable for the path of another module than `dist/envoy-bedrock.wasm`.
pub const MODULE_VARIABLE: &str = "ENVOY_BEDROCK_WASM";

/// The engine for all VMs.
pub(crate) static ENGINE: LazyLock<Engine> =
    LazyLock::new(|| Engine::new(&Config::new()).expect("an engine for this machine"));

static FILTER: LazyLock<Result<Module, String>> = LazyLock::new(|| load(&filter_path()));

/// The filter under test. Panics if it is missing, so that no test is skipped.
pub fn filter() -> &'static Module {
    FILTER.as_ref().unwrap_or_else(|error| panic!("{error}"))
}

/// Compiles a module from its binary or text form, for tests of the host itself.
pub fn compile(source: impl AsRef<[u8]>) -> Module {
    Module::new(&ENGINE, source).unwrap_or_else(|error| panic!("not a WebAssembly module: {error:?}"))
}

fn filter_path() -> PathBuf {
    std::env::var_os(MODULE_VARIABLE).map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dist/envoy-bedrock.wasm"),
        PathBuf::from,
    )
}

fn load(path: &Path) -> Result<Module, String> {
    let bytes =
        std::fs::read(path).map_err(|error| format!("{}: {error} (run `make filter`)", path.display()))?;
    Module::new(&ENGINE, bytes)
        .map_err(|error| format!("{}: not a WebAssembly module: {error:?}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_module_is_an_error_that_names_make_filter() {
        let error = load(Path::new("nowhere/filter.wasm")).unwrap_err();
        assert!(
            error.contains("nowhere/filter.wasm") && error.contains("make filter"),
            "{error}"
        );
    }
}
