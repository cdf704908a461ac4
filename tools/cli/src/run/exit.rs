//! How Envoy ended, in words and as an exit code.

use std::fmt;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitCode, ExitStatus};

use rustix::process::Signal;

/// Signals that have ended an Envoy before, with their names.
const NAMES: [(Signal, &str); 11] = [
    (Signal::ABORT, "SIGABRT"),
    (Signal::BUS, "SIGBUS"),
    (Signal::FPE, "SIGFPE"),
    (Signal::ILL, "SIGILL"),
    (Signal::INT, "SIGINT"),
    (Signal::KILL, "SIGKILL"),
    (Signal::QUIT, "SIGQUIT"),
    (Signal::SEGV, "SIGSEGV"),
    (Signal::SYS, "SIGSYS"),
    (Signal::TERM, "SIGTERM"),
    (Signal::TRAP, "SIGTRAP"),
];

/// How Envoy ended.
#[derive(Debug)]
pub(super) enum EnvoyExit {
    /// The process ended. `oom_kills` is how many processes of this cgroup the kernel's OOM killer
    /// killed meanwhile.
    Ended { status: ExitStatus, oom_kills: u64 },
    /// It did not finish starting in time and was killed. In seconds.
    TooSlow(u64),
    /// It refused the rendered configuration and was killed.
    Refused,
    /// It could not be started, for this reason.
    NotStarted(String),
}

impl EnvoyExit {
    /// Whether Envoy was asked to end: by SIGTERM, or by `/quitquitquit` of its admin interface. In
    /// both cases it exits with 0, and never otherwise.
    pub(super) fn was_asked_for(&self) -> bool {
        matches!(self, Self::Ended { status, .. } if status.success())
    }

    /// Envoy's exit code, or 128 plus the signal that ended it, as in shells.
    pub(super) fn code(&self) -> ExitCode {
        let code = match self {
            Self::Ended { status, .. } => status
                .code()
                .or_else(|| status.signal().map(|signal| 128 + signal)),
            Self::TooSlow(_) | Self::Refused | Self::NotStarted(_) => None,
        };
        ExitCode::from(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
    }
}

/// Continues a sentence that begins with "Envoy".
impl fmt::Display for EnvoyExit {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ended { status, oom_kills } => {
                write_status(*status, out)?;
                if *oom_kills > 0 && status.signal() == Some(Signal::KILL.as_raw()) {
                    out.write_str(
                        " (the kernel's OOM killer killed a process of this cgroup: it probably ran out of memory)",
                    )?;
                }
                Ok(())
            }
            Self::TooSlow(seconds) => write!(out, "did not finish starting within {seconds} s"),
            Self::Refused => out.write_str("refused the rendered configuration"),
            Self::NotStarted(error) => write!(out, "could not be started: {error}"),
        }
    }
}

fn write_status(status: ExitStatus, out: &mut fmt::Formatter<'_>) -> fmt::Result {
    match (status.code(), status.signal()) {
        (Some(code), _) => write!(out, "exited with code {code}"),
        (None, Some(signal)) => {
            match NAMES.iter().find(|(known, _)| known.as_raw() == signal) {
                Some((_, name)) => write!(out, "was killed by {name}")?,
                None => write!(out, "was killed by signal {signal}")?,
            }
            out.write_str(if status.core_dumped() {
                " (core dumped)"
            } else {
                ""
            })
        }
        (None, None) => write!(out, "ended ({status})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(raw: i32, oom_kills: u64) -> EnvoyExit {
        EnvoyExit::Ended {
            status: ExitStatus::from_raw(raw),
            oom_kills,
        }
    }

    #[test]
    fn a_signal_has_its_name_and_the_code_of_shells() {
        let killed = ended(9, 0);
        assert_eq!(killed.to_string(), "was killed by SIGKILL");
        assert_eq!(killed.code(), ExitCode::from(137));
        assert_eq!(
            ended(11 | 0x80, 0).to_string(),
            "was killed by SIGSEGV (core dumped)"
        );
        assert_eq!(ended(40, 0).to_string(), "was killed by signal 40");
    }

    #[test]
    fn an_exit_code_is_passed_on_and_only_0_was_asked_for() {
        assert_eq!(ended(3 << 8, 0).to_string(), "exited with code 3");
        assert_eq!(ended(3 << 8, 0).code(), ExitCode::from(3));
        assert!(ended(0, 0).was_asked_for());
        assert!(!ended(1 << 8, 0).was_asked_for() && !ended(15, 0).was_asked_for());
    }

    #[test]
    fn an_oom_kill_is_suspected_only_after_sigkill() {
        assert!(ended(9, 1).to_string().contains("ran out of memory"));
        assert!(!ended(11, 1).to_string().contains("memory"));
    }
}
