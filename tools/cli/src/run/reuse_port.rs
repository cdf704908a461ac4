//! Sockets that listen on the same port (`SO_REUSEPORT`), in Linux.
//!
//! The kernel keeps them in the order in which they began to listen, and a small program chooses
//! one for each new connection. Here it chooses at random among the first ones, as many as one
//! Envoy has. When that Envoy ends, the sockets of the next one take their places, so the kernel
//! itself moves the connections over, at once.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;

use nix::libc::{self, sock_filter, sock_fprog};
use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::AttachReusePortCbpf;
use rustix::net::sockopt::{set_ipv6_v6only, set_socket_reuseaddr, set_socket_reuseport};
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, socket_with};

/// A socket with the options of Envoy's, so that both may use the port.
pub(super) fn bound(address: SocketAddr) -> io::Result<OwnedFd> {
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    let socket = socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    set_socket_reuseaddr(&socket, true)?;
    set_socket_reuseport(&socket, true)?;
    if address.is_ipv6() {
        set_ipv6_v6only(&socket, true)?;
    }
    bind(&socket, &address)?;
    Ok(socket)
}

/// Lets the kernel choose among the first `sockets` that listen on the same port as `socket`, which
/// must listen too.
pub(super) fn choose_among(socket: &OwnedFd, sockets: u32) -> io::Result<()> {
    let mut program = random_below(sockets);
    let program = sock_fprog {
        len: program.len().try_into().map_err(io::Error::other)?,
        filter: program.as_mut_ptr(),
    };
    Ok(setsockopt(socket, AttachReusePortCbpf, &program)?)
}

/// A program in classic BPF. Its result is the position of the socket that gets the connection: a
/// random number below `limit`.
fn random_below(limit: u32) -> [sock_filter; 3] {
    let step = |code: u32, k| sock_filter {
        code: code as u16,
        jt: 0,
        jf: 0,
        k,
    };
    let random = libc::SKF_AD_OFF + libc::SKF_AD_RANDOM;
    [
        step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, random.cast_unsigned()),
        step(libc::BPF_ALU | libc::BPF_MOD | libc::BPF_K, limit.max(1)),
        step(libc::BPF_RET | libc::BPF_A, 0),
    ]
}
