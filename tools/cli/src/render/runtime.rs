//! What runs the filter in Envoy.

use std::fmt;

/// What runs the filter in Envoy. Both have the same core and behave the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum FilterRuntime {
    /// WebAssembly: sandboxed, and for every Envoy.
    #[default]
    Wasm,
    /// A native module: faster, and not sandboxed. For Envoy 1.40 and 1.41.
    Native,
}

impl FilterRuntime {
    /// Where the filter is built.
    pub(crate) const fn default_path(self) -> &'static str {
        match self {
            Self::Wasm => "dist/envoy-bedrock.wasm",
            Self::Native => "dist/libenvoy_bedrock.so",
        }
    }

    /// The name of the filter's file in a directory of `run`.
    pub(crate) const fn file_name(self) -> &'static str {
        match self {
            Self::Wasm => "filter.wasm",
            Self::Native => "libenvoy_bedrock.so",
        }
    }

    /// What runs the file that begins with these bytes. `None` if it is neither kind of filter.
    pub(crate) fn of_file(start: &[u8]) -> Option<Self> {
        if start.starts_with(b"\0asm") {
            Some(Self::Wasm)
        } else if start.starts_with(b"\x7fELF") {
            Some(Self::Native)
        } else {
            None
        }
    }

    /// How to build the filter.
    pub(crate) const fn how_to_build(self) -> &'static str {
        match self {
            Self::Wasm => {
                "build it with `make filter` (it needs the Rust target wasm32-wasip1: `rustup target add wasm32-wasip1`)"
            }
            Self::Native => "build it with `make native`",
        }
    }
}

impl fmt::Display for FilterRuntime {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Wasm => "wasm",
            Self::Native => "native",
        })
    }
}

/// The filter that Envoy loads.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct FilterArguments {
    /// What runs the filter.
    #[arg(long, value_enum, value_name = "RUNTIME", default_value_t)]
    pub(crate) runtime: FilterRuntime,
    /// Path of the compiled filter, relative to Envoy's working directory. The default is
    /// dist/envoy-bedrock.wasm, or dist/libenvoy_bedrock.so for the native runtime.
    #[arg(long, value_name = "PATH")]
    filter: Option<String>,
}

impl FilterArguments {
    /// The path of the filter.
    pub(crate) fn path(&self) -> &str {
        self.filter.as_deref().unwrap_or(self.runtime.default_path())
    }
}
