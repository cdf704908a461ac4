//! A call of a host function: its parameters, the module's memory, and the result.

use wasmtime::{Caller, Extern, Memory, Val};

use crate::abi::Status;
use crate::host::Host;

/// Why a call failed: a status of the ABI, or a WASI error number.
pub(super) struct Code(pub(super) u32);

impl From<Status> for Code {
    fn from(status: Status) -> Code {
        Code(status as u32)
    }
}

pub(super) type HostResult = Result<(), Code>;

/// A host function.
pub(super) struct Import {
    pub(super) name: &'static str,
    /// Parameters, `>`, results. `i` is i32, `I` is i64.
    pub(super) signature: &'static str,
    /// Index of the out-parameter for the pointer to returned bytes. The one for their size
    /// follows.
    pub(super) bytes_out: Option<usize>,
    pub(super) body: fn(&mut Invocation<'_, '_>) -> HostResult,
}

pub(super) const fn import(
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

/// A host function that returns bytes.
pub(super) const fn giving(
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

/// The only functions that the module may call while it allocates memory for a result.
const ALLOWED_IN_ALLOCATION: &[&str] = &["proxy_log", "fd_write"];

/// A call of a host function in progress.
pub(super) struct Invocation<'a, 'b> {
    caller: &'a mut Caller<'b, Host>,
    params: &'a [Val],
    /// The arguments for the journal.
    pub(super) said: Vec<String>,
    pub(super) trap: Option<wasmtime::Error>,
}

impl<'a, 'b> Invocation<'a, 'b> {
    pub(super) const fn new(caller: &'a mut Caller<'b, Host>, params: &'a [Val]) -> Self {
        Invocation {
            caller,
            params,
            said: Vec::new(),
            trap: None,
        }
    }

    pub(super) fn host(&mut self) -> &mut Host {
        self.caller.data_mut()
    }

    /// A parameter that the journal does not show: a pointer.
    pub(super) fn raw(&self, index: usize) -> u32 {
        self.params[index].unwrap_i32() as u32
    }

    /// A number parameter.
    pub(super) fn word(&mut self, index: usize) -> u32 {
        let word = self.raw(index);
        self.said.push(word.to_string());
        word
    }

    /// A 64-bit number parameter.
    pub(super) fn long(&mut self, index: usize) -> i64 {
        let long = self.params[index].unwrap_i64();
        self.said.push(long.to_string());
        long
    }

    /// The bytes that a pointer parameter and the size parameter after it describe.
    pub(super) fn bytes(&mut self, index: usize) -> Result<Vec<u8>, Status> {
        let bytes = self.block(index)?;
        self.said.push(String::from_utf8_lossy(&bytes).into_owned());
        Ok(bytes)
    }

    /// The same, not shown in the journal.
    pub(super) fn block(&mut self, index: usize) -> Result<Vec<u8>, Status> {
        self.read(self.raw(index), self.raw(index + 1))
    }

    pub(super) fn read(&mut self, start: u32, length: u32) -> Result<Vec<u8>, Status> {
        let range = start as usize..start as usize + length as usize;
        let memory = self.memory();
        memory
            .data(&*self.caller)
            .get(range)
            .map(<[u8]>::to_vec)
            .ok_or(Status::InvalidMemoryAccess)
    }

    pub(super) fn write(&mut self, start: u32, bytes: &[u8]) -> Result<(), Status> {
        let memory = self.memory();
        memory
            .write(&mut *self.caller, start as usize, bytes)
            .map_err(|_| Status::InvalidMemoryAccess)
    }

    /// Writes a number to the address in the parameter.
    pub(super) fn put(&mut self, index: usize, word: u32) -> HostResult {
        Ok(self.write(self.raw(index), &word.to_le_bytes())?)
    }

    /// Writes a 64-bit number to the address in the parameter.
    pub(super) fn put_long(&mut self, index: usize, long: u64) -> HostResult {
        Ok(self.write(self.raw(index), &long.to_le_bytes())?)
    }

    /// Returns bytes to the module in memory that it allocates. Parameter `index` is the address
    /// for the pointer, the next one the address for the size.
    pub(super) fn give(&mut self, index: usize, bytes: &[u8]) -> HostResult {
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

    /// Traps after a call that Envoy tolerates but no filter should make.
    pub(super) fn refuse(&mut self, why: String) {
        self.trap = Some(wasmtime::Error::msg(why));
    }

    fn memory(&mut self) -> Memory {
        self.caller
            .get_export("memory")
            .and_then(Extern::into_memory)
            .expect("a module with a memory")
    }
}
