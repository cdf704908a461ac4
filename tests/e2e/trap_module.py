"""The compiled filter with a trap added, for test_trap.py.

The module that ships has no way to trap on purpose, so this rewrites its bytes: the export
`proxy_on_request_body` becomes a wrapper. It calls the original, and traps if the original let the
request go upstream (so the request presented the proxy key) and the request carries `x-poison`.

Only the WebAssembly sections that list functions, exports and code change:
https://webassembly.github.io/spec/core/binary/modules.html
"""

import pathlib

TRAP_HEADER = "x-poison"
WRAPPED = "proxy_on_request_body"

IMPORTS, FUNCTIONS, EXPORTS, CODE = 2, 3, 7, 10
FUNCTION = 0


def add_trap(module: bytes) -> bytes:
    sections = list(read_sections(module))
    by_id = dict(sections)
    imports = [name for name, _ in read_imports(by_id[IMPORTS])]
    exports = read_exports(by_id[EXPORTS])
    types, _ = read_vector(by_id[FUNCTIONS], read_number)
    original = exports[WRAPPED]
    allocate = exports.get("proxy_on_memory_allocate", exports.get("malloc"))
    body = wrapper(original, allocate, imports.index("proxy_get_header_map_value"))

    by_id[FUNCTIONS] = append(by_id[FUNCTIONS], number(types[original - len(imports)]))
    by_id[CODE] = append(by_id[CODE], number(len(body)) + body)
    entry = text(WRAPPED) + bytes([FUNCTION])
    by_id[EXPORTS] = by_id[EXPORTS].replace(
        entry + number(original), entry + number(len(imports) + len(types))
    )
    return module[:8] + b"".join(
        bytes([section]) + number(len(by_id.get(section, content))) + by_id.get(section, content)
        for section, content in sections
    )


def wrapper(original: int, allocate: int, get_header: int) -> bytes:
    """`fn(context, size, end) -> action`, with the two locals `scratch` and `poisoned`."""
    context, size, end, scratch, poisoned = range(5)
    name = int.from_bytes(TRAP_HEADER.encode(), "little")
    assert len(TRAP_HEADER) == 8, "one i64.store writes the name"
    request_headers, value_at, length_at = 0, 16, 20
    code = [
        constant(32),
        call(allocate),
        set_local(scratch),
        local(scratch),
        b"\x42" + signed(name),  # i64.const
        b"\x37\x00\x00",  # i64.store
        constant(request_headers),
        local(scratch),
        constant(len(TRAP_HEADER)),
        local(scratch) + constant(value_at) + ADD,
        local(scratch) + constant(length_at) + ADD,
        call(get_header),
        IS_ZERO,
        set_local(poisoned),
        local(context) + local(size) + local(end),
        call(original),
        set_local(scratch),
        local(scratch) + IS_ZERO,  # Continue
        local(poisoned),
        b"\x71",  # i32.and
        b"\x04\x40\x00\x0b",  # if unreachable end
        local(scratch),
        b"\x0b",  # end
    ]
    locals_of_one_type = b"\x01\x02\x7f"  # two i32
    return locals_of_one_type + b"".join(code)


ADD, IS_ZERO = b"\x6a", b"\x45"


def constant(value: int) -> bytes:
    return b"\x41" + signed(value)


def call(function: int) -> bytes:
    return b"\x10" + number(function)


def local(index: int) -> bytes:
    return b"\x20" + number(index)


def set_local(index: int) -> bytes:
    return b"\x21" + number(index)


def read_sections(module: bytes):
    """Pairs of section id and content. Custom sections are dropped."""
    at = 8
    while at < len(module):
        section, (size, start) = module[at], read_number(module, at + 1)
        at = start + size
        if section:
            yield section, module[start:at]


def read_imports(content: bytes):
    def one(content, at):
        _, at = read_text(content, at)
        name, at = read_text(content, at)
        assert content[at] == FUNCTION, f"{name} is not a function"
        kind, at = read_number(content, at + 1)
        return (name, kind), at

    return read_vector(content, one)[0]


def read_exports(content: bytes) -> dict:
    """Names of exported functions and their indices."""

    def one(content, at):
        name, at = read_text(content, at)
        index, end = read_number(content, at + 1)
        return (name, content[at], index), end

    return {name: index for name, kind, index in read_vector(content, one)[0] if kind == FUNCTION}


def read_vector(content: bytes, read_one):
    count, at = read_number(content, 0)
    items = []
    for _ in range(count):
        item, at = read_one(content, at)
        items.append(item)
    return items, at


def append(vector: bytes, item: bytes) -> bytes:
    count, start = read_number(vector, 0)
    return number(count + 1) + vector[start:] + item


def read_text(content: bytes, at: int):
    size, start = read_number(content, at)
    return content[start : start + size].decode(), start + size


def text(value: str) -> bytes:
    return number(len(value)) + value.encode()


def read_number(content: bytes, at: int):
    """An unsigned LEB128 number and the offset after it."""
    value = shift = 0
    while True:
        byte = content[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def number(value: int) -> bytes:
    encoded = b""
    while value >= 0x80:
        encoded += bytes([value & 0x7F | 0x80])
        value >>= 7
    return encoded + bytes([value])


def signed(value: int) -> bytes:
    """Signed LEB128 of a number that is not negative."""
    encoded = b""
    while value >= 0x40:
        encoded += bytes([value & 0x7F | 0x80])
        value >>= 7
    return encoded + bytes([value])


def write_trapping(shipped: pathlib.Path, folder: pathlib.Path) -> pathlib.Path:
    path = folder / "trapping.wasm"
    path.write_bytes(add_trap(shipped.read_bytes()))
    return path
