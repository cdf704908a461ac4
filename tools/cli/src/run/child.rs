//! The process that becomes Envoy.

use std::ffi::OsString;
use std::process::ExitCode;

/// The process that becomes Envoy.
///
/// It asks the kernel to be killed together with its parent and then executes Envoy. A separate
/// process avoids code between fork and exec.
#[derive(Debug, clap::Args)]
pub struct EnvoyChild {
    /// Id of the parent process.
    #[arg(long)]
    parent: i32,
    /// The program and its arguments.
    #[arg(trailing_var_arg = true, required = true)]
    command: Vec<OsString>,
}

impl EnvoyChild {
    /// Executes the program. Returns only if that fails.
    pub fn run(&self) -> ExitCode {
        use std::os::unix::process::CommandExt;
        #[cfg(target_os = "linux")]
        {
            let _ = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
            // The parent may have ended before the kernel knew.
            if rustix::process::getppid().map(|parent| parent.as_raw_nonzero().get()) != Some(self.parent) {
                return ExitCode::from(1);
            }
        }
        let Some((program, arguments)) = self.command.split_first() else {
            return ExitCode::from(2);
        };
        let error = std::process::Command::new(program).args(arguments).exec();
        // In the format of Envoy's log, which the parent reads.
        eprintln!("[critical] [exec] {}: {error}", program.display());
        ExitCode::from(1)
    }
}
