//! The sums.

use envoy_bedrock::pricing::PicoUsd;

/// A sum as it is reported.
pub(super) enum Sum {
    /// Requests or tokens.
    Count(u64),
    /// A cost; `None` if it is unknown.
    Cost(Option<PicoUsd>),
}

/// One of the sums in reports.
pub(super) struct Column {
    /// Its name in JSON and CSV.
    pub(super) name: &'static str,
    /// Its heading in the table.
    pub(super) heading: &'static str,
    /// Its value.
    pub(super) sum: fn(&Totals) -> Sum,
}

/// Defines [`Totals`], their addition and [`COLUMNS`] from one list.
macro_rules! totals {
    ($($(#[$doc:meta])* $name:ident: $unit:ident, $heading:literal;)*) => {
        /// What a set of requests adds up to.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Totals {
            $($(#[$doc])* pub $name: $unit,)*
        }

        impl Totals {
            /// The sum of both; `None` if it overflows.
            pub fn checked_add(&self, other: &Self) -> Option<Self> {
                Some(Self {
                    $($name: self.$name.checked_add(other.$name)?,)*
                })
            }
        }

        /// The sums in the order of reports.
        pub(super) const COLUMNS: &[Column] = &[
            $(Column {
                name: stringify!($name),
                heading: $heading,
                sum: |totals| totals!(@sum $unit, totals.$name, totals),
            },)*
        ];
    };
    (@sum u64, $value:expr, $totals:expr) => { Sum::Count($value) };
    (@sum PicoUsd, $value:expr, $totals:expr) => { Sum::Cost($totals.known_spend()) };
}

totals! {
    /// Number of requests.
    requests: u64, "REQUESTS";
    /// Number of failed requests.
    failures: u64, "FAILED";
    /// Tokens of the prompts, including cached ones.
    prompt_tokens: u64, "PROMPT";
    /// Tokens of the responses.
    completion_tokens: u64, "COMPLETION";
    /// Prompt tokens read from the cache.
    cache_read_input_tokens: u64, "CACHE READ";
    /// Prompt tokens written to the cache.
    cache_creation_input_tokens: u64, "CACHE WRITE";
    /// The cost, without the requests whose cost is unknown.
    spend: PicoUsd, "SPEND USD";
    /// Number of requests whose cost is unknown.
    unknown_spend: u64, "UNKNOWN";
    /// Number of requests whose tokens are estimated.
    estimated: u64, "ESTIMATED";
}

impl Totals {
    /// The cost, or `None` if some of it is unknown and the rest is zero: a zero would look as if
    /// the requests were free.
    pub fn known_spend(&self) -> Option<PicoUsd> {
        (self.unknown_spend == 0 || self.spend != PicoUsd::ZERO).then_some(self.spend)
    }
}
