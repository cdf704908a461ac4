//! The host functions: a table of names, signatures and bodies, and one wrapper around all of them that applies the
//! fault plan and writes the journal. A function that is in no table is a link error, as in Envoy.

mod calls;
mod headers;
mod shared;
mod streams;
mod values;
mod wasi;

use wasmtime::{Caller, Engine, Extern, FuncType, Linker, Memory, Val, ValType};

use crate::abi::Status;
use crate::host::{Host, HostCall};
use crate::plan::HostFault;

/// WASI's number for a pointer outside the memory.
const WASI_FAULT: u32 = 21;

/// What a body answers: a status of the ABI, or an error number of WASI.
struct Code(u32);

impl From<Status> for Code {
    fn from(status: Status) -> Code {
        Code(status as u32)
    }
}

type HostResult = Result<(), Code>;

/// A host function.
struct Import {
    name: &'static str,
    /// Parameters, `>`, results; `i` is i32, `I` is i64.
    signature: &'static str,
    /// Index of the pointer parameter through which it hands bytes out (the size pointer follows it).
    bytes_out: Option<usize>,
    body: fn(&mut Invocation<'_, '_>) -> HostResult,
}

const fn import(
    name: &'static str,
    signature: &'static str,
    body: fn(&mut Invocation<'_, '_>) -> HostResult,
) -> Import {
    Import {
        name,
        signature,
        bytes_out: None,
        body,
    }
}

const fn giving(
    name: &'static str,
    signature: &'static str,
    bytes_out: usize,
    body: fn(&mut Invocation<'_, '_>) -> HostResult,
) -> Import {
    Import {
        name,
        signature,
        bytes_out: Some(bytes_out),
        body,
    }
}

/// The proxy-wasm functions, each once.
fn proxy() -> impl Iterator<Item = &'static Import> {
    [
        values::TABLE,
        headers::TABLE,
        shared::TABLE,
        streams::TABLE,
        calls::TABLE,
    ]
    .into_iter()
    .flatten()
}

/// Names and signatures of all proxy-wasm functions of this host. In a signature `i` is i32 and `I` is i64,
/// parameters stand before the `>` and results behind it.
pub fn host_functions() -> impl Iterator<Item = (&'static str, &'static str)> {
    proxy().map(|import| (import.name, import.signature))
}

/// The same for WASI, in module `wasi_snapshot_preview1`.
pub fn wasi_functions() -> impl Iterator<Item = (&'static str, &'static str)> {
    wasi::TABLE.iter().map(|import| (import.name, import.signature))
}

/// While the VM starts, only these can be called; anything else traps, as in Envoy.
pub(crate) const ALLOWED_AT_START: &[&str] = &[
    "proxy_log",
    "fd_write",
    "args_sizes_get",
    "args_get",
    "environ_sizes_get",
    "environ_get",
    "clock_time_get",
    "random_get",
    "poll_oneoff",
    "fd_fdstat_get",
    "fd_fdstat_set_flags",
];

/// While the module allocates memory for a result, only these.
const ALLOWED_IN_ALLOCATION: &[&str] = &["proxy_log", "fd_write", "clock_time_get", "poll_oneoff"];

/// Every function, ready to link.
pub(crate) fn linker(engine: &Engine) -> Linker<Host> {
    let mut linker = Linker::new(engine);
    let wasi = wasi::TABLE
        .iter()
        .map(|import| ("wasi_snapshot_preview1", import));
    for (module, import) in proxy().map(|import| ("env", import)).chain(wasi) {
        linker
            .func_new(
                module,
                import.name,
                signature(engine, import.signature),
                |caller, params, results| run(import, caller, params, results),
            )
            .expect("each host function is in one table");
    }
    linker
}

fn signature(engine: &Engine, text: &str) -> FuncType {
    let (params, results) = text.split_once('>').expect("a signature with a '>'");
    FuncType::new(
        engine,
        params.chars().map(value_type),
        results.chars().map(value_type),
    )
}

fn value_type(letter: char) -> ValType {
    if letter == 'I' { ValType::I64 } else { ValType::I32 }
}

fn run(
    import: &'static Import,
    mut caller: Caller<'_, Host>,
    params: &[Val],
    results: &mut [Val],
) -> wasmtime::Result<()> {
    if caller
        .data()
        .allowed
        .is_some_and(|allowed| !allowed.contains(&import.name))
    {
        return Err(wasmtime::Error::msg(format!(
            "{} was called where it is restricted",
            import.name
        )));
    }
    let fault = caller.data().plan.next(import.name);
    let context = caller.data().subject();
    let mut call = Invocation {
        caller: &mut caller,
        params,
        said: Vec::new(),
        trap: None,
    };
    let answer = match (fault, import.bytes_out) {
        (None, _) => (import.body)(&mut call),
        (Some(HostFault::Status(status)), _) => Err(status.into()),
        (Some(HostFault::Bytes(bytes)), Some(out)) => call.give(out, &bytes),
        (Some(HostFault::Bytes(_)), None) => Err(Status::InternalFailure.into()),
    };
    let Invocation { said, trap, .. } = call;
    let status = match answer {
        Ok(()) => Status::Ok as u32,
        Err(Code(code))
            if code == Status::InvalidMemoryAccess as u32 && !import.name.starts_with("proxy_") =>
        {
            WASI_FAULT
        }
        Err(Code(code)) => code,
    };
    let entry = HostCall {
        function: import.name,
        context,
        arguments: said,
        status,
    };
    caller.data_mut().journal.push(entry);
    if let Some(result) = results.first_mut() {
        *result = Val::I32(status as i32);
    }
    trap.map_or(Ok(()), Err)
}

/// One call of a host function in progress.
struct Invocation<'a, 'b> {
    caller: &'a mut Caller<'b, Host>,
    params: &'a [Val],
    said: Vec<String>,
    trap: Option<wasmtime::Error>,
}

impl Invocation<'_, '_> {
    fn host(&mut self) -> &mut Host {
        self.caller.data_mut()
    }

    /// The parameter as it is, not noted in the journal: for pointers.
    fn raw(&self, index: usize) -> u32 {
        self.params[index].unwrap_i32() as u32
    }

    /// The parameter as a number.
    fn word(&mut self, index: usize) -> u32 {
        let word = self.raw(index);
        self.said.push(word.to_string());
        word
    }

    /// The parameter as a 64-bit number.
    fn long(&mut self, index: usize) -> i64 {
        let long = self.params[index].unwrap_i64();
        self.said.push(long.to_string());
        long
    }

    /// The bytes that a pointer and the size behind it mean.
    fn bytes(&mut self, index: usize) -> Result<Vec<u8>, Status> {
        let bytes = self.block(index)?;
        self.said.push(String::from_utf8_lossy(&bytes).into_owned());
        Ok(bytes)
    }

    /// The same, without a note in the journal.
    fn block(&mut self, index: usize) -> Result<Vec<u8>, Status> {
        self.read(self.raw(index), self.raw(index + 1))
    }

    fn read(&mut self, start: u32, length: u32) -> Result<Vec<u8>, Status> {
        let range = start as usize..start as usize + length as usize;
        let memory = self.memory();
        memory
            .data(&*self.caller)
            .get(range)
            .map(<[u8]>::to_vec)
            .ok_or(Status::InvalidMemoryAccess)
    }

    fn write(&mut self, start: u32, bytes: &[u8]) -> Result<(), Status> {
        let memory = self.memory();
        memory
            .write(&mut *self.caller, start as usize, bytes)
            .map_err(|_| Status::InvalidMemoryAccess)
    }

    /// Writes a number where the parameter points.
    fn put(&mut self, index: usize, word: u32) -> HostResult {
        Ok(self.write(self.raw(index), &word.to_le_bytes())?)
    }

    /// Writes a 64-bit number where the parameter points.
    fn put_long(&mut self, index: usize, long: u64) -> HostResult {
        Ok(self.write(self.raw(index), &long.to_le_bytes())?)
    }

    /// Hands bytes to the module in memory that it allocates, through a pointer to a pointer and one to a size.
    fn give(&mut self, index: usize, bytes: &[u8]) -> HostResult {
        let pointer = if bytes.is_empty() {
            0
        } else {
            self.allocate(bytes.len() as u32)?
        };
        if pointer != 0 {
            self.write(pointer, bytes)?;
        }
        self.put(index, pointer)?;
        self.put(index + 1, bytes.len() as u32)
    }

    fn allocate(&mut self, size: u32) -> Result<u32, Status> {
        let export = ["malloc", "proxy_on_memory_allocate"]
            .iter()
            .find_map(|name| self.caller.get_export(name));
        let function = export
            .and_then(Extern::into_func)
            .ok_or(Status::InvalidMemoryAccess)?;
        let outer = self.host().allowed.replace(ALLOWED_IN_ALLOCATION);
        let mut results = [Val::I32(0)];
        let outcome = function.call(&mut *self.caller, &[Val::I32(size as i32)], &mut results);
        self.host().allowed = outer;
        if let Err(trap) = outcome {
            self.trap = Some(trap);
            return Err(Status::InvalidMemoryAccess);
        }
        match results[0].unwrap_i32() as u32 {
            0 => Err(Status::InvalidMemoryAccess),
            pointer => Ok(pointer),
        }
    }

    /// Stops the module: it did what Envoy lets pass but nobody can want.
    fn refuse(&mut self, why: String) {
        self.trap = Some(wasmtime::Error::msg(why));
    }

    fn memory(&mut self) -> Memory {
        self.caller
            .get_export("memory")
            .and_then(Extern::into_memory)
            .expect("a module with a memory")
    }
}
