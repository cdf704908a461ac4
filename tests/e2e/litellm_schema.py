"""LiteLLM's tables, from the schema in its own package."""

import pathlib
import re
import subprocess
import sys
import zipfile

from emulator import ROOT

VERSION = "1.110.2"
IN_PACKAGE = "litellm/proxy/schema.prisma"
TABLES = [
    "LiteLLM_BudgetTable",
    "LiteLLM_DeprecatedVerificationToken",
    "LiteLLM_TeamMembership",
    "LiteLLM_TeamTable",
    "LiteLLM_UserTable",
    "LiteLLM_VerificationToken",
]
TYPES = {
    "BigInt": "BIGINT",
    "Boolean": "BOOLEAN",
    "DateTime": "TIMESTAMP(3)",
    "Float": "DOUBLE PRECISION",
    "Int": "INTEGER",
    "Json": "JSONB",
    "String": "TEXT",
}
FIELD = re.compile(r"(?P<name>\w+)\s+(?P<type>\w+)(?P<list>\[\])?(?P<optional>\?)?(?P<rest>.*)")
DEFAULT = re.compile(r"@default\((?P<value>[^()]*(?:\(\))?)\)")


def schema() -> str:
    """The schema. Only this file is kept of the package, which is downloaded once."""
    folder = ROOT / "target" / "litellm" / VERSION
    path = folder / "schema.prisma"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        command += ["--only-binary", ":all:", "--dest", folder, f"litellm=={VERSION}"]
        subprocess.run(command, check=True)
        for wheel in folder.glob("*.whl"):
            with zipfile.ZipFile(wheel) as package:
                write(path, package.read(IN_PACKAGE))
            wheel.unlink()
    return path.read_text(encoding="utf-8")


def write(path: pathlib.Path, content: bytes):
    temporary = path.with_suffix(".new")
    temporary.write_bytes(content)
    temporary.replace(path)


def columns(table: str) -> dict:
    """The columns of a table, as SQL defines them."""
    model = re.search(rf"^model {table} {{$(.*?)^}}$", schema(), re.DOTALL | re.MULTILINE)
    defined = {}
    for line in model.group(1).splitlines():
        line = line.partition("//")[0].strip()
        if not line or line.startswith("@@"):
            continue
        field = FIELD.fullmatch(line)
        if field["type"].startswith("LiteLLM_"):
            continue
        defined[field["name"]] = definition(field)
    return defined


def definition(field) -> str:
    sql = TYPES[field["type"]]
    if field["list"]:
        return f"{sql}[] DEFAULT '{{}}'"
    if not field["optional"]:
        sql += " NOT NULL"
    if "@id" in field["rest"]:
        sql += " PRIMARY KEY"
    default = DEFAULT.search(field["rest"])
    value = default["value"] if default else None
    if value == "now()":
        sql += " DEFAULT CURRENT_TIMESTAMP"
    elif value is not None and value != "uuid()":
        sql += f" DEFAULT {value}".replace('"', "'")
    return sql


def definitions() -> str:
    """SQL that makes the tables."""
    statements = []
    for table in TABLES:
        lines = ",\n".join(f'  "{name}" {sql}' for name, sql in columns(table).items())
        statements.append(f'CREATE TABLE "{table}" (\n{lines}\n);')
    return "\n".join(statements)
